"""The proof: every released file answers golden inputs and test samples on emulated Pis and here, and the answers are compared."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edge.storage import load_npz
from edge.variants import Variant
from pi.comparison import FAILED, Row, bound, differences, exact, verdict
from pi.guest import Guest
from pi.place import Job, Report, Tell, here, there
from pi.released import Release
from training.progress import Bar, bar, say

SAMPLES = "samples.npz"

Answered = tuple[Report, Path]
Known = Callable[[Guest, Release], bool]


def prove(
    releases: Sequence[Release],
    guests: Sequence[Guest],
    known: Known | None = None,
    most: int | None = None,
) -> Iterator[list[Row]]:
    """Run files on guests, and yield the rows of a model on a runtime as soon as they are there.

    Args:
        releases: What was released.
        guests: Emulated Pis, each with one runtime.
        known: Tells what need not be run again; None for nothing.
        most: Samples of the test split, at most; None for what is enough for each model.

    Raises:
        SetupError: A tool is missing, or something cannot be downloaded.
    """
    runs = [(release, _wanted(release, guests, known)) for release in releases]
    with bar(sum(_size(release, wanted) for release, wanted in runs), " files") as shown:
        for number, (release, wanted) in enumerate(runs, 1):
            if not shown.live and wanted:
                say(f"{number} of {len(runs)}: {release.name}")
            with tempfile.TemporaryDirectory() as name:
                work = Path(name)
                count = release.write_samples(work / SAMPLES, most or release.samples) if wanted else 0
                for runtime in dict.fromkeys(guest.runtime for guest in wanted):
                    mine = _answered(release, runtime, None, count, work / "here", lambda: None)
                    yield [
                        _row(release, variant, guest, count, one, other)
                        for guest in wanted
                        if guest.runtime == runtime
                        for variant, one, other in _beside(release, guest, count, work, mine, shown)
                    ]


def _wanted(release: Release, guests: Sequence[Guest], known: Known | None) -> list[Guest]:
    return [guest for guest in guests if release.files(guest.runtime) and not (known and known(guest, release))]


def _size(release: Release, guests: Sequence[Guest]) -> int:
    return sum(len(release.files(guest.runtime)) for guest in guests)


def _beside(
    release: Release, guest: Guest, count: int, work: Path, mine: Sequence[Answered], shown: Bar
) -> Iterator[tuple[Variant, Answered, Answered]]:
    """Let a guest answer a model's files; give each with this machine's answer and the guest's."""
    theirs = _answered(release, guest.runtime, guest, count, work / "there", lambda: shown.advance(1))
    return zip(release.files(guest.runtime), mine, theirs, strict=True)


def _answered(release: Release, runtime: str, guest: Guest | None, count: int, work: Path, tell: Tell) -> list[Answered]:
    """Let a place answer a model's files, this machine where `guest` is None; give its reports and where its outputs are."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    samples = str(work.parent / SAMPLES) if count else ""
    jobs = [
        Job(str(release.folder), variant.file, runtime, samples, str(work / f"{number}.npz"))
        for number, variant in enumerate(release.files(runtime))
    ]
    reports = here(jobs, runtime, work, tell) if guest is None else there(jobs, guest, work, tell)
    return [(report, Path(job.outputs)) for report, job in zip(reports, jobs, strict=True)]


def _row(release: Release, variant: Variant, guest: Guest, test: int, here_: Answered, there_: Answered) -> Row:
    """Compare one file's answers of two places."""
    tolerance = bound(variant, release.contract.tolerance)
    (one, mine), (other, theirs) = here_, there_
    broken = [f"{where}: {report['error']}" for where, report in (("here", one), ("emulated", other)) if "error" in report]
    if broken:
        values, differing, difference, drift, judged = 0, 0, 0.0, 0.0, (FAILED, "; ".join(broken))
    else:
        values, differing, difference = differences(load_npz(theirs), load_npz(mine))
        drift = other["drift"]
        must = exact(variant, guest.runtime, other["version"], one["version"])
        judged = verdict(differing, difference, drift, tolerance, must)
    return Row(
        model=release.name,
        file=variant.file,
        sha256=variant.sha256,
        recipe=variant.recipe,
        runtime=guest.runtime,
        version=other.get("version", ""),
        system=guest.system.name,
        processor=guest.processor.qemu,
        golden=other.get("golden", 0),
        test=test,
        values=values,
        differing=differing,
        difference=difference,
        drift=drift,
        tolerance=tolerance,
        verdict=judged[0],
        why=judged[1],
    )
