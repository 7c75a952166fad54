"""`tandem pair`: choose from which confidence on a device's answer is believed, and measure what the pair is worth."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from edge.contract import Contract
from edge.errors import EXIT_DONE, BundleError, InputError, UsageError
from edge.model import Model
from edge.pair import Pair
from edge.schema import encode
from edge.storage import load_npz, write_atomic
from export import pair_page, pairing
from export.handover import Handover, open_handover
from export.pairing import Samples

HELP = "choose when a device asks a server's larger model, so that the two are right as often as the larger one alone"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("device", metavar="DEVICE", help="the small model's bundle, or its name")
    parser.add_argument("server", metavar="SERVER", help="the large model's bundle, or its name")
    parser.add_argument("--variant", help="the device's file, by recipe or name (default: the first for devices)")
    parser.add_argument("--runtime", help="the device's runtime (default: the first installed one that passed)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the hand-overs with labelled samples are (default: runs)")
    parser.add_argument("--data", type=Path, metavar="NPZ", help="labelled samples: 'input/NAME' and 'target' (default: the hand-overs')")
    parser.add_argument(
        "--allow-loss", type=float, default=0.0, metavar="SHARE", help="accuracy that may be lost for less traffic (default: 0)"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where pair.json goes (default: pairs/DEVICE-SERVER)")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def run(args: argparse.Namespace) -> int:
    """Measure a pair and write `pair.json`, `pair.html` and `curve.svg`.

    Raises:
        UsageError: The two cannot be paired, or there are too few samples.
        GateError: The pair is less often right than it may be.
        TandemError: A bundle or the samples cannot be used.
    """
    if not 0 <= args.allow_loss < 1:
        raise UsageError(f"--allow-loss is {args.allow_loss:g}, expected a share from 0 to below 1")
    with Model.open(args.device, variant=args.variant, runtime=args.runtime) as device, Model.open(args.server, target="server") as server:
        pairing.check(device, server)
        found = _given(args.data, device, server) if args.data is not None else _handed_over(args.runs, device, server)
        pair = pairing.measure(device, server, found, args.allow_loss)
    folder = args.out or Path("pairs") / f"{pair.device.name}-{pair.server.name}"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "curve.svg", pair_page.curve(pair).encode())
    write_atomic(folder / "pair.html", pair_page.page(pair).encode())
    write_atomic(folder / "pair.json", pair.dumps().encode())
    print(json.dumps({"pair": str(folder / "pair.json"), **_short(pair)})) if args.json else _tell(pair, folder)
    return EXIT_DONE


def _handed_over(runs: Path, device: Model, server: Model) -> Samples:
    """Take the test splits of both hand-overs, which must be the same samples in the same order."""
    small, large = (open_handover(runs / model.contract.name) for model in (device, server))
    for model, given in ((device, small), (server, large)):
        if given.contract.main.inputs != model.contract.main.inputs or given.contract.preprocess != model.contract.preprocess:
            raise UsageError(f"{given.folder}: its inputs are other than those of the bundle of {model.contract.name}; export it again")
    target = _classes(small, device.contract)
    if not np.array_equal(target, _classes(large, server.contract)) or (_alike(device, server) and not _equal(small, large)):
        raise UsageError(
            f"{small.folder} and {large.folder} hold other test samples, but both models must answer the same ones; "
            "give labelled samples with --data"
        )
    return Samples(small.evaluation, large.evaluation, target, f"test split of {device.contract.name}, halved")


def _classes(given: Handover, contract: Contract) -> Any:
    if given.target is None or given.target.ndim != 1 or given.target.dtype.kind not in "iu":
        raise UsageError(f"{given.folder}: its samples have no classes; give labelled samples of {contract.name} with --data")
    return given.target


def _alike(device: Model, server: Model) -> bool:
    return device.contract.main.inputs == server.contract.main.inputs and device.contract.preprocess == server.contract.preprocess


def _equal(one: Handover, other: Handover) -> bool:
    return all(np.array_equal(array, other.evaluation[name]) for name, array in one.evaluation.items())


def _given(path: Path, device: Model, server: Model) -> Samples:
    """Read one archive for both, which must take the same inputs."""
    if not _alike(device, server):
        raise UsageError(
            f"--data: {device.contract.name} and {server.contract.name} take other inputs, so one archive cannot be for both; "
            "leave it out, and the test splits of their hand-overs are taken"
        )
    try:
        arrays = load_npz(path)
    except InputError as error:
        raise BundleError(str(error)) from None
    wanted = {tensor.name: f"input/{tensor.name}" for tensor in device.contract.main.inputs}
    missing = sorted({*wanted.values(), "target"} - set(arrays))
    if missing:
        raise InputError(f"{path}: no {missing[0]!r}; expected {', '.join(wanted.values())} and target")
    inputs, target = {name: arrays[key] for name, key in wanted.items()}, arrays["target"]
    labels = len(device.contract.labels)
    is_class = target.dtype.kind in "iu" and target.ndim == 1 and bool(((target >= 0) & (target < labels)).all())
    if not is_class or any(len(array) != len(target) for array in inputs.values()):
        raise InputError(f"{path}: 'target' is {target.dtype} {target.shape}, expected a class from 0 to {labels - 1} for each sample")
    return Samples(inputs, inputs, target, f"{path.name}, halved")


def _short(pair: Pair) -> dict[str, Any]:
    """Give everything but the curve."""
    return {key: value for key, value in encode(pair).items() if key != "curve"}


def _tell(pair: Pair, folder: Path) -> None:
    one = pair.checked
    print(f"{pair.device.name} ({pair.device.file}) with {pair.server.name} behind it")
    print(
        f"  the device asks below a confidence of {pair.threshold:.4f}; chosen on {pair.chosen.samples} samples, checked on {one.samples}:"
    )
    print(f"  {'device alone':<14} {one.device:.4f} right")
    print(f"  {'server alone':<14} {one.server:.4f} right")
    low, high = one.loss_interval
    print(f"  {'the pair':<14} {one.pair:.4f} right, {one.traffic:.4f} sent; {one.loss:+.4f} lost ({low:+.4f} to {high:+.4f})")
    print(f"  written to {folder / 'pair.json'}, {folder / 'pair.html'}")
