"""What goes wrong in a hand-over's meaning and samples: pictures, labels, words, classes, calibration."""

from __future__ import annotations

from typing import Any

import numpy as np

from planting.fault import Fault, Site
from planting.handovers import sign

GATE, OPENING = "export, at the gate", "export, when the hand-over is opened"


def _resize_filter(site: Site) -> None:
    site.edit(site.hand_over("colours") / "contract.json", lambda data: data["preprocess"][1].update(filter="nearest"))


def _numpy_resize(site: Site) -> None:
    def change(arrays: dict[str, Any]) -> None:
        raw = [arrays[name] for name in sorted(arrays) if name.startswith("raw/")]
        arrays["input/image"] = np.stack([np.resize(picture, (4, 4, 3)) for picture in raw])

    site.arrays(site.hand_over("colours") / "golden.npz", change)


def _swapped_colours(site: Site) -> None:
    def change(arrays: dict[str, Any]) -> None:
        arrays |= {name: np.ascontiguousarray(array[..., ::-1]) for name, array in arrays.items() if name.startswith("raw/")}

    site.arrays(site.hand_over("colours") / "golden.npz", change)


def _label_order(site: Site) -> None:
    site.edit(site.hand_over("colours") / "contract.json", lambda data: data.update(labels=["green", "red", "blue"]))


def _label_count(site: Site) -> None:
    site.edit(site.hand_over("colours") / "contract.json", lambda data: data["labels"].append("grey"))


def _vocabulary(site: Site) -> None:
    path = site.hand_over("words") / "assets" / "vocabulary.txt"
    entries = path.read_text(encoding="utf-8").split("\n")
    entries[0], entries[3] = entries[3], entries[0]
    path.write_text("\n".join(entries), encoding="utf-8")
    sign(site.hand_over("words"))


def _wrong_dtype(site: Site) -> None:
    site.edit(site.hand_over("colours") / "contract.json", lambda data: data["graphs"][0]["inputs"][0].update(dtype="float32"))


def _shuffled_targets(site: Site) -> None:
    random = np.random.default_rng(0)
    site.arrays(site.hand_over("colours") / "eval.npz", lambda arrays: random.shuffle(arrays["target"]))


def _no_test_split(site: Site) -> None:
    (site.hand_over("colours") / "eval.npz").unlink()
    sign(site.hand_over("colours"))


def _empty_calibration(site: Site) -> None:
    def change(arrays: dict[str, Any]) -> None:
        arrays["input/signal"] = arrays["input/signal"][:0]

    site.arrays(site.hand_over("sensor") / "calibration.npz", change)


def _nan_calibration(site: Site) -> None:
    def change(arrays: dict[str, Any]) -> None:
        arrays["input/signal"][3, 2, 5] = np.nan

    site.arrays(site.hand_over("sensor") / "calibration.npz", change)


def _noise_calibration(site: Site) -> None:
    def change(arrays: dict[str, Any]) -> None:
        shape = arrays["input/signal"].shape
        arrays["input/signal"] = np.random.default_rng(0).normal(0, 0.02, shape).astype(np.float32)

    site.arrays(site.hand_over("sensor") / "calibration.npz", change)


COLOURS, SENSOR, EXPORT = ("colours",), ("sensor",), "tandem export colours"
FAULTS: tuple[Fault, ...] = (
    Fault(
        "resize-filter", COLOURS, "the contract resizes by another filter than training did", "hand-over, contract.json",
        _resize_filter, EXPORT, OPENING, 4, "preprocessing gives another input",
    ),
    Fault(
        "numpy-resize", COLOURS, "training shrank pictures with np.resize, which cuts instead of resampling", "hand-over, golden.npz",
        _numpy_resize, EXPORT, OPENING, 4, "preprocessing gives another input",
    ),
    Fault(
        "colour-order", COLOURS, "pictures come as BGR, the model was trained on RGB", "hand-over, raw pictures in golden.npz",
        _swapped_colours, EXPORT, OPENING, 4, "preprocessing gives another input",
    ),
    Fault(
        "label-order", COLOURS, "two labels changed places after training", "hand-over, contract.json",
        _label_order, EXPORT, OPENING, 4, "postprocessing calls golden sample",
    ),
    Fault(
        "label-count", COLOURS, "a label that the model has no class for", "hand-over, contract.json",
        _label_count, EXPORT, OPENING, 7, "but the contract has 4 labels",
    ),
    Fault(
        "vocabulary", ("words",), "two words changed places in the vocabulary", "hand-over, assets/vocabulary.txt",
        _vocabulary, "tandem export words", OPENING, 4, "preprocessing gives another input",
    ),
    Fault(
        "contract-dtype", COLOURS, "the contract says float32, the samples are uint8", "hand-over, contract.json",
        _wrong_dtype, EXPORT, OPENING, 7, "expected float32",
    ),
    Fault(
        "shuffled-targets", COLOURS, "the right classes of the test split were shuffled", "hand-over, eval.npz",
        _shuffled_targets, EXPORT, GATE, 4, "accuracy is 0.",
    ),
    Fault(
        "no-test-split", COLOURS, "the test split was not handed over", "hand-over, eval.npz",
        _no_test_split, EXPORT, OPENING, 7, "eval.npz: missing",
    ),
    Fault(
        "empty-calibration", SENSOR, "no calibration samples", "hand-over, calibration.npz",
        _empty_calibration, "tandem export sensor", OPENING, 7, "no samples for input",
    ),
    Fault(
        "nan-calibration", SENSOR, "one NaN among the calibration samples", "hand-over, calibration.npz",
        _nan_calibration, "tandem export sensor", OPENING, 7, "not finite",
    ),
    Fault(
        "noise-calibration", SENSOR, "calibrated on what the sensor gives at rest: faint noise", "hand-over, calibration.npz",
        _noise_calibration, "tandem export sensor --no-repair", GATE, 4, "top-1 agreement is 0.", "tandem export sensor",
    ),
)  # fmt: skip
