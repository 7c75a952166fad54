"""What a news report is about: MiniLM, a BERT of six layers that others trained, taught the eight topics of Reuters R8.

Run:      tandem train news_bert              (then: tandem export news_bert)
          tandem train news_bert --set backbone=FOLDER         your own BERT: config.json, model.safetensors, its tokenizer
          tandem train news_bert_fake_news --data-dir FOLDER   Fake.csv and True.csv, if you have them
          tandem run news_bert --text "opec raised its output of crude oil"
Expected: 0.974 on the 2,189 test reports (95 % interval 0.966 to 0.980); TF-IDF + logistic regression, measured in the same run, gets
          0.9685: 0.0055 more, 95 % interval -0.002 to 0.013 (paired), which may be chance
Time:     22 minutes for 3 epochs on one core of a CPU with much other work
Source:   BERT (Devlin et al., 2019); MiniLM (Wang et al., 2020); the split R8 of Reuters-21578 (Cardoso-Cachopo, 2007)

For devices: int8 weights with one scale a matrix and ranges found at run time, which both TFLite runtimes answer alike; with many scales
a matrix tflite-runtime 2.14 answers wrongly without an error (docs/news-bert.md).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from edge.contract import Metric
from training import bert_classifier, text_baseline
from training.bert_classifier import BertClassifier
from training.data import fake_news, reuters_r8
from training.recipe import DataOptions, FitSettings, Recipe, Splits

LENGTH = 64  # pieces; of R8's reports four in ten have no more, and the others say what they are about at their beginning
FROZEN = 2  # of the six layers, and the embeddings: they know English, and leaving them saves time


def build(backbone: str = "", frozen: int = FROZEN) -> BertClassifier:
    """Make the classifier of topics, of MiniLM or of the BERT in a folder."""
    return bert_classifier.build(len(reuters_r8.LABELS), backbone, frozen)


def build_for_fake_news(backbone: str = "", frozen: int = FROZEN) -> BertClassifier:
    """Make the classifier of fake news, of MiniLM or of the BERT in a folder."""
    return bert_classifier.build(len(fake_news.LABELS), backbone, frozen)


def load(options: DataOptions, backbone: str = "") -> Splits:
    """Load the reports as ids of pieces, by the tokenizer of the BERT that will read them."""
    return bert_classifier.numbered(reuters_r8.load(options), _CONTRACT, backbone)


def load_fake_news(options: DataOptions, backbone: str = "") -> Splits:
    """Load a user's articles as ids of pieces, by the tokenizer of the BERT that will read them."""
    return bert_classifier.numbered(fake_news.load(options), _FAKE_NEWS, backbone)


_CONTRACT = replace(
    bert_classifier.promise("news_bert", reuters_r8.LABELS, LENGTH),
    description="Which of eight topics of business news an English report is about.",
    metric=Metric("accuracy", "higher", floor=0.965),
    source="Reuters-21578, split R8 (Lewis, 1997); MiniLM (Wang et al., 2020)",
)
_FAKE_NEWS = replace(
    bert_classifier.promise(name="news_bert_fake_news", labels=fake_news.LABELS, length=LENGTH),
    description="Whether an English news article is of the kind of known fake news.",
    metric=Metric("accuracy", "higher", floor=0.95),
    source="Fake.csv and True.csv of the user; MiniLM (Wang et al., 2020)",
)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=load,
    build=build,
    fit=FitSettings(epochs=3, batch_size=32, learning_rate=1e-4, schedule="cosine", warmup=0.1, clip_norm=1.0, weight_decay=0.01),
    raw_inputs="data",
    conclude=partial(text_baseline.compared, contract=_CONTRACT),
    adapt=bert_classifier.adapted,
)

VARIANTS = (replace(RECIPE, contract=_FAKE_NEWS, load_data=load_fake_news, build=build_for_fake_news, conclude=None),)
