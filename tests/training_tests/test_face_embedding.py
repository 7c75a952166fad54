"""The published weights of the network for faces: read without trust, put in their places, and the answers those of the publisher."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from edge.errors import InputError
from training.data import face_chips, face_photographs
from training.face_distances import draw, pairs
from training.pretrained import blaze_face, catalogue, face_embedding
from training.pretrained.face_embedding import read_weights
from training.pretrained.face_residual import FaceResidual


def listed(*entries: Any) -> bytes:
    return json.dumps([{"weights": list(entries)}]).encode()


def entry(name: str, *shape: int, **kept: Any) -> dict[str, Any]:
    return {"name": name, "shape": list(shape), "dtype": "float32", **({"quantization": kept} if kept else {})}


def test_weights_are_read_as_they_are_kept() -> None:
    content = np.array([1.5, -2], "<f4").tobytes() + bytes([0, 10, 255]) + np.array([7, 300], "<u2").tobytes()
    found = read_weights(
        listed(entry("a", 2), entry("b", 3, 1, dtype="uint8", scale=0.5, min=-1.0), entry("c", 2, dtype="uint16", scale=2.0, min=0.0)),
        content,
    )
    assert {name: array.tolist() for name, array in found.items()} == {
        "a": [1.5, -2.0],
        "b": [[-1.0], [4.0], [126.5]],
        "c": [14.0, 600.0],
    }
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("manifest", "content", "words"),
    [
        pytest.param(b"{}", b"", "expected groups of weights", id="no groups"),
        pytest.param(b"no", b"", "not valid JSON", id="no JSON"),
        pytest.param(listed(entry("a", 2)), b"1234", "expected numbers that are there", id="too few"),
        pytest.param(listed(entry("a", 1)), b"12345678", "expected 4 by their list", id="too many"),
        pytest.param(listed(entry("a", -1)), b"", "expected a name, a shape", id="a size below 0"),
        pytest.param(listed(entry("a", 1 << 40, 1 << 40)), b"1234", "expected numbers that are there", id="a huge size"),
        pytest.param(listed(entry("a", 1, dtype="object", scale=1, min=0)), b"1234", "expected numbers that are there", id="objects"),
        pytest.param(listed(entry("a", 1, dtype="uint8", scale="1", min=0)), b"1", "expected a name, a shape", id="a scale in words"),
        pytest.param(listed(7), b"", "expected a name, a shape", id="no entry"),
    ],
)
def test_weights_that_do_not_fit_are_refused_in_words(manifest: bytes, content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_weights(manifest, content)


def made_up() -> dict[str, np.ndarray]:
    """Make weights of every name and shape that the network has."""
    random = np.random.default_rng(0)
    found: dict[str, np.ndarray] = {"fc": random.normal(size=(256, 128)).astype(np.float32) / 16}

    def layer(name: str, side: int, inputs: int, outputs: int) -> None:
        found[f"{name}/conv/filters"] = random.normal(size=(side, side, inputs, outputs)).astype(np.float32) / (side * inputs**0.5)
        for part, mean in (("conv/bias", 0.0), ("scale/weights", 1.0), ("scale/biases", 0.0)):
            found[f"{name}/{part}"] = (mean + 0.1 * random.normal(size=outputs)).astype(np.float32)

    layer("conv32_down", 7, 3, 32)
    widths = [("conv32_", 3, 32, 32), ("conv64_", 3, 32, 64), ("conv128_", 2, 64, 128), ("conv256_", 2, 128, 256)]
    for stem, count, before, width in widths:
        blocks = ([] if width == 32 else [("down", before)]) + [(str(number), width) for number in range(1, count + 1)]
        for name, inputs in blocks:
            layer(f"{stem}{name}/conv1", 3, inputs, width)
            layer(f"{stem}{name}/conv2", 3, width, width)
    layer("conv256_down_out/conv1", 3, 256, 256)
    layer("conv256_down_out/conv2", 3, 256, 256)
    return found


def test_each_weight_has_its_place_and_scales_lie_in_the_convolutions() -> None:
    weights = made_up()
    module = FaceResidual.of(weights)
    with torch.no_grad():
        assert module(torch.zeros(2, 150, 150, 3, dtype=torch.uint8)).shape == (2, 128)
        x = torch.randn(1, 3, 21, 21)
        filters = torch.from_numpy(weights["conv32_down/conv/filters"]).permute(3, 2, 0, 1)
        plain = torch.nn.functional.conv2d(x, filters, torch.from_numpy(weights["conv32_down/conv/bias"]), stride=2)
        scale, shift = (torch.from_numpy(weights[f"conv32_down/scale/{part}"]).view(1, -1, 1, 1) for part in ("weights", "biases"))
        torch.testing.assert_close(module.stem(x), plain * scale + shift, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"fc": None}, "'fc' are missing", id="one is missing"),
        pytest.param({"fc": np.zeros((128, 256), np.float32)}, "of shape", id="one is turned"),
        pytest.param({"more": np.zeros(1, np.float32)}, "hold 'more'", id="one too many"),
    ],
)
def test_weights_of_another_network_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        FaceResidual.of({name: array for name, array in {**made_up(), **change}.items() if array is not None})


def test_only_pairs_of_which_something_is_known_count() -> None:
    vectors = np.array([[0.0, 0], [0.3, 0], [0, 1], [0, 2], [5, 5]])
    evidence = pairs(vectors, ["obama", "obama", "4-0", "4-1", "5-0"])
    assert evidence.same.tolist() == [0.3]
    assert len(evidence.different) == 2 * 3 + 1, "the two of photograph 4, and each with a known person"
    assert evidence.figures()["smallest distance of two people"] == 1.0
    assert b"<svg" in draw(evidence)


def test_sources_are_listed_with_their_terms() -> None:
    for source in (face_embedding.SOURCE, blaze_face.SOURCE):
        assert source.name in catalogue.names()
        assert source.licence
    assert catalogue.find("blaze_face") is blaze_face.SOURCE


def test_pictures_of_faces_are_the_same_each_time_and_their_boxes_follow() -> None:
    photograph = face_photographs.PHOTOGRAPHS[6]
    picture = np.random.default_rng(0).integers(0, 256, (1137, 910, 3), np.uint8)
    for number in range(4):
        pixels, targets = face_photographs.seen(picture, photograph, number, np.random.default_rng(number))
        again = face_photographs.seen(picture, photograph, number, np.random.default_rng(number))
        np.testing.assert_array_equal(pixels, again[0])
        assert (pixels.shape, pixels.dtype, float(np.abs(pixels).max()) <= 1) == ((256, 256, 3), np.float32, True)
        assert (targets[1:] == -1).all()
    first, mirrored = (face_photographs.seen(picture, photograph, number, np.random.default_rng(0))[1][0] for number in (0, 1))
    left = (256 - round(910 * 256 / 1137)) // 2
    np.testing.assert_allclose(first[1] - left, round(910 * 256 / 1137) - (mirrored[1] - left), atol=0.01)
    np.testing.assert_allclose(first[3:], mirrored[3:])
    chip = face_chips.view(picture, photograph.faces[0], np.random.default_rng(1), 5)
    assert (chip.shape, chip.dtype) == ((150, 150, 3), np.uint8)


# What `FaceRecognitionNet` of @vladmandic/face-api 1.7.15, on its backend `cpu`, gives for the picture below.
PUBLISHED = (
    *(-0.071989, 0.119844, 0.084390, -0.006169, -0.106616, -0.018593, -0.093472, -0.000428),
    *(0.066732, -0.037519, 0.216266, -0.044682, -0.242608, -0.001333, -0.038266, 0.084162),
    *(-0.131242, -0.053426, -0.126607, -0.057768, 0.028288, -0.002927, -0.006027, 0.027776),
    *(-0.074664, -0.295173, -0.066899, -0.102268, 0.050297, -0.173855, -0.006685, -0.035509),
    *(-0.126959, -0.040194, -0.015529, 0.049113, -0.013564, -0.100546, 0.155795, -0.055965),
    *(-0.174918, -0.050226, 0.031136, 0.265322, 0.159793, 0.081007, 0.009053, -0.075923),
    *(0.076039, -0.234734, 0.047667, 0.140486, 0.056177, 0.117670, 0.055931, -0.176108),
    *(0.037234, 0.103960, -0.094051, 0.036965, 0.026467, -0.078234, -0.006417, -0.146855),
    *(0.256727, 0.079703, -0.111602, -0.147008, 0.101747, -0.160195, -0.059072, 0.116947),
    *(-0.086629, -0.147479, -0.257918, 0.047454, 0.354106, 0.186098, -0.170774, -0.020275),
    *(-0.106667, -0.050462, 0.042449, 0.098436, -0.053352, 0.029666, -0.079974, 0.044542),
    *(0.207375, -0.079415, 0.020115, 0.175025, -0.019834, 0.031967, -0.025874, 0.013158),
    *(-0.118370, 0.046348, -0.060861, 0.015172, 0.117572, -0.083664, 0.029431, 0.090502),
    *(-0.170679, 0.101846, -0.001491, -0.001645, 0.057305, -0.008865, -0.076683, -0.045399),
    *(0.239416, -0.253680, 0.214396, 0.203892, 0.073927, 0.107375, 0.086913, 0.120635),
    *(-0.019435, -0.052186, -0.173677, -0.017908, 0.025245, -0.043304, -0.002985, 0.004946),
)


@pytest.mark.slow
def test_answers_are_those_of_the_published_library() -> None:
    y, x = np.mgrid[0:150, 0:150]
    picture = np.stack([(x * 3 + y * 5) % 256, (x * x // 7 + y) % 256, (x * y // 11) % 256], axis=-1).astype(np.uint8)
    with torch.no_grad():
        vector = face_embedding.build()(torch.from_numpy(picture[None])).numpy()[0]
    np.testing.assert_allclose(vector, PUBLISHED, atol=2e-5)
