"""Two domains that share no digit, and a translation between them: who learns from what, and what comes of it is measured."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from edge.steps import preprocessing
from training import frechet
from training.data import mnist, paper_digits
from training.data.noisy_digits import light
from training.models import cyclegan
from training.recipe import DataOptions, FitSettings, Split, Splits
from training.translators import Cycles, InstanceNorm, Translators, translated

SUBSET = DataOptions("subset")
RANDOM = np.random.default_rng(0)
DISCRIMINATORS, GENERATORS = {"source", "target"}, {"there", "back"}


def few(count: int = 24) -> Splits:
    def part(number: int) -> Split:
        digits = RANDOM.integers(0, 256, (2, number, 32, 32, 1), np.uint8)
        return Split({"image": paper_digits.on_paper(digits[0], RANDOM)}, light(digits[1]))

    return Splits("noise", "0" * 64, "made up", (), part(count), part(12), part(12))


SPLITS = few()


@pytest.fixture(scope="module")
def paper() -> Splits:
    return paper_digits.load(SUBSET)


def tiny() -> Translators:
    return Translators(3, 1, 4, 1)


def loop() -> Cycles:
    torch.manual_seed(0)
    return Cycles(tiny(), SPLITS, FitSettings(batch_size=8, schedule="constant"), cyclegan.RECIPE.objective)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(4, 3, 32, 32) * 2 - 1, torch.rand(4, 1, 32, 32) * 2 - 1


def moved(one: Cycles, act: Callable[[], object]) -> set[str]:
    """Tell which networks' weights an action moves."""
    before = {name: weight.clone() for name, weight in one.module.named_parameters()}
    act()
    return {name.split(".")[0] for name, weight in one.module.named_parameters() if not torch.equal(weight, before[name])}


def weights(one: Cycles, names: set[str]) -> list[torch.Tensor]:
    return [weight for name, weight in one.module.named_parameters() if name.split(".")[0] in names]


def test_the_discriminators_learn_without_a_gradient_to_the_generators() -> None:
    one, (source, target) = loop(), batch()
    there, back = one.module.there.translate(source), one.module.back.translate(target)
    loss = one.told_apart(source, target, there, back)
    through = torch.autograd.grad(loss, weights(one, GENERATORS), retain_graph=True, allow_unused=True)
    assert all(gradient is None for gradient in through)
    assert moved(one, lambda: one.update("discriminators", loss)) == DISCRIMINATORS
    assert all(weight.grad is None for weight in one.module.parameters())


def test_the_generators_learn_through_the_discriminators_and_leave_them_as_they_are() -> None:
    one, (source, target) = loop(), batch()
    loss = one.deceived(one.module.there.translate(source), one.module.back.translate(target))
    through = torch.autograd.grad(loss, weights(one, DISCRIMINATORS), retain_graph=True)
    assert all(bool(gradient.abs().sum() > 0) for gradient in through), "the loss does run through them"
    assert moved(one, lambda: one.update("generators", loss)) == GENERATORS
    assert all(weight.grad is None for weight in one.module.parameters())


def test_the_way_back_asks_nothing_of_the_discriminators() -> None:
    one, (source, target) = loop(), batch()
    loss = one.returned(source, target, one.module.there.translate(source), one.module.back.translate(target))
    through = torch.autograd.grad(loss, weights(one, DISCRIMINATORS), retain_graph=True, allow_unused=True)
    assert all(gradient is None for gradient in through)
    assert moved(one, lambda: one.update("generators", loss)) == GENERATORS


def test_a_step_moves_all_four() -> None:
    one = loop()
    one._order = torch.arange(24)
    assert moved(one, lambda: one.step(0)) == DISCRIMINATORS | GENERATORS


def test_the_losses_are_those_of_the_game(monkeypatch: pytest.MonkeyPatch) -> None:
    one, (source, target) = loop(), batch()
    for side in ("source", "target"):
        monkeypatch.setattr(getattr(one.module, side), "forward", lambda x: x.mean((1, 2, 3), keepdim=True))
    sure, none = torch.ones_like(source), torch.zeros_like(target)
    assert float(one.told_apart(sure, none + 1, none, sure * 0)) == 0.0
    assert float(one.told_apart(sure * 0, none, none + 1, sure)) == pytest.approx(2.0)  # four times 1, halved
    assert float(one.deceived(none + 1, sure)) == 0.0
    assert float(one.deceived(none, sure * 0)) == pytest.approx(2.0)
    for way in ("there", "back"):
        monkeypatch.setattr(getattr(one.module, way), "translate", lambda x: x)
    assert float(one.returned(source, target, source, target)) == 0.0
    assert float(one.returned(source, target, source + 0.5, target - 0.25)) == pytest.approx(0.75, abs=1e-6)


def test_it_learns_to_lead_back() -> None:
    one = loop()
    with torch.no_grad():
        before = one._error(SPLITS.validation)
    for number in range(12):
        one._order = torch.randperm(24, generator=one.generator)
        one.step(number % 3)
    with torch.no_grad():
        assert one._error(SPLITS.validation) < 0.95 * before


def test_instance_norm_is_the_known_one() -> None:
    x = torch.randn(3, 5, 8, 8) * 4 + 2
    torch.testing.assert_close(InstanceNorm()(x), F.instance_norm(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("build", "channels", "parameters"),
    [pytest.param(cyclegan.off_paper, (3, 1), 91_713, id="plain"), pytest.param(cyclegan.onto_paper, (1, 3), 91_715, id="paper")],
)
def test_a_generator_gives_light_of_the_other_domain(build: Callable[[], Translators], channels: tuple[int, int], parameters: int) -> None:
    generator = build().there.eval()
    assert sum(weight.numel() for weight in generator.parameters()) == parameters
    made = translated(generator, RANDOM.integers(0, 256, (2, 32, 32, channels[0]), np.uint8))
    assert made.shape == (2, 32, 32, channels[1])
    assert made.dtype == np.float32
    assert 0 <= made.min() <= made.max() <= 1
    alone = translated(generator, np.full((1, 32, 32, channels[0]), 7, np.uint8))
    assert np.isfinite(alone).all(), "one colour has no deviation"


def test_interrupted_or_not_it_ends_with_the_same_bits(hold_interrupted_against_whole: Callable[..., None]) -> None:
    hold_interrupted_against_whole(cyclegan.RECIPE, Cycles, tiny, SPLITS, 5)


def test_the_domains_share_no_digit(paper: Splits) -> None:
    digits = mnist.load(SUBSET)
    for part, split in digits.parts().items():
        written, plain = paper_digits.apart(split, paper_digits.COUNTS[part])
        shared = {one.tobytes() for one in written.inputs["image"]} & {one.tobytes() for one in plain.inputs["image"]}
        assert not shared, part
        assert len(written) == len(plain) == len(paper.parts()[part]) == len(split) // 2


def test_digits_apart_are_spread_over_all_of_them() -> None:
    digits = Split({"image": np.arange(10)[:, None]}, np.arange(10))
    written, plain = paper_digits.apart(digits, 3)
    np.testing.assert_array_equal(written.targets, [0, 3, 6])
    np.testing.assert_array_equal(plain.targets, [1, 4, 7])


def test_the_paper_is_part_of_the_data_set_and_each_part_has_its_own(paper: Splits) -> None:
    again = paper_digits.load(SUBSET)
    for part, split in paper.parts().items():
        np.testing.assert_array_equal(split.inputs["image"], again.parts()[part].inputs["image"])
    assert "paper" in paper.note
    black = np.zeros((4, 32, 32, 1), np.uint8)
    assert len({paper_digits.on_paper(black, np.random.default_rng(seed)).tobytes() for seed in paper_digits._SEEDS.values()}) == 3


def test_ink_is_dark_and_thick_and_can_be_found_again() -> None:
    digit = np.zeros((2, 32, 32, 1), np.uint8)
    digit[:, 10:20, 15] = 255
    found = paper_digits.ink(light(paper_digits.on_paper(digit, np.random.default_rng(0))))[..., 0]
    assert found[:, 9:21, 14:17].min() > 0.98, "one pixel more on each side"
    found[:, 9:21, 14:17] = 0
    assert found.max() < 0.25, "neither lines nor grain are ink"


def test_the_other_way_round_has_the_same_pictures(paper: Splits) -> None:
    back = paper_digits.load_back(SUBSET)
    np.testing.assert_array_equal(light(paper.test.inputs["image"]), back.test.targets)
    np.testing.assert_array_equal(light(back.test.inputs["image"]), paper.test.targets)


def test_without_a_trained_classifier_blocks_are_all_that_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    generator = tiny().there.eval()
    concluded = cyclegan.prove(generator, SPLITS)
    assert {name.split(",")[0] for name in concluded.figures} == {"Fréchet distance in blocks"}
    assert concluded.figures["Fréchet distance in blocks, unchanged"] > 0
    np.testing.assert_array_equal(concluded.splits.test.targets, translated(generator, SPLITS.test.inputs["image"]))
    assert concluded.pictures["translated.png"].startswith(b"\x89PNG")


@pytest.mark.parametrize("paper_first", [pytest.param(True, id="off paper"), pytest.param(False, id="onto paper")])
def test_digits_are_held_against_those_of_their_own_domain(paper: Splits, paper_first: bool) -> None:
    written, plain = (np.eye(10)[kinds] for kinds in paper_digits.kinds(paper))
    source, target = (written, plain) if paper_first else (plain, written)
    seen = dict.fromkeys(("translated", "untrained", "unchanged", "inverted", "blurred"), frechet.Seen(source, source))
    figures = cyclegan._read({**seen, "genuine": frechet.Seen(target, target)}, paper, paper_first=paper_first)
    assert set(figures.values()) == {1.0}
    assert len(figures) == 6


def test_the_contract_prepares_paper_as_paper() -> None:
    prepared = preprocessing(cyclegan.RECIPE.contract)(np.full((10, 40, 3), 240, np.uint8))
    assert prepared.shape == (32, 32, 3)
    assert prepared[0, 0].tolist() == [255, 255, 255], "the margin of a picture that is not square is paper"
