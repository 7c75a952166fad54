"""`docs/performance.md`, written from the figures of a run; what people wrote about the profile is kept in a file beside this one."""

from __future__ import annotations

from pathlib import Path

from benchmarks.serving import tables
from benchmarks.serving.contenders import TANDEM
from benchmarks.serving.environments import ROOT
from benchmarks.serving.pictures import Bar, bars
from benchmarks.serving.results import Results

PAGE = ROOT / "docs" / "performance.md"
PROFILE = Path(__file__).resolve().parent / "profile.md"
TITLES = {"binary": "binary tensors", "json": "JSON", "jpeg": "a JPEG upload"}
MODELS = {"small": "The small model", "mobilenet": "MobileNetV2 at 224×224"}
DRAWN = (("small", "binary", 32), ("small", "binary", 1), ("small", "json", 8), ("mobilenet", "jpeg", 8))


def write(results: Results, page: Path) -> None:
    """Write the page, and its pictures beside it."""
    folder = page.parent / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for model, kind, count in DRAWN:
        rows = _bars(results, f"{model} {kind} {count}")
        if rows:
            name = f"serving-{model}-{kind}-{count}.svg"
            heading = f"{MODELS[model]}, {TITLES[kind]}, {count} connection{'s' * (count > 1)}"
            (folder / name).write_text(bars(heading, "/s", rows), encoding="utf-8")
            drawn.append(f"![{heading}: answers per second](pictures/{name})")
    page.write_text(_text(results, drawn), encoding="utf-8")


def _bars(results: Results, case: str) -> list[Bar]:
    found = [(name, results.figure(name, case, "rate")) for name in tables.contenders(results)]
    titles = results.about["titles"]
    return [Bar(titles[name], seen.median, seen.low, seen.high, name == TANDEM) for name, seen in found if seen]


def _text(results: Results, drawn: list[str]) -> str:
    parts = ["# Serving performance", _introduction(results), "## Goals", tables.ratios(results), tables.verdicts(results)]
    parts += ["## Pictures", *drawn] if drawn else []
    for model in MODELS:
        kinds = [kind for kind in TITLES if tables.counts_of(results, model, kind)]
        for kind in kinds:
            parts += [f"## {MODELS[model]}, {TITLES[kind]}", tables.rates(results, model, kind), tables.latencies(results, model, kind)]
    parts += ["## Memory and start-up", tables.weights(results), _weights_note()]
    parts += ["## The limit without a server", tables.limit(results)] if results.limit else []
    parts += ["## Overload", _overload_note(), tables.overload(results)] if results.overload else []
    parts += _soak(results)
    parts += ["## One request inside Tandem", _path_note(), tables.path(results)] if results.path else []
    parts += [PROFILE.read_text(encoding="utf-8").strip()] if PROFILE.is_file() else []
    parts += ["## Who takes part, and how", _notes(results)]
    return "\n\n".join(parts) + "\n"


def _introduction(results: Results) -> str:
    about = results.about
    gpu = f"GPU: {about['gpu']}." if about["device"] == "cuda" else "GPU: not measured."
    apart = "one for the servers, another for the client" if about["processors"] > 1 else "which servers and client share"
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return f"""Written by `make bench` (`python -m benchmarks.serving`); do not edit. `python -m benchmarks.serving --page` writes it again
from the figures in `.cache/bench/`.

Measured on {about["when"]} in one run of {about["minutes"]:.0f} minutes: {about["processors"]} processors
({about["processor"]}), {apart};
{about["memory_gib"]} GiB; {about["system"]}; Python {about["python"]}; {versions}. {gpu}

Every server has one processor, runs the same ONNX file in onnxruntime with one thread, and is started anew for each of {about["rounds"]}
rounds, in an order that changes from round to round. Connections are kept alive and ask again as soon as they have their answer, for
{about["seconds"]:.1f} s in each round. Figures are medians over the rounds; ± is half the way from the lowest to the highest. Differences
below 20 % are ties. A percentile is left out where too few answers came to tell it. Every server's answers are held against the right
ones before it is measured. The load before the run was {about["load_before"]:.1f}."""


def _notes(results: Results) -> str:
    rows = [[tables.title(results, name), results.about["notes"][name] or tables.NONE] for name in results.about["titles"]]
    notes = tables.table(["server", "setting"], rows)
    if results.missing:
        notes += "\n\nLeft out:\n\n" + "\n".join(f"- {name}: {why}" for name, why in results.missing.items())
    return notes + "\n\nPins are in `benchmarks/serving/peers/*.txt`; each environment is made in `.venv-bench/` when it is first needed."


def _weights_note() -> str:
    return """“Resident” sums the pages of all processes of a server before it is asked, as `ps` shows them; “shared divided”
counts pages that several processes share once. “Ready” is the time from the start to the first right answer."""


def _overload_note() -> str:
    return """Requests are sent on schedule at twice the peak that was measured just before, each with `X-Request-Timeout-Ms`;
time counts from when a request was due. “In time” are good answers within the deadline; “late” are good answers after it;
“not sent” found no free connection among 1000."""


def _path_note() -> str:
    return """`python -m benchmarks.serving.path`, without sockets: processor time of each stage, and what `tracemalloc` sees of it.
The last rows are the whole way, from the bytes that a connection brings to those that go back, for so many connections that ask at once."""


def _soak(results: Results) -> list[str]:
    if not results.soak:
        return []
    soak = results.soak
    words = f"{soak['answers']:,} answers in {soak['seconds']:.0f} s of steady load, {soak['refused']} refused; memory grew by"
    return ["## Soak", f"{words} {soak['bytes_per_hour'] / 2**20:.1f} MiB an hour (`python -m benchmarks.serving --soak SECONDS`)."]
