"""CartPole, the world of the recipe `dqn`: many episodes side by side, what they return, and a moving picture of one.

A state is position in metres, speed, angle in radians and its speed; an action pushes the cart to the left (0) or right (1). Each
step that the pole stands pays 1; an episode ends when it falls, when the cart leaves the track, or after 500 steps.
Source: Barto, Sutton and Anderson, 1983; here gymnasium's `CartPole-v1`.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.errors import SetupError
from training.recipe import Array

ACTIONS = ("left", "right")
MOST = 500  # steps of an episode
SCALES = (2.4, 3.0, 0.21, 3.0)  # of a state: the first and third end an episode
_WIDTH, _HEIGHT, _METRE, _POLE = 300, 150, 60, 80  # pixels of the picture
_EVERY, _MOST_FRAMES = 2, 150
Policy = Callable[[Array], Array]


@dataclass(frozen=True)
class Played:
    """Episodes: what each returned, (E,) float64, and the states on the way, (N, 4) float32, of one after another."""

    returns: Array
    states: Array

    @property
    def mean(self) -> float:
        """The mean return."""
        return float(self.returns.mean())


def world() -> Any:
    """Make one CartPole.

    Raises:
        SetupError: gymnasium is not installed.
    """
    try:
        import gymnasium
    except ModuleNotFoundError:
        raise SetupError("gymnasium is not installed; install Tandem with the extra [control]") from None
    return gymnasium.make("CartPole-v1")


def play(policy: Policy, seeds: range, exploration: float = 0.0) -> Played:
    """Play an episode for each seed, all side by side, so that a policy is asked for many states at once.

    Args:
        policy: Takes states (N, 4) float32 and gives actions (N,) of 0 and 1.
        seeds: Where each episode begins; those of one split are in no other.
        exploration: The share of actions that are random.

    Raises:
        SetupError: gymnasium is not installed.
    """
    worlds = [world() for _ in seeds]
    random = np.random.default_rng(seeds.start)
    states = np.stack([one.reset(seed=seed)[0] for one, seed in zip(worlds, seeds, strict=True)])
    returns, seen = np.zeros(len(worlds)), [[state] for state in states]
    running = np.arange(len(worlds))
    while len(running):
        actions = np.asarray(policy(states[running]))
        actions = np.where(random.random(len(running)) < exploration, random.integers(0, 2, len(running)), actions)
        for number, action in zip(running, actions, strict=True):
            state, reward, fell, over, _ = worlds[number].step(int(action))
            states[number], returns[number] = state, returns[number] + reward
            if fell or over:
                running = running[running != number]
            else:
                seen[number].append(state)
    return Played(returns, np.concatenate([np.stack(rows) for rows in seen]).astype(np.float32))


def leaning(states: Array) -> Array:
    """Push to where the pole falls: the simplest rule that holds it for a while; a policy."""
    return (states[:, 2] + 0.2 * states[:, 3] > 0).astype(np.int64)


def interval(returns: Array) -> tuple[float, float]:
    """Give the 95 % interval of a mean return, from resampled episodes (Efron, 1979)."""
    random = np.random.default_rng(0)
    means = returns[random.integers(0, len(returns), (1000, len(returns)))].mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def film(states: Array) -> bytes:
    """Draw an episode, states (N, 4), as an animated GIF that plays at the world's pace."""
    from PIL import Image, ImageDraw

    frames = []
    for number, (position, _, angle, _) in enumerate(states[::_EVERY][:_MOST_FRAMES]):
        frame = Image.new("P", (_WIDTH, _HEIGHT), 0)
        frame.putpalette([255, 255, 255, 47, 52, 55, 217, 115, 13, 11, 110, 153, 170, 170, 170])
        draw = ImageDraw.Draw(frame)
        x, y = _WIDTH / 2 + position * _METRE, _HEIGHT * 0.8
        draw.line([(_WIDTH / 2 - 2.4 * _METRE, y + 10), (_WIDTH / 2 + 2.4 * _METRE, y + 10)], fill=4, width=2)
        draw.rectangle([x - 18, y - 9, x + 18, y + 9], fill=1)
        draw.line([(x, y), (x + _POLE * np.sin(angle), y - _POLE * np.cos(angle))], fill=2, width=6)
        draw.ellipse([x - 4, y - 4, x + 4, y + 4], fill=3)
        draw.text((6, 4), f"step {number * _EVERY}", fill=1)
        frames.append(frame)
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=20 * _EVERY, loop=0, optimize=False)
    return buffer.getvalue()
