"""`tandem bench … --steady SECONDS`: latency, temperature and throttling over time, as a table, a picture and JSON."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from edge.commands.options import describe, open_model
from edge.commands.progress import Progress
from edge.errors import SetupError, UsageError
from edge.sensors import REMEDIES, Sensors
from edge.steady import Window, run_steadily, summary
from edge.steady_picture import picture
from edge.storage import write_atomic
from edge.timing import single_rows, time_runs

LONGEST_S = 7 * 24 * 3600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what only steady load has."""
    group = parser.add_argument_group("steady load")
    group.add_argument("--steady", type=float, metavar="SECONDS", help="run so long without a pause, such as 600, and watch the heat")
    group.add_argument("--picture", type=Path, metavar="FILE.svg", help="draw latency, temperature and throttling over time")


def check(args: argparse.Namespace) -> None:
    """Refuse what cannot be carried out, before ten minutes are spent on it.

    Raises:
        UsageError: The time or the picture's name makes no sense.
        SetupError: The picture could not be written.
    """
    if args.picture is not None and args.steady is None:
        raise UsageError("--picture is drawn of --steady SECONDS; give both")
    if args.picture is not None and args.picture.suffix.lower() != ".svg":
        raise UsageError(f"--picture is {args.picture}, expected a name that ends in .svg")
    if args.picture is not None and not os.access(_folder(args.picture), os.W_OK):
        raise SetupError(f"{args.picture}: cannot be written there; choose another place with --picture")
    if args.steady is not None and not 1 <= args.steady <= LONGEST_S:
        raise UsageError(f"--steady is {args.steady:g}, expected 1 to {LONGEST_S} seconds")


def run(args: argparse.Namespace) -> int:
    """Run the model steadily and report.

    Raises:
        SetupError: The picture cannot be written.
        TandemError: The bundle cannot be used.
    """
    model = open_model(args)
    sensors = Sensors()
    rows = single_rows(model.bundle.golden.inputs)
    time_runs(model.run, rows, 0, args.warmup)
    progress = Progress(f"{model.contract.name}, steady", args.steady)
    windows = run_steadily(model.run, rows, args.steady, sensors, lambda window: progress.show(window.at_s, _note(window)))
    progress.close()
    found = {**describe(model), "threads": args.threads, "silent": sensors.missing(), **summary(windows)}
    if args.picture is not None:
        title = f"{found['model']} {found['version']}, {found['file']}: {found['seconds']:.0f} s of steady load"
        runtime = f"{found['runtime']} {found['runtime_version']} ({found['provider']}), {args.threads} thread(s)"
        write_atomic(args.picture, picture(windows, title, runtime).encode())
    print(json.dumps(found) if args.json else "\n".join(_lines(found, args)))
    return 0


def _folder(path: Path) -> Path:
    """Give the folder that a file would be written to, or the first above it that exists."""
    return next(folder for folder in path.absolute().parents if folder.is_dir())


def _note(window: Window) -> str:
    heat = "" if window.temperature_c is None else f", {window.temperature_c:.0f} °C"
    return f"p50 {window.p50_ms:.3f} ms{heat}"


def _lines(found: dict[str, Any], args: argparse.Namespace) -> list[str]:
    """Tell a steady run to people."""
    where = f"{found['file']} on {found['runtime']} {found['runtime_version']} ({found['provider']})"
    lines = [
        f"{found['model']} {found['version']}: {where}, {args.threads} thread(s)",
        f"  steady load       {found['runs']} inferences in {found['seconds']:.1f} s",
        f"  one inference     p50 {found['begun_p50_ms']:.3f} ms in the first tenth, {found['ended_p50_ms']:.3f} ms in the last: "
        f"{found['slowdown']:.2f} times as long",
    ]
    if found["temperature_highest_c"] is not None:
        lines.append(f"  temperature       {found['temperature_first_c']:.1f} °C at first, {found['temperature_highest_c']:.1f} °C at most")
    if found["clock_lowest_mhz"] is not None:
        lines.append(f"  clock rate        {found['clock_lowest_mhz']:.0f} MHz at least")
    if found["throttled_s"] is not None:
        lines += [f"  held back         {words} for {seconds:.0f} s: {REMEDIES[words]}" for words, seconds in found["throttled_s"].items()]
        lines += [] if found["throttled_s"] else ["  held back         never, says the firmware"]
        if found["throttled_before"]:
            lines.append(f"  since it started  {', '.join(found['throttled_before'])}")
    if found["silent"]:
        lines.append(f"  sensors           {found['silent']}")
    if args.picture is not None:
        lines.append(f"  picture           {args.picture}")
    return lines
