"""Exports of the real model: released, kept, reproducible, and refused with the exit code of the reason."""

import json
import shutil

import numpy as np
import pytest

from edge import variants
from edge.bundle import UNLISTED, open_bundle
from edge.cli import main
from edge.model import Model
from edge.storage import load_npz

FIGURES = {"full": (0.990, 0.003), "subset": (0.95, 0.01)}


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in UNLISTED}


@pytest.fixture
def export(tmp_path, capsys):
    """Run `tandem export mnist_cnn` on the hand-over below `tmp_path`; give exit code, standard output and error."""

    def run(*words):
        code = main(["export", "mnist_cnn", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "bundles"), *words])
        return code, *capsys.readouterr()

    return run


def test_a_released_bundle_is_kept_while_nothing_changes_and_is_byte_identical_when_exported_again(export, small_handover, tmp_path):
    code, out, _ = export("--json")
    assert code == 0
    facts = json.loads(out)
    folder = tmp_path / "bundles" / "mnist_cnn" / "1.0.0"
    assert facts["bundle"] == str(folder)
    assert facts["skipped"] is False
    first = content(folder)
    page = (folder / "report.html").read_text()
    assert "Released." in page
    assert 'src="http' not in page

    assert json.loads(export("--json")[1])["skipped"] is True
    code, out, err = export()
    assert code == 0
    assert "nothing changed" in err
    assert "model.static_wi8_ai8.tflite" in out

    assert json.loads(export("--json", "--force")[1])["skipped"] is False
    assert content(folder) == first

    (folder / "model.onnx").write_bytes(b"damaged")
    assert json.loads(export("--json")[1])["skipped"] is False, "a damaged bundle is released again"
    assert content(folder) == first


def test_a_missed_floor_fails_with_4_leaves_a_report_and_the_earlier_bundle(export, small_handover, bundle, resign, tmp_path):
    released = tmp_path / "bundles" / "mnist_cnn" / "1.0.0"
    shutil.copytree(bundle, released)
    before = content(released)
    path = small_handover / "contract.json"
    data = json.loads(path.read_text())
    data["metric"]["floor"] = 1.0
    data["tolerance"]["onnx"] = 0.0
    path.write_text(json.dumps(data))
    samples = small_handover / "eval.npz"
    arrays = load_npz(samples)
    arrays["target"][0] = (arrays["target"][0] + 1) % 10
    np.savez(samples, **arrays)
    resign(small_handover)
    code, _, err = export()
    assert code == 4
    assert "accuracy is 0.9" in err
    assert "Traceback" not in err
    page = (tmp_path / "bundles" / "mnist_cnn" / "rejected-1.0.0.html").read_text()
    assert "Not released." in page
    assert "broken" in page
    assert content(released) == before


def test_a_program_that_is_none_fails_with_3(export, small_handover, resign):
    (small_handover / "program.pt2").write_bytes(b"not a program")
    resign(small_handover)
    code, _, err = export()
    assert code == 3
    assert "not a whole .pt2 program" in err


def test_a_program_that_gives_another_output_than_promised_fails_with_3(export, small_handover, resign):
    path = small_handover / "contract.json"
    data = json.loads(path.read_text())
    data["graphs"][0]["outputs"][0]["shape"] = ["batch", 11]
    data["labels"].append("ten")
    path.write_text(json.dumps(data))
    golden = load_npz(small_handover / "golden.npz")
    golden["output/logits"] = np.concatenate([golden["output/logits"], np.full((len(golden["label"]), 1), -99, np.float32)], axis=1)
    np.savez(small_handover / "golden.npz", **golden)
    resign(small_handover)
    code, _, err = export()
    assert code == 3
    assert "output 'logits' is float32 (10,), expected float32 (11,)" in err


def test_a_required_runtime_that_is_not_here_fails_with_6_before_any_work(export, small_handover, monkeypatch, tmp_path):
    monkeypatch.setenv("TANDEM_LEGACY_PYTHON", str(tmp_path / "nowhere" / "python"))
    code, _, err = export()
    assert code == 6
    assert "must be proved on tflite-runtime, which is not on this machine" in err
    assert "make install" in err


def test_an_altered_hand_over_fails_with_7(export, small_handover):
    (small_handover / "golden.npz").write_bytes(b"x")
    code, _, err = export()
    assert code == 7
    assert "the file was altered or damaged" in err


@pytest.mark.parametrize("limit", ["0", "-1", "nan", "1e9"])
def test_a_time_limit_that_makes_no_sense_fails_with_2(export, limit):
    assert export(f"--time-limit={limit}")[0] == 2


@pytest.fixture(scope="module")
def facts(handover, bundle):
    """(least accuracy, largest loss) for the data that could be had, and the released variants by file."""
    training = json.loads((handover / "training.json").read_text())
    kind = "full" if training["data"]["test"] == 10_000 else "subset"
    return FIGURES[kind], {v.file: v for v in variants.loads((bundle / "variants.json").read_bytes())}


class TestFigures:
    """The figures that the README states, on the real bundle."""

    def test_accuracy_and_loss(self, facts):
        (floor, loss), files = facts
        assert files["model.onnx"].metric >= floor
        assert files["model.onnx"].metric - files["model.static_wi8_ai8.tflite"].metric <= loss

    def test_onnx_gives_the_trainers_label_on_every_test_sample(self, facts):
        assert facts[1]["model.onnx"].agreement == 1.0

    def test_int8_is_at_most_a_third_of_fp32(self, facts):
        files = facts[1]
        assert files["model.static_wi8_ai8.tflite"].size_bytes <= files["model.fp32.tflite"].size_bytes / 3

    def test_every_declared_runtime_ran_every_file(self, facts):
        files = facts[1]
        assert files["model.onnx"].passed == ("onnxruntime",)
        for name in ("model.fp32.tflite", "model.static_wi8_ai8.tflite"):
            assert files[name].passed == ("ai-edge-litert", "tflite-runtime")

    def test_server_and_device_give_the_same_label_up_to_the_stated_disagreement(self, facts, handover, bundle):
        images = load_npz(handover / "eval.npz")["input/image"]
        server, device = (
            Model.open(bundle, target=target).run({"image": images})["logits"].argmax(axis=1) for target in ("server", "device")
        )
        stated = 1 - facts[1]["model.static_wi8_ai8.tflite"].agreement
        assert np.mean(server != device) <= stated + 1e-9


def test_the_bundle_tells_where_it_comes_from(bundle):
    provenance = json.loads((bundle / "provenance.json").read_text())
    assert provenance["packages"]["torch"].startswith("2.13.0")
    assert provenance["training"]["data"]["sha256"]
    measured = json.loads((bundle / "measurements.json").read_text())
    assert {file["file"] for file in measured["files"]} == {v.file for v in open_bundle(bundle).variants}
