"""What a pair says, and which models it refuses; and a router without one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import Model, Router, pair
from edge.contract import Contract, Step
from edge.errors import BundleError, ContractError, UsageError
from tests.edge_tests.pair_parts import Server, made


def test_a_pair_is_held_against_the_device(bundle: Path, model: Model, server: Server, tmp_path: Path) -> None:
    (tmp_path / "pair.json").write_text(made(model, server).dumps(), encoding="utf-8")
    assert pair.load(tmp_path / "pair.json") == made(model, server)
    Router(model, server, pair=tmp_path / "pair.json").close()
    with (
        Model.open(bundle, variant="fp32", target="device") as other,
        pytest.raises(
            BundleError, match=r"measured with another file than this model.*; open it with variant='model.static_wi8_ai8.tflite'"
        ),
    ):
        Router(other, server, pair=tmp_path / "pair.json")
    changed = made(model, server, device=replace(pair.half(model.bundle, model.variant, "x"), contract_sha256="1" * 64))
    with pytest.raises(BundleError, match="this device's model is mnist_cnn 1.0.0, another content of that version"):
        Router(model, server, pair=changed)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        pytest.param(None, UsageError, "cannot be read", id="no file"),
        pytest.param("{", ContractError, "pair.json: not valid JSON", id="no JSON"),
        pytest.param("{}", ContractError, "pair.json: schema is missing", id="empty"),
        pytest.param(" " * (1 << 20) + "{}", ContractError, "more than 1048576 bytes", id="large"),
    ],
)
def test_a_pair_that_cannot_be_read(text: str | None, error: type[Exception], words: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "pair.json").write_text(text, encoding="utf-8")
    with pytest.raises(error, match=words):
        pair.load(tmp_path / "pair.json")


@pytest.mark.parametrize(
    ("field", "value"),
    [pytest.param("schema", 2, id="newer"), pytest.param("threshold", 1.5, id="too high"), pytest.param("threshold", -0.1, id="below 0")],
)
def test_a_pair_of_impossible_values(field: str, value: Any, model: Model, server: Server) -> None:
    with pytest.raises(ContractError, match=f"{field} is {value}"):
        made(model, server, **{field: value})


def test_without_a_pair_the_contract_names_the_companion(model: Model, server: Server, digit: np.ndarray) -> None:
    with pytest.raises(UsageError, match="mnist_cnn names no companion to ask; measure a pair with 'tandem pair mnist_cnn SERVER'"):
        Router(model, server)
    with pytest.raises(UsageError, match="deadline_ms is 0"):
        Router(model, server, pair=made(model, server), deadline_ms=0)
    promise = replace(model.contract, companion="mnist_large", confidence=replace(model.contract.confidence, offload_below=1.0))
    named = replace_contract(model, promise)
    with Router(named, server) as router:
        assert router.predict(digit).source == "server"
        server.found = replace(server.found, name="other")
        with pytest.raises(BundleError, match="the server's model is other, the contract's companion is mnist_large"):
            router.check()
    for steps in ((Step("top_k", k=3),), ()):
        with pytest.raises(UsageError, match="expected softmax, top_k, which give a confidence"):
            Router(replace_contract(model, replace(model.contract, postprocess=steps)), server)


def replace_contract(model: Model, promise: Contract) -> Model:
    return Model(replace(model.bundle, contract=promise), model.variant, model.runtime, model.drift)
