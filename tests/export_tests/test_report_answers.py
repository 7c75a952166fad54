"""Reports of models whose answers are boxes or pictures: what they show is what a person would see, not raw numbers."""

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.contract import Contract
from edge.golden import Golden
from edge.variants import Io
from export import pictures, report, report_answers
from export.candidate import Candidate, Plan, Trial
from export.handover import Handover
from export.parity import Bench
from export.report_rows import Findings
from export.report_samples import disagreements, golden
from training.families import detector, image_to_image

SIDE = 16
FINDER = detector("finder", ("cat", "dog"), SIDE, SIDE, 1, [[8.0, 8.0]], 8)
MENDER = image_to_image("mender", SIDE, SIDE, 1)


def cells(*found: tuple[int, int, int]) -> np.ndarray:
    """Raw output with a box in some cells: row, column, class."""
    grid = np.full((2, 2, 7), -9, np.float32)
    for row, column, kind in found:
        grid[row, column] = [0, 0, 0, 0, 9, *(9 if kind == number else -9 for number in range(2))]
    return grid


def findings(contract: Contract, folder: Path, outputs: np.ndarray, scores: np.ndarray, inputs: dict[str, np.ndarray]) -> Findings:
    file = folder / "model.static_wi8_ai8.tflite"
    file.write_bytes(b"x" * 1500)
    name = contract.main.outputs[0].name
    handover = Handover(folder, contract, file, inputs, inputs, None, Golden((), inputs, {name: outputs}, ()))
    trial = Trial("onnxruntime", "1.31", 0.5, (0.5, 0.1, 0.9), 0.5, {name: 1e-6}, 1e-6, 1e-5, scores, 2e-5, 50_000_000)
    candidate = Candidate(Plan("tflite", "static_wi8_ai8", ("device",)), file, Io((), ()), ("CONV_2D",), (trial,))
    return Findings(handover, (candidate,), Bench(file, {name: outputs}, np.zeros((len(outputs), 1)), len(outputs)), (), None)


def opened(address: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
        return np.asarray(picture)


@pytest.fixture
def boxes(tmp_path: Path) -> Findings:
    reference = np.stack([cells((0, 0, 0)), cells((1, 1, 1)), cells()])
    here = np.stack([cells((0, 0, 0)) + 0.01, cells((1, 1, 0)), cells()])
    return findings(FINDER, tmp_path, reference, here, {"image": np.full((3, SIDE, SIDE, 1), 100, np.uint8)})


def test_boxes_are_drawn_and_named(boxes: Findings) -> None:
    shown = golden(boxes)
    assert [one.caption for one in shown] == ["cat 1.00", "dog 1.00", "nothing found"]
    assert all(one.large for one in shown)
    with_box, without = opened(shown[0].pictures[0]), opened(shown[2].pictures[0])
    assert with_box.shape == (192, 192, 3)
    assert (without == 100).all()
    changed = (with_box != 100).any(axis=2)
    assert changed[0, :90].all()
    assert not changed[110:, 110:].any()


def test_a_picture_in_which_a_box_is_another_is_shown_with_both_answers(boxes: Findings) -> None:
    (found,) = disagreements(boxes)
    assert found.count == 1
    assert found.shown[0].caption == "trainer: dog 1.00; here: cat 1.00"
    trainer, here = (opened(address) for address in found.shown[0].pictures)
    assert (trainer != here).any()


def test_the_page_holds_them(boxes: Findings) -> None:
    page = report.render(boxes)
    assert page.count('<figure class="large">') == 3 + 1
    assert "1 of 3" in page
    assert "values)" not in page


def test_pictures_are_shown_as_pictures(tmp_path: Path) -> None:
    reference = np.stack([np.full((SIDE, SIDE, 1), level, np.float32) for level in (0.2, 0.4)])
    here = reference + np.array([0.0, 0.25], np.float32)[:, None, None, None]
    mended = findings(MENDER, tmp_path, reference, here, {"image": np.zeros((2, SIDE, SIDE, 1), np.uint8)})
    (one, other) = golden(mended)
    assert one.caption == "sample, answer"
    assert [int(opened(address)[0, 0]) for address in other.pictures] == [0, 102]
    (found,) = disagreements(mended)
    assert (found.count, found.shown[0].caption) == (None, "sample, trainer, here; moved 0.25")
    assert [int(opened(address)[0, 0]) for address in found.shown[0].pictures] == [0, 102, 166]


def test_many_boxes_are_not_all_named() -> None:
    many = detector("finder", ("cat", "dog"), 64, 64, 1, [[8.0, 8.0]], 8)
    grid = np.tile(cells((0, 0, 0))[:1, :1], (8, 8, 1))
    answer = report_answers.read(many, {"image": np.zeros((64, 64, 1), np.uint8)}, grid)
    assert answer is not None
    assert answer.words == ", ".join(["cat 1.00"] * 6) + " and 58 more"
    words = report_answers.read(replace(many, postprocess=()), {}, grid)
    assert words is None


@pytest.mark.parametrize(("largest", "written"), [(828.0, "927"), (1104.0, "1,236"), (11.02, "12.3")])
def test_sizes_are_written_without_powers_of_ten(largest: float, written: str) -> None:
    assert f">{written}</text>" in pictures.sizes([pictures.Point(1, largest, 0.5, 0.4, 0.6, "onnx")], "map50")
