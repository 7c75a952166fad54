"""The contract: what is written is read again without loss, and whatever is wrong is refused with the field's name."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import contract
from edge.contract import Budget, Confidence, Contract, Graph, Metric, Step, Tensor, Tolerance
from edge.errors import ContractError

REMOVED = object()
DIGITS: dict[str, Any] = {
    "schema": 1,
    "name": "digits",
    "version": "1.2.3",
    "task": "image-classification",
    "graphs": [
        {
            "name": "main",
            "inputs": [{"name": "image", "dtype": "uint8", "shape": ["batch", 8, 8, 1], "layout": "NHWC", "range": [0, 255]}],
            "outputs": [{"name": "logits", "dtype": "float32", "shape": ["batch", 2], "layout": "NC"}],
        }
    ],
    "metric": {"name": "accuracy", "direction": "higher", "floor": 0.9},
}


def changed(*changes: tuple[tuple[Any, ...], Any]) -> dict[str, Any]:
    """A copy of the valid document with values put in at paths, or removed."""
    document = copy.deepcopy(DIGITS)
    for path, value in changes:
        place: Any = document
        for key in path[:-1]:
            place = place[key]
        if value is REMOVED:
            del place[path[-1]]
        else:
            place[path[-1]] = value
    return document


# Strategies that give every valid contract.
WORDS = st.text(max_size=8)
NAMES = st.text(min_size=1, max_size=8)
IDENTIFIERS = st.from_regex(r"[a-z][a-z0-9]{0,5}(_[a-z0-9]{1,5}){0,2}", fullmatch=True)
VERSIONS = st.tuples(*[st.integers(0, 10**6)] * 3).map(lambda parts: ".".join(map(str, parts)))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=1e-9, max_value=1e9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
TENSORS = st.builds(
    Tensor,
    name=NAMES,
    dtype=st.sampled_from(["uint8", "int8", "int32", "int64", "float32", "bool"]),
    shape=st.lists(st.integers(1, 4096) | NAMES, max_size=4).map(lambda axes: ("batch", *axes)),
    layout=WORDS,
    range=st.none() | st.lists(FLOATS, min_size=2, max_size=2, unique=True).map(sorted).map(tuple),
    meaning=WORDS,
)
TENSOR_LISTS = st.lists(TENSORS, min_size=1, max_size=3, unique_by=lambda tensor: tensor.name).map(tuple)
GRAPHS = st.builds(Graph, name=st.sampled_from(["main", "encoder", "decoder"]), inputs=TENSOR_LISTS, outputs=TENSOR_LISTS)
PARAMETERS = st.dictionaries(WORDS.filter(lambda word: word != "step"), JSON, max_size=3)
STEPS = st.lists(st.builds(lambda name, parameters: Step(name, **parameters), WORDS, PARAMETERS), max_size=3).map(tuple)
FILES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,6}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,6}){0,2}", fullmatch=True)
OPTIONAL_INTS, OPTIONAL_FLOATS = st.none() | st.integers(), st.none() | FLOATS
CONTRACTS = st.builds(
    Contract,
    schema=st.just(1),
    name=IDENTIFIERS,
    version=VERSIONS,
    task=WORDS,
    graphs=st.lists(GRAPHS, min_size=1, max_size=2).map(tuple),
    metric=st.builds(Metric, name=WORDS, direction=st.sampled_from(["higher", "lower"]), floor=OPTIONAL_FLOATS, split=WORDS),
    description=WORDS,
    preprocess=STEPS,
    postprocess=STEPS,
    labels=st.lists(WORDS, max_size=4, unique=True).map(tuple),
    assets=st.dictionaries(WORDS, FILES, max_size=3),
    targets=st.lists(st.sampled_from(["server", "device", "browser"]), max_size=3).map(tuple),
    recipes=st.just("auto") | st.lists(WORDS, max_size=3).map(tuple),
    requires_runtimes=st.lists(WORDS, max_size=3).map(tuple),
    tolerance=st.builds(Tolerance, onnx=POSITIVE, tflite=POSITIVE, agreement=st.floats(0, 1), metric_drop=POSITIVE),
    budget=st.builds(Budget, size_bytes=OPTIONAL_INTS, rss_bytes=OPTIONAL_INTS, latency_p95_ms=st.dictionaries(WORDS, FLOATS, max_size=2)),
    confidence=st.builds(Confidence, temperature=POSITIVE, offload_below=OPTIONAL_FLOATS),
    companion=st.none() | WORDS,
    min_edge=VERSIONS,
    licence=WORDS,
    source=WORDS,
)


@given(CONTRACTS)
def test_round_trip_loses_nothing(promise: Contract) -> None:
    text = promise.dumps()
    again = contract.loads(text)
    assert again == promise
    assert again.dumps() == text
    assert contract.loads(text.encode()) == promise


def test_what_is_left_out_takes_its_default() -> None:
    promise = contract.loads(json.dumps(DIGITS))
    assert promise.recipes == "auto"
    assert promise.tolerance == Tolerance()
    assert promise.targets == ("server", "device")
    assert promise.graphs[0].inputs[0].range == (0.0, 255.0)
    assert promise.graphs[0].inputs[0].row_shape == (8, 8, 1)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["main"], "main", id="one graph"),
        pytest.param(["encoder", "main"], "main", id="the one called main"),
        pytest.param(["encoder", "decoder"], "encoder", id="the first where none is called main"),
    ],
)
def test_main_graph(names: list[str], expected: str) -> None:
    graphs = [{**DIGITS["graphs"][0], "name": name} for name in names]
    assert contract.loads(json.dumps(changed((("graphs",), graphs)))).main.name == expected


TENSOR = ("graphs", 0, "inputs", 0)
BAD_FIELDS = [
    pytest.param(("colour",), 1, "colour is not a known field; known here: schema, name", id="unknown field"),
    pytest.param((*TENSOR, "Dtype"), "uint8", "graphs[0].inputs[0].Dtype is not a known field", id="unknown nested field"),
    pytest.param(("name",), REMOVED, "name is missing", id="missing field"),
    pytest.param((*TENSOR, "layout"), REMOVED, "graphs[0].inputs[0].layout is missing", id="missing nested field"),
    pytest.param(("name",), 5, "name is 5, expected a string", id="number for a string"),
    pytest.param(("schema",), "1", "schema is '1', expected an integer", id="string for an integer"),
    pytest.param(("schema",), True, "schema is True, expected an integer", id="bool for an integer"),
    pytest.param(("schema",), 1.0, "schema is 1.0, expected an integer", id="float for an integer"),
    pytest.param(("schema",), 0, "schema is 0, expected 1", id="schema before the first"),
    pytest.param(("metric",), [], "metric is [], expected an object", id="list for an object"),
    pytest.param(("metric",), None, "metric is None, expected an object", id="null for an object"),
    pytest.param(("metric", "floor"), "high", "metric.floor is 'high', expected a number", id="string for a number"),
    pytest.param(("metric", "floor"), False, "metric.floor is False, expected a number", id="bool for a number"),
    pytest.param(("metric", "floor"), float("nan"), "metric.floor is nan, expected a finite number", id="NaN"),
    pytest.param(("metric", "floor"), float("-inf"), "metric.floor is -inf, expected a finite number", id="infinity"),
    pytest.param(("metric", "floor"), 10**400, "metric.floor is 1000", id="integer beyond floating point"),
    pytest.param(("metric", "direction"), "up", "metric.direction is 'up', expected one of higher, lower", id="no such choice"),
    pytest.param(("metric", "direction"), [], "metric.direction is [], expected one of higher, lower", id="list for a choice"),
    pytest.param(("targets",), "server", "targets is 'server', expected a list", id="string for a list"),
    pytest.param(("targets",), ["server", "phone"], "targets[1] is 'phone', expected one of server, device, browser", id="bad item"),
    pytest.param(("recipes",), "all", "recipes is 'all'", id="neither choice nor list"),
    pytest.param(("recipes",), ["fp32", 8], "recipes[1] is 8, expected a string", id="bad item of a choice or list"),
    pytest.param(("assets",), ["a"], "assets is ['a'], expected an object", id="list for a mapping"),
    pytest.param(("assets",), {"words": 1}, "assets.words is 1, expected a string", id="bad item of a mapping"),
    pytest.param(("budget",), {"latency_p95_ms": {"pi": "2"}}, "budget.latency_p95_ms.pi is '2', expected a number", id="nested mapping"),
    pytest.param(
        ("preprocess",), [{"name": "resize"}], "preprocess[0] is {'name': 'resize'}, expected an object with \"step\"", id="no step"
    ),
    pytest.param(("preprocess",), ["resize"], "preprocess[0] is 'resize', expected an object", id="bare step"),
    pytest.param(("preprocess",), [{"step": "x", "by": float("nan")}], "nan}, expected finite numbers", id="NaN in a step"),
    pytest.param(("preprocess",), [{"step": 1}], "preprocess[0] is {'step': 1}", id="step's name is a number"),
    pytest.param(("name",), "Digits", "name is 'Digits', expected lower-case words", id="capital in the name"),
    pytest.param(("name",), "../digits", "name is '../digits'", id="path as a name"),
    pytest.param(("name",), "digits\n", "name is 'digits\\n'", id="newline after the name"),
    pytest.param(("name",), "", "name is ''", id="empty name"),
    pytest.param(("name",), "x" * 500 + "!", "xxx..., expected lower-case words", id="long value is cut in the message"),
    pytest.param(("version",), "1.0", "version is '1.0', expected a semantic version such as 1.0.0", id="version of two parts"),
    pytest.param(("version",), "01.0.0", "version is '01.0.0'", id="leading zero"),
    pytest.param(("version",), "1.0.0-rc1", "version is '1.0.0-rc1'", id="pre-release"),
    pytest.param(("version",), "1\u0660.0.0", "version is '1\u0660.0.0'", id="digits of another script"),
    pytest.param(("min_edge",), "newest", "min_edge is 'newest', expected a semantic version", id="bad min_edge"),
    pytest.param(("graphs",), [], "graphs is [], expected one graph or more", id="no graph"),
    pytest.param(("graphs", 0, "inputs"), [], "graphs[0]: inputs is [], expected one tensor or more", id="no input"),
    pytest.param(("graphs", 0, "outputs"), [], "graphs[0]: outputs is []", id="no output"),
    pytest.param(
        ("graphs", 0, "inputs"), [DIGITS["graphs"][0]["inputs"][0]] * 2, "graphs[0]: inputs is ['image', 'image']", id="same name"
    ),
    pytest.param((*TENSOR, "name"), "", "graphs[0].inputs[0]: name is '', expected a name", id="tensor without a name"),
    pytest.param((*TENSOR, "dtype"), "float64", "graphs[0].inputs[0].dtype is 'float64', expected one of uint8", id="unknown dtype"),
    pytest.param((*TENSOR, "shape"), [8, 8], "shape is [8, 8], expected a list that starts with 'batch'", id="no batch axis"),
    pytest.param((*TENSOR, "shape"), [], "shape is [], expected a list that starts with 'batch'", id="no axis"),
    pytest.param((*TENSOR, "shape"), ["batch", 0], "shape is ['batch', 0], expected sizes of at least 1", id="axis of no size"),
    pytest.param((*TENSOR, "shape"), ["batch", 8.5], "graphs[0].inputs[0].shape[1] is 8.5", id="axis of half a pixel"),
    pytest.param((*TENSOR, "shape"), ["batch", True], "graphs[0].inputs[0].shape[1] is True", id="bool as an axis"),
    pytest.param((*TENSOR, "range"), [255, 0], "range is [255.0, 0.0], expected [low, high] with low < high", id="range reversed"),
    pytest.param((*TENSOR, "range"), [1, 1], "range is [1.0, 1.0]", id="range empty"),
    pytest.param((*TENSOR, "range"), [0, 1, 2], "graphs[0].inputs[0].range is [0, 1, 2], expected a list of 2", id="range of three"),
    pytest.param((*TENSOR, "range"), 255, "graphs[0].inputs[0].range is 255, expected a list", id="range is a number"),
    pytest.param(("labels",), ["0", "1", "0"], "labels is ['0', '1', '0'], expected labels that differ", id="label twice"),
    pytest.param(("labels",), [0, 1], "labels[0] is 0, expected a string", id="number as a label"),
    pytest.param(("assets",), {"words": "../words.txt"}, "assets.words is '../words.txt', expected a relative path", id="asset outside"),
    pytest.param(("assets",), {"words": "a/../../b"}, "assets.words is 'a/../../b'", id="asset outside by a detour"),
    pytest.param(("assets",), {"words": "/etc/passwd"}, "assets.words is '/etc/passwd'", id="absolute asset"),
    pytest.param(("assets",), {"words": "a\\b"}, "assets.words is 'a\\\\b'", id="backslash in an asset"),
    pytest.param(("assets",), {"words": ".hidden"}, "assets.words is '.hidden'", id="hidden asset"),
    pytest.param(("tolerance",), {"onnx": -1}, "tolerance: onnx is -1.0, expected 0 or more", id="negative tolerance"),
    pytest.param(("tolerance",), {"metric_drop": -0.1}, "tolerance: metric_drop is -0.1", id="negative drop"),
    pytest.param(("tolerance",), {"agreement": 1.1}, "tolerance: agreement is 1.1, expected a share from 0 to 1", id="agreement above 1"),
    pytest.param(("confidence",), {"temperature": 0}, "confidence: temperature is 0.0, expected a number above 0", id="no temperature"),
]


@pytest.mark.parametrize(("path", "value", "fragment"), BAD_FIELDS)
def test_bad_field_is_named(path: tuple[Any, ...], value: Any, fragment: str) -> None:
    with pytest.raises(ContractError) as refusal:
        contract.loads(json.dumps(changed((path, value))), "digits.json")
    assert str(refusal.value).startswith("digits.json: ")
    assert fragment in str(refusal.value)
    assert len(str(refusal.value)) < 700


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        pytest.param("", "not valid JSON", id="empty"),
        pytest.param("{", "not valid JSON", id="cut off"),
        pytest.param(b"\xff\xfe\xfa", "not valid JSON", id="not text"),
        pytest.param("[" * 100_000, "not valid JSON", id="deep nesting"),
        pytest.param('{"schema": ' + "1" * 5000 + "}", "not valid JSON", id="a number of 5,000 digits"),
        pytest.param('{"name": "a", "name": "b"}', "'name' stands twice in one object", id="key twice"),
        pytest.param("[]", "document is [], expected an object", id="a list"),
        pytest.param("null", "document is None, expected an object", id="null"),
        pytest.param(" " * (contract.MAX_CONTRACT_BYTES + 1), "expected at most 4194304", id="huge"),
        pytest.param('{"schema": 2}', "schema 2 is newer than 1", id="newer schema"),
        pytest.param(
            '{"schema": 2, "min_edge": "7.1.0", "new": 1}', "install tandem-edge 7.1.0 or newer", id="newer schema names the remedy"
        ),
    ],
)
def test_bad_document_is_refused(text: str | bytes, fragment: str) -> None:
    with pytest.raises(ContractError, match=r"^contract\.json: ") as refusal:
        contract.loads(text)
    assert fragment in str(refusal.value)


def test_load_reads_a_file_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "contract.json"
    with pytest.raises(ContractError, match=r"contract\.json: cannot be read \(No such file"):
        contract.load(path)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ContractError, match="schema is missing") as refusal:
        contract.load(path)
    assert str(refusal.value).startswith(str(path))
    path.write_text(json.dumps(DIGITS), encoding="utf-8")
    assert contract.load(path) == contract.loads(json.dumps(DIGITS))
