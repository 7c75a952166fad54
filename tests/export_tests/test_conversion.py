"""What the converted files are: self-contained, free of this machine's paths, and calibrated without cutting."""

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe

from edge.errors import ConversionError
from edge.storage import load_npz
from export import quantize, to_tflite
from export.handover import open_handover


def test_the_onnx_file_names_its_batch_axis_and_tells_nothing_of_the_machine(bundle, repository):
    model = onnx.load(bundle / "model.onnx")
    assert [axis.dim_param or axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim] == ["batch", 28, 28, 1]
    assert model.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    content = (bundle / "model.onnx").read_bytes()
    assert str(repository).encode() not in content
    assert b"stack_trace" not in content
    assert not list(bundle.glob("*.data"))


def test_the_int8_file_takes_pixels_gives_floats_and_computes_in_int8(bundle):
    graph = open_bundle_graph(bundle)
    found = to_tflite.inspect(str(bundle / "model.static_wi8_ai8.tflite"), graph)
    assert [t["dtype"] for t in found["inputs"]] == ["uint8"]
    assert [t["dtype"] for t in found["outputs"]] == ["float32"]
    interpreter = Interpreter(str(bundle / "model.static_wi8_ai8.tflite"))
    weights = [t for t in interpreter.get_tensor_details() if t["dtype"] == np.int8 and t["quantization_parameters"]["scales"].size > 1]
    assert len(weights) >= 3, "convolutions and dense layers hold int8 weights, per channel"
    assert not [op for op in found["operators"] if op.startswith("Flex") or op == "CUSTOM"]


def open_bundle_graph(bundle):
    from edge import contract

    return contract.load(bundle / "contract.json").main


@pytest.mark.filterwarnings("ignore:Warning. Enabling `experimental_preserve_all_tensors`:UserWarning")  # the quantizer's own doing
def test_merged_calibration_keeps_the_extremes_that_the_library_cuts_off(bundle, handover):
    images = open_handover(handover).calibration["image"][:64]
    work = quantizer.Quantizer(str(bundle / "model.fp32.tflite"), recipe.static_wi8_ai8())
    ours = quantize.calibrate(work, {"args_0": images})
    theirs = work.calibrate({"serving_default": [{"args_0": image[None]} for image in images]}, num_threads=1)
    wider = [np.max(ours[name]["max"]) - np.max(theirs[name]["max"]) for name in theirs if "max" in theirs[name]]
    assert min(wider) >= 0
    assert max(wider) > 0


def test_calibration_takes_the_least_and_greatest_of_all_samples():
    class Library:
        """A stand-in that reports each sample's own range."""

        def calibrate(self, data, num_threads):
            (sample,) = data["serving_default"]
            value = sample["args_0"]
            return {"t": {"min": value.min(), "max": value.max()}, "constant": {}}

    merged = quantize.calibrate(Library(), {"args_0": np.array([[3.0, 4.0], [-9.0, 0.0], [1.0, 99.0]])})
    assert merged == {"t": {"min": -9.0, "max": 99.0}, "constant": {}}


def test_an_unknown_recipe_is_named(tmp_path):
    with pytest.raises(ConversionError, match="no quantization recipe is called 'int3'"):
        quantize.run("model", "contract", "int3", "samples", "output")


def test_the_trainers_answers_are_the_golden_ones(handover):
    golden = load_npz(handover / "golden.npz")
    assert golden["output/logits"].shape == (32, 10)
    assert set(golden["label"]) == set("0123456789")
