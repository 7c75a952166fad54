"""Whether an English sentence is acceptable to those who speak the language: a BERT, taught by the user's CoLA.

Run:      tandem train cola_bert --data-dir FOLDER                        (then: tandem export cola_bert)
          tandem train cola_bert --data-dir FOLDER --set backbone=BERT    your own BERT: config.json, model.safetensors, its tokenizer
          tandem run cola_bert --text "They drank the pub dry."
Expected: not measured here, since CoLA is in no package; the floor of 0.7 is assumed, set it above the share of your commoner label
Source:   CoLA (Warstadt, Singh and Bowman, 2019); BERT (Devlin et al., 2019); MiniLM (Wang et al., 2020)

A BERT that has learned this elsewhere (`BertForSequenceClassification` with two labels) needs no training: give its folder to
`tandem export --program`, see docs/bring-your-own.md. MiniLM was taught the meaning of sentences, not their grammar; a plain BERT
is the better one to begin with.
"""

from __future__ import annotations

from dataclasses import replace

from edge.contract import Metric
from training import bert_classifier
from training.bert_classifier import BertClassifier
from training.data import cola
from training.recipe import DataOptions, FitSettings, Recipe, Splits

LENGTH = 48  # pieces; longer sentences are cut


def build(backbone: str = "", frozen: int = 0) -> BertClassifier:
    """Make the classifier, of MiniLM or of the BERT in a folder."""
    return bert_classifier.build(len(cola.LABELS), backbone, frozen)


def load(options: DataOptions, backbone: str = "") -> Splits:
    """Load the sentences as ids of pieces, by the tokenizer of the BERT that will read them."""
    return bert_classifier.numbered(cola.load(options), _CONTRACT, backbone)


_CONTRACT = replace(
    bert_classifier.promise("cola_bert", cola.LABELS, LENGTH),
    description="Whether an English sentence is acceptable.",
    metric=Metric("accuracy", "higher", floor=0.7),
    source="CoLA of the user (Warstadt et al., 2019); MiniLM (Wang et al., 2020)",
)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=load,
    build=build,
    fit=FitSettings(epochs=3, batch_size=32, learning_rate=5e-5, schedule="cosine", warmup=0.1, clip_norm=1.0, weight_decay=0.01),
    raw_inputs="data",
    adapt=bert_classifier.adapted,
)
