"""What a model from elsewhere may come as: by suffix, what it becomes in a hand-over, and what is refused for which reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from edge.errors import InputError, UsageError

MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
SUFFIXES: Mapping[str, str] = {
    ".pt2": "program.pt2",
    ".keras": "model.keras",
    ".skops": "model.skops",
    ".json": "xgboost.json",
    ".onnx": "given.onnx",
    ".tflite": "given.tflite",
}
HUGGINGFACE = ("config.json", "modules.json", "pytorch_model.bin", "tokenizer.json")  # one of them tells such a folder
# The steps that take a file in where copying it is not enough; the others look through it whenever they open it.
TAKEN: Mapping[str, str] = {"given.onnx": "take_onnx", "given.tflite": "take_tflite", "saved_model.zip": "take_saved_model"}
_PICKLE = "is a pickle: loading it would run whatever code it holds"
_H5 = "is Keras' old format, which may hold code as bytes; open it where you trust it and save it anew: model.save('model.keras')"
_TORCH = (
    f"{_PICKLE}, and it holds no graph; give the class and its weights, --program module:Class --weights FILE (tensors alone), "
    "or a program: torch.export.save(torch.export.export(model, example), 'net.pt2')"
)
_ESTIMATOR = f"{_PICKLE}; open it where you trust it and save it anew: skops.io.dump(estimator, 'model.skops')"
REFUSED: Mapping[str, str] = {
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".bin"), _TORCH),
    **dict.fromkeys((".h5", ".hdf5"), _H5),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), _ESTIMATOR),
    ".safetensors": "holds weights and no graph; name the module that they belong to: --program module:Class --weights FILE",
    ".pb": "is a part of a SavedModel; give the folder that holds it",
    ".mlmodel": "is Core ML, which no runtime here takes; give the model that it was converted from",
    ".mlpackage": "is Core ML, which no runtime here takes; give the model that it was converted from",
    ".ubj": "is XGBoost's binary format; save it as JSON: booster.save_model('booster.json')",
}


def file_of(source: str, weights: Path | None = None) -> str:
    """Give the name that a model has in a hand-over.

    Args:
        source: A file, a SavedModel or Hugging Face folder, or `package.module:Class`.
        weights: The file given with `--weights`, for a class alone.

    Raises:
        UsageError: Weights were given for what has its own.
        InputError: It is not there, or of a kind that is refused; the message says why and what to do instead.
    """
    path = Path(source)
    if MODULE.fullmatch(source) and not path.exists():
        return "program.pt2"
    if weights is not None:
        raise UsageError(f"--weights is for a module by import path (module:Class), not for {source}, which has its own")
    suffix = path.suffix.lower()
    if suffix in REFUSED:
        raise InputError(f"{source}: {REFUSED[suffix]}")
    if path.is_dir():
        return "program.pt2" if is_huggingface(source) else "saved_model.zip"
    if not path.is_file():
        raise InputError(f"{source}: no such file; expected a model file, a SavedModel or Hugging Face folder, or package.module:Class")
    if suffix not in SUFFIXES:
        raise InputError(
            f"{source}: no kind of model is called {suffix or 'so'!r}; there are {', '.join(SUFFIXES)}, folders and module:Class"
        )
    return SUFFIXES[suffix]


def is_module(source: str) -> bool:
    """Tell whether a source is a class by import path."""
    return bool(MODULE.fullmatch(source)) and not Path(source).exists()


def is_huggingface(source: str) -> bool:
    """Tell whether a source is a folder as Hugging Face's libraries write it, complete or not."""
    path = Path(source)
    if not path.is_dir() or (path / "saved_model.pb").exists():
        return False
    return any((path / name).exists() for name in HUGGINGFACE) or any(path.glob("*.safetensors"))
