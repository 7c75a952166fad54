"""Noisy digits are the same for everybody, and what a denoiser and a code are worth is measured."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training import code_views, denoised
from training.data import mnist, noisy_digits
from training.finished import TrainOptions
from training.models import mnist_autoencoder, mnist_denoiser, mnist_rnn
from training.recipe import DataOptions, Splits
from training.train import train

SUBSET = DataOptions(source="subset")


@pytest.fixture(scope="module")
def noisy() -> Splits:
    return noisy_digits.load(SUBSET)


def test_the_noise_is_part_of_the_data_set(noisy: Splits) -> None:
    again = noisy_digits.load(SUBSET)
    for part, split in noisy.parts().items():
        np.testing.assert_array_equal(split.inputs["image"], again.parts()[part].inputs["image"])
    assert "noise" in noisy.note


def test_no_part_has_the_noise_of_another() -> None:
    black = np.zeros((20, 28, 28, 1), np.uint8)
    drawn = [noisy_digits.add_noise(black, np.random.default_rng(seed)) for seed in noisy_digits._SEEDS.values()]
    assert len({one.tobytes() for one in drawn}) == 3
    assert abs(np.corrcoef(drawn[0].ravel(), drawn[2].ravel())[0, 1]) < 0.05


def test_the_noise_is_as_strong_as_it_says() -> None:
    grey = np.full((50, 28, 28, 1), 128, np.uint8)
    moved = noisy_digits.add_noise(grey, np.random.default_rng(3)).astype(float)
    assert (moved == 0).mean() == pytest.approx(0.158, abs=0.02)  # below one deviation, cut off at black
    assert moved.mean() == pytest.approx(128, abs=2)


def test_targets_are_the_clean_digits(noisy: Splits) -> None:
    clean = mnist.load(SUBSET).test
    np.testing.assert_array_equal(np.rint(noisy.test.targets * 255).astype(np.uint8), clean.inputs["image"])
    np.testing.assert_array_equal(noisy_digits.kinds(noisy), clean.targets)
    assert noisy.test.targets.dtype == np.float32


def test_a_perfect_denoiser_gains_all(noisy: Splits, monkeypatch: pytest.MonkeyPatch, tmp_path, capsys) -> None:
    monkeypatch.setattr(denoised, "CLASSIFIER", tmp_path / "none")
    found = denoised.figures(noisy, noisy.test.targets)
    assert found["psnr of cleaned digits"] == pytest.approx(120)
    assert 5 < found["psnr of noisy digits"] < 15
    assert found["psnr gained"] == found["psnr of cleaned digits"] - found["psnr of noisy digits"]
    assert not any("accuracy" in name for name in found)
    assert "mnist_cnn is not asked about noisy digits" in capsys.readouterr().err
    with Image.open(io.BytesIO(denoised.pictures(noisy, noisy.test.targets)["denoised.png"])) as sheet:
        assert sheet.size == (2 * 16 * 30, 2 * 3 * 30)


def test_the_released_classifier_is_asked(noisy: Splits, bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denoised, "CLASSIFIER", bundle)
    found = denoised.figures(noisy, noisy.test.targets)
    clean, spoilt = (found[f"accuracy of mnist_cnn on {name} digits"] for name in ("clean", "noisy"))
    assert spoilt < clean
    assert found["accuracy of mnist_cnn on cleaned digits"] == clean > 0.98


def test_neighbours_are_the_nearest_others() -> None:
    codes = np.array([[0.0], [1.0], [1.1], [5.0], [5.0]], np.float32)
    rows = code_views.nearest(codes, 2)
    assert rows[1].tolist() == [2, 0]
    assert all(row not in found for row, found in enumerate(rows.tolist()))
    assert 3 in rows[4]
    assert code_views.same_kind(rows[:, :1], np.array([0, 0, 0, 1, 1])) == 1.0


def test_codes_are_drawn_in_two_ways() -> None:
    codes = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    drawn = code_views.projections(codes, np.arange(40) % 3, ("a", "b", "c"))
    assert list(drawn) == ["code_pca.png", "code_tsne.png"]
    for content in drawn.values():
        with Image.open(io.BytesIO(content)) as picture:
            assert picture.format == "PNG"


def test_a_sheet_shows_its_pictures() -> None:
    rows = np.zeros((2, 3, 4, 4), np.float32)
    rows[1, 2] = 1
    with Image.open(io.BytesIO(code_views.sheet(rows))) as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape == (24, 36)
    assert pixels[-1, -1] == 255
    assert pixels[5, 5] == 0


def test_a_training_draws_its_code_and_says_what_it_measured(tmp_path: Path) -> None:
    done = train("mnist_autoencoder", TrainOptions(out=tmp_path, epochs=1, limit=512, source="subset"))
    assert 0.1 < done.record["measured"]["neighbours of the same digit"] <= 1
    drawn = sorted(path.name for path in (done.folder / "pictures").iterdir())
    assert drawn == ["again.png", "code_pca.png", "code_tsne.png", "neighbours.png"]
    page = (done.folder / "run.html").read_text(encoding="utf-8")
    assert all(name in page for name in drawn)
    assert "neighbours of the same digit" in page


@pytest.mark.parametrize(
    ("recipe", "parameters", "shape"),
    [
        (mnist_rnn.RECIPE, 82_186, (2, 10)),
        (mnist_autoencoder.RECIPE, 419_120, (2, 28, 28, 1)),
        (mnist_denoiser.RECIPE, 16_969, (2, 28, 28, 1)),
        (mnist_denoiser.VARIANTS[0], 435_536, (2, 28, 28, 1)),
    ],
    ids=lambda value: value.contract.name if hasattr(value, "contract") else "",
)
def test_the_networks_are_the_ones_described(recipe, parameters: int, shape: tuple[int, ...]) -> None:
    model = recipe.build().eval()
    assert sum(weight.numel() for weight in model.parameters()) == parameters
    output = model(torch.zeros(2, 28, 28, 1, dtype=torch.uint8))
    assert output.shape == shape
    if len(shape) == 4:
        assert 0 <= output.min() <= output.max() <= 1
