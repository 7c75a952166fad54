"""`scripts/lstm_files.py`: docs/lstm-files.md, what each quantization makes of recurrent networks, on both TFLite runtimes.

Every recipe is built from the hand-overs in `runs/` and measured on the whole test split, also those that no contract asks for:
the contracts are copied with nothing demanded, so that what fails is measured too. Nothing is released.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm
from zoo import read

from edge.bundle import versions
from edge.storage import write_sums

PAGE = Path("docs/lstm-files.md")
MODELS = {
    "spam_lstm": "Keras, `LSTM`",
    "mnist_rnn": "PyTorch, `nn.LSTM`",
    "sentiment_lstm_small": "PyTorch, `nn.LSTM`",
}
RECIPES = ("fp32", "fp16", "weight_only_wi8_afp32", "dynamic_wi8_afp32", "static_wi8_ai8", "static_wi8_ai16")
RUNTIMES = ("ai-edge-litert", "tflite-runtime")
UNLISTED = ("SHA256SUMS", "training.json", "run.html", "*.png", "*.svg")
NOTHING_ASKED = {"onnx": 1e9, "tflite": 1e9, "agreement": 0.0, "metric_drop": 1e9}
BEGIN = """# What quantization makes of LSTMs

Three recurrent networks, every way to write them for devices, on both TFLite runtimes, on the whole test split: whether or not
their contracts ask for it. Written by

    .venv/bin/python scripts/lstm_files.py

| model | numbers | size | test {runtimes} | answers as in float32 {runtimes} | median latency {runtimes} |
|---|---|---|---|---|---|
"""
END = """
"test" is each contract's own metric: F1 on spam, accuracy of digits, accuracy of reviews. What follows from it:

- **Ranges found at run time** (`dynamic_wi8_afp32`) and **16-bit activations** (`static_wi8_ai16`) are right on ai-edge-litert and no
  better than guessing on tflite-runtime 2.14; no quantizer here calibrates the loop of a Keras LSTM for 16 bits. Neither is released.
- **int8 weights with arithmetic in float32** keep their answers on both, and are released. **int8 throughout** does too on one
  processor, quicker on ai-edge-litert and slower on tflite-runtime, which runs it outside XNNPACK; over 28 steps its answers on
  tflite-runtime moved by 0.83 between x86 and an emulated Pi, so `mnist_rnn` does not release it.
- A Keras LSTM stays a loop in its file; steps that are written out (PyTorch's, and any in int8 throughout) make it larger.

Latency is of one sample on one thread of an x86 machine; it tells files apart, and says nothing about a Raspberry Pi.
`docs/zoo.md` has the files that are released.
"""


def main(words: Sequence[str] | None = None) -> int:
    """Measure, and write the page; give 2 where a model has no hand-over."""
    parser = argparse.ArgumentParser(prog="scripts/lstm_files.py", description="Write docs/lstm-files.md from what is measured now.")
    parser.add_argument("models", nargs="*", help=f"some of: {', '.join(MODELS)} (default: all)")
    models = parser.parse_args(words).models or list(MODELS)
    missing = [model for model in models if not versions(Path("runs") / model)]
    if missing:
        print(f"not trained here: {', '.join(missing)}; tandem train {missing[0]}", file=sys.stderr)
        return 2
    rows = []
    for model in models:
        for recipe in tqdm(RECIPES, desc=model, unit="file", disable=None):
            rows.append(row(model, recipe, *measured(versions(Path("runs") / model)[-1], recipe)))
    PAGE.write_text(BEGIN.format(runtimes=f"({' / '.join(RUNTIMES)})") + "".join(rows) + END, encoding="utf-8")
    print(f"{PAGE}: {len(rows)} files")
    return 0


def measured(handover: Path, recipe: str) -> tuple[dict[str, Any] | None, str]:
    """Export one file of a hand-over with nothing demanded of it; give what was measured, or why there is nothing."""
    name, version = handover.parent.name, handover.name
    with tempfile.TemporaryDirectory(prefix="tandem-lstm-") as place:
        copy = Path(place) / "runs" / name / version
        shutil.copytree(handover, copy, ignore=shutil.ignore_patterns(*UNLISTED))
        (copy / "contract.json").write_text(json.dumps(undemanding(read(handover / "contract.json"), recipe)), encoding="utf-8")
        write_sums(copy, sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()))
        out = Path(place) / "bundles"
        command = [sys.executable, "-m", "edge", "export", name, "--runs", str(copy.parents[1]), "--out", str(out), "--no-repair", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = out / name / version / "measurements.json"
        if not found.exists():
            said = (done.stdout + done.stderr).strip().splitlines()[-1]
            return None, said.removeprefix("tandem: ").partition("; see ")[0]
        file = next((file for file in read(found)["files"] if file["file"] == f"model.{recipe}.tflite"), None)
        return file, "no such file came of it"


def undemanding(contract: dict[str, Any], recipe: str) -> dict[str, Any]:
    """Copy a contract with one recipe, and nothing that a file could fail."""
    metric = {**contract["metric"], "floor": None}
    budget = {**contract["budget"], "size_bytes": None}
    recipes = [] if recipe == "fp32" else [f"tflite:{recipe}"]
    return {**contract, "metric": metric, "budget": budget, "recipes": recipes, "requires_runtimes": [], "tolerance": NOTHING_ASKED}


def row(model: str, recipe: str, file: dict[str, Any] | None, words: str) -> str:
    """Write one row of the table."""
    begin = f"| `{model}` ({MODELS[model]}) | {recipe} |"
    if file is None:
        return f"{begin} – | {words} | – | – |\n"
    trials = {trial["runtime"]: trial for trial in file["trials"]}
    cells = [
        " / ".join(form.format(**trials[name]) if name in trials else f"refused: {file['refused'].get(name, '')}" for name in RUNTIMES)
        for form in ("{metric:.4f}", "{agreement:.4f}", "{latency_ms:.2f} ms")
    ]
    return f"{begin} {file['size_bytes'] / 1000:,.0f} kB | {' | '.join(cells)} |\n"


if __name__ == "__main__":
    raise SystemExit(main())
