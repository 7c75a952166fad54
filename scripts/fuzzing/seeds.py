"""One small valid file of each kind, all for one contract: six numbers in, three scores out."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edge.storage import save_npz
from fuzzing.kinds import KINDS

NAMES = ("contract.json", "inputs.npz")
CONTRACT = {
    "schema": 1,
    "name": "layer",
    "version": "1.0.0",
    "task": "classification",
    "graphs": [
        {
            "name": "main",
            "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 6], "layout": "NC"}],
            "outputs": [{"name": "y", "dtype": "float32", "shape": ["batch", 3], "layout": "NC"}],
        }
    ],
    "metric": {"name": "accuracy", "direction": "higher", "floor": None},
    "labels": ["a", "b", "c"],
    "licence": "MIT",
    "source": "made by rule",
}


def unpack(corpus: Path, folder: Path) -> Path:
    """Write the stored seeds (`seed.<file>.gz`) into a folder, by the names that readers expect."""
    for name in {*NAMES, *(kind.file for kind in KINDS.values())}:
        (folder / name).write_bytes(gzip.decompress((corpus / f"seed.{name}.gz").read_bytes()))
    return folder


def make(corpus: Path) -> None:
    """Make the seeds with the libraries that are installed, and store them; mutants of other seeds are other mutants."""
    with tempfile.TemporaryDirectory(prefix="tandem-seeds-") as work:
        folder, random = Path(work), np.random.default_rng(0)
        rows, target = random.normal(size=(40, 6)).astype(np.float32), np.arange(40) % 3
        (folder / "contract.json").write_text(json.dumps(CONTRACT), encoding="utf-8")
        np.savez(folder / "samples.npz", x=rows, target=target)
        save_npz(folder / "inputs.npz", {"input/x": rows[:8]})
        _torch(folder, rows)
        _keras(folder)
        _trees(folder, rows, target)
        for path in folder.iterdir():
            if path.is_file():
                (corpus / f"seed.{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))


def _torch(folder: Path, rows: Any) -> None:
    import safetensors.torch
    import torch

    from export import to_onnx
    from fuzzing.layer import Layer

    torch.manual_seed(0)
    layer = Layer().eval()
    batch = torch.export.Dim("batch", min=1)
    torch.export.save(torch.export.export(layer, (torch.from_numpy(rows[:2]),), dynamic_shapes=({0: batch},)), folder / "program.pt2")
    safetensors.torch.save_file(layer.state_dict(), folder / "weights.safetensors")
    to_onnx.run(str(folder / "program.pt2"), str(folder / "contract.json"), str(folder / "given.onnx"))


def _keras(folder: Path) -> None:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow as tf

    from export import from_saved_model

    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(3, name="y")(keras.layers.Dense(4, activation="relu")(inputs)))
    model.save(folder / "model.keras")
    model.export(folder / "saved", verbose=False)
    from_saved_model.take(str(folder / "saved"), str(folder / "saved_model.zip"))
    (folder / "given.tflite").write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved")).convert())
    shutil.rmtree(folder / "saved")


def _trees(folder: Path, rows: Any, target: Any) -> None:
    import skops.io
    import xgboost
    from sklearn.tree import DecisionTreeClassifier

    skops.io.dump(DecisionTreeClassifier(max_depth=3, random_state=0).fit(rows, target), folder / "model.skops")
    booster = xgboost.train({"objective": "multi:softprob", "num_class": 3, "max_depth": 2}, xgboost.DMatrix(rows, target), 2)
    booster.save_model(folder / "xgboost.json")
