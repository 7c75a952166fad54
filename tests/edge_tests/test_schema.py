"""The generated JSON Schema says of a document's shape what `decode` says of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import contract, schema
from edge.errors import ContractError

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}


def fits(rule: dict[str, Any], value: Any, definitions: dict[str, Any]) -> bool:
    """Hold a value against the part of JSON Schema that `json_schema` uses; an unknown keyword is an error."""
    unknown = set(rule) - {"$schema", "$ref", "$defs", "title", "anyOf", "enum", "type", "properties", "required"}
    unknown -= {"additionalProperties", "items", "prefixItems", "minItems", "maxItems"}
    assert not unknown, f"the schema uses {unknown}"
    if "$ref" in rule:
        return fits(definitions[rule["$ref"].removeprefix("#/$defs/")], value, definitions)
    if "anyOf" in rule:
        return any(fits(choice, value, definitions) for choice in rule["anyOf"])
    if "enum" in rule:
        return any(value == choice and type(value) is type(choice) for choice in rule["enum"])
    if "type" in rule and (not isinstance(value, TYPES[rule["type"]]) or (isinstance(value, bool) and rule["type"] != "boolean")):
        return False
    if isinstance(value, list):
        if not rule.get("minItems", 0) <= len(value) <= rule.get("maxItems", len(value)):
            return False
        rules = rule.get("prefixItems", [rule.get("items", {})] * len(value))
        return all(fits(inner, item, definitions) for inner, item in zip(rules, value, strict=True))
    if isinstance(value, dict):
        known, rest = rule.get("properties", {}), rule.get("additionalProperties", {})
        if not set(rule.get("required", [])) <= set(value):
            return False
        return all(rest is not False or key in known for key in value) and all(
            fits(known.get(key, rest or {}), item, definitions) for key, item in value.items()
        )
    return True


@dataclass(frozen=True)
class Inner:
    """A nested object."""

    flag: bool
    choice: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Sample:
    """Every kind of annotation that a document may use."""

    word: str
    whole: int
    number: float
    inner: Inner
    any: Any = None
    maybe: Optional[int] = None
    several: tuple[Inner, ...] = ()
    pair: tuple[int, str] = (0, "")
    mapping: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    either: Union[Literal["auto"], tuple[str, ...]] = "auto"
    step: Optional[contract.Step] = None
    switch: Literal[True] = True


VALID = {"word": "w", "whole": 1, "number": 1.5, "inner": {"flag": True}}
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.sampled_from(["", "a", "auto", "step", "flag"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["flag", "choice", "step", "x"]), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*Sample.__dataclass_fields__, "other"]), VALUES, max_size=3))
def test_schema_and_decode_agree(changes: dict[str, Any]) -> None:
    document = {**VALID, **changes}
    rules = schema.json_schema(Sample)
    if fits(rules, document, rules["$defs"]):
        assert schema.decode(Sample, schema.encode(schema.decode(Sample, document))) == schema.decode(Sample, document)
    else:
        with pytest.raises(ContractError):
            schema.decode(Sample, document)


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        pytest.param({"switch": 1}, "switch is 1, expected one of True", id="1 is not true"),
        pytest.param({"pair": [1]}, "pair is [1], expected a list of 2", id="too few"),
        pytest.param({"pair": [1, 2]}, "pair[1] is 2, expected a string", id="item of a pair"),
        pytest.param({"inner": {"flag": 1}}, "inner.flag is 1, expected a boolean", id="1 for a boolean"),
        pytest.param({"several": [{"flag": True}, {}]}, "several[1].flag is missing", id="in a list of objects"),
        pytest.param({"mapping": {"x": [0, "y"]}}, "mapping.x[1] is 'y', expected a number", id="in a mapping of lists"),
        pytest.param({"word": ["y" * 200]}, "yyy..., expected a string", id="a long value is cut"),
    ],
)
def test_message_gives_the_path(changes: dict[str, Any], fragment: str) -> None:
    with pytest.raises(ContractError) as refusal:
        schema.decode(Sample, {**VALID, **changes})
    assert fragment in str(refusal.value)
    assert len(str(refusal.value)) < 130


def test_path_of_a_part_stands_before_its_fields() -> None:
    with pytest.raises(ContractError, match=r"^sample\.word is missing$"):
        schema.decode(Sample, {}, "sample")


def test_stored_schema_describes_the_released_contract(bundle: Path, repository: Path) -> None:
    rules = json.loads((repository / "edge" / "contract.schema.json").read_text(encoding="utf-8"))
    assert rules == json.loads(json.dumps(contract.schema()))
    document = json.loads((bundle / "contract.json").read_text(encoding="utf-8"))
    assert fits(rules, document, rules["$defs"])
    assert not fits(rules, {**document, "colour": 1}, rules["$defs"])
    assert not fits(rules, {key: value for key, value in document.items() if key != "metric"}, rules["$defs"])
