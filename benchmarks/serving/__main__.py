"""`python -m benchmarks.serving`: measure, keep the figures as JSON, and write `docs/performance.md` from them."""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.serving import machine, overload, page, path, plan, servers
from benchmarks.serving.contenders import CONTENDERS, TANDEM, Contender, tandem_from
from benchmarks.serving.environments import NotInstalledError
from benchmarks.serving.measure import Run, measure, say
from benchmarks.serving.models import CACHE, SHAPES, bundle
from benchmarks.serving.results import Results, read

OVERLOAD_S, QUICK_OVERLOAD_S = 8.0, 2.0
QUICK_S = 0.4


def arguments() -> argparse.ArgumentParser:
    """Declare the options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("--quick", action="store_true", help="one short round at 1 and 8 connections: whether everything works, no figures")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(CONTENDERS), help=f"some of: {', '.join(CONTENDERS)}")
    parser.add_argument("--models", nargs="+", metavar="MODEL", choices=list(SHAPES), default=list(SHAPES), help="small, mobilenet")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default 3)")
    parser.add_argument("--minutes", type=float, default=14.0, help="what the whole may take, installation aside (default 14)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--also", nargs="+", type=Path, default=[], metavar="CHECKOUT", help="Tandem from other checkouts too")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="nothing else: steady load on Tandem, with the slope of its memory")
    parser.add_argument("--json", type=Path, help="where the figures go (default .cache/bench/serving-DEVICE.json)")
    parser.add_argument("--page", nargs="?", type=Path, const=page.PAGE, help="measure nothing: write the page from the figures there are")
    return parser


def main() -> None:
    """Run what the options say."""
    args = arguments().parse_args()
    file = args.json or CACHE / f"serving-{args.device}{'-quick' if args.quick else ''}.json"
    if args.page:
        page.write(read(file), args.page)
        return
    server, client = servers.processors()
    if args.soak:
        results = read(file) if file.is_file() else Results(machine.about())
        results.soak = overload.soak(Run(args.device, 0.0, server, client), bundle("small"), args.soak)
        print(f"memory grew by {results.soak['bytes_per_hour'] / 2**20:.2f} MiB an hour")
    else:
        results = _whole(args, server, client)
    results.write(file)
    say(f"figures: {os.path.relpath(file)}")
    if results.seen and not args.quick and not args.only:
        page.write(results, page.PAGE)


def _whole(args: argparse.Namespace, server: set[int], client: set[int]) -> Results:
    begun = time.monotonic()
    contenders = [CONTENDERS[name] for name in args.only or CONTENDERS] + [_other(checkout) for checkout in args.also]
    every = plan.cases(args.models, args.quick)
    rounds = 1 if args.quick else args.rounds
    bundles = [bundle(name) for name in args.models]
    results = Results({**machine.about(), "device": args.device, "when": datetime.now(UTC).date().isoformat(), "rounds": rounds})
    _install(contenders, args.device, results)
    seconds = QUICK_S if args.quick else plan.seconds_each(contenders, every, rounds, args.minutes)
    results.about["seconds"] = seconds
    run = Run(args.device, seconds, server, client)
    measure(run, contenders, bundles, every, rounds, results)
    if TANDEM in {contender.name for contender in contenders}:
        for made in bundles:
            results.overload[made.name] = overload.overload(run, made, QUICK_OVERLOAD_S if args.quick else OVERLOAD_S)
        results.path = path.measure(bundles[0], quick=args.quick)
    results.about |= {"titles": {c.name: c.title for c in contenders}, "notes": {c.name: c.note for c in contenders}}
    results.about["minutes"] = (time.monotonic() - begun) / 60
    return results


def _install(contenders: list[Contender], device: str, results: Results) -> None:
    """Install every environment before anything is measured; one that cannot be is named in the results."""
    for contender in contenders:
        try:
            contender.start(bundle("small"), device, 0)
        except NotInstalledError as error:
            results.missing[contender.name] = str(error)


def _other(checkout: Path) -> Contender:
    folder = checkout.resolve()
    name = f"tandem in {folder.name}"
    return dataclasses.replace(CONTENDERS[TANDEM], name=name, title=f"Tandem in {folder.name}", start=tandem_from(folder))


if __name__ == "__main__":
    main()
