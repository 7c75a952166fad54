"""`variants.json`: it round-trips, refuses what it may not say, and the first file that fits is taken."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import variants
from edge.errors import ContractError
from edge.variants import RUNTIMES_OF, Io, Physical, Variant, choose

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
DTYPES = ["uint8", "int8", "int32", "int64", "float32", "bool"]
QUANTIZED = st.builds(Physical, st.text(), st.sampled_from(["uint8", "int8"]), st.text(), st.floats(1e-6, 1e6), st.integers(0, 127))
PHYSICALS = st.lists(st.builds(Physical, st.text(), st.sampled_from(DTYPES), st.text()) | QUANTIZED, min_size=1, max_size=2).map(tuple)
NAMES = st.from_regex(r"[a-z0-9_]{1,6}(\.[a-z0-9]{1,4}){0,2}", fullmatch=True)


@st.composite
def any_variant(draw: st.DrawFn, file: str) -> Variant:
    kind = draw(st.sampled_from(list(RUNTIMES_OF)))
    return Variant(
        file=file,
        format=kind,
        recipe=draw(st.text()),
        targets=tuple(draw(st.lists(st.sampled_from(["server", "device", "browser"]), max_size=3))),
        io=Io(draw(PHYSICALS), draw(PHYSICALS)),
        min_runtime=draw(st.dictionaries(st.text(), st.text(), max_size=2)),
        passed=tuple(draw(st.lists(st.sampled_from(RUNTIMES_OF[kind]), max_size=2))),
        metric=draw(st.none() | FLOATS),
        metric_interval=draw(st.none() | st.tuples(FLOATS, FLOATS)),
        agreement=draw(st.none() | FLOATS),
        tolerance=draw(st.floats(0, 1e9)),
        size_bytes=draw(st.integers(1, 1 << 40)),
        sha256=draw(st.text()),
    )


LISTS = st.lists(NAMES, min_size=1, max_size=3, unique=True).flatmap(lambda files: st.tuples(*[any_variant(file) for file in files]))


@given(LISTS)
def test_round_trip_loses_nothing(listed: tuple[Variant, ...]) -> None:
    text = variants.dumps(listed)
    assert variants.loads(text) == listed
    assert variants.dumps(variants.loads(text.encode())) == text


def test_released_list_is_written_again_byte_for_byte(bundle: Path) -> None:
    text = (bundle / "variants.json").read_text(encoding="utf-8")
    assert variants.dumps(variants.loads(text)) == text


TENSOR = {"name": "x", "dtype": "uint8", "layout": "NHWC"}
ONE: dict[str, Any] = {
    "file": "model.tflite",
    "format": "tflite",
    "recipe": "fp32",
    "targets": ["device"],
    "io": {"inputs": [TENSOR], "outputs": [{**TENSOR, "name": "y", "dtype": "int8", "scale": 0.1, "zero_point": -3}]},
    "min_runtime": {},
    "passed": ["ai-edge-litert"],
    "metric": None,
    "metric_interval": None,
    "agreement": None,
    "tolerance": 0.1,
    "size_bytes": 9,
    "sha256": "00",
}


@pytest.mark.parametrize(
    ("path", "value", "fragment"),
    [
        pytest.param(("colour",), 1, "[0].colour is not a known field", id="unknown field"),
        pytest.param(("format",), "pickle", "[0].format is 'pickle', expected one of onnx, tflite", id="unknown format"),
        pytest.param(("file",), "../model.tflite", "[0]: file is '../model.tflite', expected a path inside the bundle", id="outside"),
        pytest.param(("file",), "/model.tflite", "[0]: file is '/model.tflite'", id="absolute"),
        pytest.param(("file",), "C:/model.tflite", "[0]: file is 'C:/model.tflite'", id="drive"),
        pytest.param(("file",), "", "[0]: file is ''", id="no file"),
        pytest.param(
            ("passed",), ["onnxruntime"], "[0]: passed is 'onnxruntime', expected runtimes of tflite: ai-edge-litert", id="runtime"
        ),
        pytest.param(("tolerance",), -0.1, "[0]: tolerance is -0.1, expected 0 or more", id="negative tolerance"),
        pytest.param(("tolerance",), float("nan"), "[0].tolerance is nan, expected a finite number", id="NaN accepts everything"),
        pytest.param(("tolerance",), float("inf"), "[0].tolerance is inf", id="infinity accepts everything"),
        pytest.param(("size_bytes",), 0, "[0]: size_bytes is 0, expected at least 1", id="empty file"),
        pytest.param(("metric_interval",), [0.5], "[0].metric_interval is [0.5], expected a list of 2", id="half an interval"),
        pytest.param(("targets",), ["phone"], "[0].targets[0] is 'phone', expected one of server", id="unknown target"),
        pytest.param(("io", "inputs", 0, "scale"), 0.5, "[0].io.inputs[0]: zero_point is None, expected scale and zero_point", id="half"),
        pytest.param(("io", "outputs", 0, "scale"), None, "[0].io.outputs[0]: zero_point is -3, expected scale and", id="other half"),
        pytest.param(("io", "outputs", 0, "scale"), 0, "[0].io.outputs[0]: scale is 0.0, expected a number above 0", id="no scale"),
        pytest.param(("io", "outputs", 0, "dtype"), "float32", "[0].io.outputs[0]: ", id="scale of floating-point values"),
    ],
)
def test_bad_field_is_named(path: tuple[Any, ...], value: Any, fragment: str) -> None:
    document = copy.deepcopy(ONE)
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ContractError) as refusal:
        variants.loads(json.dumps([document]), "bundles/variants.json")
    assert str(refusal.value).startswith("bundles/variants.json: ")
    assert fragment in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        pytest.param("", "not valid JSON", id="empty"),
        pytest.param(b"\x80", "not valid JSON", id="not text"),
        pytest.param("[" * 100_000, "not valid JSON", id="deep nesting"),
        pytest.param("[]", "expected a list of one variant or more", id="no variant"),
        pytest.param("{}", "expected a list of one variant or more", id="an object"),
        pytest.param("[1]", "[0] is 1, expected an object", id="a number"),
        pytest.param(json.dumps([ONE, ONE]), "a file is listed twice", id="file twice"),
    ],
)
def test_bad_document_is_refused(text: str | bytes, fragment: str) -> None:
    with pytest.raises(ContractError, match=r"^variants\.json: ") as refusal:
        variants.loads(text)
    assert fragment in str(refusal.value)


def variant(file: str, recipe: str, targets: str, passed: str) -> Variant:
    document = {**ONE, "file": file, "format": file.rpartition(".")[2], "recipe": recipe}
    return variants.loads(json.dumps([{**document, "targets": targets.split(), "passed": passed.split()}]))[0]


RELEASED = (
    variant("model.onnx", "fp32", "server", "onnxruntime"),
    variant("model.int8.tflite", "int8", "device browser", "ai-edge-litert"),
    variant("model.fp32.tflite", "fp32", "device", "ai-edge-litert tflite-runtime"),
    variant("model.int4.tflite", "int4", "device", ""),
)
ALL = ["ai-edge-litert", "tflite-runtime", "onnxruntime"]


@pytest.mark.parametrize(
    ("runtimes", "target", "wanted", "file", "runtime"),
    [
        pytest.param(ALL, "device", None, "model.int8.tflite", "ai-edge-litert", id="first for the target"),
        pytest.param(ALL, "server", None, "model.onnx", "onnxruntime", id="first for the server"),
        pytest.param(ALL, "browser", None, "model.int8.tflite", "ai-edge-litert", id="for the browser"),
        pytest.param(["tflite-runtime"], "device", None, "model.fp32.tflite", "tflite-runtime", id="the first did not pass here"),
        pytest.param(
            ["tflite-runtime", "ai-edge-litert"], "device", "model.fp32.tflite", "model.fp32.tflite", "tflite-runtime", id="order"
        ),
        pytest.param(ALL, "device", "int8", "model.int8.tflite", "ai-edge-litert", id="by recipe"),
        pytest.param(ALL, "server", "int8", "model.int8.tflite", "ai-edge-litert", id="a wish overrides the target"),
        pytest.param(ALL, "device", "fp32", "model.onnx", "onnxruntime", id="first of a recipe"),
        pytest.param(ALL, "device", "tflite:fp32", "model.fp32.tflite", "ai-edge-litert", id="by format and recipe"),
        pytest.param(["tflite-runtime"], "server", "fp32", "model.fp32.tflite", "tflite-runtime", id="recipe that runs here"),
    ],
)
def test_choice(runtimes: list[str], target: str, wanted: str | None, file: str, runtime: str) -> None:
    chosen, name = choose(RELEASED, runtimes, target, wanted)
    assert (chosen.file, name) == (file, runtime)


@pytest.mark.parametrize(
    ("runtimes", "target", "wanted", "fragment"),
    [
        pytest.param(["onnxruntime"], "device", None, "no file fits target 'device' on onnxruntime", id="wrong runtime"),
        pytest.param(["tflite-runtime"], "browser", None, "no file fits target 'browser' on tflite-runtime", id="did not pass"),
        pytest.param([], "device", None, "no file fits target 'device' on no runtime", id="no runtime"),
        pytest.param(ALL, "device", "int16", "no file fits variant 'int16' on ai-edge-litert, tflite-runtime", id="no such recipe"),
        pytest.param(ALL, "device", "int4", "no file fits variant 'int4'", id="passed nowhere"),
    ],
)
def test_no_choice_lists_what_there_is(runtimes: list[str], target: str, wanted: str | None, fragment: str) -> None:
    with pytest.raises(ContractError) as refusal:
        choose(RELEASED, runtimes, target, wanted)
    assert fragment in str(refusal.value)
    assert "model.int8.tflite for device/browser passed on ai-edge-litert" in str(refusal.value)
    assert "model.int4.tflite for device passed on nothing" in str(refusal.value)
