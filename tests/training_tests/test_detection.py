"""Detection: the measure against COCO's evaluator, targets, loss, scenes, and a small training on the whole stage."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge import measures
from edge.detection import LEVELS, draws, match, precision
from edge.errors import ContractError, InputError
from edge.steps.boxes import Found
from training.anchors import k_means
from training.data import digit_scenes
from training.detector_loss import DetectorLoss, generalised_overlap
from training.models.digit_detector import ANCHORS, RECIPE, STRIDE
from training.recipe import DataOptions, Splits
from training.tasks import detection


def scenes(seed: int) -> tuple[list[Found], np.ndarray]:
    """Random boxes, and detections near them; equal scores where the seed is odd."""
    r = np.random.default_rng(seed)
    n, kinds = int(r.integers(1, 30)), int(r.integers(1, 5))
    found, targets = [], np.full((n, 8, 5), -1, np.float32)
    for p in range(n):
        there, given = [], []
        for _ in range(int(r.integers(0, 6))):
            w, h = r.uniform(8, 40, 2)
            x, y = r.uniform(0, 100, 2)
            there.append((int(r.integers(0, kinds)), x, y, w, h))
        for c, x, y, w, h in there:
            for _ in range(int(r.integers(0, 3))):
                j = r.normal(0, 0.12, 4)
                kind = c if r.random() < 0.9 else int(r.integers(0, kinds))
                box = (kind, x + j[0] * w, y + j[1] * h, w * np.exp(j[2]), h * np.exp(j[3]))
                given.append((*box, np.round(r.random(), 1 if seed % 2 else 6)))
        for _ in range(int(r.integers(0, 3))):
            w, h = r.uniform(8, 40, 2)
            x, y = r.uniform(0, 100, 2)
            given.append((int(r.integers(0, kinds)), x, y, w, h, r.random() * 0.7))
        for number, box in enumerate(there):
            targets[p, number] = box
        rows = np.array(sorted(given, key=lambda one: -one[5])).reshape(-1, 6)
        corners = np.concatenate([rows[:, 1:3] - rows[:, 3:5] / 2, rows[:, 1:3] + rows[:, 3:5] / 2], axis=1)
        found.append(Found(corners.astype(np.float32), rows[:, 5].astype(np.float32), rows[:, 0].astype(np.int64)))
    return found, targets


# map50 and map that pycocotools 2.0.11 gives for the same boxes.
COCO = [
    pytest.param(1, 0.41466261472085586, 0.20717050976806364, id="scene 1"),
    pytest.param(2, 0.4867317443474478, 0.1831822334449033, id="scene 2"),
    pytest.param(3, 0.4808341563833241, 0.17188036161360878, id="scene 3"),
    pytest.param(4, 0.3295906079057537, 0.12553820514023264, id="scene 4"),
    pytest.param(7, 0.4460672751157498, 0.1917043493958209, id="scene 7"),
    pytest.param(8, 0.46248652458315725, 0.1747485667310056, id="scene 8"),
    pytest.param(11, 0.4715185804294714, 0.238035232094638, id="scene 11"),
    pytest.param(12, 0.5329698107173354, 0.21718892483708183, id="scene 12"),
    pytest.param(15, 0.45645200020042426, 0.15296559261496878, id="scene 15"),
    pytest.param(20, 0.4773499325175578, 0.2184687322168602, id="scene 20"),
    pytest.param(21, 0.535954556994161, 0.21291735423542354, id="scene 21"),
    pytest.param(30, 0.4961808680868087, 0.17966785649153147, id="scene 30"),
]


@pytest.mark.parametrize(("seed", "map50", "strict"), COCO)
def test_mean_average_precision_is_coco_s(seed: int, map50: float, strict: float) -> None:
    found, targets = scenes(seed)
    for name, expected in (("map50", map50), ("map", strict)):
        got = precision(match(found, targets, LEVELS[name]), np.ones((1, len(found)), np.int64))
        assert float(got[0]) == pytest.approx(expected, abs=1e-9)


def test_resampled_figures_are_those_of_the_resampled_pictures() -> None:
    found, targets = scenes(12)
    counts = draws(len(found))[:20]
    got = precision(match(found, targets, (0.5,)), counts)
    for number, count in enumerate(counts):
        rows = np.repeat(np.arange(len(found)), count)
        again = match([found[row] for row in rows], targets[rows], (0.5,))
        assert got[number] == pytest.approx(float(precision(again, np.ones((1, len(rows)), np.int64))[0]), abs=0.02)


def perfect(targets: np.ndarray) -> np.ndarray:
    """Raw outputs that stand for targets (N, M, 5) of the digit detector."""
    outputs = np.full((len(targets), 12, 12, 3, 15), -9, np.float32)
    for number, target in enumerate(targets):
        for kind, x, y, w, h in target[target[:, 0] >= 0]:
            row, column = int(y // STRIDE), int(x // STRIDE)
            inside = np.clip([x / STRIDE - column, y / STRIDE - row], 1e-3, 1 - 1e-3)
            anchor = 0 if (outputs[number, row, column, 0, 4] < 0) else 1
            cell = outputs[number, row, column, anchor]
            cell[:2] = np.log(inside / (1 - inside))
            cell[2:4] = np.log(np.array([w, h]) / ANCHORS[anchor])
            cell[4], cell[5 + int(kind)] = 9, 9
    return outputs.reshape(len(targets), 12, 12, 45)


@pytest.fixture(scope="module")
def few() -> Splits:
    """A few scenes of real digits."""
    sizes = {"train": 60, "validation": 20, "test": 20}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digit_scenes, "SIZES", sizes)
        patch.setattr(digit_scenes, "SUBSET_SIZES", sizes)
        return digit_scenes.load(DataOptions())


def test_the_contract_s_measure_judges_raw_outputs(few: Splits) -> None:
    targets = few.test.targets
    outputs, measure = perfect(targets), measures.measure("map50", RECIPE.contract)
    assert measure.of(outputs, targets) > 0.97
    blind = np.where(np.arange(20)[:, None, None, None] < 10, outputs, np.float32(-9))
    assert 0.2 < measure.of(blind, targets) < 0.8
    low, high = measure.interval(blind, targets)
    assert low < measure.of(blind, targets) < high
    assert measure.agree(outputs, blind).tolist() == [True] * 10 + [False] * 10
    loss, low, high = measure.loss(blind, outputs, targets)
    assert 0 < low < loss < high
    assert measure.loss(outputs, outputs, targets) == (0, 0, 0)


def test_boxes_cannot_be_measured_without_a_contract_that_decodes_them() -> None:
    with pytest.raises(ContractError, match="map50 judges boxes, which only a contract can decode"):
        measures.measure("map50")
    with pytest.raises(ContractError, match="expected a postprocess step decode_boxes"):
        measures.measure("map", replace(RECIPE.contract, postprocess=()))


def test_the_loss_is_small_where_the_boxes_are_right_and_learns_where_they_are_not(few: Splits) -> None:
    loss, targets = DetectorLoss(ANCHORS, STRIDE), torch.from_numpy(few.test.targets)
    outputs = torch.randn(20, 12, 12, 45, generator=torch.Generator().manual_seed(0)).requires_grad_()
    before = loss(outputs, targets)
    before.backward()
    assert torch.isfinite(outputs.grad).all()
    assert outputs.grad.abs().sum() > 0
    optimizer = torch.optim.Adam([outputs], 0.3)
    for _ in range(60):
        optimizer.zero_grad()
        loss(outputs, targets).backward()
        optimizer.step()
    assert loss(outputs, targets) < before / 20
    assert measures.measure("map50", RECIPE.contract).of(outputs.detach().numpy(), few.test.targets) > 0.95
    assert torch.isfinite(loss(outputs, torch.full((20, 6, 5), -1.0))), "pictures without a box"


def test_generalised_overlap_by_hand() -> None:
    first, second = torch.tensor([[0.0, 0, 2, 2], [0, 0, 1, 1]]), torch.tensor([[0.0, 0, 2, 2], [2, 0, 3, 1]])
    np.testing.assert_allclose(generalised_overlap(first, second).numpy(), [1, -1 / 3], rtol=1e-5)


def test_anchors_are_the_middles_of_groups() -> None:
    targets = np.array([[[0, 9, 9, w, h]] for w, h in [(4, 8), (5, 8), (6, 8), (20, 20), (22, 22)]], np.float32)
    assert k_means(targets, 2) == [[5.0, 8.0], [21.0, 21.0]]


def test_scenes_are_the_same_again_and_their_boxes_hold_the_ink(few: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIZES", "SUBSET_SIZES"):
        monkeypatch.setattr(digit_scenes, name, {"train": 5, "validation": 5, "test": 5})
    for part, split in digit_scenes.load(DataOptions()).parts().items():
        np.testing.assert_array_equal(split.inputs["image"], few.parts()[part].inputs["image"][:5])
        np.testing.assert_array_equal(split.targets, few.parts()[part].targets[:5])
    for split in few.parts().values():
        there = split.targets[split.targets[..., 0] >= 0]
        assert (there[:, 1] - there[:, 3] / 2 >= 0).all()
        assert (there[:, 2] + there[:, 4] / 2 <= digit_scenes.SIDE).all()
    for picture, target in zip(few.test.inputs["image"], few.test.targets, strict=True):
        for _, x, y, w, h in target[target[:, 0] >= 0]:
            inside = picture[int(y - h / 2) : int(y + h / 2), int(x - w / 2) : int(x + w / 2)]
            assert inside.max() > picture.mean() + 40


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda t: t.astype(np.float64), "expected float32", id="another dtype"),
        pytest.param(lambda t: t[..., :4], "expected float32", id="another shape"),
        pytest.param(lambda t: np.where(t == t[0, 0, 0], np.float32(11), t), "name classes outside 0 to 9", id="another class"),
        pytest.param(lambda t: t * np.array([1, 1, 1, 0, 1], np.float32), "boxes without a size", id="no width"),
        pytest.param(lambda t: np.full_like(t, -1), "no train picture has a box", id="no box"),
    ],
)
def test_targets_that_are_no_boxes_are_refused(few: Splits, change: object, message: str) -> None:
    bad = replace(few, train=replace(few.train, targets=change(few.train.targets)))
    with pytest.raises(InputError, match=message):
        detection.check(bad, RECIPE.contract)


def test_a_detector_needs_a_loss() -> None:
    with pytest.raises(ContractError, match="has no loss"):
        replace(RECIPE, loss=None)


def test_a_small_training_hands_over_what_export_can_read(few: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from export.handover import open_handover
    from training.finished import TrainOptions
    from training.train import train

    for name in ("SIZES", "SUBSET_SIZES"):
        monkeypatch.setattr(digit_scenes, name, {"train": 64, "validation": 20, "test": 40})
    outcome = train("digit_detector", TrainOptions(out=tmp_path, epochs=1))
    record = json.loads((outcome.folder / "training.json").read_text())
    assert record["metric"]["name"] == "map50"
    assert set(record["boxes"]["test"]) == {"strict", "true", "missed", "false"}
    assert "<rect class=" in (outcome.folder / "run.html").read_text()
    opened = open_handover(outcome.folder)
    assert opened.golden.labels == ()
    assert opened.target is not None
    assert opened.target.shape == (40, 6, 5)
