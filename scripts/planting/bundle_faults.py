"""What goes wrong between the release and the first answer: files of a bundle, and inputs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge.storage import sha256_file
from planting.fault import Fault, Site
from planting.handovers import sign

OPENING, REPLAY, ANSWER = "any place that opens a bundle", "any place that loads it, by the golden inputs", "before the model runs"
LOADER = """python -c '
import logging; logging.disable()
from serving.metrics import Metrics
from serving.registry import Registry
from serving.settings import Settings
registry = Registry(Settings(device="cpu"), Metrics())
registry.load()
print(registry.message)
raise SystemExit(not registry.ready)'"""


def _truncate(site: Site) -> None:
    path = site.bundle("colours") / "model.onnx"
    path.write_bytes(path.read_bytes()[:-100])


def _flip(site: Site) -> None:
    path = site.bundle("colours") / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _exchange(site: Site) -> None:
    shutil.copyfile(site.bundle("opposite") / "model.onnx", site.bundle("colours") / "model.onnx")
    sign(site.bundle("colours"))


def _exchange_and_describe(site: Site) -> None:
    _exchange(site)
    path = site.bundle("colours") / "model.onnx"
    facts = {"sha256": sha256_file(path), "size_bytes": path.stat().st_size}
    site.edit(site.bundle("colours") / "variants.json", lambda files: files[0].update(facts))


def _contract(change: Callable[[Any], object], signed: bool) -> Callable[[Site], None]:
    return lambda site: site.edit(site.bundle("colours") / "contract.json", change, signed)


def _passed(site: Site) -> None:
    def change(files: list[Any]) -> None:
        for file in files:
            if file["recipe"] == "dynamic_wi8_afp32":
                file["passed"].append("tflite-runtime")

    site.edit(site.bundle("dynamic") / "variants.json", change)


def _moved(site: Site) -> None:
    shutil.rmtree(site.root / "bundles" / "colours")
    (site.root / "bundles" / "opposite").rename(site.root / "bundles" / "colours")


def _picture(site: Site, dtype: str) -> None:
    np.save(site.root / "picture.npy", np.full((9, 7, 3), 1, dtype))


def _note(site: Site) -> None:
    Path(site.bundle("colours") / "notes.txt").write_text("tried on the bench\n", encoding="utf-8")


COLOURS, BOTH = ("colours",), ("colours", "opposite")
CHECK = "tandem check bundles/colours"
WITH_PICTURE = '[ -e picture.npy ] || python -c \'import numpy; numpy.save("picture.npy", numpy.ones((9, 7, 3), "uint8"))\'; '
FAULTS: tuple[Fault, ...] = (
    Fault(
        "truncated-file", COLOURS, "the copy to the device broke off", "bundle, model.onnx",
        _truncate, CHECK, OPENING, 7, "the file was altered or damaged",
    ),
    Fault(
        "flipped-bit", COLOURS, "one bit of the memory card flipped", "bundle, model.onnx",
        _flip, CHECK, OPENING, 7, "the file was altered or damaged",
    ),
    Fault(
        "exchanged-file", BOTH, "the file of another model, signed", "bundle, model.onnx",
        _exchange, CHECK, OPENING, 7, "files were exchanged",
    ),
    Fault(
        "exchanged-and-described", BOTH, "the same, and described as if it had been released",
        "bundle, model.onnx, variants.json",
        _exchange_and_describe, CHECK, REPLAY, 4, "differs from the trainer's answer",
    ),
    Fault(
        "loosened-tolerance", COLOURS, "a tolerance was loosened by hand after the release", "bundle, contract.json",
        _contract(lambda data: data["tolerance"].update(onnx=100.0), signed=False), CHECK, OPENING, 7, "the file was altered or damaged",
    ),
    Fault(
        "labels-after-release", COLOURS, "labels were sorted after the release, and the bundle signed again",
        "bundle, contract.json",
        _contract(lambda data: data["labels"].sort(), signed=True), CHECK, OPENING, 4, "postprocessing calls golden sample",
    ),
    Fault(
        "unproved-variant", ("dynamic",), "variants.json, signed again, lets the old runtime take a file that it failed",
        "bundle, variants.json",
        _passed, "$OLD/tandem run bundles/dynamic --runtime tflite-runtime pixels.npy", REPLAY, 4, "answers wrongly on this runtime",
        "$OLD/tandem check bundles/dynamic",
    ),
    Fault(
        "stray-file", COLOURS, "a file was left in the bundle", "bundle, notes.txt",
        _note, CHECK, OPENING, 7, "not listed in SHA256SUMS",
    ),
    Fault(
        "moved-bundle", BOTH, "the bundle of one model in the folder of another", "bundles/colours",
        _moved, LOADER, "the server, which is then not ready", 1, "the contract says opposite",
    ),
    Fault(
        "input-dtype", COLOURS, "a picture of float64 instead of uint8", "the input",
        lambda site: _picture(site, "float64"), f"{WITH_PICTURE}tandem run bundles/colours --target server picture.npy", ANSWER, 7,
        "expected uint8",
    ),
)  # fmt: skip
