"""A cart that balances a pole: which way to push, learned by trial and error.

Run:      tandem train dqn                  (then: tandem export dqn; needs the extra `control`)
Expected: mean return 500 of 500 in 100 test episodes (seed 0, the worst of them 500; random pushes 23.3, a rule of one line 500)
Time:     36 s for 20 epochs on one thread of a CPU with other work beside it
Size:     4,545 parameters of the policy
Source:   deep Q-learning with replay and a target network (Mnih et al., 2015), targets by double Q-learning (van Hasselt, Guez and
          Silver, 2016), the value apart from the advantages (Wang et al., 2016), a target network that follows slowly (Lillicrap
          et al., 2016)

Where states can be counted, a table is enough: `training/racing.py` solves the documents' racing car by Q-learning, and equals
value iteration. CartPole's states cannot, so a network takes the table's place.

What leaves is the part that decides: how much better each push is than the mean of both. The value of a state, common to both
pushes and a hundred times as large, stays behind: in 8 bits it would drown the difference.

Its weights are rounded to 8 bits while it learns (`training/rounded.py`), so that the int8 file is the network that was trained, and
returns what it returns. A network that was rounded afterwards lost 17 to 200 of 500 steps.

Episodes begin where their seeds say: training from 0 (and `--seed`), validation from 1,000,000, test from 3,000,000 (those from
2,000,000 on were used up while its settings were chosen). The test split is states of the test episodes, a tenth of whose pushes
are random, with the trained network's own advantages: export's gate tells how much return the pushes of a released file lose by
them (`regret`). How often it pushes the same way is no measure for that: a pole that is balanced stands where both pushes are
equally good, and there the smallest difference turns the answer at no cost. What a file returns in the end,
`scripts/cartpole.py` measures on the bundle itself.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.contract import Contract, Graph, Metric, Step, Tolerance
from edge.contract import Tensor as Promise
from training import cartpole
from training.frameworks.own_loop import OwnLoop
from training.objective import Objective
from training.own import Conclusion, OwnTraining
from training.recipe import Array, DataOptions, FitSettings, Recipe, Split, Splits
from training.rounded import Rounded

VALIDATION, TEST = 1_000_000, 3_000_000  # where their seeds begin; those of training are below
JUDGED, PROVED = 20, 100  # episodes after each epoch, and at the end
DISCOUNT = 0.99
MEMORY = 50_000  # steps that the replay holds
TURN = 512  # steps of the optimiser in an epoch
ACTED = 2  # steps of the world for each
FOLLOWED = 0.005  # of the way to the network that the target network goes in each step
EXPLORED = 10  # epochs in which random pushes become few
SAMPLES = 4000  # states of each split in the hand-over


class Advantages(nn.Module):
    """The part that leaves: two hidden layers and the advantage of each push."""

    def __init__(self, width: int) -> None:
        """Make the layers, with random weights."""
        super().__init__()
        self.scales = nn.Buffer(1 / torch.tensor(cartpole.SCALES))
        self.features = nn.Sequential(Rounded(4, width), nn.ReLU(), Rounded(width, width), nn.ReLU())
        self.head = Rounded(width, 1)
        self.sides = nn.Buffer(torch.tensor([-1.0, 1.0]))

    def hidden(self, state: Tensor) -> Tensor:
        """Return the features of states (B, 4): (B, width)."""
        return cast("Tensor", self.features(state * self.scales))

    def forward(self, state: Tensor) -> Tensor:
        """Compare the pushes.

        Args:
            state: (B, 4) float32: position, speed, angle, its speed.

        Returns:
            (B, 2) float32: by how much the return is above the mean of both.
        """
        return self.compare(self.hidden(state))

    def compare(self, hidden: Tensor) -> Tensor:
        """Return the advantages of features (B, width): one number, for one push and against the other, (B, 2)."""
        return cast("Tensor", self.head(hidden)) * self.sides


class Agent(nn.Module):
    """What learns: advantages and the value of a state, and the target network, an older self."""

    def __init__(self, width: int) -> None:
        """Make both networks alike."""
        super().__init__()
        self.policy, self.value = Advantages(width), nn.Linear(width, 1)
        self.older = copy.deepcopy(nn.ModuleList([self.policy, self.value])).requires_grad_(False)

    def returns(self, state: Tensor) -> Tensor:
        """Estimate the return of each push: (B, 4) to (B, 2)."""
        return _returns(self.policy, self.value, state)

    def older_returns(self, state: Tensor) -> Tensor:
        """Estimate it as the older self does."""
        policy, value = self.older
        return _returns(cast("Advantages", policy), value, state)

    def follow(self, share: float) -> None:
        """Bring the older self that share of the way to the present one."""
        present = [weight.detach() for weight in (*self.policy.parameters(), *self.value.parameters())]
        for older, weight in zip(self.older.parameters(), present, strict=True):
            older.lerp_(weight, share)


def _returns(policy: Advantages, value: nn.Module, state: Tensor) -> Tensor:
    hidden = policy.hidden(state)
    return cast("Tensor", value(hidden)) + policy.compare(hidden)


def agent(width: int = 64) -> nn.Module:
    """Make an agent."""
    return Agent(width)


class Trials(OwnLoop):
    """Acts, remembers, and learns from what it remembers."""

    module: Agent

    def __init__(self, module: Agent, splits: Splits, settings: FitSettings, objective: Objective) -> None:
        """Begin with an empty memory."""
        super().__init__(module, splits, settings, objective, steps=TURN)
        self.optimizers = {"agent": torch.optim.Adam([w for w in self.module.parameters() if w.requires_grad], self.settings.learning_rate)}
        self._replay = torch.zeros(MEMORY, 11)  # state, push, reward, next state, whether it fell
        self._held = 0  # steps ever taken
        self._world, self._state, self._return = cartpole.world(), torch.zeros(4), 0.0
        self._returned: list[float] = []  # of this epoch's episodes
        self._last = 0.0

    def step(self, index: int) -> Tensor:
        """Act a little, then learn from a batch of what is remembered; return the loss, ()."""
        if index == 0:  # a world cannot be put into a checkpoint, so each epoch begins an episode
            self._returned = []
            self._reset(self.settings.seed * 10_000 + self.number)
        for _ in range(ACTED):
            self._act()
        rows = torch.randint(min(self._held, MEMORY), (self.batch,), generator=self.generator)
        state, push, reward, following, fell = self._replay[rows].tensor_split([4, 5, 6, 10], dim=1)
        with torch.no_grad():
            best = self.module.returns(following).argmax(dim=1, keepdim=True)
            goal = reward + DISCOUNT * (1 - fell) * self.module.older_returns(following).gather(1, best)  # (B, 1)
        loss = F.smooth_l1_loss(self.module.returns(state).gather(1, push.long()), goal)
        self.update("agent", loss)
        self.module.follow(FOLLOWED)
        return loss.detach()

    def _act(self) -> None:
        """Take one step of the world, at random now and then, and remember it."""
        exploration = max(0.04, 1 - self.number / EXPLORED)
        if torch.rand((), generator=self.generator) < exploration:
            push = int(torch.randint(2, (), generator=self.generator))
        else:
            with torch.no_grad():
                push = int(self.module.policy(self._state[None]).argmax())
        state, reward, fell, over, _ = self._world.step(push)
        following = torch.from_numpy(state)
        self._replay[self._held % MEMORY] = torch.cat([self._state, torch.tensor([push, reward]), following, torch.tensor([float(fell)])])
        self._held, self._state, self._return = self._held + 1, following, self._return + reward
        if fell or over:
            self._returned.append(self._return)
            self._reset(None)

    def _reset(self, seed: int | None) -> None:
        self._state, self._return = torch.from_numpy(self._world.reset(seed=seed)[0]), 0.0

    def judge(self) -> tuple[float, float, float]:
        """Return the mean return with exploration, how far from the middle validation episodes are, and their mean return."""
        played = cartpole.play(greedy(self.module.policy), range(VALIDATION, VALIDATION + JUDGED))
        self._last = float(np.mean(self._returned)) if self._returned else self._last
        return self._last, float(np.mean((played.states / cartpole.SCALES) ** 2)), played.mean

    def finish(self) -> None:
        """Leave the module on the CPU, in evaluation mode, its weights rounded."""
        super().finish()
        for layer in self.module.modules():
            if isinstance(layer, Rounded):
                layer.fix()

    def memory(self) -> dict[str, Any]:
        """Return the replay."""
        return {"replay": self._replay[: min(self._held, MEMORY)], "held": self._held, "last": self._last}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Take the replay back."""
        self._held, self._last = int(memory["held"]), float(memory["last"])
        self._replay[: len(memory["replay"])] = memory["replay"]


def greedy(policy: nn.Module) -> cartpole.Policy:
    """Return the policy that takes the push with the higher advantage."""

    def push(states: Array) -> Array:
        with torch.no_grad():
            answered: Array = policy(torch.from_numpy(states)).argmax(dim=1).numpy()
        return answered

    return push


def load(_options: DataOptions) -> Splits:
    """Play by a simple rule; the states show what the contract's input looks like, until the trained network has states of its own.

    Raises:
        SetupError: gymnasium is not installed.
    """
    return _splits(cartpole.leaning, _leanings, "CartPole-v1, episodes of a simple rule")


def prove(policy: nn.Module, _splits_before: Splits) -> Conclusion:
    """Measure the trained network's return in test episodes, film one, and let its own advantages be what is right."""
    played = cartpole.play(greedy(policy), range(TEST, TEST + PROVED))
    low, high = cartpole.interval(played.returns)
    chance, rule = (cartpole.play(cartpole.leaning, range(TEST, TEST + PROVED), share) for share in (1.0, 0.0))
    figures = {
        f"mean return of {PROVED} test episodes": played.mean,
        "its 95 % interval from": low,
        "its 95 % interval to": high,
        "the worst of them": float(played.returns.min()),
        "mean return of random pushes": chance.mean,
        "mean return of a rule of one line": rule.mean,
    }
    film = cartpole.film(cartpole.play(greedy(policy), range(TEST, TEST + 1)).states)
    splits = _splits(greedy(policy), _advantages(policy), "CartPole-v1, states and advantages of the trained network")
    return Conclusion(splits, figures, {"episode.gif": film})


def _advantages(policy: nn.Module) -> Callable[[Array], Array]:
    def compare(states: Array) -> Array:
        with torch.no_grad():
            compared: Array = policy(torch.from_numpy(states)).numpy()
        return compared

    return compare


def _leanings(states: Array) -> Array:
    """Compare the pushes as the rule does, by one or nothing: (N, 4) to (N, 2) float32."""
    return np.eye(2, dtype=np.float32)[cartpole.leaning(states)]


def _splits(policy: cartpole.Policy, compare: Callable[[Array], Array], note: str) -> Splits:
    """Play episodes of each split, a tenth of whose pushes are random, and keep some states with what they are compared to, (N, 2)."""

    def some(first: int) -> Split:
        states = cartpole.play(policy, range(first, first + JUDGED), exploration=0.1).states
        kept = np.random.default_rng(first).permutation(len(states))[:SAMPLES]
        return Split({"state": states[kept]}, compare(states[kept]))

    train = some(0)
    digest = hashlib.sha256(train.inputs["state"].tobytes()).hexdigest()
    return Splits("cartpole", digest, note, cartpole.ACTIONS, train, some(VALIDATION), some(TEST))


_CONTRACT = Contract(
    schema=1,
    name="dqn",
    version="1.0.0",
    task="control",
    description="Which way to push a cart so that the pole on it stays up.",
    graphs=(
        Graph(
            "main",
            (Promise("state", "float32", ("batch", 4), "NC", None, "position in m, speed in m/s, angle in rad, its speed in rad/s"),),
            (Promise("advantages", "float32", ("batch", 2), "NC", None, "by how much the return is above the mean of both pushes"),),
        ),
    ),
    postprocess=(Step("top_k", k=2),),
    labels=cartpole.ACTIONS,
    metric=Metric("regret", "lower", floor=0.02),  # in steps that the pole stands, lost by a push
    targets=("server", "device", "browser"),
    recipes=("weight_only_wi8_afp32",),
    requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
    tolerance=Tolerance(onnx=1e-4, tflite=1e-4, agreement=0.95, metric_drop=0.02),
    licence="Apache-2.0",
    source="gymnasium's CartPole-v1 (Barto, Sutton and Anderson, 1983)",
)

RECIPE = Recipe(
    contract=_CONTRACT,
    load_data=load,
    build=agent,
    fit=FitSettings(epochs=20, batch_size=128, learning_rate=1e-3, schedule="cosine", clip_norm=10.0),
    task="regression",
    own=OwnTraining(Trials, "mean return", "higher", released=lambda agent: agent.policy),
    conclude=prove,
)
