"""The same text on ONNX, TFLite and numpy, for the same seed; slow, since the TFLite file is made by TensorFlow here."""

from pathlib import Path

import pytest

from edge import runtimes
from edge.contract import Contract
from edge.generation import Generation, Order, StepModel, written
from edge.runtimes import Options
from edge.variants import Io, Physical, Variant
from tests.edge_tests.step_models import AROUND, EMBED, SCORES, WIDTH, contract, step


def convert(folder: Path) -> tuple[Path, Variant]:
    """Write the step as a TFLite file of batch 1, and describe it."""
    import tensorflow  # here, since it takes seconds to load

    specs = [tensorflow.TensorSpec((1,), tensorflow.int32, "token"), tensorflow.TensorSpec((1, WIDTH), tensorflow.float32, "memory")]

    @tensorflow.function(input_signature=specs)
    def one(token, memory):
        after = tensorflow.tanh(tensorflow.gather(EMBED, token) + memory @ AROUND)
        return {"scores": after @ SCORES, "next_memory": after}

    module = tensorflow.Module()
    module.one = one
    content = tensorflow.lite.TFLiteConverter.from_concrete_functions([one.get_concrete_function()], module).convert()
    path = folder / "model.tflite"
    path.write_bytes(content)
    return path, variant(path)


def variant(path: Path) -> Variant:
    """Find the file's names for the tensors: inputs have the step's own, outputs are told apart by their sizes."""
    from ai_edge_litert.interpreter import Interpreter

    reader = Interpreter(model_path=str(path))
    given = {detail["name"].removeprefix("serving_default_").partition(":")[0]: detail["name"] for detail in reader.get_input_details()}
    gives = {int(detail["shape"][-1]): detail["name"] for detail in reader.get_output_details()}
    promise: Contract = contract()
    inputs = tuple(Physical(given[t.name], t.dtype, t.layout) for t in promise.main.inputs)
    outputs = tuple(Physical(gives[int(t.shape[-1])], t.dtype, t.layout) for t in promise.main.outputs)
    size = path.stat().st_size
    return Variant(
        "model.tflite", "tflite", "fp32", ("device",), Io(inputs, outputs), {}, ("ai-edge-litert",), 0.9, None, 1.0, 1e-3, size, ""
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_tflite_writes_the_same_text(tmp_path: Path) -> None:
    path, described = convert(tmp_path)
    loaded = runtimes.load("ai-edge-litert", path, contract().main, described, Options())
    plan = StepModel.of(contract())
    for seed in range(10):
        for options in ({}, {"temperature": 0.7, "top_k": 4}, {"temperature": 0}):
            texts = [
                "".join(piece.text for piece in written(run, Generation(plan, Order.of("ab c", 80, seed=seed, **options))))
                for run in (step, loaded.run)
            ]
            assert texts[0] == texts[1]
