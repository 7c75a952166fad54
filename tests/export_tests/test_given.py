"""Models from elsewhere become hand-overs and bundles like any other; what is refused is refused by name."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import open_bundle
from edge.cli import main
from edge.errors import InputError, UsageError
from edge.model import Model
from edge.storage import save_npz
from export import given_kinds
from tests.export_tests import foreign_models as models
from tests.export_tests.foreign_models import LINEAR, stated


@pytest.fixture
def bring(tmp_path, capfd, monkeypatch):
    """Run `tandem export --program …` in a folder of its own; give the exit code and what was said."""
    monkeypatch.chdir(tmp_path)

    def run(program, contract, samples, *words, **evaluation):
        Path("contract.json").write_text(json.dumps(contract))
        save_npz(Path("samples.npz"), samples)
        if evaluation:
            save_npz(Path("eval.npz"), evaluation)
            words = (*words, "--eval=eval.npz")
        code = main(["export", "--program", str(program), "--contract=contract.json", "--samples=samples.npz", *words])
        out, err = capfd.readouterr()
        return code, out + err

    return run


def test_an_onnx_file_without_right_answers_is_released_for_parity_only_and_everything_says_so(bring, tmp_path, capfd):
    program = models.linear(tmp_path / "net.onnx")
    code, said = bring(program, LINEAR, {"x": models.rows()})
    assert code == 0, said
    assert "parity only" in said
    folder = tmp_path / "bundles" / "linear" / "1.0.0"
    bundle = open_bundle(folder)
    assert bundle.contract.parity_only
    assert (bundle.variants[0].metric, bundle.variants[0].agreement) == (None, 1.0)
    assert (folder / "model.onnx").read_bytes() == program.read_bytes(), "the file is served as it is"
    for page in ("report.html", "report.md", "README.md"):
        assert "Parity only" in (folder / page).read_text(), page
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["proof"] == "parity only"
    assert "parity across runtimes only" in provenance["given"]["notes"][0]
    assert main(["info", str(folder)]) == 0
    assert "parity only" in capfd.readouterr().out
    expected = models.rows(3) @ models.WEIGHT
    np.testing.assert_allclose(Model.open(folder, target="server").run({"x": models.rows(3)})["y"], expected, atol=1e-5)


def test_with_right_answers_the_metric_is_measured_and_its_floor_holds(bring, tmp_path):
    program, x = models.linear(tmp_path / "net.onnx"), models.rows(200)
    right = (x @ models.WEIGHT).argmax(axis=1)
    assert bring(program, LINEAR, {"x": x[:20]}, x=x, target=right)[0] == 0
    assert open_bundle(tmp_path / "bundles" / "linear").variants[0].metric == 1.0
    code, said = bring(program, LINEAR, {"x": x[:20]}, x=x, target=(right + 1) % 3)
    assert code == 4
    assert "accuracy is 0.0000, allowed ≥ 0.9" in said


def test_right_answers_of_another_shape_are_refused_and_not_stretched_over_the_answers(bring, tmp_path):
    contract = stated("one", [("x", "float32", [6])], [("y", "float32", [1])], metric={"name": "rmse", "direction": "lower", "floor": 0.1})
    x = models.rows(50)
    code, said = bring(models.linear(tmp_path / "net.onnx"), contract, {"x": x}, x=x, target=np.zeros(50, np.float32))
    assert code == 7, said
    assert "needs numbers ['batch', 1]" in said


def test_a_file_of_batch_one_is_asked_row_by_row(bring, tmp_path):
    code, said = bring(models.linear(tmp_path / "one.onnx", batch=1), LINEAR, {"x": models.rows()})
    assert code == 0, said
    model = Model.open(tmp_path / "bundles" / "linear", target="server")
    np.testing.assert_allclose(model.run({"x": models.rows(5)})["y"], models.rows(5) @ models.WEIGHT, atol=1e-5)


def test_several_inputs_int64_ids_open_lengths_and_several_outputs(bring, tmp_path):
    contract = stated(
        "pair",
        [("ids", "int64", ["length"]), ("scale", "float32", [1])],
        [("scaled", "float32", ["length"]), ("total", "float32", [1])],
        metric={"name": "rmse", "direction": "lower", "floor": None},
    )
    samples = {"ids": np.arange(70, dtype=np.int64).reshape(10, 7), "input/scale": np.ones((10, 1), np.float32)}
    code, said = bring(models.two_by_two(tmp_path / "pair.onnx"), contract, samples)
    assert code == 0, said


def test_weights_beside_the_file_are_taken_in(bring, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "w.bin").write_bytes(models.WEIGHT.tobytes())
    code, said = bring(models.linear(tmp_path / "net.onnx", external="data/w.bin"), LINEAR, {"x": models.rows()})
    assert code == 0, said
    assert [path.name for path in (tmp_path / "bundles" / "linear" / "1.0.0").glob("*.onnx*")] == ["model.onnx"]
    note = json.loads((tmp_path / "runs" / "linear" / "1.0.0" / "given.json").read_text())
    assert "1 weights of 72 bytes were put into the file itself" in note["notes"]


REFUSED = [
    ("weights outside", {"external": "../w.bin"}, "nothing outside of it is read"),
    ("weights by an absolute path", {"external": "/etc/hostname"}, "nothing outside of it is read"),
    ("weights behind a link", {"external": "link.bin"}, "'link.bin' is a link, which is not followed"),
    ("weights that are not there", {"external": "none.bin"}, "which is not there"),
    ("weights that are too short", {"external": "short.bin"}, "ONNX's checker refuses it"),
    ("operators of others", {"domain": "acme.secret"}, "it needs operators of acme.secret"),
    ("another dtype", {"dtype": 10}, "holds float16"),
    ("a fixed batch", {"batch": 4}, "takes exactly 4 samples at once"),
]


@pytest.mark.parametrize(("freedom", "fragment"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_onnx_files_that_reach_out_or_cannot_be_served_are_refused_by_name(bring, tmp_path, freedom, fragment):
    (tmp_path.parent / "w.bin").write_bytes(models.WEIGHT.tobytes())
    (tmp_path / "link.bin").symlink_to(tmp_path.parent / "w.bin")
    (tmp_path / "short.bin").write_bytes(b"1234")
    code, said = bring(models.linear(tmp_path / "net.onnx", **freedom), LINEAR, {"x": models.rows()})
    assert code == 3
    assert fragment in said
    assert "Traceback" not in said
    assert not (tmp_path / "runs" / "linear" / "1.0.0").exists()


def test_an_old_opset_is_converted(bring, tmp_path):
    code, said = bring(models.linear(tmp_path / "net.onnx", opset=6), LINEAR, {"x": models.rows()})
    assert code == 0, said
    note = json.loads((tmp_path / "runs" / "linear" / "1.0.0" / "given.json").read_text())
    assert "converted from opset 6 to 13" in note["notes"][0]


def test_a_confused_layout_is_told_as_such(bring, tmp_path):
    contract = stated("means", [("image", "float32", [8, 4, 3])], [("mean", "float32", [3])])
    code, said = bring(models.picture(tmp_path / "net.onnx"), contract, {"image": np.ones((4, 8, 4, 3), np.float32)})
    assert code == 3
    assert "the file takes channels first (NCHW)" in said


@pytest.mark.parametrize(
    ("change", "samples", "code", "fragment"),
    [
        ({"targets": ["server", "device"]}, {"x": models.rows()}, 3, "an ONNX file (given.onnx) cannot become TFLite"),
        ({}, {"x": models.rows().astype(np.float64)}, 7, "'x' is float64 (40, 6), the contract says float32"),
        ({}, {"x": np.full((4, 6), np.nan, np.float32)}, 7, "not finite"),
        ({}, {"x": models.rows(0)}, 7, "expected one equal number, at least 1"),
        ({}, {"a": models.rows(), "b": models.rows()}, 7, "no array 'x' (it has a, b)"),
        ({"task": "FILL IN: what it does"}, {"x": models.rows()}, 7, "task still to be filled in"),
        ({"assets": {"words": "words.txt"}}, {"x": models.rows()}, 7, "the contract names it as an asset"),
        ({"recipes": ["as_given"]}, {"x": models.rows()}, 3, "as_given is for given.tflite alone"),
    ],
    ids=["device", "dtype", "NaN", "no rows", "names", "unfilled", "asset", "recipe"],
)
def test_what_does_not_fit_the_contract_is_said_with_its_exit_code(bring, tmp_path, change, samples, code, fragment):
    found, said = bring(models.linear(tmp_path / "net.onnx"), {**LINEAR, **change}, samples)
    assert (found, fragment in said) == (code, True), said


def test_a_model_that_was_trained_here_is_not_written_over(bring, tmp_path):
    (tmp_path / "runs" / "linear" / "1.0.0").mkdir(parents=True)
    code, said = bring(models.linear(tmp_path / "net.onnx"), LINEAR, {"x": models.rows()})
    assert code == 2
    assert "has this name and version" in said


def test_a_tflite_file_is_released_as_it_is_for_devices_and_as_onnx_for_servers(bring, tmp_path):
    program = models.tflite(tmp_path / "net.tflite")
    contract = stated("linear", [("x", "float32", [6])], [("y", "float32", [3])], targets=["device", "browser"])
    code, said = bring(program, contract, {"x": models.rows()})
    assert code == 0, said
    bundle = open_bundle(tmp_path / "bundles" / "linear")
    assert [(v.file, v.targets) for v in bundle.variants] == [("model.fp32.tflite", ("device", "browser"))]
    assert bundle.file(bundle.variants[0]).read_bytes() == program.read_bytes()
    code, said = bring(program, {**contract, "targets": ["server", "device"]}, {"x": models.rows()})
    assert code == 0, said
    both = open_bundle(tmp_path / "bundles" / "linear").variants
    assert sorted((v.file, v.targets) for v in both) == [("model.fp32.tflite", ("device",)), ("model.onnx", ("server",))]
    got = Model.open(tmp_path / "bundles" / "linear", target="server").run({"x": models.rows(5)})["y"]
    np.testing.assert_allclose(got, models.rows(5) @ models.WEIGHT, rtol=1e-5, atol=1e-5)


def test_integer_inputs_and_outputs_are_taken_as_the_numbers_that_they_stand_for(bring, tmp_path):
    contract = {**LINEAR, "targets": ["device"], "requires_runtimes": ["ai-edge-litert"]}
    code, said = bring(models.tflite(tmp_path / "net.tflite", integers=True), contract, {"x": models.rows()})
    assert code == 0, said
    (variant,) = open_bundle(tmp_path / "bundles" / "linear").variants
    assert (variant.recipe, variant.file, variant.io.inputs[0].dtype) == ("as_given", "model.as_given.tflite", "int8")
    got = Model.open(tmp_path / "bundles" / "linear").run({"x": models.rows(5)})["y"]
    np.testing.assert_allclose(got, models.rows(5) @ models.WEIGHT, atol=0.3)
    code, said = bring(tmp_path / "net.tflite", {**contract, "targets": ["server", "device"]}, {"x": models.rows()})
    assert code == 3
    assert "it computes with integers that stand for real numbers" in said


def test_operators_of_others_are_refused_in_a_tflite_file_too(bring, tmp_path):
    program = models.tflite(tmp_path / "net.tflite", custom="AcmeMagic")
    code, said = bring(program, {**LINEAR, "targets": ["device"]}, {"x": models.rows()})
    assert code == 4
    assert "it needs the custom operator AcmeMagic" in said


@pytest.mark.parametrize(
    ("name", "error", "fragment"),
    [
        ("net.pt", InputError, "is a pickle: loading it would run whatever code it holds"),
        ("net.h5", InputError, "Keras' old format"),
        ("net.pkl", InputError, "skops.io.dump"),
        ("net.joblib", InputError, "skops.io.dump"),
        ("net.safetensors", InputError, "holds weights and no graph"),
        ("net.xyz", InputError, "no such file"),
    ],
)
def test_kinds_that_need_code_are_refused_with_what_to_do_instead(name, error, fragment):
    with pytest.raises(error, match=fragment):
        given_kinds.file_of(name)


def test_weights_belong_to_a_class_alone(tmp_path):
    with pytest.raises(UsageError, match="--weights is for a module by import path"):
        given_kinds.file_of("net.onnx", tmp_path / "w.pt")


@pytest.mark.parametrize("words", [("--samples=s.npz",), ("--program=a.onnx",), ("--program=a.onnx", "tiny")], ids=["alone", "bare", "two"])
def test_options_that_do_not_go_together_are_a_usage_error(words, capsys):
    assert main(["export", *words]) == 2
