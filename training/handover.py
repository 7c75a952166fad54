"""The directory that training hands to export: the program, the contract, and samples that prove the rest of the road.

program.pt2 (or model.keras, model.skops, xgboost.json)  contract.json  calibration.npz  eval.npz  golden.npz  assets/…:
listed in SHA256SUMS
pictures/…  of a recipe that draws its own: listed too
training.json  run.html  curves.png  and the task's pictures   for people and for skipping; not listed
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from edge.errors import ContractError
from edge.steps import preprocessing
from edge.storage import atomic_directory, save_npz, write_sums
from training import plots, run_page
from training.evaluate import every
from training.finished import RECORD
from training.fit import Fitted
from training.frameworks import Framework, Predict
from training.recipe import Array, Recipe, Split, Splits, check_array
from training.tasks import Examined, task

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
    examined: Examined,
    record: Mapping[str, Any],
    pictures: Mapping[str, bytes] = MappingProxyType({}),
) -> None:
    """Write the hand-over directory: whole, or not at all.

    Args:
        target: Where it will stand.
        recipe: What was trained.
        framework: The library that the model is written in.
        model: The trained model, on the CPU, ready to answer.
        splits: The data.
        fitted: How training went.
        examined: What came of its answers.
        record: What `training.json` says.
        pictures: The recipe's own, by file name.

    Raises:
        SetupError: The disk is full or the place cannot be written.
        ContractError: The model's output is not what the contract promises.
    """
    name = f"{recipe.contract.name} {recipe.contract.version}"
    with atomic_directory(target) as folder:
        program = framework.program(model)
        framework.save(folder / program, model, example(splits))
        (folder / "contract.json").write_text(recipe.contract.dumps(), encoding="utf-8")
        save_npz(folder / "calibration.npz", calibration_arrays(recipe, splits))
        save_npz(folder / "eval.npz", {**_prefixed("input", splits.test.inputs), "target": splits.test.targets})
        assets = _write_files(folder, "assets", _assets(recipe, splits))
        save_npz(folder / "golden.npz", golden_arrays(recipe, framework.runner(model), splits, folder / "assets"))
        drawn = _write_files(folder, "pictures", pictures)
        write_sums(folder, [program, *LISTED, *assets, *drawn])
        plots.curves(folder / "curves.png", name, fitted, recipe.objective.metric)
        examined.draw(folder, name)
        (folder / run_page.NAME).write_text(run_page.render(recipe, fitted, examined, record, pictures), encoding="utf-8")
        (folder / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def example(splits: Splits) -> Split:
    """Return what a program is traced with: the first two test samples."""
    return splits.test.take(np.arange(min(2, len(splits.test))))


def calibration_arrays(recipe: Recipe, splits: Splits) -> dict[str, Array]:
    """Return training samples that show as much as they can: `input/<tensor>`, (N, …)."""
    rows = task(recipe.task).spread(splits.train.targets, np.random.default_rng(_SEED))[:CALIBRATION_SAMPLES]
    return _prefixed("input", splits.train.take(rows).inputs)


def golden_arrays(recipe: Recipe, run: Predict, splits: Splits, assets: Path | None = None) -> dict[str, Array]:
    """Return stored questions and the trained model's answers, given by `run`.

    Args:
        recipe: What was trained.
        run: Answers with the trained model.
        splits: The data.
        assets: The folder of the files that the contract's steps read.

    Returns:
        `raw/000`…: what callers would send; `input/<tensor>`, (N, …): first those, preprocessed, then further test
        samples; `output/<tensor>`, (N, …) float32; `label`, (N,) str: the name of each answer, where
        answers have names.

    Raises:
        ContractError: A prepared input or an output is not what the contract promises.
    """
    random = np.random.default_rng(_SEED)
    chosen = task(recipe.task).spread(splits.test.targets, random)[:GOLDEN_SAMPLES]
    contract, raw, inputs = recipe.contract, [], splits.test.take(chosen).inputs
    if recipe.raw_inputs is not None:
        raw = _raw(recipe, splits.test.take(chosen[:RAW_SAMPLES]), random)
        prepare = preprocessing(contract, assets)
        taken = contract.main.inputs[0]
        rows = np.stack([prepare(value) for value in raw])
        inputs = {**inputs, taken.name: np.concatenate([rows, inputs[taken.name][len(rows) :]])}
        check_array(inputs[taken.name], taken, f"{contract.name}: the prepared input {taken.name!r}")
    outputs = checked_outputs(recipe, every(run, inputs))
    labels = task(recipe.task).labels(next(iter(outputs.values())), splits.classes)
    return {
        **{f"raw/{number:03d}": value for number, value in enumerate(raw)},
        **_prefixed("input", inputs),
        **_prefixed("output", outputs),
        **({} if labels is None else {"label": labels}),
    }


def checked_outputs(recipe: Recipe, outputs: Sequence[Array]) -> dict[str, Array]:
    """Hold what a model gave, (N, …) each, against the contract; return it by output name.

    Raises:
        ContractError: There are more or fewer, or one has another dtype or shape.
    """
    promised, name = recipe.contract.main.outputs, recipe.contract.name
    if len(outputs) != len(promised):
        raise ContractError(f"{name}: the model gives {len(outputs)} outputs, the contract promises {len(promised)}; correct one of them")
    for array, output in zip(outputs, promised, strict=True):
        check_array(array, output, f"{name}: the model's output {output.name!r}")
    return {output.name: array for array, output in zip(outputs, promised, strict=True)}


def _raw(recipe: Recipe, first: Split, random: np.random.Generator) -> list[Array]:
    """Return what callers would send for some samples."""
    if callable(recipe.raw_inputs):
        return recipe.raw_inputs(first.inputs, random)
    if first.raw is None:
        raise ContractError(f"{recipe.contract.name}: raw_inputs is 'data', but the data set keeps no raw samples; expected Split.raw")
    return [np.asarray(value) for value in first.raw]


def _assets(recipe: Recipe, splits: Splits) -> dict[str, bytes]:
    """Return the files that the contract's steps read."""
    names = sorted(set(recipe.contract.assets.values()))
    for name in names:
        if name not in splits.assets:
            raise ContractError(
                f"{recipe.contract.name}: the contract names the asset {name}, {splits.name} gives {', '.join(splits.assets) or 'none'}"
            )
    return {name: splits.assets[name] for name in names}


def _write_files(folder: Path, below: str, files: Mapping[str, bytes]) -> list[str]:
    """Write files into a folder within the hand-over; give their names from there."""
    for name, content in files.items():
        (folder / below / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / below / name).write_bytes(content)
    return [f"{below}/{name}" for name in files]


def _prefixed(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}
