"""What reviews are about, without anybody having said what there is: topics found by themselves, and the topic of a new review.

Run:      tandem train review_topics              (then: tandem export review_topics; needs the extras `huggingface` and `trees`)
          tandem train review_topics --data-dir reviews.csv --set column=comment       your own: a table, or a .txt with one a line
          tandem train review_topics --set backbone=FOLDER --set reviews=chinese       a multilingual model of yours, Chinese reviews
          tandem train review_topics --set reduce=umap --set least=30                  other ways to find topics, see docs/review-topics.md
          tandem run review_topics --text "it takes sharp pictures even in dim light"
Expected: seven topics (camera; phone; DVD player; songs and software; iPod and its rivals; sound and radio; the purchase), 63 % of the
          sentences in no heap. The mean NPMI of the topics' words is 0.032 within sentences and 0.228 within reviews; k-means with
          as many clusters gives 0.039 (0.009 to 0.065 by seed) and 0.223 (0.202 to 0.246). More: docs/review-topics.md
Time:     two minutes on one thread of a CPU, a quarter of it reading; the vectors are kept in the cache
Size:     22,565,376 parameters and the centres of the topics
Source:   the course documents' way: sentence vectors (Reimers and Gurevych, 2019), HDBSCAN (Campello et al., 2013) with
          min_cluster_size 15, topics of a cosine above .5 merged; names by class TF-IDF (Grootendorst, "BERTopic", 2022)

The documents read Chinese reviews with a multilingual encoder; the default here is a stand-in, 3,687 English sentences of 300
reviews and MiniLM. Topics are found in four fifths of the reviews. What leaves is the encoder, the topics' centres and a threshold
in one graph: text in, scores of the topics and of "no topic" out, on servers and devices alike.

The test split tells whether a file gives the topic that the rule gives (the nearest centre, if it is near enough), by vectors of
full precision; it is no measure of how good topics are, since nobody knows the right ones. Those figures are above.
A topic's score is the cosine with its centre, that of "no topic" the threshold; they are no probabilities.
How the documents' other clusterings (k-means, DBSCAN) see heaps among noise, `clusters` shows on points.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from edge.contract import Budget, Contract, Graph, Metric, Step, Tensor, Tolerance
from edge.errors import ContractError
from training.as_published import as_published
from training.own import Conclusion
from training.pretrained import minilm
from training.pretrained.bert_weights import TOKENIZER, BertWeights
from training.pretrained.sentence_encoder import LENGTH, SentenceEncoder
from training.recipe import Array, DataOptions, FitSettings, Recipe, Splits
from training.topics.finding import TopicSettings
from training.topics.judging import judge, pictures
from training.topics.reader import TopicReader
from training.topics.splits import ABOUT, TopicSplits, read_by
from training.topics.splits import load as find_topics

_DEFAULT = TopicSettings()


def load(
    options: DataOptions,
    backbone: str = "",
    reviews: str = "amazon",
    column: str = "",
    reduce: str = _DEFAULT.reduce,
    features: int = _DEFAULT.features,
    least: int = _DEFAULT.least,
    neighbours: int = _DEFAULT.neighbours,
    alike: float = _DEFAULT.alike,
) -> TopicSplits:
    """Load reviews with the topics found in them; a user may set each argument."""
    settings = TopicSettings(reduce, features, least, neighbours, alike)
    return find_topics(options, CONTRACT, settings, backbone=backbone, reviews=reviews, column=column)


def build(
    backbone: str = "",
    reviews: str = "amazon",
    column: str = "",
    reduce: str = _DEFAULT.reduce,
    features: int = _DEFAULT.features,
    least: int = _DEFAULT.least,
    neighbours: int = _DEFAULT.neighbours,
    alike: float = _DEFAULT.alike,
) -> TopicReader:
    """Refuse: only data tell which topics there are, and `adapt` knows them; the arguments are those that a user may set of `load`."""
    told = (backbone, reviews, column, reduce, features, least, neighbours, alike)
    raise ContractError(f"review_topics: is made of its data, which {', '.join(map(str, told))} find; call for_data first")


def reader(weights: BertWeights, centres: Array, threshold: float) -> TopicReader:
    """Make the network of topics that were found."""
    return TopicReader(SentenceEncoder(weights.build()), centres, threshold)


def adapt(recipe: Recipe, splits: Splits) -> Recipe:
    """Return the recipe for the topics that were found: how many there are, and what stands for them."""
    if not isinstance(splits, TopicSplits):
        raise ContractError(f"{recipe.contract.name}: its data are {type(splits).__name__}, expected those that its load_data gives")
    contract = read_by(recipe.contract, splits.weights)
    scores = replace(contract.main.outputs[0], shape=("batch", len(splits.classes)))
    contract = replace(
        contract,
        graphs=(replace(contract.main, outputs=(scores,)),),
        postprocess=(Step("top_k", k=min(3, len(splits.classes))),),
    )
    if not splits.pinned:
        contract = replace(contract, budget=Budget(), source=splits.note)
    build_it = partial(reader, splits.weights, splits.found.centres, splits.found.threshold)
    return replace(recipe, contract=contract, build=build_it, own=as_published(contract))


def conclude(_model: TopicReader, splits: Splits) -> Conclusion:
    """Measure how well the topics hold together, against k-means, and draw them."""
    if not isinstance(splits, TopicSplits):
        raise ContractError(f"review_topics: its data are {type(splits).__name__}, expected those that its load_data gives")
    return Conclusion(splits, judge(splits), pictures(splits))


CONTRACT = Contract(
    schema=1,
    name="review_topics",
    version="1.0.0",
    task="text-classification",
    description="What a review is about: one of the topics that were found in many reviews, or none of them.",
    graphs=(
        Graph(
            "main",
            (minilm.ids(LENGTH),),
            (Tensor("scores", "float32", ("batch", "topics"), "NC", None, "cosine with each topic's centre; the last is the threshold"),),
        ),
    ),
    preprocess=(minilm.pieces(LENGTH),),
    postprocess=(Step("top_k", k=3),),
    assets={"tokenizer": TOKENIZER, "about": ABOUT},
    metric=Metric("accuracy", "higher", floor=0.95),  # the share of sentences that get the topic of the rule
    targets=("server", "device"),
    recipes=("dynamic_wi8_afp32_per_tensor",),
    requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
    tolerance=Tolerance(onnx=1e-4, tflite=1e-3, agreement=0.95, metric_drop=0.05),
    budget=Budget(size_bytes=25_000_000),  # of the file for devices
    licence="Apache-2.0",
    source="3,687 sentences of reviews of products (Hu and Liu, 2004; Hutto and Gilbert, 2014); all-MiniLM-L6-v2",
)

RECIPE = Recipe(
    contract=CONTRACT,
    load_data=load,
    build=build,
    fit=FitSettings(epochs=1),
    raw_inputs="data",
    own=as_published(CONTRACT),
    conclude=conclude,
    adapt=adapt,
)
