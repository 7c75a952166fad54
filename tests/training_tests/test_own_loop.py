"""Loops of a recipe's own: interrupted or not the same bits, lost losses told, and what leaves is a part of what learned."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edge.contract import Contract, Graph, Metric
from edge.contract import Tensor as Promise
from edge.errors import GateError, InputError, UsageError
from edge.storage import load_npz, verify
from training import checkpoint
from training.checkpoint import Checkpoints
from training.finished import UNLISTED, TrainOptions
from training.fit import Fitted, fit
from training.frameworks import pytorch
from training.frameworks.own_loop import OwnLoop
from training.frameworks.pytorch import reproducible
from training.job import Job, produce
from training.objective import Objective
from training.own import Conclusion, OwnTraining
from training.recipe import DataOptions, FitSettings, Recipe, Split, Splits

CONTRACT = Contract(
    schema=1,
    name="pair",
    version="1.0.0",
    task="tabular-regression",
    graphs=(Graph("main", (Promise("x", "float32", ("batch", 2), "NC"),), (Promise("y", "float32", ("batch", 2), "NC"),)),),
    metric=Metric("rmse", "lower", 0.1),
)


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """These epochs take milliseconds; each shall have its checkpoint."""
    monkeypatch.setattr(checkpoint, "PAUSE_S", 0.0)


class Pair(nn.Module):
    """Two networks that learn against each other; the first leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))


class Contest(OwnLoop):
    """Two optimisers, numbers from every generator, and a memory; it may be harmed at a certain step."""

    module: Pair

    def __init__(self, *args: Any, at: int = 0, harm: str = "") -> None:
        super().__init__(*args)
        rate = self.settings.learning_rate
        self.optimizers = {
            "one": torch.optim.Adam(self.module.one.parameters(), rate),
            "other": torch.optim.SGD(self.module.other.parameters(), rate / 2, momentum=0.9),
        }
        self._left, self._harm, self._seen = at, harm, torch.zeros(2)

    def step(self, index: int) -> Tensor:
        self._left -= 1
        if self._left == 0 and self._harm == "interrupt":
            raise KeyboardInterrupt
        x = torch.from_numpy(self.splits.train.inputs["x"])[self.rows(index)]
        self._seen = 0.9 * self._seen + 0.1 * x.mean(dim=0)
        x = x + self._seen + float(np.random.normal()) * 0.1 + torch.randn(2, generator=self.generator)
        against = self.module.other(self.module.one(x)).mean()
        self.update("other", -against)
        loss = (self.module.other(self.module.one(x)) ** 2).mean() * (torch.nan if self._left == 0 and self._harm == "nan" else 1.0)
        self.update("one", loss)
        return torch.stack([loss.detach(), against.detach()])

    def judge(self) -> tuple[float, float, float]:
        loss = float(self.module.other(torch.from_numpy(self.splits.validation.inputs["x"])).square().mean())
        return 0.0, loss, -loss

    def memory(self) -> dict[str, Any]:
        return {"seen": self._seen}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self._seen = memory["seen"]


def points(_options: object = None) -> Splits:
    random = np.random.default_rng(0)

    def some(count: int) -> Split:
        x = random.normal(size=(count, 2)).astype(np.float32)
        return Split({"x": x}, x)

    return Splits("points", "0" * 64, "made up", (), some(70), some(20), some(20))


def run(settings: FitSettings, place: Path | None = None, at: int = 0, harm: str = "") -> tuple[Fitted, dict[str, Tensor]]:
    objective = Objective("own", "return", direction="higher")
    with reproducible(settings.seed):
        module = Pair()
        kept = None if place is None else Checkpoints(place, "same", pytorch)
        fitted = fit(pytorch, module, points(), settings, kept, (), objective, partial(Contest, at=at, harm=harm))
        return fitted, module.state_dict()


@pytest.mark.parametrize("at", [pytest.param(2, id="in the first epoch"), 6, 9, pytest.param(19, id="in the last epoch")])
@pytest.mark.parametrize(
    "changes",
    [pytest.param({"schedule": "constant", "patience": 2}, id="patience"), pytest.param({"clip_norm": 0.1}, id="one cycle, clipped")],
)
def test_one_that_goes_on_equals_one_that_was_not_interrupted(tmp_path: Path, at: int, changes: dict[str, object]) -> None:
    settings = FitSettings(epochs=5, batch_size=16, learning_rate=0.05, **changes)  # 4 steps an epoch
    whole, expected = run(settings)
    try:
        run(settings, tmp_path, at, "interrupt")
    except KeyboardInterrupt:
        pass
    else:
        assert whole.stopped_early
    went_on, actual = run(settings, tmp_path)
    assert all(torch.equal(expected[name], actual[name]) for name in expected)
    assert [replace(epoch, seconds=0) for epoch in went_on.history] == [replace(epoch, seconds=0) for epoch in whole.history]


def test_the_epoch_with_the_best_measure_is_kept() -> None:
    fitted, _ = run(FitSettings(epochs=5, batch_size=16, learning_rate=0.05))
    measured = [epoch.validation_metric for epoch in fitted.history]
    assert fitted.best_epoch == 1 + measured.index(max(measured))


def test_a_lost_loss_names_the_step_and_keeps_the_last_good_state(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="epoch 3, step 2 of 4, expected a finite number; lower the learning rate"):
        run(FitSettings(epochs=5, batch_size=16), tmp_path, 10, "nan")
    state = Checkpoints(tmp_path, "same", pytorch).load()
    assert state is not None
    assert state["epoch"] == 2


def test_a_state_of_another_loop_is_refused_in_words(tmp_path: Path) -> None:
    run(FitSettings(epochs=1), tmp_path)

    class Forgetful(Contest):
        recall = OwnLoop.recall

    with pytest.raises(InputError, match="not a state of this model .it holds seen"):
        fit(pytorch, Pair(), points(), FitSettings(epochs=2), Checkpoints(tmp_path, "same", pytorch), make_loop=Forgetful)


def test_an_update_moves_its_own_weights_only() -> None:
    loop = Contest(Pair(), points(), FitSettings(schedule="constant"), Objective())
    before = loop.weights()
    loop.update("one", loop.module.other(loop.module.one(torch.ones(4, 2))).square().mean())
    moved = {name.split(".")[0] for name, value in loop.weights().items() if not torch.equal(value, before[name])}
    assert moved == {"one"}
    assert all(weight.grad is None for weight in loop.module.parameters())


def test_settings_of_batches_are_told_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    loop = Contest(Pair(), points(), FitSettings(accumulate=4, compile=True), Objective())
    assert "accumulate, compile: not used by a loop of the recipe's own, left out" in capsys.readouterr().err
    assert (loop.settings.accumulate, loop.settings.compile) == (1, False)


def concluded(one: nn.Module, splits: Splits) -> Conclusion:
    assert not one.training
    with torch.no_grad():
        answered = replace(splits.test, targets=one(torch.from_numpy(splits.test.inputs["x"])).numpy())
    return Conclusion(replace(splits, test=answered), {"mean return": 7.0}, {"game.gif": b"GIF89a", "grid.png": b"\x89PNG"})


RECIPE = Recipe(
    contract=CONTRACT,
    load_data=points,
    build=Pair,
    fit=FitSettings(epochs=2, batch_size=16),
    task="regression",
    own=OwnTraining(Contest, "return", "higher", released=lambda model: model.one),
    conclude=concluded,
)


def test_the_hand_over_holds_the_part_that_leaves_and_what_it_gave(tmp_path: Path) -> None:
    splits = RECIPE.load_data(DataOptions())
    target = tmp_path / "pair" / "1.0.0"
    target.parent.mkdir()
    job = Job(RECIPE, pytorch, splits, TrainOptions(), "f" * 64, target)  # type: ignore[arg-type]  # a module serves as a protocol
    record = produce(job, Checkpoints(tmp_path / "kept", "f", pytorch))

    assert set(torch.export.load(target / "program.pt2").state_dict) == {"weight", "bias"}
    assert record["parameters"] == 6
    assert record["metric"]["test"] == 0.0, "it answers the test split as it did when the targets were taken"
    assert record["watched"]["name"] == "return"
    assert record["watched"]["validation"] == record["history"][record["best_epoch"] - 1]["validation_metric"]
    assert record["measured"] == {"mean return": 7.0}
    assert {"pictures/game.gif", "pictures/grid.png"} <= set(verify(target, UNLISTED))
    arrays = load_npz(target / "eval.npz")
    assert not np.array_equal(arrays["target"], splits.test.targets)
    page = (target / "run.html").read_text(encoding="utf-8")
    assert "data:image/gif;base64," in page
    assert "mean return" in page


def test_it_trains_in_one_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from training import train as stage

    class Two:
        number, count = 0, 2

        def first(self, action: Any) -> Any:
            return action()

    monkeypatch.setattr(stage, "current", Two)
    with pytest.raises(UsageError, match="pair: learns by a loop of its own, which trains in one process; leave out --processes"):
        stage._train(RECIPE, points(), TrainOptions(out=tmp_path), "f" * 64)
