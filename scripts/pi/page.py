"""docs/emulated-pi.md and its figures, docs/emulated-pi.json: what emulated Pis answer and what a model needs in a real guest."""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pi.comparison import EQUAL, FAILED, WITHIN, Row, bound
from pi.guest import Guest
from pi.processors import PROCESSORS
from pi.released import Release
from pi.systems import RUNTIMES, SYSTEMS, System

ROOT = Path(__file__).resolve().parents[2]
PAGE, FIGURES = ROOT / "docs" / "emulated-pi.md", ROOT / "docs" / "emulated-pi.json"
BOARDS = {processor.qemu: processor.board for processor in PROCESSORS.values()}
WHOSE = ("system", "processor", "runtime", "model")  # whose files at one place are replaced together
HEAD = """# On an emulated Raspberry Pi

Every released file answers its golden inputs and up to 200 samples of the test split (20 where a model has more than 50 MB)
twice: on the x86-64 machine that runs this, and on an emulated Pi; the outputs are compared value by value. This page is
written from those comparisons by

```text
python scripts/emulated_pi.py prove --page             # every model, Debian bookworm, Pi 4 and Pi 5
python scripts/emulated_pi.py prove --system trixie --page --new   # what the page does not show yet
python scripts/emulated_pi.py memory --page            # a whole virtual machine
python scripts/emulated_pi.py guide --system trixie    # the commands of raspberry-pi.md, in one with systemd
```

`make test-pi` compares three models. It needs Debian's packages `mmdebstrap` and `qemu-user-static`, and `qemu-system-arm`
for the virtual machine. Systems are unpacked from Debian's archive, libraries are pinned by hash; the first call makes them
and keeps them in the cache (about 420 MB for bookworm with its three runtimes, said line by line).

**Emulated** means: QEMU executes the processor's instructions, so what is calculated is what the processor calculates.
Times are not a Pi's, and no time is given here.

- **equal**: every byte of every output is the same as on x86-64. Files in whole numbers (`static_wi8_ai8`) have to be,
  on the same version of ai-edge-litert.
- A figure is the largest difference from x86-64, on outputs of any size. It is held to the tolerance that the contract
  promises, or to the file's own where that is more (files with rounded weights); before that the loader has held the
  golden answers to the file's own, as on every device.
- **–**: not run there yet.
"""
SYSTEMS_HEAD = """
## Systems and their runtimes

No wheel: there is none for that Python and architecture, or only one for a newer C library, which pip refuses there.

| system | Python | {runtimes} |
|---|---|{rules}|
"""
SUMMARY_HEAD = """
## In short

| system | processor | runtime | files | equal | within tolerance | failed |
|---|---|---|--:|--:|--:|--:|
"""
MEMORY_HEAD = """
## Memory in a real guest

A virtual machine with 1 GiB, Debian's own kernel and a disk; tandem-edge and one runtime, one thread. Resident memory is
the most that the process held (`VmHWM`) after opening the bundle, its golden replay and its answers. The same process then
runs in a control group of 128 MiB without swap; the last column is the most that the group held, files in the page cache
included. A process that fills 128 MiB is ended there, so the group does limit.

| model | file | system | runtime | answers | resident memory | threads | in 128 MiB | the group's most |
|---|---|---|---|--:|--:|--:|---|--:|
"""


def load() -> dict[str, Any]:
    """Return the stored figures: `rows`, and `memory` where it was measured."""
    figures: dict[str, Any] = {"rows": [], "memory": []}
    if FIGURES.is_file() and FIGURES.stat().st_size:
        figures.update(json.loads(FIGURES.read_text(encoding="utf-8")))
    return figures


def known(rows: Sequence[Mapping[str, Any]]) -> Callable[[Guest, Release], bool]:
    """Return what tells whether all files of a model were compared on a guest as they are now, and none failed."""
    passed = {tuple(row[part] for part in (*WHOSE, "sha256", "version", "tolerance")) for row in rows if row["verdict"] != FAILED}

    def compared(guest: Guest, release: Release) -> bool:
        place = (guest.system.name, guest.processor.qemu, guest.runtime, release.name)
        version, promised = guest.system.version(guest.runtime), release.contract.tolerance
        return all((*place, file.sha256, version, bound(file, promised)) in passed for file in release.files(guest.runtime))

    return compared


def write(rows: Sequence[Row] = (), memory: Sequence[Mapping[str, Any]] = ()) -> None:
    """Put new figures in the place of old ones, and write both files; a model's files at one place are replaced together."""
    with FIGURES.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # several processes may compare at once
        figures = load()
        new = [asdict(row) for row in rows]
        proved = {tuple(row[part] for part in WHOSE) for row in new}
        others = [row for row in figures["rows"] if tuple(row[part] for part in WHOSE) not in proved]
        figures["rows"] = _merged(others, new, (*WHOSE, "file"))
        figures["memory"] = _merged(figures["memory"], memory, ("model", "system", "processor"))
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(render(figures), encoding="utf-8")


def render(figures: Mapping[str, Any]) -> str:
    """Make the page of figures as `load` gives them."""
    rows = figures["rows"]
    systems = [system for system in SYSTEMS.values() if any(row["system"] == system.name for row in rows)]
    parts = [HEAD, _systems(), _summary(rows), _memory(figures["memory"])]
    return "".join([*parts, *(_table(system, [row for row in rows if row["system"] == system.name]) for system in systems)])


def _merged(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], key: Sequence[str]) -> list[Mapping[str, Any]]:
    table = {tuple(item[part] for part in key): item for item in [*old, *new]}
    return [table[name] for name in sorted(table)]


def _systems() -> str:
    rules = "|".join(["---"] * len(RUNTIMES))
    lines = []
    for system in SYSTEMS.values():
        pins = [_pin(system, runtime) for runtime in RUNTIMES]
        lines.append(f"| {system.suite}, {system.architecture} | {system.python} | {' | '.join(pins)} |\n")
    return SYSTEMS_HEAD.format(runtimes=" | ".join(RUNTIMES), rules=rules) + "".join(lines)


def _pin(system: System, runtime: str) -> str:
    if runtime not in system.runtimes:
        return "no wheel"
    return ", ".join([system.version(runtime), *(pin.replace("==", " ") for pin in system.pins(runtime)[1:])])


def _summary(rows: Sequence[Mapping[str, Any]]) -> str:
    places = sorted({(row["system"], row["processor"], row["runtime"], row["version"]) for row in rows if row["version"]})
    lines = []
    for place in places:
        found = Counter(row["verdict"] for row in rows if (row["system"], row["processor"], row["runtime"], row["version"]) == place)
        system, processor, runtime, version = place
        counts = f"{found.total()} | {found[EQUAL]} | {found[WITHIN]} | {found[FAILED]}"
        lines.append(f"| {system} | {processor} ({BOARDS[processor]}) | {runtime} {version} | {counts} |\n")
    return SUMMARY_HEAD + "".join(lines)


def _memory(memory: Sequence[Mapping[str, Any]]) -> str:
    return MEMORY_HEAD + "".join(_memory_line(item) for item in memory) if memory else ""


def _memory_line(item: Mapping[str, Any]) -> str:
    works = "works" if item["works_in_128_mib"] else "**fails**"
    what = f"`{item['model']}` | `{item['file']}` | {item['system']}, {item['processor']} | {item['runtime']} | {item['answers']}"
    held, group = (f"{item[key] / 1e6:.1f} MB" for key in ("rss_peak_bytes", "group_peak_bytes"))
    return f"| {what} | {held} | {item['threads']} | {works} | {group} |\n"


def _table(system: System, rows: Sequence[Mapping[str, Any]]) -> str:
    """Give one system's files, a column for each processor."""
    processors = sorted({row["processor"] for row in rows})
    title = f"\n## {system.suite.capitalize()}, {system.bits} bits, Python {system.python}\n\n"
    head = "".join(f" {processor} ({BOARDS[processor]}) |" for processor in processors)
    text = f"{title}| model | file | runtime | samples |{head} tolerance |\n|---|---|---|--:|{'--:|' * len(processors)}--:|\n"
    named: dict[tuple[str, str, str], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        named.setdefault((row["model"], row["file"], row["runtime"]), {})[row["processor"]] = row
    for (model, file, runtime), found in sorted(named.items()):
        some = next(iter(found.values()))
        cells = "".join(f" {_cell(found.get(processor))} |" for processor in processors)
        samples = f"{some['golden']} + {some['test']}"
        text += f"| `{model}` | `{file}` | {runtime} | {samples} |{cells} {some['tolerance']:.2g} |\n"
    return text


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "–"
    if row["verdict"] == FAILED:
        return f"**failed**: {row['why']}"
    return "equal" if row["verdict"] == EQUAL else f"{row['difference']:.1e}"
