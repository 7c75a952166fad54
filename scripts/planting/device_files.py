"""What happens to the files of a bundle on the way to a device and on it: by accident, and by somebody who makes every hash right."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge import bundle, runtimes, verdicts
from edge.runtimes import Options
from edge.verdicts import Verdict
from planting.device_fault import BASE, OTHER, DeviceFault, Plant

LISTED = tuple(sorted((path.name for path in BASE.iterdir() if path.name != "SHA256SUMS"), key=lambda name: (name[-6:] != "tflite", name)))
FILES = (*LISTED, "SHA256SUMS")
INT8 = "model.static_wi8_ai8.tflite"


def sign(folder: Path) -> None:
    """Make every hash right, as a forger would."""
    path = folder / "variants.json"
    variants = json.loads(path.read_text(encoding="utf-8"))
    for variant in variants if isinstance(variants, list) else ():
        content = (folder / variant["file"]).read_bytes()
        variant.update(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
    path.write_text(json.dumps(variants), encoding="utf-8")
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def truncated(name: str, share: float) -> Plant:
    """Cut a file off."""

    def plant(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(len(content) * share)])

    return plant


def flipped(name: str, share: float) -> Plant:
    """Flip one bit of a file."""

    def plant(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[min(len(content) - 1, int(len(content) * share))] ^= 1 << 5
        (folder / name).write_bytes(content)

    return plant


def lost(name: str) -> Plant:
    """Remove a file."""
    return lambda folder: (folder / name).unlink()


def exchanged(name: str, signed: bool = False) -> Plant:
    """Put another model's file in the place of one."""

    def plant(folder: Path) -> None:
        shutil.copyfile(OTHER / name, folder / name)
        if signed:
            sign(folder)

    return plant


def edited(name: str, change: Callable[[Any], object], signed: bool = True) -> Plant:
    """Change a JSON file."""

    def plant(folder: Path) -> None:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        change(content)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
        if signed:
            sign(folder)

    return plant


def other_weights(folder: Path) -> None:
    """Turn the signs of some weights, and make every hash right."""
    content = bytearray((folder / INT8).read_bytes())
    place = content.rindex(b"\x7f")  # int8 weights reach 127
    content[place] = 0x81
    (folder / INT8).write_bytes(content)
    sign(folder)


def no_model(folder: Path) -> None:
    """Write words where a model should be, and make every hash right."""
    (folder / INT8).write_bytes(b"no model at all")
    sign(folder)


def forged_verdict(folder: Path) -> None:
    """Do so, and write down that this machine has proved the file."""
    other_weights(folder)
    opened = bundle.open_bundle(folder)
    variant = next(variant for variant in opened.variants if variant.file == INT8)
    name = verdicts.key(opened, variant, "ai-edge-litert", runtimes.installed()["ai-edge-litert"], Options())
    if name is None or not verdicts.keep(name, Verdict({"truth": 0.0}, 0)):
        raise RuntimeError("no verdict can be kept on this machine")


def _asset(content: dict[str, Any]) -> None:
    content["assets"] = {"words": "words.txt"}


ON_LITERT = {"variant": INT8, "runtime": "ai-edge-litert"}
DAMAGED = ("damaged", "copy the bundle again", "copy it again", "is not '<sha256>", "not listed in SHA256SUMS", "no SHA256SUMS")
FAULTS: tuple[DeviceFault, ...] = (
    DeviceFault(
        "truncated", "the copy broke off: each file cut to nothing, to half, by its last hundredth", 7, DAMAGED,
        [truncated(name, share) for name in FILES for share in (0.0, 0.5, 0.99)],
    ),
    DeviceFault(
        "flipped-bit", "one bit of the memory card flipped: in each file at its beginning, in its middle, at its end", 7, DAMAGED,
        [flipped(name, share) for name in FILES for share in (0.0, 0.5, 1.0)],
    ),
    DeviceFault(
        "missing-file", "each file lost", 7, ("missing", "no SHA256SUMS", "neither a bundle"),
        [lost(name) for name in FILES],
    ),
    DeviceFault("exchanged", "each file replaced by that of another model", 7, DAMAGED, [exchanged(name) for name in LISTED]),
    DeviceFault(
        "contract-edited", "the contract edited: a tolerance loosened, labels changed, the name changed", 7, DAMAGED,
        [
            edited("contract.json", lambda c: c["tolerance"].update(tflite=100.0), signed=False),
            edited("contract.json", lambda c: c.update(labels=["OR"]), signed=False),
            edited("contract.json", lambda c: c.update(name="mnist_cnn"), signed=False),
        ],
    ),
    DeviceFault(
        "missing-asset", "a vocabulary that the contract names is not there", 7, ("missing, but the contract names it as asset 'words'",),
        [edited("contract.json", _asset)],
    ),
    DeviceFault(
        "newer-bundle", "a bundle of a newer Tandem: of a newer format, with a field of its own, or that asks for a newer edge", 7,
        ("install tandem-edge 9.1.0 or newer", "needs tandem-edge 9.1.0 or newer"),
        [
            edited("contract.json", lambda c: c.update(schema=2, min_edge="9.1.0", novelty=1)),
            edited("contract.json", lambda c: c.update(min_edge="9.1.0", novelty=1)),
            edited("contract.json", lambda c: c.update(min_edge="9.1.0")),
        ],
    ),
    DeviceFault(
        "exchanged-and-signed", "the model's file replaced by that of another model, every hash made right", 4,
        ("differs from the trainer's answer", "expected float32 (1, 1)"), [exchanged(INT8, signed=True)], ON_LITERT,
    ),
    DeviceFault(
        "contract-of-another", "the contract replaced by that of another model, every hash made right", 7, ("expected float32",),
        [exchanged("contract.json", signed=True)],
    ),
    DeviceFault(
        "contract-signed", "the contract edited, every hash made right: an unknown step, a field that is none, a file outside", 7,
        ("no step is called", "is not a known field", "a relative path of plain names"),
        [
            edited("contract.json", lambda c: c["postprocess"].append({"step": "sharpen"})),
            edited("contract.json", lambda c: c.update(tolerence=1)),
            edited("contract.json", lambda c: c.update(assets={"words": "../../../etc/passwd"})),
        ],
    ),
    DeviceFault(
        "other-weights", "one weight of the model changed its sign, every hash made right", 4, ("differs from the trainer's answer",),
        [other_weights], ON_LITERT,
    ),
    DeviceFault(
        "forged-verdict", "the same, and this machine's kept verdict forged so that it names the changed file", 4,
        ("differs from the trainer's answer",), [forged_verdict], ON_LITERT,
    ),
    DeviceFault(
        "no-model", "a file that is no model at all, every hash made right", 4, ("cannot load it",),
        [no_model], ON_LITERT,
    ),
)  # fmt: skip
