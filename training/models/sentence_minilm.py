"""Sentences as vectors, to compare, search and sort by what they mean: MiniLM as its authors published it.

Run:      tandem train sentence_minilm            (then: tandem export sentence_minilm)
          tandem run sentence_minilm --text "the battery lasts all day" --json        384 numbers
Expected: nothing is learned here; the nearest other one of 300 reports is of the same topic in 0.890 (95 % from 0.850 to 0.921),
          where chance gives 0.355 and TF-IDF, by words alone, 0.903: reports of one topic share their words. Sentences that
          mean the same in other words have a cosine of 0.48, such that have nothing in common 0.06
Time:     a minute on one thread of a CPU; measured on a busy machine, six
Size:     22,565,376 parameters; for devices int8 weights, computed in float32: with ranges found at run time and one scale a matrix
          (`dynamic_wi8_afp32_per_tensor`), as both TFLite runtimes understand it, the gate refuses the vectors
Source:   MiniLM (Wang et al., 2020), taught on a billion pairs of sentences by the authors of sentence-transformers
          (Reimers and Gurevych, "Sentence-BERT", 2019); Apache-2.0

The program holds the mean over the pieces of the text and the normalisation, so whoever has two vectors multiplies them: 1 means
the same, around 0 nothing in common. Of a text the first 128 pieces count, some 90 words; longer ones are cut.

The test split is 300 reports of Reuters R8, each looked up among the others: the metric is the share whose nearest one is of the
same topic. The model was never told a topic, so the figure is what a search by meaning gives; it is what files for devices are
held to as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edge import measures
from edge.contract import Budget, Contract, Graph, Metric, Tensor, Tolerance
from training.as_published import as_published
from training.data import reuters_r8, texts
from training.own import Conclusion
from training.pretrained import minilm
from training.pretrained.bert_weights import TOKENIZER
from training.pretrained.sentence_encoder import LENGTH, SentenceEncoder, embed
from training.recipe import Array, DataOptions, FitSettings, Recipe, Split, Splits
from training.sampling import stratified_parts

SIZES = {"train": 256, "validation": 100, "test": 300}
SIMILAR = ("The battery lasts all day long.", "I can use it from morning to evening without charging.")
UNRELATED = ("The battery lasts all day long.", "The committee elected a new chairman yesterday.")


def build() -> SentenceEncoder:
    """Make the encoder with its published weights."""
    return SentenceEncoder(minilm.bert())


def load(options: DataOptions) -> Splits:
    """Load some reports as ids of pieces, in the proportions of all, and the numbers of their topics, (N, 1)."""
    whole = reuters_r8.load(options)
    few = [_some(split, SIZES[part]) for part, split in whole.parts().items()]
    note = f"{', '.join(f'{len(split):,}' for split in few)} to train, validate and test, of {whole.note}"
    chosen = replace(whole, note=note, train=few[0], validation=few[1], test=few[2])
    made = texts.prepared(chosen, CONTRACT, {TOKENIZER: minilm.tokenizer()})
    train, validation, test = (replace(split, targets=split.targets[:, None]) for split in made.parts().values())
    return replace(made, train=train, validation=validation, test=test)


def _some(split: Split, count: int) -> Split:
    return split.take(stratified_parts(split.targets, (min(count, len(split)),), seed=0)[0])


def conclude(_model: SentenceEncoder, splits: Splits) -> Conclusion:
    """Measure what known pairs have in common, and hold the search by meaning against one by words."""
    pairs = embed([*SIMILAR, *UNRELATED], minilm.weights())
    by_words = _by_words([str(text) for text in splits.test.raw]) if splits.test.raw is not None else None
    figures = {"cosine of two sentences that mean the same": float(pairs[0] @ pairs[1])}
    figures["cosine of two that have nothing in common"] = float(pairs[2] @ pairs[3])
    if by_words is not None:
        figures["precision_at_1 of TF-IDF on the test split"] = measures.measure("precision_at_1").of(by_words, splits.test.targets)
    share = np.bincount(splits.test.targets[:, 0]) / len(splits.test)
    figures["precision_at_1 by chance"] = float((share**2).sum())
    return Conclusion(splits, figures)


def _by_words(found: Sequence[str]) -> Array:
    """Return TF-IDF vectors, (N, W)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return np.asarray(TfidfVectorizer(sublinear_tf=True).fit_transform(found).toarray(), np.float32)


CONTRACT = Contract(
    schema=1,
    name="sentence_minilm",
    version="1.0.0",
    task="sentence-embedding",
    description="What an English sentence means, as a vector of length 1: the product of two says how alike they mean.",
    graphs=(
        Graph(
            "main",
            (minilm.ids(LENGTH),),
            (Tensor("vector", "float32", ("batch", minilm.WIDTH), "NC", None, "of length 1"),),
        ),
    ),
    preprocess=(minilm.pieces(LENGTH),),
    assets={"tokenizer": TOKENIZER},
    metric=Metric("precision_at_1", "higher", floor=0.80),
    targets=("server", "device"),
    recipes=("weight_only_wi8_afp32",),
    requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
    tolerance=Tolerance(onnx=1e-4, tflite=1e-3, agreement=0.99, metric_drop=0.02),
    budget=Budget(size_bytes=25_000_000),  # of the file for devices
    licence="Apache-2.0",
    source="all-MiniLM-L6-v2 (sentence-transformers, 2021); tested on Reuters-21578, split R8 (Lewis, 1997)",
)

RECIPE = Recipe(
    contract=CONTRACT,
    load_data=load,
    build=build,
    fit=FitSettings(epochs=1),
    task="embedding",
    raw_inputs="data",
    own=as_published(CONTRACT),
    conclude=conclude,
)
