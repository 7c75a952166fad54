"""The loop: it learns, repeats itself, keeps the best, and stops in words when the loss is lost."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from edge.errors import GateError
from training.fit import fit
from training.frameworks import pytorch
from training.frameworks.pytorch import reproducible, runner
from training.frameworks.pytorch_loop import PyTorchLoop
from training.recipe import FitSettings, Split, Splits


def two_heaps(count: int = 400, seed: int = 0) -> Splits:
    """Points of two classes that a straight line parts."""
    random = np.random.default_rng(seed)

    def heap(size: int) -> Split:
        targets = random.integers(0, 2, size)
        points = random.normal(size=(size, 2)) + 4 * targets[:, None]
        return Split({"x": points.astype(np.float32)}, targets.astype(np.int64))

    return Splits("heaps", "", "", ("left", "right"), heap(count), heap(100), heap(100))


def line(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Linear(2, 2)


def accuracy(module: nn.Module, split: Split) -> float:
    return float(np.mean(runner(module)(split.inputs).argmax(axis=1) == split.targets))


@pytest.mark.parametrize("name", ["constant", "one_cycle", "cosine"])
def test_it_learns(name: str) -> None:
    splits, module = two_heaps(), line()
    result = fit(pytorch, module, splits, FitSettings(epochs=8, batch_size=16, learning_rate=0.1, schedule=name))
    assert accuracy(module, splits.test) > 0.97
    assert result.history[-1].train_loss < result.history[0].train_loss / 2
    assert [epoch.number for epoch in result.history] == list(range(1, 9))
    assert not module.training
    assert not result.stopped_early


@pytest.mark.parametrize("count", [1, 5, 15, 16, 17])
def test_any_number_of_samples_fits_any_batch(count: int) -> None:
    result = fit(pytorch, line(), two_heaps(count), FitSettings(epochs=1, batch_size=16))
    assert len(result.history) == 1


def test_the_same_seed_gives_the_same_weights_and_another_others() -> None:
    def weights(seed: int) -> torch.Tensor:
        with reproducible(seed):
            module = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 2))
            fit(pytorch, module, two_heaps(), FitSettings(epochs=2, seed=seed))
        return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_reproducible_puts_the_setting_back() -> None:
    before = torch.are_deterministic_algorithms_enabled()
    with reproducible(0):
        assert torch.are_deterministic_algorithms_enabled() or torch.cuda.is_available()
    assert torch.are_deterministic_algorithms_enabled() == before


class Spoiled(nn.Module):
    """Answers well until an epoch, then ever worse: a module that overfits, made certain."""

    def __init__(self, best: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.epoch: torch.Tensor
        self.register_buffer("epoch", torch.zeros(1))
        self._best = best

    def train(self, mode: bool = True) -> nn.Module:
        if mode and not self.training:
            self.epoch += 1
        return super().train(mode)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        right = x[:, :1] - 2  # positive for the second class
        return torch.cat([torch.zeros_like(right), right - abs(self._best - self.epoch) * 0.7], dim=1) + self.weight


def spoiled(best: int) -> Spoiled:
    module = Spoiled(best)
    module.eval()
    return module


def test_early_stopping_restores_the_best_weights() -> None:
    module, splits = spoiled(best=3), two_heaps()
    result = fit(pytorch, module, splits, FitSettings(epochs=20, patience=2))
    assert (result.best_epoch, len(result.history), result.stopped_early) == (3, 5, True)
    assert module.epoch.item() == 3, "the weights and buffers must be those of the best epoch"
    assert accuracy(module, splits.validation) == result.history[2].validation_metric
    assert result.history[2].validation_metric > result.history[4].validation_metric


def test_the_best_is_kept_without_early_stopping_too() -> None:
    module = spoiled(best=2)
    result = fit(pytorch, module, two_heaps(), FitSettings(epochs=4))
    assert (result.best_epoch, len(result.history), result.stopped_early) == (2, 4, False)
    assert module.epoch.item() == 2


def test_among_equal_epochs_the_first_is_kept() -> None:
    class Still(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).detach() + 0 * self.weight.sum()

    result = fit(pytorch, Still(2, 2), two_heaps(), FitSettings(epochs=5, patience=3))
    assert (result.best_epoch, len(result.history), result.stopped_early) == (1, 4, True)


def test_patience_that_ends_with_the_last_epoch_is_no_early_stop() -> None:
    result = fit(pytorch, spoiled(best=2), two_heaps(), FitSettings(epochs=4, patience=2))
    assert (len(result.history), result.stopped_early) == (4, False)


def test_a_loss_that_is_not_finite_names_epoch_and_step() -> None:
    splits = two_heaps(64)
    points = splits.train.inputs["x"].copy()
    points[:] = np.nan
    broken = replace(splits, train=Split({"x": points}, splits.train.targets))
    module = line()
    before = module.weight.detach().clone()
    with pytest.raises(GateError, match=r"the loss is nan in epoch 1, step 1 of 4, .*lower the learning rate \(it is 0.001\)"):
        fit(pytorch, module, broken, FitSettings(epochs=3, batch_size=16))
    assert torch.equal(module.weight, before), "no step may be taken on a loss that is not finite"


class Exploding(nn.Module):
    """Gives infinity at a certain call."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.line = nn.Linear(2, 2)
        self.left = at

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.left -= self.training
        return self.line(x) * (torch.inf if self.left == 0 else 1.0)


def test_the_step_named_is_the_one_that_broke() -> None:
    with pytest.raises(GateError, match="epoch 2, step 3 of 4"):
        fit(pytorch, Exploding(at=7), two_heaps(64), FitSettings(epochs=3, batch_size=16))


def test_without_a_terminal_each_epoch_is_one_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    fit(pytorch, line(), two_heaps(), FitSettings(epochs=3))
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == ""
    assert [text.split(":")[0] for text in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert all("samples/s" in text and "s left" in text and "validation" in text for text in lines)
    assert "\r" not in captured.err


def test_on_a_terminal_there_is_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TQDM_MININTERVAL", "0")
    fit(pytorch, line(), two_heaps(1000), FitSettings(epochs=2, batch_size=16))
    shown = capsys.readouterr().err
    assert "epoch 2/2" in shown
    assert "loss=" in shown
    assert "accuracy=" in shown


def test_two_inputs_reach_the_module_in_order() -> None:
    class Difference(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = nn.Linear(1, 2)

        def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
            return self.line(first - second)

    random = np.random.default_rng(0)

    def pairs(count: int) -> Split:
        first, second = random.normal(size=(2, count, 1)).astype(np.float32)
        return Split({"first": first, "second": second}, (first > second)[:, 0].astype(np.int64))

    splits = Splits("pairs", "", "", ("less", "more"), pairs(512), pairs(64), pairs(256))
    module = Difference()
    fit(pytorch, module, splits, FitSettings(epochs=6, batch_size=16, learning_rate=0.1))
    assert accuracy(module, splits.test) > 0.9
    assert module.line.weight[1] > module.line.weight[0]


@pytest.mark.parametrize(
    ("batch_size", "accumulate"),
    [
        pytest.param(16, 4, id="whole groups"),
        pytest.param(1, 64, id="a sample at a time"),
        pytest.param(8, 100, id="fewer batches than asked for"),
    ],
)
def test_accumulated_batches_learn_what_one_large_batch_learns(batch_size: int, accumulate: int) -> None:
    def weights(**settings: int) -> torch.Tensor:
        module = line()
        fit(pytorch, module, two_heaps(64), FitSettings(epochs=3, learning_rate=0.1, schedule="constant", **settings))
        return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])

    torch.testing.assert_close(weights(batch_size=batch_size, accumulate=accumulate), weights(batch_size=64), rtol=1e-3, atol=1e-4)


def test_the_batches_left_over_by_accumulation_make_a_step_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    update, norms = PyTorchLoop._update, []

    def noted(self: PyTorchLoop) -> None:
        norms.append(float(nn.utils.get_total_norm([p.grad for p in self.module.parameters() if p.grad is not None])))
        update(self)

    monkeypatch.setattr(PyTorchLoop, "_update", noted)
    same = Split({"x": np.ones((80, 2), np.float32)}, np.zeros(80, np.int64))  # every batch has the same gradient
    splits = replace(two_heaps(), train=same)
    fit(pytorch, line(), splits, FitSettings(epochs=1, batch_size=16, accumulate=3, learning_rate=1e-9))
    assert len(norms) == 2, "5 batches: a group of 3 and one of 2"
    assert norms[1] == pytest.approx(norms[0], rel=1e-4), "each group is averaged over its own batches"


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_sgd_takes_the_steps_of_its_equations(decay: float) -> None:
    splits, rate = two_heaps(), 0.05
    module, twin = line(), line()
    twin.load_state_dict(module.state_dict())
    settings = FitSettings(
        epochs=3, batch_size=len(splits.train), learning_rate=rate, schedule="constant", optimizer="sgd", weight_decay=decay
    )
    fit(pytorch, module, splits, settings)
    x, y = torch.from_numpy(splits.train.inputs["x"]), torch.from_numpy(splits.train.targets)
    momenta = [torch.zeros_like(weight) for weight in twin.parameters()]
    for _ in range(3):  # one batch holds all samples, so an epoch is a step
        twin.zero_grad()
        nn.functional.cross_entropy(twin(x), y).backward()
        for weight, momentum in zip(twin.parameters(), momenta, strict=True):
            momentum.mul_(0.9).add_(weight.grad + decay * weight.detach())
            weight.data -= rate * momentum
    torch.testing.assert_close(module.weight, twin.weight)


@pytest.mark.parametrize("most", [pytest.param(0.01, id="scaled down"), pytest.param(1e6, id="left alone")])
def test_a_gradient_is_clipped_to_its_norm(most: float, monkeypatch: pytest.MonkeyPatch) -> None:
    norms: list[float] = []

    class Noted(torch.optim.AdamW):
        def step(self, closure: None = None) -> None:
            gradients = [p.grad for group in self.param_groups for p in group["params"]]
            norms.append(float(nn.utils.get_total_norm(gradients)))
            super().step(closure)

    monkeypatch.setattr(torch.optim, "AdamW", Noted)
    fit(pytorch, line(), two_heaps(), FitSettings(epochs=1, batch_size=16, clip_norm=most))
    assert all(norm <= most * 1.001 for norm in norms)
    assert (min(norms) > 0.009) if most < 1 else (max(norms) > 0.1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="what a CPU leaves out")
def test_what_is_for_cuda_only_is_left_out_on_a_cpu_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    def weights(**settings: bool) -> torch.Tensor:
        module = line()
        fit(pytorch, module, two_heaps(), FitSettings(epochs=1, **settings))
        return module.weight.detach()

    plain = weights()
    assert "CUDA" not in capsys.readouterr().err
    assert torch.equal(weights(mixed_precision=True, channels_last=True, compile=True), plain)
    assert "mixed_precision, channels_last, compile: for CUDA only, left out on this CPU" in capsys.readouterr().err


def test_a_validation_loss_that_is_not_finite_stops_too() -> None:
    splits = two_heaps(64)
    broken = replace(splits, validation=Split({"x": np.full((4, 2), np.nan, np.float32)}, np.zeros(4, np.int64)))
    with pytest.raises(GateError, match="the validation loss is nan after epoch 1, step 4 of 4, .*lower the learning rate"):
        fit(pytorch, line(), broken, FitSettings(epochs=2, batch_size=16))
