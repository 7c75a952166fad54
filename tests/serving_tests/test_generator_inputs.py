"""A generator of pictures takes a seed: pictures of every kind, and questions that are none, are refused in words."""

import functools
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

from edge.contract import Graph, Step, Tensor
from edge.steps.latent import drawn
from serving.settings import Settings
from training.families import image_to_image

MAKER, SIZE, SIDE = "tiny_maker", 4, 8
PATH = f"/predict/{MAKER}"
ONE_PIXEL, LARGE = (1, 1), (20_000, 20_000)
JSON = {"content-type": "application/json"}


def light(latent: np.ndarray) -> np.ndarray:
    """The mean of the random numbers, 0–1, as the light of each pixel."""
    mean = np.clip(latent.mean(axis=1, dtype=np.float32) + np.float32(0.5), 0, 1)
    return np.broadcast_to(mean[:, None, None, None], (len(latent), SIDE, SIDE, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def maker(
    tmp_path_factory: pytest.TempPathFactory, bundle_writer: Callable[..., Path], serve: Callable[[Settings], Any]
) -> Iterator[TestClient]:
    root = tmp_path_factory.mktemp("maker")
    pictures = image_to_image(MAKER, SIDE, SIDE, 1)
    graph = Graph("main", (Tensor("latent", "float32", ("batch", SIZE), "NC", None, ""),), pictures.main.outputs)
    steps = (Step("read_json"), Step("draw_latent", size=SIZE))
    contract = replace(
        pictures,
        task="image-generation",
        graphs=(graph,),
        preprocess=steps,
        targets=("server",),
        recipes=(),
        requires_runtimes=("onnxruntime",),
    )
    nodes = [
        helper.make_node("ReduceMean", ["latent"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Add", ["mean", "half"], ["lighter"]),
        helper.make_node("Clip", ["lighter", "dark", "bright"], ["one"]),
        helper.make_node("Unsqueeze", ["one", "last"], ["square"]),
        helper.make_node("Cast", ["square"], ["pixel"], to=TensorProto.FLOAT),
        helper.make_node("Tile", ["pixel", "often"], ["picture"]),
    ]
    constants = {
        **{name: np.array(value, np.float32) for name, value in (("half", 0.5), ("dark", 0), ("bright", 1))},
        **{"last": np.array([2, 3]), "often": np.array([1, SIDE, SIDE, 1])},
    }
    latent = np.stack([drawn(seed, SIZE) for seed in range(3)])
    bundle_writer(root, contract, nodes, constants, {"input/latent": latent, "output/picture": light(latent)})
    with serve(Settings(root, device="cpu", max_batch=4)) as client:
        assert client.get("/v2/health/ready").status_code == 200, client.get("/v2/health/ready").text
        yield client


def encoded(size: tuple[int, int], mode: str = "RGB", kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, kind, **options)
    return buffer.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded((8, 4), "RGB", "JPEG", exif=exif)


PICTURES: dict[str, Callable[[], bytes]] = {
    "no picture": lambda: b"hello, this is text",
    "one pixel": lambda: encoded(ONE_PIXEL),
    "20,000 by 20,000": lambda: encoded(LARGE, "1"),
    "grey": lambda: encoded((8, 8), "L"),
    "RGBA": lambda: encoded((8, 8), "RGBA"),
    "CMYK": lambda: encoded((8, 8), "CMYK", "JPEG"),
    "16 bits deep": lambda: encoded((8, 8), "I;16"),
    "turned by its EXIF": turned,
    "animated": lambda: encoded((8, 8), "L", "GIF", save_all=True, append_images=[Image.new("L", (8, 8), 9)]),
    "empty": lambda: b"",
}


@functools.cache
def made(case: str) -> bytes:
    return PICTURES[case]()


@pytest.mark.parametrize(
    "kind",
    ["image/png", "application/octet-stream", "application/json", "multipart/form-data", ""],
    ids=["as a picture", "as bytes", "as JSON", "in a form", "as nothing"],
)
@pytest.mark.parametrize("case", PICTURES)
def test_a_picture_is_refused_in_words(maker: TestClient, case: str, kind: str) -> None:
    content = made(case)
    if kind == "multipart/form-data":
        response = maker.post(PATH, files={"image": content})
    else:
        response = maker.post(PATH, content=content, headers={"content-type": kind} if kind else {})
    answer = response.json()
    as_json = kind in ("application/json", "")  # no header counts as JSON
    assert response.status_code == (400 if as_json else 415), response.text
    assert set(answer) == {"error", "reason", "request_id"}
    assert ("JSON" if as_json else "expected application/json") in answer["error"], response.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b'{"inputs": {"sed": 1}}', "seed", id="another word"),
        pytest.param(b'{"inputs": {"seed": -1}}', "seed is -1, expected a whole number from 0", id="negative"),
        pytest.param(b'{"inputs": {"seed": "7"}}', "expected a whole number", id="a word"),
        pytest.param(b'{"inputs": {"latent": [1, 2]}}', "expected 4 finite numbers", id="too few numbers"),
        pytest.param(b'{"inputs": {"latent": [1, 2, 3, NaN]}}', "NaN", id="no number"),
        pytest.param(b'{"inputs": []}', "", id="nothing"),
    ],
)
def test_a_question_that_is_none_is_refused_in_words(maker: TestClient, content: bytes, words: str) -> None:
    response = maker.post(PATH, content=content, headers=JSON)
    assert (response.status_code, words in response.json()["error"]) == (400, True), response.text


@pytest.mark.parametrize("seed", [0, 7])
def test_a_seed_gives_a_picture(maker: TestClient, seed: int) -> None:
    response = maker.post(PATH, json={"inputs": {"seed": seed}}, headers={"accept": "image/png"})
    assert (response.status_code, response.headers["content-type"]) == (200, "image/png"), response.text
    with Image.open(io.BytesIO(response.content)) as picture:
        pixels = np.asarray(picture)
    expected = light(drawn(seed, SIZE)[None])[0, ..., 0] * 255
    np.testing.assert_allclose(pixels.reshape(SIDE, SIDE), expected, atol=1)
