"""`python scripts/cartpole.py bundles/dqn`: what each released file returns in CartPole, on each runtime that passed it.

The episodes are those that `tandem train dqn` proves the trained network by, so the figures can be set side by side. Each state is
asked for by itself, as a cart would.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge import runtimes
from edge.model import Model
from training import cartpole
from training.models.dqn import PROVED, TEST


def main(words: Sequence[str] | None = None) -> int:
    """Play with each file on each runtime, and print a line for each."""
    parser = argparse.ArgumentParser(prog="scripts/cartpole.py", description="Measure what released files return in CartPole.")
    parser.add_argument("bundle", type=Path, nargs="?", default=Path("bundles/dqn"), help="a bundle, or the folder above it")
    parser.add_argument("--episodes", type=int, default=PROVED, help=f"how many, from seed {TEST} on (default: {PROVED})")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each")
    asked = parser.parse_args(words)
    for row in measured(asked.bundle, asked.episodes):
        low, high = row["interval"]
        line = f"{row['file']} on {row['runtime']}: mean return {row['mean']:.1f} (95 % interval {low:.1f} to {high:.1f})"
        print(json.dumps(row) if asked.json else f"{line}, the worst {row['worst']:.0f}")
    return 0


def measured(bundle: Path, episodes: int) -> list[dict[str, Any]]:
    """Return what each released file gives on each runtime that is installed and passed it.

    Args:
        bundle: A bundle, or the folder above it.
        episodes: How many are played.
    """
    rows = []
    first = Model.open(bundle, target="server")
    for variant in first.bundle.variants:
        for runtime in sorted(set(variant.passed) & set(runtimes.installed())):
            model = Model.open(first.bundle.folder, variant=variant.file, runtime=runtime, target=variant.targets[0])
            played = cartpole.play(policy(model), range(TEST, TEST + episodes))
            low, high = cartpole.interval(played.returns)
            worst = float(played.returns.min())
            rows.append({"file": variant.file, "runtime": runtime, "mean": played.mean, "interval": (low, high), "worst": worst})
    return rows


def policy(model: Model) -> cartpole.Policy:
    """Return the policy that pushes as a released model ranks."""
    state = model.contract.main.inputs[0].name
    side = {label: number for number, label in enumerate(cartpole.ACTIONS)}

    def push(states: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        answers = model.predict_many([{state: row} for row in states])
        return np.array([side[str(answer.label)] for answer in answers])

    return push


if __name__ == "__main__":
    raise SystemExit(main())
