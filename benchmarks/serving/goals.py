"""The goals, as ratios within one run, and what was reached: each ratio is formed round by round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.serving.contenders import TANDEM
from benchmarks.serving.figures import Spread, spread
from benchmarks.serving.questions import JPEG, JSON, RAW
from benchmarks.serving.results import Results

MOSEC = ("mosec", "mosec_4", "mosec_16")
COUNTS = (1, 8, 32)


@dataclass(frozen=True)
class Ratio:
    """One goal: Tandem's rate over another's, by connections; None where nothing is asked for."""

    title: str
    model: str
    kind: str
    against: tuple[str, ...]
    wanted: tuple[float | None, float | None, float | None]


RATIOS = (
    Ratio("small model, binary, against Starlette + uvloop + httptools", "small", RAW, ("starlette",), (1.0, 1.7, 2.3)),
    Ratio("small model, binary, against mosec at its best setting", "small", RAW, MOSEC, (1.2, 2.0, 0.85)),
    Ratio("small model, JSON, against Starlette + orjson", "small", JSON, ("starlette",), (1.0, 1.0, 1.2)),
    Ratio("MobileNetV2, binary, against the limit without a server", "mobilenet", RAW, (), (None, 0.93, 0.93)),
    Ratio("MobileNetV2, JPEG, against the fastest peer", "mobilenet", JPEG, ("*",), (None, 1.0, 1.0)),
)


@dataclass(frozen=True)
class Verdict:
    """A goal, what was reached, and whether that is enough; None where it was not measured."""

    title: str
    wanted: str
    reached: str
    met: bool | None


def reached(results: Results, ratio: Ratio, count: int) -> tuple[Spread | None, str]:
    """Give a ratio at so many connections, and whom it is against."""
    case = f"{ratio.model} {ratio.kind} {count}"
    ours = _rates(results, TANDEM, case)
    if not ratio.against:
        return _over(ours, results.limit.get(ratio.model, {}).get("raw 1", [])), "the limit"
    names = [name for name in results.seen if name.partition(" ")[0] != TANDEM] if ratio.against == ("*",) else ratio.against
    rates = {name: _rates(results, name, case) for name in names if _rates(results, name, case)}
    if not rates:
        return None, "nobody"
    best = max(rates, key=lambda name: spread(rates[name]).median)
    return _over(ours, rates[best]), best


def _rates(results: Results, name: str, case: str) -> list[float]:
    return results.seen.get(name, {}).get(case, {}).get("rate", [])


def _over(ours: Sequence[float], theirs: Sequence[float]) -> Spread | None:
    pairs = [mine / other for mine, other in zip(ours, theirs, strict=False) if other]
    return spread(pairs) if pairs else None


def others(results: Results) -> list[Verdict]:
    """Judge the goals that are no ratios to a peer."""
    found = [_tail(results, kind, count) for kind in (RAW, JSON) for count in (8, 32)]
    for model in results.overload:
        found += _overload(results, model)
    resident = results.of_server(TANDEM, "small", "resident")
    ready = results.of_server(TANDEM, "small", "ready_s")
    found.append(_most("resident memory with the small model, MB", resident.median / 1e6 if resident else None, 220, "{:.0f}"))
    found.append(_most("seconds to the first right answer", ready.median if ready else None, 5, "{:.1f}"))
    return found


def _tail(results: Results, kind: str, count: int) -> Verdict:
    case = f"small {kind} {count}"
    p50, p99 = (results.figure(TANDEM, case, name) for name in ("p50", "p99"))
    value = p99.median / p50.median if p50 and p99 else None
    return _most(f"p99 over p50, small model, {kind}, {count} connections", value, 3, "{:.1f}")


def _overload(results: Results, model: str) -> list[Verdict]:
    row = results.overload[model]
    growth = row["resident_after"] / row["resident_before"]
    return [
        _least(f"goodput over peak at twice the peak, {model}", row["goodput"] / row["peak"], 0.9, "{:.2f}"),
        _most(f"accepted and answered after the deadline, {model}", row["late"], 0, "{:.0f}"),
        _most(f"memory after the overload over before, {model}", growth, 1.05, "{:.2f}"),
    ]


def _most(title: str, value: float | None, bound: float, form: str) -> Verdict:
    return _verdict(title, f"≤ {bound:g}", value, form, lambda known: known <= bound)


def _least(title: str, value: float | None, bound: float, form: str) -> Verdict:
    return _verdict(title, f"≥ {bound:g}", value, form, lambda known: known >= bound)


def _verdict(title: str, wanted: str, value: float | None, form: str, holds: Callable[[float], bool]) -> Verdict:
    return Verdict(title, wanted, "not measured" if value is None else form.format(value), None if value is None else holds(value))
