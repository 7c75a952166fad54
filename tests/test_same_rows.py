"""The row that a model gets of a text is the same in training, on the server and on a device."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from edge.model import Model
from serving.settings import Settings
from tests.serving_tests.conftest import serving
from tests.serving_tests.echo_models import ECHOES, asset, write_echo
from training.data import texts
from training.recipe import Split, Splits

TEXTS = (
    "Win a PRIZE!",
    "win\U0001f389\U0001f389 a",
    "\uff37\uff29\uff2e a",
    "win \u559c\u6b61 a",
    "cafe\u0301 CAF\u00c9",
    "<b>win</b> &amp; a",
    "645 :-)",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "win " * 250_000,
)
ASKED = ("Win a PRIZE!", "cafe\u0301", "\u559c\u6b61\u3001win\uff0ca", "win \U0001f389 caf\u00e9 \u559c\u6b61")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server over a model for each step, and the folder of the models."""
    root = tmp_path_factory.mktemp("same")
    for name in ECHOES:
        write_echo(root, name)
    with serving(Settings(root, device="cpu", max_batch=16)) as client:
        yield client, root


@pytest.mark.parametrize("name", ECHOES)
def test_rows_are_the_same_everywhere(released: tuple[TestClient, Path], name: str) -> None:
    client, root = released
    said = ASKED if name == "echo_numbers" else TEXTS
    device = Model.open(root / name, target="server")
    file = next(iter(device.contract.assets.values()))
    split = Split({"text": np.array(said, object)}, np.arange(len(said)) % 2)
    one = split.take(np.arange(1))
    trained = texts.prepared(Splits("some", "", "", ("no", "yes"), split, one, one), device.contract, {file: asset(file)})
    expected = trained.train.inputs["row"]
    np.testing.assert_array_equal([device.predict(text).outputs["echo"] for text in said], expected)
    answer = client.post(f"/predict/{name}", json={"inputs": list(said)})
    assert answer.status_code == 200, answer.text[:300]
    np.testing.assert_array_equal(np.array([one["result"] for one in answer.json()["predictions"]], expected.dtype), expected)
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(said)], "data": list(said)}
    answer = client.post(f"/v2/models/{name}/infer", json={"inputs": [tensor]})
    assert answer.status_code == 200, answer.text[:300]
    np.testing.assert_array_equal(np.array(answer.json()["outputs"][0]["data"], expected.dtype).reshape(expected.shape), expected)
