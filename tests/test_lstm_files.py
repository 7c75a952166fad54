"""The page of recurrent networks: a contract that demands nothing, and rows that say what was measured or why nothing was."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
import lstm_files

CONTRACT = {
    "name": "net",
    "metric": {"name": "f1", "floor": 0.9},
    "budget": {"size_bytes": 5, "rss_bytes": None},
    "recipes": ["static_wi8_ai8"],
    "requires_runtimes": ["onnxruntime"],
    "tolerance": {"agreement": 0.99},
}
TRIALS = [
    {"runtime": "ai-edge-litert", "metric": 0.9, "agreement": 1.0, "latency_ms": 0.5},
    {"runtime": "tflite-runtime", "metric": 0.1, "agreement": 0.2, "latency_ms": 0.25},
]
BOTH = {"size_bytes": 12_345, "trials": TRIALS, "refused": {}}
ONE = {"size_bytes": 1000, "trials": TRIALS[:1], "refused": {"tflite-runtime": "too old"}}


def test_nothing_is_demanded_and_the_rest_stays() -> None:
    made = lstm_files.undemanding(CONTRACT, "dynamic_wi8_afp32")
    assert (made["recipes"], made["requires_runtimes"], made["metric"]) == (["tflite:dynamic_wi8_afp32"], [], {"name": "f1", "floor": None})
    assert (made["budget"]["size_bytes"], made["tolerance"]["agreement"], made["name"]) == (None, 0.0, "net")
    assert CONTRACT["metric"] == {"name": "f1", "floor": 0.9}
    assert lstm_files.undemanding(CONTRACT, "fp32")["recipes"] == []


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        pytest.param(BOTH, "| 12 kB | 0.9000 / 0.1000 | 1.0000 / 0.2000 | 0.50 ms / 0.25 ms |\n", id="both"),
        pytest.param(ONE, "0.9000 / refused: too old |", id="one"),
        pytest.param(None, "| – | it failed | – | – |\n", id="none"),
    ],
)
def test_a_row_says_what_was_measured(file: dict[str, object] | None, expected: str) -> None:
    row = lstm_files.row("spam_lstm", "fp16", file, "it failed")
    assert row.startswith("| `spam_lstm` (Keras, `LSTM`) | fp16 |")
    assert expected in row


def test_the_page_has_a_row_for_every_model_and_recipe() -> None:
    page = (Path(__file__).parents[1] / lstm_files.PAGE).read_text(encoding="utf-8")
    assert page.startswith(lstm_files.BEGIN.format(runtimes="(ai-edge-litert / tflite-runtime)"))
    assert page.endswith(lstm_files.END)
    for model, library in lstm_files.MODELS.items():
        for recipe in lstm_files.RECIPES:
            assert f"| `{model}` ({library}) | {recipe} |" in page


def test_a_model_that_was_not_trained_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert lstm_files.main(["spam_lstm"]) == 2
    assert "not trained here: spam_lstm" in capsys.readouterr().err
