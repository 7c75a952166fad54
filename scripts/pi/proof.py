"""The proof: every released file answers golden inputs and test samples on emulated Pis and here, and the answers are compared."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.storage import load_npz
from edge.variants import Variant
from pi.comparison import FAILED, Row, bound, differences, exact, verdict
from pi.guest import Guest
from pi.place import Job, Report, here, there
from pi.released import Release
from training.progress import bar, say

Named = tuple[Release, Variant]


def prove(releases: Sequence[Release], guests: Sequence[Guest]) -> Iterator[list[Row]]:
    """Run all files on all guests, and yield the rows of each guest as soon as it is done.

    Args:
        releases: What was released.
        guests: Emulated Pis, each with one runtime.

    Raises:
        SetupError: A tool is missing, or something cannot be downloaded.
    """
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        samples = {release.folder: _samples(release, work) for release in releases}
        for runtime in dict.fromkeys(guest.runtime for guest in guests):
            chosen = [(release, variant) for release in releases for variant in release.files(runtime)]
            say(f"{runtime}: {len(chosen)} files, here first")
            mine = _answered(chosen, samples, runtime, None, work / "here")
            for guest in (guest for guest in guests if guest.runtime == runtime):
                say(guest.name)
                theirs = _answered(chosen, samples, runtime, guest, work / "there")
                pairs = zip(chosen, mine, theirs, strict=True)
                yield [_row(named, guest, samples[named[0].folder][1], one, other) for named, one, other in pairs]


def _samples(release: Release, work: Path) -> tuple[Path, int]:
    path = work / f"{release.folder.parent.name}.npz"
    return path, release.write_samples(path)


Answered = tuple[Report, Path]


def _answered(
    chosen: Sequence[Named], samples: dict[Path, tuple[Path, int]], runtime: str, guest: Guest | None, work: Path
) -> list[Answered]:
    """Let a place answer all files, this machine where `guest` is None; give its reports and where its outputs are."""
    work.mkdir(exist_ok=True)
    jobs = []
    for number, (release, variant) in enumerate(chosen):
        path, count = samples[release.folder]
        output = work / f"{runtime}-{number}.npz"
        output.unlink(missing_ok=True)
        jobs.append(Job(str(release.folder), variant.file, runtime, str(path) if count else "", str(output)))
    with bar(len(jobs), " files") as shown:
        done = 0

        def tell() -> None:
            nonlocal done
            done += 1
            shown.advance(1)
            if not shown.live and done % 10 == 0:
                say(f"  {done} of {len(jobs)} files")

        reports = here(jobs, runtime, work, tell) if guest is None else there(jobs, guest, work, tell)
    return [(report, Path(job.outputs)) for report, job in zip(reports, jobs, strict=True)]


def _row(named: Named, guest: Guest, test: int, here_: Answered, there_: Answered) -> Row:
    """Compare one file's answers of two places."""
    release, variant = named
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
        model=release.folder.parent.name,
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
