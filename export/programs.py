"""The kinds of program that a hand-over may hold, as data: the file, and the function behind each conversion step.

A stage asks for a step (`onnx`) by name; the file that lies in the hand-over decides which function does the work. So a
further kind is a further entry here and a module with its converters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.contract import Contract
from edge.errors import BundleError, ConversionError


@dataclass(frozen=True)
class Kind:
    """One kind of program.

    `steps` maps a conversion step to `module:function`. `reference` lets the program answer, `onnx` and `tflite` make the
    float files, and `quantize_program` quantizes straight from the program where the quantizer of files cannot. What is
    absent cannot be had.
    """

    file: str
    title: str
    steps: Mapping[str, str]


KINDS: tuple[Kind, ...] = (
    Kind(
        "program.pt2",
        "a PyTorch program",
        {"reference": "export.reference:run", "onnx": "export.to_onnx:run", "tflite": "export.to_tflite:run"},
    ),
    Kind(
        "model.keras",
        "a Keras model",
        {
            "reference": "export.from_keras:reference",
            "onnx": "export.from_keras:onnx",
            "tflite": "export.from_keras:tflite",
            "quantize_program": "export.from_keras:quantize",
        },
    ),
    Kind(
        "model.skops",
        "a scikit-learn estimator",
        {"reference": "export.from_estimator:reference", "onnx": "export.from_estimator:onnx"},
    ),
    Kind(
        "xgboost.json",
        "an XGBoost booster",
        {"reference": "export.from_xgboost:reference", "onnx": "export.from_xgboost:onnx"},
    ),
    Kind(
        "given.onnx",
        "an ONNX file",
        {"reference": "export.given_onnx:reference", "onnx": "export.given_onnx:onnx"},
    ),
    Kind(
        "given.tflite",
        "a TFLite file",
        {"reference": "export.given_tflite:reference", "onnx": "export.tflite_to_onnx:run", "tflite": "export.given_tflite:tflite"},
    ),
    Kind(
        "saved_model.zip",
        "a TensorFlow SavedModel",
        {
            "reference": "export.from_saved_model:reference",
            "tflite": "export.from_saved_model:tflite",
            "quantize_program": "export.from_saved_model:quantize",
        },
    ),
)
TFLITE = "given.tflite"
GIVEN = ("as_given", "fp32")  # the recipes that a TFLite file from elsewhere can have: its own
FILES: tuple[str, ...] = tuple(kind.file for kind in KINDS)
# Which extra of Tandem brings a package; every other one comes with `export`.
EXTRAS: Mapping[str, str] = {
    **dict.fromkeys(("keras", "tensorflow", "h5py"), "keras"),
    **dict.fromkeys(("transformers", "tokenizers", "safetensors"), "huggingface"),
    **dict.fromkeys(("sklearn", "skops", "xgboost", "skl2onnx", "onnxmltools"), "trees"),
}


def of(file: str) -> Kind:
    """Give the kind of a program by the name of its file.

    Raises:
        ConversionError: No kind of program is called so.
    """
    for kind in KINDS:
        if kind.file == file:
            return kind
    raise ConversionError(f"{file}: no program is called so; expected one of {', '.join(FILES)}")


def find(listed: Mapping[str, str], folder: str) -> str:
    """Give the name of the one program among the listed files of a hand-over.

    Raises:
        BundleError: There is none, or more than one.
    """
    found = [name for name in FILES if name in listed]
    if not found:
        raise BundleError(f"{folder}: no program; expected one of {', '.join(FILES)}")
    if len(found) > 1:
        raise BundleError(f"{folder}: {' and '.join(found)} are both here, expected one program; remove the others from the hand-over")
    return found[0]


def require(kind: Kind, contract: Contract) -> None:
    """Refuse targets and recipes that no file can be made for.

    Raises:
        ConversionError: A device or a browser is among the targets and the program cannot become TFLite, or a server is and it
            cannot become ONNX; or a recipe needs another program; or TFLite is asked for an axis of any size beside the batch.
    """
    named = () if contract.recipes == "auto" else contract.recipes
    wrong = [name for name in named if name not in GIVEN] if kind.file == TFLITE else [name for name in named if name == "as_given"]
    if wrong:
        rule = f"{TFLITE} is released as it is: set recipes to 'auto'" if kind.file == TFLITE else f"as_given is for {TFLITE} alone"
        raise ConversionError(f"{contract.name}: recipes names {', '.join(wrong)}, but {rule}")
    if "server" in contract.targets and "onnx" not in kind.steps:
        others = tuple(target for target in contract.targets if target != "server") or ("device",)
        raise ConversionError(
            f"{contract.name}: targets names server, but {kind.title} ({kind.file}) cannot become ONNX, which servers take; "
            f"set targets to {list(others)} in the contract, or give the model in ONNX too, as another contract"
        )
    small = [target for target in contract.targets if target != "server"]
    if small and "tflite" not in kind.steps:
        raise ConversionError(
            f"{contract.name}: targets names {' and '.join(small)}, but {kind.title} ({kind.file}) cannot become TFLite; "
            'set targets=("server",) in the contract'
        )
    opened = next((t for t in contract.main.inputs if small and any(isinstance(axis, str) for axis in t.row_shape)), None)
    if opened is not None:
        raise ConversionError(
            f"{contract.name}: input {opened.name!r} is {list(opened.shape)}, but files for {' and '.join(small)} (TFLite) have one size; "
            'write the number into the contract, or set targets=("server",)'
        )
