"""Whether an SMS message is spam, by a small recurrent network that reads it word by word.

Run:      tandem train spam_lstm                  (then: tandem export spam_lstm)
          tandem run spam_lstm --text "You have won a prize"
Source:   long short-term memory (Hochreiter and Schmidhuber, 1997); the course documents' network, which report no figure
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge.contract import Budget, Metric, Step
from training.data import sms_spam, texts
from training.families import text_classifier
from training.recipe import DataOptions, FitSettings, Recipe, Splits

LENGTH = 50  # words and signs
WORDS = 2000
NUMBERS = WORDS + 2  # with the end and unknown words


def network(width: int = 20, states: int = 15) -> Any:
    """Make an embedding, an LSTM, the largest of each of its states over the message, and the scores of ham and spam."""
    import keras

    of = keras.layers
    layers = [
        keras.Input((LENGTH,), dtype="int32", name="ids"),
        of.Embedding(NUMBERS, width),
        of.SpatialDropout1D(0.2),
        of.LSTM(states, return_sequences=True),  # (B, 50, 15)
        of.GlobalMaxPooling1D(),
        of.Dropout(0.2),
        of.Dense(len(sms_spam.LABELS)),
    ]
    return keras.Sequential(layers, name="spam_lstm")


def load(options: DataOptions) -> Splits:
    """Load the messages as numbers of words, with the vocabulary of the training split."""
    return texts.numbered(sms_spam.load(options), _CONTRACT, WORDS)


_FAMILY = text_classifier("spam_lstm", sms_spam.LABELS, LENGTH, NUMBERS)
_CONTRACT = replace(
    _FAMILY,
    description="Whether an English SMS message is spam.",
    preprocess=(Step("tokenize", length=LENGTH, vocabulary="vocabulary.txt", markup=True, own_script=True),),
    metric=Metric("f1", "higher", floor=0.92),
    recipes=("weight_only_wi8_afp32", "static_wi8_ai8"),
    requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
    budget=Budget(size_bytes=500_000),  # of the file for devices
    source="SMS Spam Collection (Almeida, Gómez Hidalgo and Yamakami, 2011)",
)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=load,
    build=network,
    fit=FitSettings(epochs=12, batch_size=64, learning_rate=3e-3, clip_norm=1.0, weight_decay=1e-3),
    framework="keras",
    raw_inputs="data",
)
