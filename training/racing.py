"""The racing car of the course documents: a world of three states that a table solves, twice.

A cool or warm engine goes slow or fast; fast pays twice and heats; a warm engine that goes fast overheats, which ends the race.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from training.recipe import Array

STATES = ("cool", "warm", "overheated")
ACTIONS = ("slow", "fast")
END = "overheated"
# (state, action): (probability, next state, reward), each.
WORLD: Mapping[tuple[str, str], tuple[tuple[float, str, float], ...]] = {
    ("cool", "slow"): ((1.0, "cool", 1.0),),
    ("cool", "fast"): ((0.5, "cool", 2.0), (0.5, "warm", 2.0)),
    ("warm", "slow"): ((0.5, "cool", 1.0), (0.5, "warm", 1.0)),
    ("warm", "fast"): ((1.0, "overheated", -10.0),),
}


def value_iteration(discount: float = 0.9, precision: float = 1e-10) -> Array:
    """Return the best expected return of each action in each state, (3, 2), computed from the known world.

    Source: Bellman, 1957.

    Args:
        discount: What a reward of the next step is worth now, from 0 to below 1.
        precision: The largest change of a value at which it ends.
    """
    table = np.zeros((len(STATES), len(ACTIONS)))
    while True:
        before = table.copy()
        for (state, action), outcomes in WORLD.items():
            expected = (chance * (reward + discount * before[STATES.index(following)].max()) for chance, following, reward in outcomes)
            table[STATES.index(state), ACTIONS.index(action)] = sum(expected)
        if np.abs(table - before).max() < precision:
            return table


def q_learning(discount: float = 0.9, steps: int = 50_000, exploration: float = 0.3, seed: int = 0) -> Array:
    """Learn the same table, (3, 2), by driving, without knowing the world; rates fall with the visits of each pair.

    Source: Watkins and Dayan, 1992.

    Args:
        discount: As in `value_iteration`.
        steps: How many are driven, over as many races as it takes.
        exploration: The share of actions that are random.
        seed: Of actions and of the world.
    """
    random = np.random.default_rng(seed)
    table, visits = np.zeros((len(STATES), len(ACTIONS))), np.zeros((len(STATES), len(ACTIONS)))
    state = STATES[0]
    for _ in range(steps):
        row = STATES.index(state)
        column = int(random.integers(len(ACTIONS))) if random.random() < exploration else int(table[row].argmax())
        outcomes = WORLD[state, ACTIONS[column]]
        passed = np.cumsum([chance for chance, _, _ in outcomes]) < random.random()
        _, following, reward = outcomes[int(passed.sum())]
        visits[row, column] += 1
        goal = reward + discount * table[STATES.index(following)].max()
        table[row, column] += (goal - table[row, column]) / visits[row, column] ** 0.7
        state = STATES[0] if following == END else following
    return table
