"""Which program lies in a hand-over decides what can be made of it; what cannot is refused in words."""

import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from edge.contract import Tensor
from edge.errors import BundleError, ConversionError
from export import convert, programs


@pytest.fixture
def promise(toy_contract):
    return toy_contract("toy", Tensor("features", "float32", ("batch", 4), "NC"), 3)


def test_every_step_of_every_kind_is_a_function_that_exists():
    for kind in programs.KINDS:
        assert "reference" in kind.steps, kind.file
        assert {"onnx", "tflite"} & set(kind.steps), kind.file
        for step in kind.steps:
            assert callable(convert._function(step, {"program": f"runs/{kind.file}"}))


@pytest.mark.parametrize("file", programs.FILES)
def test_the_one_program_of_a_hand_over_is_found(file):
    assert programs.find({"contract.json": "", file: ""}, "runs/toy") == file


def test_no_program_and_two_programs_are_refused():
    with pytest.raises(BundleError, match=r"no program; expected one of program.pt2, model.keras, model.skops, xgboost.json"):
        programs.find({"contract.json": ""}, "runs/toy")
    with pytest.raises(BundleError, match=r"program.pt2 and model.skops are both here, expected one program"):
        programs.find({"model.skops": "", "program.pt2": ""}, "runs/toy")


def test_a_file_of_no_kind_is_named():
    with pytest.raises(ConversionError, match=r"trees.pickle: no program is called so"):
        programs.of("trees.pickle")


@pytest.mark.parametrize("file", ["model.skops", "xgboost.json"])
@pytest.mark.parametrize("targets", [("server", "device"), ("browser",)], ids=["device", "browser"])
def test_trees_for_devices_are_refused_with_the_remedy(promise, file, targets):
    kind = programs.of(file)
    programs.require(kind, promise)
    with pytest.raises(ConversionError, match=r'cannot become TFLite; set targets=\("server",\)'):
        programs.require(kind, replace(promise, targets=targets))


@pytest.mark.parametrize("file", ["program.pt2", "model.keras"])
def test_networks_may_go_everywhere(promise, file):
    programs.require(programs.of(file), replace(promise, targets=("server", "device", "browser")))


def test_a_step_that_a_kind_does_not_have_is_named():
    report, code = convert._run("tflite", {"program": "runs/model.skops"})
    assert code == 3
    assert report["error"] == "a scikit-learn estimator (model.skops) has no conversion step 'tflite'; it has reference, onnx"


@pytest.mark.parametrize(
    ("file", "package", "extra"),
    [("model.skops", "skops", "trees"), ("xgboost.json", "onnxmltools", "trees"), ("model.keras", "keras", "keras")],
    ids=["skops", "xgboost", "keras"],
)
def test_a_missing_package_names_the_extra_that_brings_it(tmp_path, monkeypatch, promise, file, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    (tmp_path / "contract.json").write_text(promise.dumps())
    with zipfile.ZipFile(tmp_path / file, "w") as archive:
        archive.writestr("config.json", "{}")
    request = {"program": str(tmp_path / file), "contract_file": str(tmp_path / "contract.json"), "output": str(tmp_path / "o")}
    report, code = convert._run("onnx", request)
    assert code == 6
    assert report["error"] == f"the package {package!r} is missing; install Tandem with the extra {extra}"


def test_logits_give_the_probabilities_back():
    from export.classifier_onnx import log_probabilities

    probabilities = np.array([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]])
    logits = log_probabilities(probabilities)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()
    powers = np.exp(logits)
    np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), probabilities, atol=1e-6)
