"""Tables of the page, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.serving import goals
from benchmarks.serving.contenders import TANDEM
from benchmarks.serving.figures import Spread
from benchmarks.serving.results import Results

NONE = "–"
MARKS = {True: "yes", False: "**no**", None: NONE}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table; numbers stand right, the first column left."""
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def contenders(results: Results) -> list[str]:
    """Name the contenders in the order of the table, Tandem first."""
    return [name for name in results.about["titles"] if name in results.seen]


def title(results: Results, name: str) -> str:
    """Give a contender's name for people."""
    given: str = results.about["titles"][name]
    return f"**{given}**" if name.partition(" ")[0] == TANDEM else given


def rates(results: Results, model: str, kind: str) -> str:
    """Tabulate answers per second by connections, with half the spread over the rounds."""
    counts = counts_of(results, model, kind)
    rows = []
    for name in contenders(results):
        cells = [_rate(results.figure(name, f"{model} {kind} {count}", "rate")) for count in counts]
        if any(cell != NONE for cell in cells):
            rows.append([title(results, name), *cells])
    return table(["answers per second", *(f"{count} conn." for count in counts)], rows)


def latencies(results: Results, model: str, kind: str, counts: Sequence[int] = (1, 8, 32)) -> str:
    """Tabulate p50, p99 and p99.9 in milliseconds, and the processor time of one answer."""
    counts = [count for count in counts if count in counts_of(results, model, kind)]
    head = ["p50 / p99 / p99.9 in ms", *(f"{count} conn." for count in counts), "processor µs an answer"]
    rows = []
    for name in contenders(results):
        keys = [f"{model} {kind} {count}" for count in counts]
        cells = [" / ".join(_ms(results.figure(name, key, figure)) for figure in ("p50", "p99", "p99.9")) for key in keys]
        used = results.figure(name, keys[-1], "processor_us") if keys else None
        if used:
            rows.append([title(results, name), *cells, f"{used.median:,.0f}"])
    return table(head, rows)


def counts_of(results: Results, model: str, kind: str) -> list[int]:
    """List the numbers of connections that were measured."""
    keys = {key for seen in results.seen.values() for key in seen}
    return sorted(int(key.split()[2]) for key in keys if key.split()[:2] == [model, kind])


def weights(results: Results) -> str:
    """Tabulate memory and the time to the first answer."""
    rows = []
    for name in contenders(results):
        cells = []
        for model in ("small", "mobilenet"):
            ready = results.of_server(name, model, "ready_s")
            shared, after = (results.of_server(name, model, key) for key in ("proportional", "resident_after"))
            resident = results.of_server(name, model, "resident")
            cells += [_mb(resident), _mb(shared), _mb(after), f"{ready.median:.1f}" if ready else NONE]
        rows.append([title(results, name), *cells])
    head = [f"{model}: {word}" for model in ("small", "MobileNetV2") for word in ("resident MB", "shared divided", "after load", "ready s")]
    return table(["", *head], rows)


def ratios(results: Results) -> str:
    """Tabulate the goals that are ratios."""
    rows = []
    for goal in goals.RATIOS:
        cells = []
        for count, wanted in zip(goals.COUNTS, goal.wanted, strict=True):
            found, whom = goals.reached(results, goal, count)
            cells.append(NONE if wanted is None else _ratio(found, wanted, results.about["titles"].get(whom, "")))
        rows.append([goal.title, *cells])
    return table(["goal", *(f"{count} conn." for count in goals.COUNTS)], rows)


def _ratio(found: Spread | None, wanted: float, whom: str) -> str:
    if found is None:
        return "not measured"
    value = f"{found.median:.2f} ({found.low:.2f}–{found.high:.2f})"
    return f"{value}, wanted ≥ {wanted:g}: {MARKS[found.median >= wanted]}" + (f"; {whom}" if whom else "")


def verdicts(results: Results) -> str:
    """Tabulate the other goals."""
    return table(["goal", "wanted", "reached", "met"], [[v.title, v.wanted, v.reached, MARKS[v.met]] for v in goals.others(results)])


def overload(results: Results) -> str:
    """Tabulate the overload."""
    rows = []
    for model, row in results.overload.items():
        total = sum(row["statuses"].values()) + row["unsent"]
        good = row["goodput"] * row["seconds"]
        statuses = ", ".join(f"{status}: {count}" for status, count in row["statuses"].items())
        memory = f"{row['resident_before'] / 1e6:.0f} → {row['resident_after'] / 1e6:.0f}"
        rates_ = [f"{row[key]:,.0f}" for key in ("peak", "offered", "goodput")]
        rows.append(
            [model, str(row["deadline_ms"]), *rates_, f"{good / max(total, 1):.0%}", statuses, str(row["unsent"]), str(row["late"]), memory]
        )
    head = ["", "deadline ms", "peak /s", "offered /s", "in time /s", "share in time", "answers by status", "not sent", "late", "memory MB"]
    return table(head, rows)


def path(results: Results) -> str:
    """Tabulate the stages of one request."""
    rows = []
    for kind, stages in results.path.items():
        for name, row in stages.items():
            more = [str(row.get(key, NONE)) for key in ("peak_bytes", "blocks")]
            rows.append([kind, name, f"{row['us']:.0f}", *more])
    return table(["", "stage", "µs", "peak bytes", "blocks kept"], rows)


def limit(results: Results) -> str:
    """Tabulate the loop without a server."""
    rows = []
    for model, seen in results.limit.items():
        rows += [[model, name, _rate(results.of_limit(model, name))] for name in seen]
    return table(["model", "batch", "samples per second"], rows)


def _rate(found: Spread | None) -> str:
    return NONE if found is None else f"{found.median:,.0f} ±{found.share:.0%}"


def _ms(found: Spread | None) -> str:
    return NONE if found is None else f"{found.median * 1000:.3g}"


def _mb(found: Spread | None) -> str:
    return NONE if found is None else f"{found.median / 1e6:.0f}"
