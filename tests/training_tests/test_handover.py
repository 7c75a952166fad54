"""The hand-over directory: complete, verified, true to the trained module, and the same again."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge import contract as contracts
from edge import golden as replay
from edge.contract import Confidence, Contract, Step
from edge.errors import ContractError, ParityError
from edge.steps import preprocessing
from edge.storage import load_npz, verify
from training import discover, handover
from training.finished import UNLISTED, Outcome, TrainOptions
from training.recipe import DataOptions
from training.train import train


@pytest.fixture(scope="module")
def golden(trained: Outcome) -> dict[str, np.ndarray]:
    return load_npz(trained.folder / "golden.npz")


@pytest.fixture(scope="module")
def contract(trained: Outcome) -> Contract:
    return contracts.load(trained.folder / "contract.json")


@pytest.fixture(scope="module")
def program(trained: Outcome) -> torch.nn.Module:
    return torch.export.load(trained.folder / "program.pt2").module()


def test_the_directory_is_complete_and_verifies(trained: Outcome) -> None:
    assert trained.folder.name == "1.0.0"
    assert set(verify(trained.folder, UNLISTED)) == {"program.pt2", *handover.LISTED}
    assert {path.name for path in trained.folder.iterdir()} == {"program.pt2", *handover.LISTED, *UNLISTED, "SHA256SUMS"} - {"values.png"}
    assert [path.name for path in trained.folder.parent.iterdir()] == ["1.0.0"], "nothing half-written may be left"


def test_the_contract_is_the_recipe_s_with_a_temperature(trained: Outcome, contract: Contract) -> None:
    recipe = discover.find("mnist_cnn")
    promised = recipe.for_data(recipe.load_data(_options(trained))).contract
    assert contract == replace(promised, confidence=Confidence(trained.record["calibration"]["temperature"]))


def test_eval_is_the_whole_test_split(trained: Outcome) -> None:
    arrays = load_npz(trained.folder / "eval.npz")
    count = trained.record["data"]["test"]
    assert {name: (array.dtype, array.shape) for name, array in arrays.items()} == {
        "input/image": (np.uint8, (count, 28, 28, 1)),
        "target": (np.int64, (count,)),
    }


def test_calibration_is_spread_over_the_classes_and_not_from_the_test_split(trained: Outcome) -> None:
    (name, samples), *rest = load_npz(trained.folder / "calibration.npz").items()
    assert (name, samples.dtype, samples.shape, rest) == ("input/image", np.uint8, (256, 28, 28, 1), [])
    test = {digit.tobytes() for digit in load_npz(trained.folder / "eval.npz")["input/image"]}
    assert not test & {digit.tobytes() for digit in samples}


def test_calibration_holds_every_class_equally(trained: Outcome) -> None:
    splits = discover.find("mnist_cnn").load_data(_options(trained))
    label_of = {digit.tobytes(): int(label) for digit, label in zip(splits.train.inputs["image"], splits.train.targets, strict=True)}
    samples = load_npz(trained.folder / "calibration.npz")["input/image"]
    counts = np.bincount([label_of[digit.tobytes()] for digit in samples], minlength=10)
    assert counts.min() >= 25


def test_the_program_takes_any_batch_and_gives_the_golden_answers(program: torch.nn.Module, golden: dict[str, np.ndarray]) -> None:
    images, logits = golden["input/image"], golden["output/logits"]
    assert (logits.dtype, logits.shape) == (np.float32, (32, 10))
    for batch in (1, 2, 7, 32):
        answers = program(torch.from_numpy(images[:batch])).detach().numpy()
        assert np.abs(answers - logits[:batch]).max() < 1e-4


def test_the_program_gives_the_accuracy_that_the_record_claims(trained: Outcome, program: torch.nn.Module) -> None:
    arrays = load_npz(trained.folder / "eval.npz")
    parts = [program(torch.from_numpy(part)).argmax(dim=1).numpy() for part in np.array_split(arrays["input/image"], 10)]
    assert float(np.mean(np.concatenate(parts) == arrays["target"])) == pytest.approx(trained.record["metric"]["test"], abs=1e-4)


def test_the_program_does_not_tell_where_it_was_made(trained: Outcome, repository: Path) -> None:
    with zipfile.ZipFile(trained.folder / "program.pt2") as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert str(repository).encode() not in content
    assert b"stack_trace" not in content


def test_raw_pictures_are_of_many_kinds(golden: dict[str, np.ndarray]) -> None:
    raw = [golden[f"raw/{number:03d}"] for number in range(16)]
    assert sum(name.startswith("raw/") for name in golden) == 16
    assert len({picture.shape for picture in raw}) == 16, "each of another size"
    assert {picture.ndim for picture in raw} == {2, 3}
    assert all(picture.dtype == np.uint8 and (picture.ndim == 2 or picture.shape[2] == 3) for picture in raw)
    assert any(picture.shape[0] != picture.shape[1] for picture in raw)
    assert any(max(picture.shape[:2]) < 28 for picture in raw), "some must be enlarged"
    assert any(min(picture.shape[:2]) > 100 for picture in raw), "some must be shrunk by much"


def test_edge_replays_the_golden_file(trained: Outcome, contract: Contract, program: torch.nn.Module) -> None:
    stored = replay.load(trained.folder / "golden.npz", contract)
    replay.replay_steps(stored, contract)
    drift = replay.replay_model(
        stored, lambda inputs: {"logits": program(torch.from_numpy(inputs["image"])).detach().numpy()}, 1e-4, "test"
    )
    assert drift["logits"] < 1e-4


@pytest.mark.parametrize(
    "resize",
    [
        pytest.param({"filter": "nearest"}, id="another filter: nearest"),
        pytest.param({"filter": "box"}, id="another filter: box"),
        pytest.param({"filter": "bicubic"}, id="another filter: bicubic"),
        pytest.param({"fit": "stretch"}, id="another fit: stretch"),
        pytest.param({"fit": "cover"}, id="another fit: cover"),
        pytest.param({"fill": 255}, id="another fill"),
    ],
)
def test_a_swapped_resize_cannot_hide(trained: Outcome, contract: Contract, resize: dict[str, object]) -> None:
    parameters = {**contract.preprocess[1].parameters, **resize}
    swapped = replace(contract, preprocess=(contract.preprocess[0], Step("resize", **parameters)))
    stored = replay.load(trained.folder / "golden.npz", contract)
    with pytest.raises(ParityError, match="preprocess"):
        replay.replay_steps(stored, swapped)


def test_permuted_labels_cannot_hide(trained: Outcome, contract: Contract) -> None:
    stored = replay.load(trained.folder / "golden.npz", contract)
    with pytest.raises(ParityError, match="postprocess"):
        replay.replay_steps(stored, replace(contract, labels=contract.labels[1:] + contract.labels[:1]))


def test_labels_come_from_the_data_and_not_from_the_contract(tmp_path: Path, small: TrainOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = discover.find("mnist_cnn")
    permuted = replace(recipe, contract=replace(recipe.contract, labels=recipe.contract.labels[::-1]))
    monkeypatch.setattr(discover, "find", lambda name: permuted)
    arrays = load_npz(train("mnist_cnn", small).folder / "golden.npz")
    assert arrays["label"].tolist() == [str(answer) for answer in arrays["output/logits"].argmax(axis=1)]


def test_the_first_golden_rows_are_the_raw_pictures_and_the_rest_span_the_classes(
    trained: Outcome, golden: dict[str, np.ndarray], contract: Contract
) -> None:
    prepare = preprocessing(contract)
    arrays = load_npz(trained.folder / "eval.npz")
    label_of = {digit.tobytes(): int(label) for digit, label in zip(arrays["input/image"], arrays["target"], strict=True)}
    for row in range(16):
        assert np.array_equal(prepare(golden[f"raw/{row:03d}"]), golden["input/image"][row])
    classes = [label_of[golden["input/image"][row].tobytes()] for row in range(16, 32)]
    assert set(classes) == set(range(10))


def test_the_record_says_what_was_done(trained: Outcome) -> None:
    record = json.loads((trained.folder / "training.json").read_text())
    assert record == json.loads(json.dumps(trained.record))
    assert record["data"]["train"] == 2000
    assert record["settings"]["epochs"] == len(record["history"]) == record["best_epoch"] == 1
    assert record["parameters"] == 115_194
    assert record["metric"]["test_count"] == record["data"]["test"] == np.sum(record["confusion"])
    assert record["metric"]["test"] == pytest.approx(np.trace(record["confusion"]) / np.sum(record["confusion"]))
    assert [figures["label"] for figures in record["classes"]] == list("0123456789")
    assert len(record["fingerprint"]) == 64


@pytest.mark.parametrize("name", ["curves.png", "confusion.png", "reliability.png"])
def test_pictures_are_png(trained: Outcome, name: str) -> None:
    content = (trained.folder / name).read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(content) > 10_000


def test_training_twice_gives_the_same_bytes(small: TrainOptions) -> None:
    one = train("mnist_cnn", small)
    before = {name: (one.folder / name).read_bytes() for name in ("program.pt2", *handover.LISTED, "SHA256SUMS")}
    again = train("mnist_cnn", replace(small, force=True))
    assert not again.skipped
    assert {name: (again.folder / name).read_bytes() for name in before} == before


def test_a_module_that_breaks_its_contract_is_told_before_training(small: TrainOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(discover.find("mnist_cnn"), build=lambda: torch.nn.Sequential(_Float(), torch.nn.Flatten(), torch.nn.Linear(784, 9)))
    monkeypatch.setattr(discover, "find", lambda name: recipe)
    with pytest.raises(ContractError, match=r"the model's output 'logits' is float32 \(1, 9\), expected float32 \(batch, 10\)"):
        train("mnist_cnn", small)
    assert not list(small.out.rglob("*.npz"))


class _Float(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.float()


def _options(trained: Outcome) -> DataOptions:
    return DataOptions("subset" if trained.record["data"]["stand_in"] else "full")
