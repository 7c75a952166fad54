"""Exports of a tiny model for pipelines: what is said, in which form, and what is done again."""

import json
import shutil

import pytest

from edge.bundle import UNLISTED, open_bundle
from edge.cli import main
from edge.storage import load_npz, save_npz


def released(tmp_path):
    folder = tmp_path / "bundles" / "tiny" / "1.0.0"
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in UNLISTED}


def change(folder, resign, **fields):
    path = folder / "contract.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    resign(folder)


def test_an_unchanged_model_is_kept_and_says_so_to_machines(tiny_export):
    code, out, _ = tiny_export("--json")
    facts = json.loads(out)
    assert (code, facts["skipped"], facts["released"], facts["exit_code"]) == (0, True, True, 0)
    assert [variant["file"] for variant in facts["variants"]] == ["model.onnx"]


def test_exporting_again_with_kept_conversions_gives_the_same_bytes(tiny_export, tmp_path):
    before = released(tmp_path)
    code, out, err = tiny_export("--force", "--json", "--jobs=1")
    assert code == 0
    assert "[3/3, 100 %] model.onnx on onnxruntime" in err
    (trial,) = json.loads(out)["trials"]
    assert 0 < trial["latency_ms"] <= trial["latency_p95_ms"]
    assert trial["peak_rss_bytes"] > 1e7
    assert {check["name"] for check in trial["checks"]} >= {"accuracy", "top-1 agreement"}
    assert released(tmp_path) == before
    shutil.rmtree(tmp_path / "bundles" / "tiny" / ".cache")
    assert tiny_export("--force")[0] == 0
    assert released(tmp_path) == before, "the same without kept conversions"


def test_another_tolerance_proves_anew_and_converts_nothing(tiny_export, tiny, resign, tmp_path, monkeypatch):
    change(tiny, resign, tolerance={"onnx": 0.5}, description="Brightness.")
    code, out, _ = tiny_export("--explain")
    assert code == 0
    assert "would be exported again" in out
    assert "hand-over: contract.json changed" in out
    assert "cache: onnx: kept, used again" in out
    monkeypatch.setattr("export.sandbox.Sandbox._child", no_conversion(monkeypatch))
    assert tiny_export()[0] == 0
    assert open_bundle(tmp_path / "bundles" / "tiny").contract.tolerance.onnx == 0.5


def no_conversion(monkeypatch):
    from export.sandbox import Sandbox

    genuine = Sandbox._child

    def child(self, command, label, request, failure):
        assert "export.convert" not in command, f"{label} was converted again"
        return genuine(self, command, label, request, failure)

    return child


def test_explain_says_that_nothing_changed(tiny_export):
    assert "tiny 1.0.0: is kept\n  nothing changed" in tiny_export("--explain")[1]
    (model,) = json.loads(tiny_export("--explain", "--json")[1])["models"]
    assert (model["again"], model["reasons"]) == (False, ["nothing changed"])


def test_explain_names_the_part_of_the_key_that_changed(tiny_export, tmp_path):
    path = tmp_path / "bundles" / "tiny" / "1.0.0" / "provenance.json"
    recorded = json.loads(path.read_text())
    recorded["key"]["packages"]["torch"] = "1.0"
    recorded["key"]["code"]["export"] = "0" * 64
    del recorded["key"]["runtimes"]["onnxruntime"]
    path.write_text(json.dumps(recorded))
    out = tiny_export("--explain")[1]
    assert "packages: torch 1.0 → 2." in out
    assert "code: export changed" in out
    assert "runtimes: onnxruntime see packages is new" in out


def test_a_part_is_proved_and_nothing_is_released(tiny_export, tmp_path):
    before = released(tmp_path)
    code, out, err = tiny_export("--only", "onnx")
    assert code == 0
    assert "proved onnx alone" in err
    assert "nothing was released" in err
    assert released(tmp_path) == before
    assert "Only onnx was built" in (tmp_path / "bundles" / "tiny" / "partial-1.0.0.html").read_text()
    code, out, err = tiny_export("--only", "int3", "--json")
    assert code == 2
    assert "there are onnx, fp32" in json.loads(out)["error"]


def test_several_models_go_on_after_a_failure_and_end_in_a_table(tiny_export, tiny, tmp_path, resign):
    shutil.copytree(tiny.parent, tmp_path / "runs" / "broken")
    (tmp_path / "runs" / "broken" / "1.0.0" / "golden.npz").unlink()
    code, out, err = tiny_export("--all", names=())
    assert code == 7
    assert "tandem: broken: " in err
    assert [line.split()[:2] for line in out.splitlines()] == [["broken", "failed"], ["tiny", "unchanged"]]
    facts = json.loads(tiny_export("--json", names=("tiny", "broken"))[1])
    assert facts["exit_code"] == 7
    assert [model["name"] for model in facts["models"]] == ["tiny", "broken"]
    assert "missing" in facts["models"][1]["error"]


def test_a_refused_model_leaves_reports_for_people_and_machines(tiny_export, tiny, tmp_path, resign):
    before = released(tmp_path)
    arrays = load_npz(tiny / "eval.npz")
    arrays["target"] = (arrays["target"] + 1) % 3
    save_npz(tiny / "eval.npz", arrays)
    resign(tiny)
    code, out, err = tiny_export("--json")
    failure = json.loads(out)
    assert (code, failure["exit_code"]) == (4, 4)
    assert "accuracy is 0.0000" in failure["error"]
    assert err.splitlines()[-1].startswith("tandem: tiny 1.0.0, model.onnx: not released")
    assert released(tmp_path) == before
    beside = tmp_path / "bundles" / "tiny"
    assert "Not released." in (beside / "rejected-1.0.0.html").read_text()
    assert "❌ not released" in (beside / "rejected-1.0.0.md").read_text()
    assert "<failure" in (beside / "rejected-1.0.0.junit.xml").read_text()
    index = (tmp_path / "bundles" / "index.html").read_text()
    assert "tiny/rejected-1.0.0.html" in index
    assert "1 refused" in index


def test_a_bundle_that_is_kept_takes_away_the_refusal_of_another_training(tiny_export, tmp_path):
    bundles = tmp_path / "bundles"
    stale = [bundles / "tiny" / f"rejected-1.0.0{suffix}" for suffix in (".html", ".md", ".junit.xml", ".json")]
    for page in stale:
        page.write_text('{"name": "tiny", "version": "1.0.0", "verdict": "refused"}')
    (bundles / "index.html").write_text("1 refused")
    code, out, _ = tiny_export("--json")
    assert (code, json.loads(out)["skipped"]) == (0, True)
    assert not [page for page in stale if page.exists()]
    assert "0 refused" in (bundles / "index.html").read_text()


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["--jobs=0"], "--jobs is 0"),
        (["--memory-limit=0"], "--memory-limit is 0"),
        (["--memory-limit=nan"], "--memory-limit is nan"),
        (["--all", "--only=onnx"], "not both"),
    ],
    ids=["no jobs", "no memory", "nan", "names and all"],
)
def test_options_that_make_no_sense_are_refused(tiny_export, words, fragment):
    code, out, err = tiny_export(*words, "--json")
    assert code == 2
    assert fragment in err
    assert json.loads(out)["exit_code"] == 2


def test_the_file_of_a_recipe_is_told_the_name_of_its_model(capsys):
    assert main(["export", "./my_model.py"]) == 2
    assert "the name of a model that was trained: tandem export my_model" in capsys.readouterr().err
