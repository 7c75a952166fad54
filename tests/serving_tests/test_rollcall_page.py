"""The roll-call over HTTP, with made-up people: enrol, recognise, list, forget; off without a folder; refused in words."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from edge.systems.register import Register
from edge.systems.rollcall import LIMIT, Rollcall
from serving.settings import Settings
from tests.edge_tests.made_up_faces import ANN, BEN, CLEO, Finder, embedder, sheet

Serve = Callable[[Settings], AbstractContextManager[TestClient]]
AT = "/v1/systems/rollcall"


def png(*colours: tuple[int, int, int]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(sheet(*colours)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts models of tests in the place of the real ones."""

    def of(cls: type[Rollcall], models: Any, folder: Path | None = None) -> Rollcall:
        assert set(models) == {"detector", "embedder"}
        return Rollcall(Finder(), embedder, None if folder is None else Register(folder, "UTC"))

    monkeypatch.setattr(Rollcall, "NEEDS", {"detector": "tiny_digits", "embedder": "tiny_rows"})
    monkeypatch.setattr(Rollcall, "of", classmethod(of))


@pytest.fixture
def client(made_up: None, tiny_bundles: Path, serve: Serve, tmp_path: Path) -> Iterator[TestClient]:
    with serve(Settings(tiny_bundles, device="cpu", keep=tmp_path)) as client:
        yield client


def enrol(client: TestClient, name: str, *colours: tuple[int, int, int], **fields: str) -> Any:
    data = {"action": "enrol", "name": name, "consent": "signed", **fields}
    return client.post(AT, data=data, files={"image": png(*colours)})


def test_the_whole_way(client: TestClient, tmp_path: Path) -> None:
    assert enrol(client, "王小明", ANN).json()["enrolled"] == "王小明"
    answer = client.post(AT, data={"mark": "true"}, files={"image": png(CLEO, ANN)}).json()
    assert [face["name"] for face in answer["faces"]] == [None, "王小明"]
    assert (answer["marked"], answer["limit"]) == (["王小明"], LIMIT)
    listed = client.post(AT, json={"action": "list"}).json()
    assert [row["name"] for row in listed["rows"]] == ["王小明"]
    [file] = (tmp_path / "rollcall" / "attendance").iterdir()
    assert (file.stem, file.read_text("utf-8-sig")) == (listed["day"], listed["csv"].replace("\r\n", "\n"))
    raw = client.post(AT, content=png(ANN), headers={"Content-Type": "image/png"}).json()
    assert raw["faces"][0]["known"]
    assert "marked" not in raw
    assert client.post(AT, json={"action": "forget", "name": "王小明"}).json()["pictures"] == 1
    assert client.post(AT, json={"action": "people"}).json() == {"people": []}


@pytest.mark.parametrize(
    ("fields", "picture", "code", "words"),
    [
        pytest.param({"action": "enrol", "name": "Ann"}, png(ANN), 400, "consent is empty", id="no consent"),
        pytest.param({"action": "enrol", "name": "Ann", "consent": "x"}, b"no picture", 415, "not a picture", id="no picture's bytes"),
        pytest.param({"action": "enrol", "name": "Ann", "consent": "x"}, png(ANN, BEN), 400, "2 faces", id="two faces"),
        pytest.param({"action": "enrol", "name": "=1+1", "consent": "x"}, png(ANN), 400, "formula", id="a formula"),
        pytest.param({"action": "enrol", "consent": "x"}, png(ANN), 400, "'name' is missing", id="no name"),
        pytest.param({"action": "people"}, png(ANN), 400, "expected none", id="a picture too many"),
        pytest.param({"shout": "1"}, png(ANN), 400, "is unknown", id="an unknown field"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(client: TestClient, fields: dict[str, str], picture: bytes, code: int, words: str) -> None:
    response = client.post(AT, data=fields, files={"image": picture})
    assert (response.status_code, words in response.json()["error"]) == (code, True), response.text


def test_a_store_that_is_damaged_is_named_and_faces_of_others_are_not_lost(client: TestClient, tmp_path: Path) -> None:
    enrol(client, "Ann", ANN)
    path = tmp_path / "rollcall" / "people.sqlite3"
    path.write_bytes(b"x" * 9000)
    response = client.post(AT, json={"action": "people"})
    assert (response.status_code, response.json()["reason"]) == (503, "store")
    assert "damaged" in response.json()["error"]
    assert path.read_bytes() == b"x" * 9000


def test_without_a_folder_nobody_can_be_enrolled(made_up: None, tiny_bundles: Path, serve: Serve) -> None:
    with serve(Settings(tiny_bundles, device="cpu")) as client:
        assert client.post(AT, json={}).json()["keeps"] is False
        response = enrol(client, "Ann", ANN)
        assert (response.status_code, "--keep" in response.json()["error"]) == (400, True)
        assert client.post(AT, files={"image": png(ANN)}).json()["faces"][0]["name"] is None


def test_the_page_asks_this_server_alone_and_says_what_the_list_is_not(client: TestClient) -> None:
    page = client.get(AT)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert LIMIT[1:] in page.text.replace("\n", " ")
    assert "@" not in re.sub(r"@media|@import", "", re.sub(r"<script>.*</script>", "", page.text, flags=re.DOTALL))
    assert not [word for word in ("http://", "https://", " src=", "url(") if word in page.text]
    assert "consent" in page.text
    ids = set(re.findall(r'id="(\w+)"', page.text))
    assert {name for name in re.findall(r'\bat\("(\w+)"\)', page.text)} <= ids, "the script finds what it looks for"


def test_what_is_described_can_be_sent(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"][AT]["post"]["requestBody"]["content"]
    assert {"application/json", "multipart/form-data", "image/*"} == set(described)
    for example in described["application/json"]["examples"].values():
        assert client.post(AT, json=example["value"]).status_code == 200


def test_noise_is_answered(client: TestClient) -> None:
    out = io.BytesIO()
    Image.fromarray(np.zeros((3, 2, 3), np.uint8)).save(out, "PNG")
    assert client.post(AT, files={"image": out.getvalue()}).json()["faces"] == []
