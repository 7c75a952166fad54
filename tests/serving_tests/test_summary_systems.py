"""Summaries over HTTP: by a text's own sentences, and by a T5 pair; what does not fit is refused in words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from starlette.testclient import TestClient

from edge.contract import Step, Tensor
from edge.steps import preprocessing
from edge.storage import write_sums
from serving.settings import Settings
from tests.serving_tests.conftest import serving, tiny_contract, write_bundle

SUMMARY, ABSTRACT = "/v1/systems/summary", "/v1/systems/abstract"
WORDS = ("river", "bridge", "cat", "town")
TEXT = "The river rose. A bridge over the river broke. The cat slept in the town. The town has a river and a bridge."


def write_encoder(root: Path) -> Path:
    """Write an encoder of sentences that counts four words, under the name of the real one."""
    ids = Tensor("ids", "int32", ("batch", 16), "NL")
    vector = Tensor("vector", "float32", ("batch", 6), "NC")
    steps = (Step("tokenize", length=16),)
    contract = tiny_contract("sentence_minilm", (ids,), vector, preprocess=steps, assets={"vocabulary": "vocabulary.txt"})
    assets = root / "assets"
    assets.mkdir()
    (assets / "vocabulary.txt").write_text("".join(f"{word}\n" for word in WORDS), encoding="utf-8")
    rows = np.stack([preprocessing(contract, assets)(text) for text in ("A river", "a cat, a town")])
    table = np.eye(6, dtype=np.float32)
    table[0] = 0.01
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["found"]),
        helper.make_node("ReduceMean", ["found"], ["vector"], axes=[1], keepdims=0),
    ]
    folder = write_bundle(root, contract, nodes, {"table": table}, {"input/ids": rows, "output/vector": table[rows].mean(axis=1)})
    assets.rename(folder / "assets")
    write_sums(folder, ["contract.json", "golden.npz", "model.onnx", "variants.json", "assets/vocabulary.txt"])
    return folder


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server with the encoder alone."""
    root = tmp_path_factory.mktemp("bundles")
    write_encoder(root)
    with serving(Settings(root, device="cpu", max_body_bytes=2 << 20)) as found:
        yield found


def test_a_text_is_summarized_in_its_own_sentences(client: TestClient) -> None:
    told = client.post(SUMMARY, json={"text": TEXT, "sentences": 2}).json()
    assert [TEXT[one["start"] : one["end"]] for one in told["sentences"]] == [one["text"] for one in told["sentences"]]
    assert (len(told["sentences"]), told["found"], told["left_out"]) == (2, 4, 0)
    assert client.post(SUMMARY, content=TEXT, headers={"Content-Type": "text/plain"}).json()["summary_words"] > 0
    assert client.get(SUMMARY).status_code == 200


@pytest.mark.parametrize(
    ("sent", "code", "words"),
    [
        pytest.param({}, 400, "the field 'text' is missing", id="no text"),
        pytest.param({"text": "  "}, 400, "the text is empty", id="an empty text"),
        pytest.param({"text": TEXT, "sentences": "two"}, 400, "sentences is 'two', expected a whole number from 1 to 100", id="words"),
        pytest.param({"text": TEXT, "share": 2}, 400, "share is 2, expected a number above 0", id="a share above 1"),
        pytest.param({"text": TEXT, "mood": 1}, 400, "the field 'mood' is unknown", id="another field"),
        pytest.param({"text": "x" * 1_000_001}, 413, "expected at most 1000000", id="too long"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(client: TestClient, sent: dict[str, Any], code: int, words: str) -> None:
    answer = client.post(SUMMARY, json=sent)
    assert answer.status_code == code
    assert words in answer.json()["error"]


def test_the_pair_is_not_there_until_it_is_released(client: TestClient) -> None:
    answer = client.post(ABSTRACT, json={"text": TEXT})
    assert answer.status_code == 404
    assert "needs summarizer_encoder and summarizer_decoder" in answer.json()["error"]


@pytest.mark.slow
def test_a_t5_pair_writes_and_bounds_what_it_is_asked(tmp_path: Path) -> None:
    from tests.export_tests import seq2seq_models as models

    source = models.folder(tmp_path / "t5", models.spiece(), seed=5)
    models.pair(source, tmp_path, "summarizer")
    with serving(Settings(tmp_path / "bundles", device="cpu")) as client:
        told = client.post(ABSTRACT, json={"text": TEXT, "num_beams": 4, "repetition_penalty": 2.5, "max_length": 12}).json()
        assert 1 <= told["ids"] <= 11
        assert isinstance(told["summary"], str)
        for fields, words in (
            ({"num_beams": 9}, "num_beams is 9, expected a whole number from 1 to 8"),
            ({"max_length": 100_000}, "max_length is 100000"),
            ({"repetition_penalty": "high"}, "repetition_penalty is 'high'"),
            ({"text": ""}, "empty"),
        ):
            answer = client.post(ABSTRACT, json={"text": TEXT, **fields})
            assert (answer.status_code, words in answer.json()["error"]) == (400, True)
