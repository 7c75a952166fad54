"""The directory that training hands to export: the program, the contract, and samples that prove the rest of the road.

program.pt2 (or model.keras, model.skops, xgboost.json)  contract.json  calibration.npz  eval.npz  golden.npz   listed in SHA256SUMS
training.json  run.html  curves.png  confusion.png  reliability.png for people and for skipping; not listed
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge.steps import preprocessing
from edge.storage import atomic_directory, save_npz, write_sums
from training import plots, run_page
from training.finished import RECORD
from training.fit import Fitted
from training.frameworks import Framework, Predict
from training.recipe import Array, Recipe, Splits, check_array
from training.run_page import Answered
from training.sampling import balanced_order

LISTED = ("contract.json", "calibration.npz", "eval.npz", "golden.npz")  # and the program
CALIBRATION_SAMPLES = 256
RAW_SAMPLES = 16
GOLDEN_SAMPLES = 32
_SEED = 0  # of the choice of samples: another training of the same model is asked the same questions


def write(
    target: Path,
    recipe: Recipe,
    framework: Framework,
    model: Any,
    splits: Splits,
    fitted: Fitted,
    answered: Answered,
    record: Mapping[str, Any],
) -> None:
    """Write the hand-over directory: whole, or not at all.

    Args:
        target: Where it will stand.
        recipe: What was trained.
        framework: The library that the model is written in.
        model: The trained model, on the CPU, ready to answer.
        splits: The data.
        fitted: How training went.
        answered: What came of the test split.
        record: What `training.json` says.

    Raises:
        SetupError: The disk is full or the place cannot be written.
        ContractError: The model's output is not what the contract promises.
    """
    name = f"{recipe.contract.name} {recipe.contract.version}"
    with atomic_directory(target) as folder:
        program = framework.program(model)
        framework.save(folder / program, model, splits.test.take(np.arange(min(2, len(splits.test)))))
        (folder / "contract.json").write_text(recipe.contract.dumps(), encoding="utf-8")
        save_npz(folder / "calibration.npz", calibration_arrays(splits))
        save_npz(folder / "eval.npz", {**_prefixed("input", splits.test.inputs), "target": splits.test.targets})
        save_npz(folder / "golden.npz", golden_arrays(recipe, framework.runner(model), splits))
        write_sums(folder, [program, *LISTED])
        plots.curves(folder / "curves.png", name, fitted, recipe.contract.metric.name)
        plots.confusion(folder / "confusion.png", f"{name} on {splits.name}, test split", answered.figures.confusion, splits.classes)
        plots.reliability(folder / "reliability.png", f"{name} on {splits.name}", answered.calibration)
        (folder / run_page.NAME).write_text(run_page.render(recipe.contract, splits, fitted, answered, record), encoding="utf-8")
        (folder / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def calibration_arrays(splits: Splits) -> dict[str, Array]:
    """Return training samples spread over the classes: `input/<tensor>`, (N, …)."""
    rows = balanced_order(splits.train.targets, np.random.default_rng(_SEED))[:CALIBRATION_SAMPLES]
    return _prefixed("input", splits.train.take(rows).inputs)


def golden_arrays(recipe: Recipe, run: Predict, splits: Splits) -> dict[str, Array]:
    """Return stored questions and the trained model's answers, given by `run`.

    Returns:
        `raw/000`…: what callers would send; `input/<tensor>`, (N, …): first those, preprocessed, then further test
        samples; `output/<tensor>`, (N, …) float32; `label`, (N,) str: the data set's name of the best class.

    Raises:
        ContractError: A prepared input or an output is not what the contract promises.
    """
    random = np.random.default_rng(_SEED)
    chosen = balanced_order(splits.test.targets, random)[:GOLDEN_SAMPLES]
    contract, raw, inputs = recipe.contract, [], splits.test.take(chosen).inputs
    if recipe.raw_inputs is not None:
        first = {name: array[:RAW_SAMPLES] for name, array in inputs.items()}
        raw = recipe.raw_inputs(first, random)
        prepare = preprocessing(contract)
        taken = contract.main.inputs[0]
        rows = np.stack([prepare(value) for value in raw])
        inputs = {**inputs, taken.name: np.concatenate([rows, inputs[taken.name][len(rows) :]])}
        check_array(inputs[taken.name], taken, f"{contract.name}: the prepared input {taken.name!r}")
    logits = run(inputs)  # (N, C)
    output = contract.main.outputs[0]
    check_array(logits, output, f"{contract.name}: the model's output {output.name!r}")
    labels = np.array([splits.classes[answer] for answer in logits.argmax(axis=1)])
    return {
        **{f"raw/{number:03d}": value for number, value in enumerate(raw)},
        **_prefixed("input", inputs),
        f"output/{output.name}": logits,
        "label": labels,
    }


def _prefixed(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}
