"""Pictures of every kind, sent to every kind of vision model: answered as a person expects, or refused in words.

The model that gives its input back shows what the others see: upright, in the right colours, nothing of the transparent parts.
"""

import base64
import functools
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image
from starlette.testclient import TestClient

from edge import cli
from edge.storage import load_npz
from serving import pictures
from serving.settings import Settings
from training.families import detector, image_classifier, image_to_image

SIDE = 16
MIRROR, KINDS, FINDER = "tiny_mirror", "tiny_colours", "tiny_finder"
PNG = {"accept": "image/png"}
RED, BLUE = (255, 0, 0), (0, 0, 255)


def mirror() -> tuple[Any, list[Any], dict[str, Any]]:
    """Gives the picture back."""
    nodes = [helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT), helper.make_node("Div", ["real", "top"], ["picture"])]
    return image_to_image(MIRROR, SIDE, SIDE, 3), nodes, {"top": np.array(255, np.float32)}


def colours() -> tuple[Any, list[Any], dict[str, Any]]:
    """Tells which colour there is most of."""
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Div", ["mean", "top"], ["logits"]),
    ]
    return image_classifier(KINDS, ("red", "green", "blue"), SIDE, SIDE, 3), nodes, {"top": np.array(25, np.float32)}


def finder() -> tuple[Any, list[Any], dict[str, Any]]:
    """Finds one thing in the middle of any picture."""
    contract = detector(FINDER, ("thing",), SIDE, SIDE, 3, [[8.0, 8.0]], SIDE)
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "cell"], ["cells"]),
    ]
    cell = np.array([0, 0, 0, 0, 9, 9], np.float32).reshape(1, 1, 1, 6)
    return contract, nodes, {"nothing": np.array(0, np.float32), "cell": cell}


def answers(name: str, images: np.ndarray) -> np.ndarray:
    real = images.astype(np.float32)
    if name == MIRROR:
        light: np.ndarray = real / np.float32(255)
        return light
    if name == KINDS:
        means: np.ndarray = real.mean(axis=(1, 2), dtype=np.float32) / np.float32(25)
        return means
    return np.tile(np.array([0, 0, 0, 0, 9, 9], np.float32), (len(images), 1, 1, 1))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, bundle_writer: Callable[..., Path]) -> Path:
    root = tmp_path_factory.mktemp("vision")
    for made in (mirror, colours, finder):
        contract, nodes, constants = made()
        contract = replace(contract, targets=("server",), recipes=(), requires_runtimes=("onnxruntime",))
        images = np.random.default_rng(1).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
        outputs = answers(contract.name, images)
        golden = {"input/image": images, f"output/{contract.main.outputs[0].name}": outputs}
        if contract.name == KINDS:
            golden["label"] = np.array([contract.labels[i] for i in outputs.argmax(axis=1)])
        bundle_writer(root, contract, nodes, constants, golden)
    return root


@pytest.fixture(scope="module")
def vision(bundles: Path, serve: Callable[[Settings], Any]) -> Iterator[TestClient]:
    with serve(Settings(bundles, device="cpu", max_batch=4)) as client:
        assert client.get("/v2/health/ready").status_code == 200, client.get("/v2/health/ready").text
        yield client


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def halves(left: tuple[int, ...] = RED, right: tuple[int, ...] = BLUE, mode: str = "RGB") -> Image.Image:
    picture = Image.new(mode, (SIDE, SIDE), left)
    picture.paste(right, (SIDE // 2, 0, SIDE, SIDE))
    return picture


def rotated() -> bytes:
    """A photograph taken with the camera on its side: upright, red is at the left; stored, it lies turned to the left."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right by a quarter
    return encoded(halves().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95, subsampling=0)


def deep() -> bytes:
    return encoded(Image.fromarray(np.full((SIDE, SIDE), 128 * 257, np.uint16)))


def animated() -> bytes:
    first, second = Image.new("RGB", (SIDE, SIDE), RED), Image.new("RGB", (SIDE, SIDE), BLUE)
    return encoded(first, "GIF", save_all=True, append_images=[second], duration=100)


@functools.cache
def huge() -> bytes:
    """A few kB that would unfold to 400 million pixels."""
    return encoded(Image.new("1", (20_000, 20_000)))


CMYK = encoded(Image.new("CMYK", (SIDE, SIDE), (0, 255, 255, 0)), "JPEG", quality=95)
GREY = (128, 128, 128)
# Each picture, and what is seen of it at the left and at the right, or the code and words of its refusal.
SENT: dict[str, tuple[Callable[[], bytes], Any]] = {
    "as usual": (lambda: encoded(halves()), (RED, BLUE)),
    "grey": (lambda: encoded(Image.new("L", (SIDE, SIDE), 128)), (GREY, GREY)),
    "black and white": (lambda: encoded(Image.new("1", (SIDE, SIDE), 1)), ((255,) * 3, (255,) * 3)),
    "with a palette": (lambda: encoded(halves().quantize(4)), (RED, BLUE)),
    "half transparent, half blue": (lambda: encoded(halves((255, 0, 0, 0), (0, 0, 255, 255), "RGBA")), ((0, 0, 0), BLUE)),
    "CMYK, all red": (lambda: CMYK, (RED, RED)),
    "16 bits deep": (deep, (GREY, GREY)),
    "turned by its EXIF": (rotated, (RED, BLUE)),
    "animated, red first": (animated, (RED, RED)),
    "one pixel": (lambda: encoded(Image.new("RGB", (1, 1), RED)), (RED, RED)),
    "WebP": (lambda: encoded(halves(), "WEBP", lossless=True), (RED, BLUE)),
    "TIFF": (lambda: encoded(halves(), "TIFF"), (RED, BLUE)),
    "BMP": (lambda: encoded(halves(), "BMP"), (RED, BLUE)),
    "no picture": (lambda: b"hello, this is text", (415, "not a picture of a kind that is taken")),
    "a program that looks like a picture": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n", (415, "expected PNG, JPEG, WebP, GIF, BMP or TIFF")),
    "empty": (lambda: b"", (400, "the picture is empty")),
    "cut off": (lambda: encoded(Image.effect_noise((64, 64), 60))[:2000], (400, "the picture is damaged")),
    "20,000 by 20,000": (huge, (413, "too many pixels, expected at most")),
    "very wide": (lambda: encoded(Image.new("1", (20_000, 1))), (413, "20000×1 pixels, expected at most")),
}


@pytest.mark.parametrize("model", [MIRROR, KINDS, FINDER])
@pytest.mark.parametrize("case", SENT)
def test_every_kind_of_picture(vision: TestClient, case: str, model: str) -> None:
    make, expected = SENT[case]
    response = vision.post(f"/predict/{model}", content=make(), headers={"content-type": "image/png"})
    if isinstance(expected[0], int):
        code, words = expected
        assert (response.status_code, words in response.json()["error"]) == (code, True), response.text
        assert set(response.json()) == {"error", "reason", "request_id"}
        return
    assert response.status_code == 200, response.text
    (answer,) = response.json()["predictions"]
    check = {MIRROR: seen_by_mirror, KINDS: seen_by_colours, FINDER: seen_by_finder}[model]
    check(answer, *expected)


def seen_by_mirror(answer: dict[str, Any], left: tuple[int, ...], right: tuple[int, ...]) -> None:
    pixels = opened(base64.b64decode(answer["image"]))
    assert answer["media_type"] == "image/png"
    assert pixels.shape == (SIDE, SIDE, 3)
    np.testing.assert_allclose(pixels[:, :6].mean(axis=(0, 1)), left, atol=12)
    np.testing.assert_allclose(pixels[:, 10:].mean(axis=(0, 1)), right, atol=12)


def seen_by_colours(answer: dict[str, Any], left: tuple[int, ...], right: tuple[int, ...]) -> None:
    most = np.add(left, right)
    if (most == most.max()).sum() == 1:
        assert answer["label"] == ("red", "green", "blue")[int(most.argmax())]


def seen_by_finder(answer: dict[str, Any], _left: tuple[int, ...], _right: tuple[int, ...]) -> None:
    (box,) = answer["boxes"]
    assert box["label"] == "thing"
    assert 0 <= box["box"][0] < box["box"][2] <= SIDE


def opened(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"), np.float64)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("image/png", "image/png"),
        ("image/*", "image/png"),
        ("image/avif,image/webp,image/png,*/*;q=0.8", "image/png"),
        ("application/json;q=0.5, image/png", "image/png"),
        ("application/json, image/png;q=0.5", "application/json"),
        ("image/png;q=0, */*", "application/json"),
        ("image/webp, application/json", "application/json"),
        ("*/*", "application/json"),
    ],
)
def test_who_asks_for_a_picture_gets_one(vision: TestClient, accept: str, kind: str) -> None:
    response = vision.post(f"/predict/{MIRROR}", content=encoded(halves()), headers={"content-type": "image/png", "accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (200, kind), response.text
    if kind == "image/png":
        np.testing.assert_array_equal(opened(response.content), np.asarray(halves()))


def test_boxes_are_drawn_into_the_picture_that_was_sent(vision: TestClient) -> None:
    grey = encoded(Image.new("RGB", (96, 48), GREY))
    response = vision.post(f"/predict/{FINDER}", content=grey, headers={"content-type": "image/png", **PNG})
    answer = vision.post(f"/predict/{FINDER}", content=grey, headers={"content-type": "image/png"}).json()["predictions"][0]
    left, top, right, bottom = (round(corner) for corner in answer["boxes"][0]["box"])
    pixels = opened(response.content)
    assert pixels.shape == (48, 96, 3)
    changed = (pixels != 128).any(axis=2)
    assert changed[top:bottom, left].all()
    assert changed[bottom - 1, left:right].all()
    assert not changed[:, right + 1 :].any()


def test_a_large_picture_with_boxes_comes_back_smaller(vision: TestClient) -> None:
    large = encoded(Image.new("L", (5000, 1000), 128))
    response = vision.post(f"/predict/{FINDER}", content=large, headers={"content-type": "image/png", **PNG})
    assert opened(response.content).shape == (round(1000 * pictures.LARGEST_SIDE / 5000), pictures.LARGEST_SIDE, 3)


@pytest.mark.parametrize(
    ("path", "accept", "code", "words"),
    [
        pytest.param(KINDS, "image/png", 406, "tiny_colours gives no picture; expected application/json", id="of a classifier"),
        pytest.param(MIRROR, "image/webp", 406, "expected image/png or application/json", id="of another kind"),
    ],
)
def test_a_picture_that_cannot_be_given_is_refused(vision: TestClient, path: str, accept: str, code: int, words: str) -> None:
    response = vision.post(f"/predict/{path}", content=encoded(halves()), headers={"content-type": "image/png", "accept": accept})
    assert (response.status_code, words in response.json()["error"]) == (code, True), response.text


def test_one_picture_is_the_answer_to_one_input(vision: TestClient) -> None:
    files = [("image", encoded(halves())), ("image", encoded(halves()))]
    assert len(vision.post(f"/predict/{MIRROR}", files=files).json()["predictions"]) == 2
    response = vision.post(f"/predict/{MIRROR}", files=files, headers=PNG)
    assert (response.status_code, "send them one by one" in response.json()["error"]) == (400, True)


def test_the_description_names_the_pictures(vision: TestClient) -> None:
    paths = vision.get("/openapi.json").json()["paths"]
    kinds = {name: set(paths[f"/predict/{name}"]["post"]["responses"]["200"]["content"]) for name in (MIRROR, KINDS, FINDER)}
    both = {"application/json", "image/png"}
    assert kinds == {MIRROR: both, FINDER: both, KINDS: {"application/json"}}


def test_the_command_writes_the_picture(bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent, out = tmp_path / "sent.png", tmp_path / "out.png"
    sent.write_bytes(encoded(halves()))
    words = ["run", str(bundles / MIRROR), str(sent), "--target", "server", "--out", str(out)]
    assert cli.main(words) == 0
    assert re.search(r"a picture of 16×16 pixels, written to .*out\.png", capsys.readouterr().out)
    np.testing.assert_array_equal(opened(out.read_bytes()), np.asarray(halves()))


@pytest.mark.parametrize(
    ("model", "more", "words"),
    [
        pytest.param(KINDS, ["--out", "out.png"], "tiny_colours gives no picture", id="a classifier"),
        pytest.param(MIRROR, ["again.png", "--out", "out.png"], "--out takes the picture of one INPUT, 2 were given", id="two inputs"),
        pytest.param(MIRROR, ["--out", "out.jpg"], "expected a name that ends in .png", id="another format"),
        pytest.param(MIRROR, ["--out", "nowhere/out.png"], "cannot be written", id="no such folder"),
    ],
)
def test_a_picture_that_cannot_be_written_is_told(
    bundles: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    more: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sent.png").write_bytes(encoded(halves()))
    assert cli.main(["run", str(bundles / model), "sent.png", *more, "--target", "server"]) != 0
    assert words in capsys.readouterr().err


def test_golden_arrays_are_those_of_the_numpy_twin(bundles: Path) -> None:
    arrays = load_npz(bundles / MIRROR / "1.0.0" / "golden.npz")
    np.testing.assert_array_equal(arrays["output/picture"], answers(MIRROR, arrays["input/image"]))
