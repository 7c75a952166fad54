"""Handwritten digits by a network of dense layers, in Keras.

Run:      tandem train mnist_mlp                  (then: tandem export mnist_mlp)
Expected: test accuracy 0.984 on the 10,000 digits of MNIST's own test set (seed 0); with the 5,000-digit subset 0.932
          on its 500 test digits
Time:     42 s for 10 epochs on 2 CPU cores with other work beside it
Size:     235,146 parameters
Source:   the network of the course documents, 784-256-128-10 with ReLU, batches of 128, 10 epochs, whose reported figure is
          0.9784; here with the one-cycle schedule (Smith, 2018)

Variant `mnist_mlp_dropout`: the documents' other network, one hidden layer of 128 and dropout of 0.2, 5 epochs; here
0.979 (seed 0). 101,770 parameters, about 10 s.

The graph takes raw pixels, uint8 NHWC; cast and scaling are part of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge.contract import Budget, Metric
from training.data import mnist
from training.families import image_classifier
from training.pictures import raw_pictures
from training.recipe import FitSettings, Recipe


def two_hidden_layers(first: int = 256, second: int = 128) -> Any:
    """Make a network of two hidden layers: (B, 28, 28, 1) uint8, 0–255, to logits (B, 10) float32."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((mnist.SIDE, mnist.SIDE, 1), dtype="uint8", name="image"),
            layers.Rescaling(1 / 255),
            layers.Flatten(),  # (B, 784)
            layers.Dense(first, activation="relu"),
            layers.Dense(second, activation="relu"),
            layers.Dense(10, name="logits"),
        ]
    )


def one_hidden_layer(width: int = 128, dropout: float = 0.2) -> Any:
    """Make a network of one hidden layer with dropout: (B, 28, 28, 1) uint8, 0–255, to logits (B, 10) float32."""
    from keras import Input, Sequential, layers

    return Sequential(
        [
            Input((mnist.SIDE, mnist.SIDE, 1), dtype="uint8", name="image"),
            layers.Rescaling(1 / 255),
            layers.Flatten(),  # (B, 784)
            layers.Dense(width, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(10, name="logits"),
        ]
    )


_CONTRACT = replace(
    image_classifier("mnist_mlp", mnist.CLASSES, mnist.SIDE, mnist.SIDE, 1, meaning="white digit on black"),
    description="Which digit is in the picture, by a network of dense layers.",
    metric=Metric("accuracy", "higher", floor=0.978),
    budget=Budget(size_bytes=300_000),  # of the file for devices
    source="MNIST (LeCun, Cortes, Burges)",
)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=mnist.load,
    build=two_hidden_layers,
    fit=FitSettings(epochs=10, learning_rate=3e-3),
    framework="keras",
    raw_inputs=raw_pictures,
    subset_floor=0.90,
)

VARIANTS = (
    replace(
        RECIPE,
        contract=replace(
            _CONTRACT,
            name="mnist_mlp_dropout",
            description="Which digit is in the picture, by one hidden layer with dropout.",
            metric=Metric("accuracy", "higher", floor=0.970),
        ),
        build=one_hidden_layer,
        fit=FitSettings(epochs=5, learning_rate=5e-3),
        subset_floor=0.88,
    ),
)
