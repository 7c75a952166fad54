"""What is chosen beside a picture comes with the request, as fields of a form or in JSON, and the page offers it."""

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image
from starlette.testclient import TestClient

from edge import calls, cli
from edge.contract import Graph, Step, Tensor
from edge.errors import InputError
from edge.model import Model
from edge.steps.options import Chosen
from serving.settings import Settings
from training.families import image_to_image

SIDE, NAME = 8, "tiny_tint"
PATH = f"/predict/{NAME}"
TINTS = ("red", "green", "blue")
PNG = {"accept": "image/png"}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, bundle_writer: Callable[..., Path]) -> Path:
    """A model that goes a part of the way from a picture to one colour."""
    family = image_to_image(NAME, SIDE, SIDE, 3)
    style = Tensor("style", "float32", ("batch", 3), "NC")
    strength = Tensor("strength", "float32", ("batch", 1), "NC", (0.0, 1.0))
    contract = replace(
        family,
        graphs=(Graph("main", (*family.main.inputs, style, strength), family.main.outputs),),
        preprocess=(
            *family.preprocess,
            Step("choose", input="style", names=list(TINTS), default="green"),
            Step("slide", input="strength", low=0.0, high=1.0, default=1.0),
        ),
        postprocess=(Step("picture", margins="cut"),),
        targets=("server",),
        recipes=(),
        requires_runtimes=("onnxruntime",),
    )
    axes = {"places": np.array([1, 2], np.int64), "top": np.array(255, np.float32)}
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["real", "top"], ["light"]),
        helper.make_node("Unsqueeze", ["style", "places"], ["colour"]),
        helper.make_node("Unsqueeze", ["strength", "places"], ["share"]),
        helper.make_node("Sub", ["colour", "light"], ["way"]),
        helper.make_node("Mul", ["share", "way"], ["part"]),
        helper.make_node("Add", ["light", "part"], ["picture"]),
    ]
    images = np.random.default_rng(1).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
    styles, strengths = np.eye(3, dtype=np.float32)[:2], np.array([[0.25], [1.0]], np.float32)
    light = images.astype(np.float32) / np.float32(255)
    tinted = light + strengths[:, :, None, None] * (styles[:, None, None, :] - light)
    root = tmp_path_factory.mktemp("tinting")
    golden = {"input/image": images, "input/style": styles, "input/strength": strengths, "output/picture": tinted}
    bundle_writer(root, contract, nodes, axes, golden)
    return root


@pytest.fixture(scope="module")
def tinting(bundles: Path, serve: Callable[[Settings], Any]) -> Iterator[TestClient]:
    with serve(Settings(bundles, device="cpu", max_batch=2)) as client:
        assert client.get("/v2/health/ready").status_code == 200, client.get("/v2/health/ready").text
        yield client


def sent(size: tuple[int, int] = (SIDE, SIDE), mode: str = "RGB", colour: Any = (100, 100, 100)) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def shown(response: Any) -> np.ndarray:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(response.content)))


@pytest.mark.parametrize(
    ("fields", "pixel"),
    [
        ({}, (0, 255, 0)),
        ({"style": "red"}, (255, 0, 0)),
        ({"style": "blue", "strength": "0"}, (100, 100, 100)),
        ({"style": "blue", "strength": "0.4"}, (60, 60, 162)),
    ],
    ids=["defaults", "style", "photograph", "between"],
)
def test_a_form_brings_picture_and_options(tinting: TestClient, fields: dict[str, str], pixel: tuple[int, ...]) -> None:
    answer = shown(tinting.post(PATH, files={"image": sent()}, data=fields, headers=PNG))
    assert tuple(answer[3, 3]) == pixel


def test_json_brings_options_for_all_its_pictures(tinting: TestClient) -> None:
    pictures = np.full((2, 2, 2, 3), 100).tolist()
    document = {"instances": pictures, "options": {"style": [0.5, 0, 0], "strength": 1}}
    answer = tinting.post(PATH, json=document).json()["predictions"]
    assert len(answer) == 2
    one = tinting.post(PATH, json={"inputs": pictures[0], "options": {"style": "red"}}).json()["predictions"][0]
    assert one["image"] != answer[0]["image"] == answer[1]["image"]


def test_the_answer_has_the_shape_of_the_picture_that_was_sent(tinting: TestClient) -> None:
    assert shown(tinting.post(PATH, files={"image": sent((64, 32))}, headers=PNG)).shape == (4, 8, 3)
    assert shown(tinting.post(PATH, content=sent((30, 60)), headers={**PNG, "content-type": "image/png"})).shape == (8, 4, 3)


@pytest.mark.parametrize(
    ("size", "mode", "colour"),
    [((1, 1), "RGB", (9, 9, 9)), ((5000, 20), "L", 9), ((9, 9), "RGBA", (9, 9, 9, 9)), ((9, 9), "1", 1)],
    ids=["one-pixel", "long-grey", "rgba", "bits"],
)
def test_odd_pictures_are_drawn(tinting: TestClient, size: tuple[int, int], mode: str, colour: Any) -> None:
    answer = shown(tinting.post(PATH, files={"image": sent(size, mode, colour)}, data={"style": "red"}, headers=PNG))
    assert tuple(answer[0, 0]) == (255, 0, 0)


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        ({"files": {"image": sent()}, "data": {"style": "oil"}}, 400, "style is 'oil', expected one of red, green, blue"),
        ({"files": {"image": sent()}, "data": {"strength": "2"}}, 400, "strength is '2', expected a number from 0 to 1"),
        ({"files": {"image": sent()}, "data": {"strength": "strong"}}, 400, "strength is 'strong'"),
        ({"files": {"image": sent()}, "data": {"strength": "nan"}}, 400, "strength is 'nan'"),
        (
            {"files": {"image": sent()}, "data": {"colour": "1"}},
            400,
            "the form has a field 'colour', expected 'image' or 'file' or 'style'",
        ),
        ({"files": [("image", sent()), ("style", b"red"), ("style", b"blue")]}, 400, "has an option twice"),
        ({"files": {"image": b"no picture"}, "data": {"style": "red"}}, 415, "not a picture of a kind that is taken"),
        ({"files": {"image": b""}}, 400, "empty"),
        ({"data": {"style": "red"}, "files": {}}, 415, "Content-Type"),
        ({"json": {"inputs": [[1]], "options": {"style": 7}}}, 400, "style is 7"),
        ({"json": {"inputs": [[1]], "options": ["red"]}}, 400, "options is ['red'], expected an object with style and strength"),
        ({"json": {"inputs": [[1]], "options": {"colour": 7}}}, 400, "there is no option 'colour', expected style or strength"),
        ({"json": {"options": {"style": "red"}}}, 400, 'expected an object with "inputs"'),
    ],
    ids=["oil", "strong", "words", "nan", "field", "twice", "bytes", "empty", "no-picture", "number", "list", "unknown", "no-inputs"],
)
def test_what_cannot_be_is_refused_in_words(tinting: TestClient, request_: dict[str, Any], code: int, words: str) -> None:
    response = tinting.post(PATH, **request_)
    assert (response.status_code, words in response.json()["error"]) == (code, True), response.text


def test_a_huge_picture_is_refused_before_it_is_decoded(tinting: TestClient) -> None:
    response = tinting.post(PATH, files={"image": sent((20_000, 40), "1", 1)}, data={"style": "red"})
    assert response.status_code == 413


def test_the_api_offers_names_and_a_slider(tinting: TestClient) -> None:
    operation = tinting.get("/openapi.json").json()["paths"][PATH]["post"]
    content = operation["requestBody"]["content"]
    form = content["multipart/form-data"]["schema"]["properties"]
    assert form["style"] == {"type": "string", "enum": list(TINTS), "default": "green"}
    assert form["strength"] == {"type": "number", "minimum": 0.0, "maximum": 1.0, "default": 1.0}
    assert "image/png" in operation["responses"]["200"]["content"]
    for example in content["application/json"]["examples"].values():
        assert tinting.post(PATH, json=example["value"]).status_code == 200
    page = tinting.get("/docs").text
    assert 'type: "range"' in page
    assert "URL.createObjectURL" in page


def test_the_device_draws_what_the_server_draws(tinting: TestClient, bundles: Path, tmp_path: Path) -> None:
    model = Model.open(bundles / NAME, target="server")
    here = model.predict(sent((16, 8)), {"style": "blue", "strength": 0.5}).image
    assert np.array_equal(
        here, shown(tinting.post(PATH, files={"image": sent((16, 8))}, data={"style": "blue", "strength": "0.5"}, headers=PNG))
    )
    assert here.shape == (4, 8, 3)


def test_the_command_takes_options(bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photograph, drawn = tmp_path / "photo.png", tmp_path / "drawn.png"
    photograph.write_bytes(sent())
    command = ["run", str(bundles / NAME), str(photograph), "--target", "server"]
    assert cli.main([*command, "--set", "style=blue", "--set", "strength=0.4", "--out", str(drawn)]) == 0
    assert tuple(np.asarray(Image.open(drawn))[0, 0]) == (60, 60, 162)
    assert cli.main([*command, "--set", "style=[1,0,0]", "--out", str(drawn)]) == 0
    assert tuple(np.asarray(Image.open(drawn))[0, 0]) == (255, 0, 0)
    capsys.readouterr()
    for words, code, said in (
        (["--set", "style"], 2, "expected NAME=VALUE"),
        (
            ["--set", "colour=red"],
            2,
            "tiny_tint has no such option, expected one of its own: style, one of red, green, blue (default green)",
        ),
        (["--set", "style=red", "--set", "style=red"], 2, "was given twice"),
        (["--set", "style=oil"], 7, "style is 'oil'"),
        (["--set", "strength=9"], 7, "strength is '9', expected a number from 0 to 1"),
    ):
        assert cli.main([*command, *words]) == code
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("value", [sent(), np.full((SIDE, SIDE, 3), 100, np.uint8)], ids=["encoded", "pixels"])
def test_the_client_sends_options(tinting: TestClient, value: Any) -> None:
    call = calls.predict(NAME, Chosen(value, {"style": "blue", "strength": 0.4}), None)
    answer = tinting.request(call.method, call.path, content=call.body, headers=dict(call.headers))
    assert answer.status_code == 200, answer.text
    picture = Image.open(io.BytesIO(base64.b64decode(answer.json()["predictions"][0]["image"])))
    assert picture.getpixel((0, 0)) == (60, 60, 162)


def test_a_form_holds_names_and_numbers_alone() -> None:
    with pytest.raises(InputError, match="option 'style' is list, expected a name or a number"):
        calls.predict(NAME, Chosen(sent(), {"style": [1, 0, 0]}), None)


def test_the_facts_of_a_bundle_name_its_options(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", str(bundles / NAME)]) == 0
    assert "choose strength, a number from 0 to 1 (default 1.0)" in capsys.readouterr().out
