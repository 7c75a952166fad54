"""Two networks against each other: neither learns through the other's loss, and what comes of it is measured."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.errors import InputError
from edge.png import encode
from training import frechet
from training.adversaries import Adversaries, Pair, deceived, pictures, told_apart
from training.data import to_generate
from training.models import dcgan
from training.recipe import DataOptions, FitSettings, Split, Splits

RANDOM = np.random.default_rng(0)


def few(count: int = 24) -> Splits:
    def part(number: int) -> Split:
        light = RANDOM.random((number, 32, 32, 1), dtype=np.float32)
        return Split({"latent": RANDOM.normal(size=(number, 8)).astype(np.float32)}, light)

    return Splits("noise", "0" * 64, "made up", (), part(count), part(12), part(12))


SPLITS = few()


def tiny() -> Pair:
    return Pair(8, (8, 6, 4), 1, (4, 2, 1))


def loop() -> Adversaries:
    torch.manual_seed(0)
    return Adversaries(tiny(), SPLITS, FitSettings(batch_size=8, schedule="constant"), dcgan.RECIPE.objective)


def moved(one: Adversaries, act: Callable[[], object]) -> set[str]:
    """Tell which network's weights an action moves."""
    before = {name: weight.clone() for name, weight in one.module.named_parameters()}
    act()
    return {name.split(".")[0] for name, weight in one.module.named_parameters() if not torch.equal(weight, before[name])}


def test_the_discriminator_learns_without_a_gradient_to_the_generator() -> None:
    one = loop()
    made = one.module.generator(torch.randn(8, 8))
    loss = told_apart(one.module.discriminator(torch.rand(8, 32, 32, 1)), one.module.discriminator(made.detach()))
    assert all(g is None for g in torch.autograd.grad(loss, list(one.module.generator.parameters()), retain_graph=True, allow_unused=True))
    assert moved(one, lambda: one.update("discriminator", loss)) == {"discriminator"}
    assert all(weight.grad is None for weight in one.module.parameters())


def test_the_generator_learns_through_the_discriminator_and_leaves_it_as_it_is() -> None:
    one = loop()
    loss = deceived(one.module.discriminator(one.module.generator(torch.randn(8, 8))))
    through = torch.autograd.grad(loss, list(one.module.discriminator.parameters()), retain_graph=True)
    assert any(bool(gradient.abs().sum() > 0) for gradient in through), "the loss does run through it"
    assert moved(one, lambda: one.update("generator", loss)) == {"generator"}
    assert all(weight.grad is None for weight in one.module.parameters())


def test_the_losses_are_those_of_the_game() -> None:
    sure, unsure = torch.full((4,), 20.0), torch.zeros(4)
    assert float(told_apart(sure, -sure)) == pytest.approx(2.0, abs=1e-4)  # .1 of doubt times 20
    assert float(told_apart(unsure, unsure)) == pytest.approx(2 * np.log(2))
    assert float(deceived(sure)) < 1e-6
    assert float(deceived(-sure)) == pytest.approx(20.0)


@pytest.mark.parametrize("at", [5, 9], ids=lambda at: f"step {at}")
def test_interrupted_or_not_it_ends_with_the_same_bits(at: int, hold_interrupted_against_whole: Callable[..., None]) -> None:
    hold_interrupted_against_whole(dcgan.RECIPE, Adversaries, tiny, SPLITS, at)


@pytest.mark.parametrize(
    ("build", "latent", "shape", "parameters"),
    [
        pytest.param(dcgan.pair, 64, (32, 32, 1), 295_873, id="digits"),
        pytest.param(dcgan.documents_pair, 100, (96, 96, 3), 3_578_435, id="the documents'"),
    ],
)
def test_the_networks_have_the_sizes_that_they_are_said_to_have(build, latent, shape, parameters) -> None:  # type: ignore[no-untyped-def]
    both = build().eval()
    made = pictures(both.generator, np.zeros((2, latent), np.float32))
    assert made.shape == (2, *shape)
    assert 0 <= made.min() <= made.max() <= 1
    assert both.discriminator(torch.from_numpy(made)).shape == (2,)
    assert sum(weight.numel() for weight in both.generator.parameters()) == parameters


def test_the_frechet_distance_of_known_distributions() -> None:
    one = RANDOM.normal(size=(40_000, 3))
    other = RANDOM.normal(size=(40_000, 3)) * [1.0, 2.0, 3.0] + [1.0, 0.0, 0.0]
    assert frechet.distance(one, one) == pytest.approx(0.0, abs=1e-9)
    assert frechet.distance(one, other) == pytest.approx(1 + 0 + 1 + 4, rel=0.03)  # |m|² + Σ (σ₁ - σ₂)²
    assert frechet.distance(one, other) == pytest.approx(frechet.distance(other, one), rel=1e-6)


def test_blocks_and_blur_keep_the_mean_light() -> None:
    light = np.zeros((2, 32, 32, 1), np.float32)
    light[0, 8:12, 4:8] = 1.0
    blocks = frechet.blocks(light).reshape(2, 8, 8)
    assert blocks[0, 2, 1] == 1.0
    assert blocks.sum() == 1.0
    blurred = frechet.blurred(light)
    assert blurred.sum() == pytest.approx(light.sum(), rel=1e-5)
    assert blurred.max() < 0.7


def test_confidence_and_kinds_of_what_a_classifier_sees() -> None:
    even = frechet.Seen(np.zeros((10, 2)), np.eye(10))
    assert (even.confidence, even.kinds) == (1.0, pytest.approx(10.0))
    collapsed = frechet.Seen(np.zeros((10, 2)), np.full((10, 10), 0.1))
    assert (collapsed.confidence, collapsed.kinds) == (pytest.approx(0.1), pytest.approx(1.0))


def test_without_a_trained_classifier_blocks_are_all_that_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    generator = tiny().generator.eval()
    concluded = dcgan.prove(generator, SPLITS)
    assert {name.split(",")[0] for name in concluded.figures} == {"Fréchet distance in blocks"}
    np.testing.assert_array_equal(concluded.splits.test.targets, pictures(generator, SPLITS.test.inputs["latent"]))
    assert set(concluded.pictures) == {"made.png", "real.png"}


def test_a_folder_of_pictures_becomes_three_parts_without_repeats(tmp_path: Path) -> None:
    for number in range(30):
        pixels = np.random.default_rng(number // 2).integers(0, 256, (20 + number // 2, 30, 3), dtype=np.uint8)  # each twice
        (tmp_path / f"{number}.png").write_bytes(encode(pixels))
    splits = to_generate.folder(tmp_path, 16, 5)
    assert [len(split) for split in splits.parts().values()] == [12, 1, 2]
    assert splits.train.targets.shape == (12, 16, 16, 3)
    assert splits.train.inputs["latent"].shape == (12, 5)
    assert not splits.pinned
    (tmp_path / "0.png").unlink()
    with pytest.raises(InputError, match="29 pictures, expected a folder of at least 30"):
        to_generate.folder(tmp_path, 16, 5)


def test_digits_stand_in_the_middle_of_32_pixels() -> None:
    splits = to_generate.digits(DataOptions("subset"), 3, (20, 10, 10))
    assert splits.train.targets.shape == (20, 32, 32, 1)
    assert splits.train.targets[:, :2].max() == 0
    assert 0.9 < splits.train.targets.max() <= 1
    latents = [split.inputs["latent"] for split in splits.parts().values()]
    assert not np.array_equal(latents[1], latents[2])


def test_the_classifier_looks_with_the_weights_of_its_hand_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from training.models.mnist_cnn import MnistCnn

    torch.manual_seed(0)
    network, pixels = MnistCnn().eval(), torch.randint(0, 256, (4, 28, 28, 1), dtype=torch.uint8)
    program = tmp_path / "program.pt2"
    torch.export.save(torch.export.export(network, (pixels,)), program)
    see = frechet.classifier(program)
    assert see is not None
    seen = see(pixels.numpy().astype(np.float32) / 255)
    np.testing.assert_allclose(seen.probabilities, network(pixels).softmax(dim=1).detach().numpy(), atol=1e-6)
    assert seen.features.shape == (4, 64)

    torch.export.save(torch.export.export(torch.nn.Linear(2, 2), (torch.ones(1, 2),)), program)
    assert frechet.classifier(program) is None
    assert "not the mnist_cnn of these sources" in capsys.readouterr().err
