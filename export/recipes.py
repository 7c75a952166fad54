"""The recipes: what each one does to a float program, as data.

A recipe is named by a contract, bare (`static_wi8_ai8`) or with its format (`onnx:fp16`, where both formats know the
name). The table below is all there is: conversion, quantization and the report read it, none keeps a list of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from edge.contract import Target
from edge.errors import ContractError, ConversionError
from edge.variants import Format

Treatment = Literal["float", "int16", "per_tensor"]
Tool = Literal["converter", "ai-edge-quantizer", "onnx-float16", "onnxruntime"]

ANY = "*"
SMALL: tuple[Target, ...] = ("device", "browser")


@dataclass(frozen=True)
class Override:
    """What a recipe does otherwise for some operators.

    `scope` is a regular expression that is searched in the name of the operator (ONNX) or in the names of its output
    tensors (TFLite). `operator` is the operator as its format calls it (`FULLY_CONNECTED`, `TRANSPOSE_CONV`, `Gemm`), or
    `*` for any. `treatment` leaves it in float32, gives it 16-bit activations, or one scale for a whole weight tensor.
    """

    scope: str
    operator: str
    treatment: Treatment

    def __post_init__(self) -> None:
        """Refuse an expression that does not compile and a treatment that does not exist.

        Raises:
            ConversionError: What is wrong, and what could be there.
        """
        try:
            re.compile(self.scope)
        except re.error as error:
            raise ConversionError(f"override: scope {self.scope!r} is no regular expression ({error})") from None
        if self.treatment not in get_args(Treatment):
            raise ConversionError(f"override: treatment is {self.treatment!r}, expected one of {', '.join(get_args(Treatment))}")
        if not self.operator:
            raise ConversionError(f"override: no operator; expected its name, such as FULLY_CONNECTED, or {ANY!r} for any")

    def to_json(self) -> dict[str, str]:
        """Give the form that a conversion request holds."""
        return {"scope": self.scope, "operator": self.operator, "treatment": self.treatment}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Override:
        """Read `{"scope", "operator", "treatment"}`.

        Raises:
            ConversionError: A key is missing or unknown, or a value is wrong.
        """
        expected = {"scope", "operator", "treatment"}
        if not isinstance(value, Mapping) or set(value) != expected or not all(isinstance(item, str) for item in value.values()):
            raise ConversionError(f"override: {value!r}, expected the texts {', '.join(sorted(expected))}")
        return cls(**value)


@dataclass(frozen=True)
class Recipe:
    """One way to make a file.

    `weights` and `activations` say in which numbers they are held; `tool` makes the file, from the samples of the
    hand-over where `calibrated`; `suits` lists the targets that such a file is for; `summary` explains it to people.
    `base` is the recipe that the tool knows where it is another one.
    """

    name: str
    format: Format
    weights: str
    activations: str
    tool: Tool
    calibrated: bool
    suits: tuple[Target, ...]
    summary: str
    overrides: tuple[Override, ...] = ()
    base: str = ""

    @property
    def key(self) -> str:
        """Its name with its format, which no other recipe has: `tflite:fp16`."""
        return f"{self.format}:{self.name}"

    @property
    def exact(self) -> bool:
        """Whether its file may differ from the trainer by rounding only."""
        return self.name == "fp32"

    @property
    def file(self) -> str:
        """The name of its file in a bundle."""
        if self.format == "onnx":
            return "model.onnx" if self.exact else f"model.{self.name}.onnx"
        return f"model.{self.name}.tflite"


# Not every version of quantizer and runtime agrees on one scale per channel in a transposed convolution; one scale for the
# whole weight tensor is understood by all and costs little.
_SAFE = (Override(".*", "TRANSPOSE_CONV", "per_tensor"),)
# Arithmetic without weights, in attention and normalisation above all: wide ranges, squares, quotients. int8 saves
# nothing there and costs most of the accuracy.
_FRAGILE = (
    "ADD", "BATCH_MATMUL", "DIV", "GELU", "LOGISTIC", "MEAN", "MUL", "RSQRT", "SOFTMAX", "SQRT", "SQUARED_DIFFERENCE", "SUB", "SUM", "TANH",
)  # fmt: skip
# tflite-runtime 2.14 takes the first scale of a matrix for the whole of it and answers wrongly, without an error.
_ONE_SCALE = (*_SAFE, *(Override(".*", operator, "per_tensor") for operator in ("FULLY_CONNECTED", "EMBEDDING_LOOKUP")))
_MIXED = (*_SAFE, *(Override(".*", operator, "float") for operator in _FRAGILE))


def _onnx(name: str, numbers: str, tool: Tool, calibrated: bool, summary: str) -> Recipe:
    return Recipe(name, "onnx", numbers, numbers, tool, calibrated, ("server",), summary)


def _tflite(
    name: str, weights: str, activations: str, calibrated: bool, summary: str, overrides: tuple[Override, ...] = (), base: str = ""
) -> Recipe:
    return Recipe(name, "tflite", weights, activations, "ai-edge-quantizer", calibrated, SMALL, summary, overrides, base)


TABLE: tuple[Recipe, ...] = (
    _onnx("fp32", "float32", "converter", False, "as trained"),
    _onnx("fp16", "float16", "onnx-float16", False, "half the size; fast on a GPU, slow on a processor"),
    _onnx("int8", "int8", "onnxruntime", True, "a quarter of the size; integers, where a processor is quick with them"),
    Recipe("fp32", "tflite", "float32", "float32", "converter", False, SMALL, "as trained"),
    _tflite("fp16", "float16", "float32", False, "half the size; computed in float32"),
    _tflite("dynamic_wi8_afp32", "int8", "int8, ranges found at run time", False, "a quarter of the size, without samples", _SAFE),
    _tflite(
        "dynamic_wi8_afp32_per_tensor",
        "int8",
        "int8, ranges found at run time",
        False,
        "the same with one scale a matrix, which old runtimes understand as well",
        _ONE_SCALE,
        "dynamic_wi8_afp32",
    ),
    _tflite("static_wi8_ai8", "int8", "int8", True, "a quarter of the size; integers throughout", _SAFE),
    _tflite("static_wi8_ai16", "int8", "int16", True, "a quarter of the size; finer activations, slow kernels", _SAFE),
    _tflite("weight_only_wi8_afp32", "int8", "float32", False, "a quarter of the size; computed in float32", _SAFE),
    _tflite("mixed_wi8_ai8", "int8", "int8, arithmetic in float32", True, "int8 where the weights are", _MIXED, "static_wi8_ai8"),
    Recipe("as_given", "tflite", "as given", "as given", "converter", False, SMALL, "a file from elsewhere, as it came"),
)
BY_KEY: Mapping[str, Recipe] = {recipe.key: recipe for recipe in TABLE}


def get(format: Format, name: str) -> Recipe:
    """Give one recipe.

    Raises:
        ConversionError: The format has no recipe of that name.
    """
    recipe = BY_KEY.get(f"{format}:{name}")
    if recipe is None:
        known = ", ".join(r.name for r in TABLE if r.format == format)
        raise ConversionError(f"no quantization recipe is called {name!r} for {format}; there are {known}")
    return recipe


def named(name: str) -> tuple[Recipe, ...]:
    """Give the recipes that a contract's word means: one for `tflite:fp16`, one of each format for a bare `fp16`.

    Raises:
        ContractError: No recipe is called so.
    """
    found = tuple(recipe for recipe in TABLE if name in (recipe.name, recipe.key))
    if not found:
        raise ContractError(f"recipes names {name!r}; there are {', '.join(dict.fromkeys(recipe.name for recipe in TABLE))}")
    return found
