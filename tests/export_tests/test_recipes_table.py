"""The table of recipes, the words of a contract, and overrides that cannot be."""

from dataclasses import replace

import pytest

from edge.contract import Contract, Graph, Metric, Tensor
from edge.errors import ContractError, ConversionError
from export import recipes
from export.candidate import plans
from export.recipes import TABLE, Override

PROMISE = Contract(
    schema=1,
    name="toy",
    version="1.0.0",
    task="image-classification",
    graphs=(Graph("main", (Tensor("x", "uint8", ("batch", 2), "NC"),), (Tensor("y", "float32", ("batch", 3), "NC"),)),),
    metric=Metric("accuracy", "higher", 0.9),
    targets=("server", "device"),
)


def test_no_two_recipes_share_a_key_or_a_file_and_each_can_be_read():
    assert len({recipe.key for recipe in TABLE}) == len({recipe.file for recipe in TABLE}) == len(TABLE)
    assert all(recipe.summary and recipe.weights and recipe.activations and recipe.suits for recipe in TABLE)


def test_every_format_has_its_recipes():
    assert [r.name for r in TABLE if r.format == "onnx"] == ["fp32", "fp16", "int8"]
    assert {r.name for r in TABLE if r.format == "tflite"} >= {
        "fp32", "fp16", "dynamic_wi8_afp32", "static_wi8_ai8", "static_wi8_ai16", "weight_only_wi8_afp32", "mixed_wi8_ai8",
    }  # fmt: skip


@pytest.mark.parametrize("recipe", [r for r in TABLE if r.format == "tflite" and r.weights == "int8"], ids=lambda r: r.name)
def test_integer_weights_of_a_transposed_convolution_are_per_tensor(recipe):
    assert Override(".*", "TRANSPOSE_CONV", "per_tensor") in recipe.overrides


def test_an_override_survives_json():
    override = Override("features.3.conv", "CONV_2D", "int16")
    assert Override.from_json(override.to_json()) == override


@pytest.mark.parametrize(
    ("value", "fragment"),
    [
        ({"scope": "(", "operator": "ADD", "treatment": "float"}, "no regular expression"),
        ({"scope": "", "operator": "ADD", "treatment": "int4"}, "expected one of float, int16, per_tensor"),
        ({"scope": "", "operator": "", "treatment": "float"}, "no operator"),
        ({"scope": "", "operator": "ADD"}, "expected the texts operator, scope, treatment"),
        ({"scope": "", "operator": "ADD", "treatment": "float", "bits": "4"}, "expected the texts"),
        ({"scope": 3, "operator": "ADD", "treatment": "float"}, "expected the texts"),
        (["ADD"], "expected the texts"),
    ],
    ids=["expression", "treatment", "operator", "missing", "unknown", "a number", "a list"],
)
def test_an_override_that_cannot_be_is_refused_in_words(value, fragment):
    with pytest.raises(ConversionError, match=fragment):
        Override.from_json(value)


@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_a_recipe_that_a_format_does_not_have_is_named_with_those_that_it_has(format):
    with pytest.raises(ConversionError, match=f"'int3' for {format}; there are fp32"):
        recipes.get(format, "int3")


@pytest.mark.parametrize(
    ("words", "targets", "files"),
    [
        (("static_wi8_ai8",), ("server", "device"), ["model.onnx", "model.static_wi8_ai8.tflite", "model.fp32.tflite"]),
        (("fp16",), ("server", "device"), ["model.onnx", "model.fp16.onnx", "model.fp16.tflite", "model.fp32.tflite"]),
        (("onnx:fp16",), ("server", "device"), ["model.onnx", "model.fp16.onnx", "model.fp32.tflite"]),
        (("onnx:int8", "fp32"), ("server", "device"), ["model.int8.onnx", "model.onnx", "model.fp32.tflite"]),
        (("fp32", "static_wi8_ai8"), ("device",), ["model.fp32.tflite", "model.static_wi8_ai8.tflite"]),
        (("static_wi8_ai8", "fp16"), ("server",), ["model.onnx", "model.fp16.onnx"]),
        (("static_wi8_ai8", "static_wi8_ai8"), ("device",), ["model.static_wi8_ai8.tflite", "model.fp32.tflite"]),
        ("auto", ("server",), ["model.onnx"]),
    ],
    ids=["as ever", "both formats", "one format", "the contract's order", "float first", "no device", "twice", "auto for a server"],
)
def test_the_contracts_words_give_files_in_the_order_of_preference(words, targets, files):
    assert [plan.file for plan in plans(replace(PROMISE, recipes=words, targets=targets))] == files


@pytest.mark.parametrize(
    ("word", "fragment"),
    [
        ("int3", "toy: recipes names 'int3'; there are fp32"),
        ("tflite:fp16", "toy: recipes names 'tflite:fp16', which is for device/browser"),
    ],
)
def test_a_word_that_means_nothing_here_is_refused(word, fragment):
    with pytest.raises(ContractError, match=fragment):
        plans(replace(PROMISE, recipes=(word,), targets=("server",)))
