"""Learning a new head on a network that has learned to see elsewhere: what the frozen part sees is computed once and kept in memory.

So an epoch is a matter of seconds, whatever the network. The last block may learn with the head; then what comes into it is kept
(about 30 kB a picture). Normalisations keep the averages that they came with.

Source: J. Yosinski et al., "How transferable are features in deep neural networks?" (2014).
"""

from __future__ import annotations

import io
import pickle
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.errors import InputError
from edge.storage import UNREADABLE
from training.frameworks.own_loop import OwnLoop
from training.objective import Objective
from training.own import OwnTraining
from training.pretrained import Pretrained
from training.progress import bar
from training.recipe import Array, FitSettings, Split, Splits

_BATCH = 32  # pictures that the frozen part sees at once
_SMOOTHING = 0.1  # of right answers, over all classes
_SLOWER = 0.1  # the learning rate of the last block, of that of the head


class Backbone(Protocol):
    """A network in two parts: `trunk` of pixels (B, H, W, 3) uint8, and `crown` of what that gives, to features (B, width)."""

    width: int

    def trunk(self, image: Tensor) -> Tensor:
        """Give what the last block sees."""

    def crown(self, x: Tensor) -> Tensor:
        """Give the features."""


class Transfer(nn.Module):
    """A backbone and a new head: (B, 224, 224, 3) uint8 pixels to (B, C) logits."""

    def __init__(self, backbone: nn.Module, classes: int) -> None:
        """Put a head, with random weights, onto a backbone."""
        super().__init__()
        self.backbone = backbone
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(self.net.width, classes))
        for weight in backbone.parameters():
            weight.requires_grad_(False)

    @property
    def net(self) -> Backbone:
        """The backbone by what it can do."""
        return cast("Backbone", self.backbone)

    def forward(self, image: Tensor) -> Tensor:
        """Score each class."""
        return cast("Tensor", self.head(self.net.crown(self.net.trunk(image))))

    def train(self, mode: bool = True) -> Transfer:
        """Let the head train, and the backbone keep the averages that it came with."""
        super().train(mode)
        self.backbone.eval()
        return self


class HeadLoop(OwnLoop):
    """Learns the head, and the last block where `tuned`, from what the frozen part sees of each picture."""

    module: Transfer

    def __init__(self, module: Transfer, splits: Splits, settings: FitSettings, objective: Objective, *, tuned: bool) -> None:
        """Look at every picture once."""
        super().__init__(module, splits, settings, objective)
        self._tuned = tuned
        with bar(len(splits.train) + len(splits.validation), " pictures") as shown:
            shown.begin("what the frozen part sees")
            self._seen = {part: self._look(split, shown) for part, split in (("train", splits.train), ("validation", splits.validation))}
        groups: list[dict[str, Any]] = [{"params": list(module.head.parameters())}]
        if tuned:
            groups.append({"params": _crown(module, self._seen["train"][:1]), "lr": self.settings.learning_rate * _SLOWER})
        self.optimizers = {"head": torch.optim.AdamW(groups, self.settings.learning_rate, weight_decay=self.settings.weight_decay)}
        self._targets = {
            part: torch.from_numpy(split.targets).to(self.place) for part, split in splits.parts().items() if part in self._seen
        }

    def step(self, index: int) -> Tensor:
        """Learn from a batch; return its loss."""
        rows = self.rows(index)
        loss = F.cross_entropy(self._answer(self._seen["train"][rows]), self._targets["train"][rows], label_smoothing=_SMOOTHING)
        self.update("head", loss)
        return loss.detach()

    def judge(self) -> tuple[float, float, float]:
        """Return accuracy in training, the loss in validation, and accuracy there."""
        train, _ = self._judged("train")
        accuracy, loss = self._judged("validation")
        return train, loss, accuracy

    def _judged(self, part: str) -> tuple[float, float]:
        logits = torch.cat([self._answer(batch) for batch in torch.split(self._seen[part], 256)])
        targets = self._targets[part]
        return float((logits.argmax(1) == targets).float().mean()), float(F.cross_entropy(logits, targets))

    def _answer(self, seen: Tensor) -> Tensor:
        features = self.module.net.crown(seen) if self._tuned else seen
        return cast("Tensor", self.module.head(features))

    @torch.no_grad()
    def _look(self, split: Split, shown: Any) -> Tensor:
        """Return what the frozen part sees of each picture, on the loop's device."""
        self.module.eval()
        pixels: Array = split.inputs["image"]
        parts = []
        for start in range(0, len(pixels), _BATCH):
            seen = self.module.net.trunk(torch.from_numpy(pixels[start : start + _BATCH]).to(self.place))
            parts.append(seen if self._tuned else self.module.net.crown(seen))
            shown.advance(len(parts[-1]))
        return torch.cat(parts)


def new_head(*, tuned: bool = False) -> OwnTraining:
    """Return how a recipe learns whose `build` gives a `Transfer`; with `tuned` its last block learns too."""

    def loop(module: Transfer, splits: Splits, settings: FitSettings, objective: Objective) -> HeadLoop:
        return HeadLoop(module, splits, settings, objective, tuned=tuned)

    return OwnTraining(loop, "accuracy", "higher")


def filled(module: nn.Module, source: Pretrained) -> nn.Module:
    """Put published weights into a network; the file is read without running anything in it.

    Raises:
        SetupError: The package is not cached and cannot be fetched.
        InputError: It holds something else than weights of this network.
    """
    content = source.read("weights")
    try:
        module.load_state_dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    except (pickle.UnpicklingError, AttributeError, OSError, *UNREADABLE) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise InputError(f"{source.package}: its weights do not fit {source.title} ({reason}); the pinned file is another") from None
    return module


def _crown(module: Transfer, seen: Tensor) -> list[nn.Parameter]:
    """Return the weights that the crown uses, and let them learn: those that a gradient of its answer reaches."""
    weights = list(module.backbone.parameters())
    for weight in weights:
        weight.requires_grad_(True)
    found = torch.autograd.grad(module.net.crown(seen).sum(), weights, allow_unused=True)
    used = [weight for weight, gradient in zip(weights, found, strict=True) if gradient is not None]
    kept = {id(weight) for weight in used}
    for weight in weights:
        weight.requires_grad_(id(weight) in kept)
    return used
