"""Whether a review of a film is negative or positive, by a recurrent network that reads it word by word, both ways.

Run:      tandem train sentiment_lstm             (then: tandem export sentiment_lstm)
          tandem train sentiment_lstm --data-dir aclImdb    IMDB itself, if you have it: its folder, or a table (review, sentiment)
          tandem run sentiment_lstm --text "A warm and clever film."
Expected: 0.811 on the 1,004 test sentences of the stand-in; TF-IDF + logistic regression, measured in the same run, gets 0.788, with
          pairs of words 0.793: 0.023 more, 95 % interval 0.004 to 0.042 (paired). Four-fold over the other 9,037 sentences: 0.794 for
          that baseline, 0.822 for the scores alone, 0.808 for the LSTM alone, 0.826 for both
Time:     36 s for 6 epochs on one thread of a CPU with much other work; 172 s with data, scores, baseline and hand-over
Size:     694,818 parameters; 1.3 MB with int8 weights, 3.1 MB in float32; both proved on both TFLite runtimes
Source:   long short-term memory (Hochreiter and Schmidhuber, 1997), in both directions (Schuster and Paliwal, 1997), beside a wide part
          (Cheng et al., 2016) of log-count ratios (Wang and Manning, 2012); lexicon: VADER (Hutto and Gilbert, 2014); vectors of words:
          MiniLM (Wang et al., 2020)

The documents' own nets are variants: `sentiment_lstm_documents` for reviews as long as IMDB's (3,800 words, 380 of a review, LSTM
32, 256 hidden units; for servers only: its 380 steps, written out as devices need them, are too many), and their five heads over
2,000 words, 100 of a review (`_mlp`, `_rnn`, `_small` with the LSTM, `_gru`, `_cnn`); `scripts/text_heads.py --train` compares
them. What differs here: an embedding begins with how people rated the word by itself and with what it means, as a sentence encoder
has it; the LSTM's states are pooled over the text; and in the same graph scores of words and pairs of words are added up, which
logistic regression found before. The two err apart, so both together are better than either.

For devices the steps are written out, 48 each way. int8 weights with arithmetic in float32 answer one of the 1,004 otherwise, on both
TFLite runtimes alike (accuracy 0.810).
Dynamic ranges are not released: right on ai-edge-litert, and on tflite-runtime 2.14 no better than guessing (accuracy 0.511 for
0.794, of a net without the scores).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from edge.contract import Budget, Contract, Metric, Step, Tolerance
from training import text_baseline, text_regression
from training.data import imdb, movie_sentences, texts, word_meanings
from training.families import text_classifier
from training.frameworks import Loop, pytorch
from training.objective import Objective
from training.own import OwnTraining
from training.recipe import DataOptions, FitSettings, Recipe, Splits
from training.text_heads import Convolved, Flat, LastState, PooledStates, TextNet
from training.text_wide import Wide

LENGTH = 48  # words and signs; one sentence of the stand-in in a hundred is longer
WORDS = 18_000  # 7,223 of the lexicon and the most frequent of the others
WIDTH = 32
PIECES = (3, 4, 5)  # characters of a word that are judged together
VALENCE = 0.3  # how much of a word's rating its embedding begins with
MEANING = 0.15  # the standard deviation of the other features that it begins with
HEAD_WORDS, HEAD_LENGTH = 2_000, 100  # of the documents' five heads
DOCUMENT_WORDS, DOCUMENT_LENGTH = 3_800, 380  # of their larger net, for reviews as long as IMDB's
BY_PERPLEXITY = Objective(metric="perplexity")  # on a thousand samples it tells good epochs apart more surely than accuracy does


def pooled(states: int = 32) -> TextNet:
    """Make the net; the first feature of a word of the lexicon begins with how people rated it."""
    net = TextNet(WORDS + 2, 2, PooledStates(WIDTH, states), 4 * states, width=WIDTH, dropout=0.5, lost=0.1, wide=Wide(WORDS + 2))
    ratings = torch.tensor(list(movie_sentences.lexicon().values()))
    with torch.no_grad():
        net.embedding.weight[2 : 2 + len(ratings), 0] = VALENCE * ratings
    return net


def learn(net: TextNet, splits: Splits, settings: FitSettings, _objective: Objective) -> Loop:
    """Begin with what words mean, find the scores of words and pairs, and give the loop in which the LSTM learns."""
    words = splits.assets["vocabulary.txt"].decode().split()
    meanings = word_meanings.vectors(words)
    with torch.no_grad():
        net.embedding.weight[2 : 2 + len(words), 1:] = torch.from_numpy(word_meanings.reduced(meanings, WIDTH - 1, MEANING))
    if net.wide is not None:
        text_regression.fit(net.wide, splits, text_regression.vocabulary(words, WORDS + 2, PIECES, meanings))
    return pytorch.loop(net, splits, settings, BY_PERPLEXITY)


def of_documents(head: str, words: int, length: int) -> TextNet:
    """Make a net of the course documents: Embedding(…, 32), a head, 256 hidden units, scores."""
    made: dict[str, tuple[Callable[[], nn.Module], int]] = {
        "mlp": (Flat, 32 * length),
        "cnn": (partial(Convolved, 32, 32), 32),
        "rnn": (partial(LastState, "rnn", 32, 16), 16),
        "lstm": (partial(LastState, "lstm", 32, 32), 32),
        "gru": (partial(LastState, "gru", 32, 32), 32),
    }
    make, features = made[head]
    return TextNet(words + 2, 2, make(), features, hidden=256)


def load(options: DataOptions) -> Splits:
    """Load reviews as numbers of words; the vocabulary is a lexicon and the words of the training split."""
    return texts.numbered(imdb.load(options), _CONTRACT, WORDS, tuple(movie_sentences.lexicon()), least=1)


def load_plain(options: DataOptions, contract: Contract, words: int) -> Splits:
    """Load reviews as numbers of words, with a vocabulary of the training split."""
    return texts.numbered(imdb.load(options), contract, words)


def promise(name: str, length: int, words: int, description: str, floor: float) -> Contract:
    """Return the contract of one net; `floor` is the least accuracy on genuine reviews."""
    return replace(
        text_classifier(name, imdb.LABELS, length, words + 2),
        description=description,
        preprocess=(Step("tokenize", length=length, vocabulary="vocabulary.txt", markup=True, own_script=True),),
        metric=Metric("accuracy", "higher", floor=floor),
        recipes=("weight_only_wi8_afp32",),
        requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
        tolerance=Tolerance(onnx=1e-4, tflite=1e-3, agreement=0.98, metric_drop=0.01),
        budget=Budget(size_bytes=1_500_000),  # of the file for devices
        source="Large Movie Review Dataset (Maas et al., 2011)",
    )


def variant(head: str, words: int, length: int, described: str, name: str) -> Recipe:
    """Return the recipe of one of the documents' nets."""
    contract = promise(name, length, words, f"Whether a review of a film is positive; {described}.", floor=0.7)
    targets = ("server",) if length > HEAD_LENGTH else contract.targets
    contract = contract if length <= HEAD_LENGTH else replace(contract, targets=targets, recipes=(), requires_runtimes=("onnxruntime",))
    return replace(
        RECIPE,
        own=None,
        contract=contract,
        load_data=partial(load_plain, contract=contract, words=words),
        build=partial(of_documents, head, words, length),
        fit=FitSettings(epochs=6, batch_size=64, learning_rate=3e-3, clip_norm=1.0, weight_decay=1e-2),
        subset_floor=0.6,
        conclude=partial(text_baseline.compared, contract=contract),
    )


_CONTRACT = promise("sentiment_lstm", LENGTH, WORDS, "Whether a review of a film is negative or positive.", floor=0.75)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=load,
    build=pooled,
    fit=FitSettings(epochs=6, batch_size=64, learning_rate=3e-3, clip_norm=1.0, weight_decay=0.1),
    raw_inputs="data",
    subset_floor=0.78,
    own=OwnTraining(learn, "perplexity", "lower"),
    conclude=partial(text_baseline.compared, contract=_CONTRACT),
)

VARIANTS = (
    variant("lstm", DOCUMENT_WORDS, DOCUMENT_LENGTH, "the course documents' LSTM, for long reviews", name="sentiment_lstm_documents"),
    variant("mlp", HEAD_WORDS, HEAD_LENGTH, "a multilayer perceptron", name="sentiment_lstm_mlp"),
    variant("rnn", HEAD_WORDS, HEAD_LENGTH, "a simple recurrent net", name="sentiment_lstm_rnn"),
    variant("lstm", HEAD_WORDS, HEAD_LENGTH, "an LSTM of one direction", name="sentiment_lstm_small"),
    variant("gru", HEAD_WORDS, HEAD_LENGTH, "gated recurrent units", name="sentiment_lstm_gru"),
    variant("cnn", HEAD_WORDS, HEAD_LENGTH, "a convolution", name="sentiment_lstm_cnn"),
)
