"""Published files as a framework, and modules that stay as they were published: nothing is learned, everything is measured."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper

from edge.contract import Contract, Graph, Metric, Step, Tensor
from edge.errors import ContractError, InputError
from tests.export_tests.made_tflite import Made
from training.as_published import as_published
from training.fit import fit
from training.frameworks import framework, pytorch
from training.frameworks.given import Given
from training.recipe import FitSettings, Recipe, Split, Splits

WEIGHT = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)


def contract(outputs=("y",), metric="accuracy", **changed):
    given = Tensor("x", "float32", ("batch", 4), "NC")
    taken = tuple(Tensor(name, "float32", ("batch", 3), "NC") for name in outputs)
    graph = Graph("main", (given,), taken)
    measured = Metric(metric, "higher", None)
    return Contract(schema=1, name="net", version="1.0.0", task="classification", graphs=(graph,), metric=measured, **changed)


def tflite(tmp_path, outputs=1):
    """A matrix product, and where two outputs are asked for its negative."""
    made = Made()
    x = made.tensor((1, 4))
    y = made.add("FULLY_CONNECTED", [x, made.constant(WEIGHT), made.constant(np.zeros(3, np.float32))], (1, 3), "FullyConnectedOptions")
    found = [y, made.add("NEG", [y], (1, 3), "NegOptions")][:outputs]
    return (tmp_path / "a.tflite", made.write(tmp_path / "a.tflite", [x], found))[0].read_bytes()


def as_onnx():
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    kinds = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", 4), ("y", 3))]
    graph = helper.make_graph(nodes, "g", kinds[:1], kinds[1:], [onnx.numpy_helper.from_array(WEIGHT.T.copy(), "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()


def splits(count=40):
    rows = np.random.default_rng(2).normal(size=(count, 4)).astype(np.float32)
    whole = Split({"x": rows}, (rows @ WEIGHT.T).argmax(axis=1).astype(np.int64))
    parts = [whole.take(np.arange(start, start + 10)) for start in (0, 10, 20)]
    return Splits("made", "0" * 64, "made up", ("a", "b", "c"), *parts)


@pytest.mark.parametrize("kind", ["tflite", "onnx"])
def test_a_file_answers_counts_and_leaves_as_it_is(kind, tmp_path):
    content = tflite(tmp_path) if kind == "tflite" else as_onnx()
    model, library = Given(content, kind, contract()), framework("given")
    data = splits()
    rows = data.test.inputs
    np.testing.assert_allclose(library.runner(model)(rows), rows["x"] @ WEIGHT.T, rtol=1e-5, atol=1e-6)
    assert library.program(model) == f"given.{kind}"
    library.save(tmp_path / "copy", model, data.test)
    assert (tmp_path / "copy").read_bytes() == content
    assert library.parameters(model) in (12, 15), "the matrix, and in TFLite a bias"
    fitted = fit(library, model, data, FitSettings(epochs=7, patience=3))
    assert [epoch.number for epoch in fitted.history] == [1]
    assert fitted.history[0].validation_metric == 1.0


def test_several_outputs_are_given_in_the_contract_s_order_and_judged_side_by_side(tmp_path):
    grid = {"size": [4, 4], "strides": [4], "ratios": [1.0], "between": 0}
    step = Step("decode_ssd", grid=grid, coding={"scale": [1, 1, 1, 1]})
    run = framework("given").runner(Given(tflite(tmp_path, 2), "tflite", contract(("p", "q"), postprocess=(step,))))
    rows = splits().test.inputs
    first, second = run.every(rows)
    np.testing.assert_array_equal(second, -first)
    np.testing.assert_array_equal(run(rows), np.concatenate([first, second], axis=1))
    plain = framework("given").runner(Given(tflite(tmp_path, 2), "tflite", contract(("p", "q"))))
    np.testing.assert_array_equal(plain(rows), first)


def test_a_file_that_does_not_fit_is_told(tmp_path):
    library = framework("given")
    with pytest.raises(InputError, match="its tflite file cannot be loaded"):
        library.runner(Given(b"nothing", "tflite", contract()))
    with pytest.raises(ContractError, match="they must be as many"):
        library.runner(Given(tflite(tmp_path), "tflite", contract(("p", "q"))))


def test_a_recipe_of_a_published_detector_needs_no_loss_and_may_have_several_outputs():
    recipe = Recipe(contract(("p", "q"), "map50"), lambda _: splits(), lambda: None, FitSettings(), "given", "detection")
    assert recipe.objective.loss == "shortfall"
    with pytest.raises(ContractError, match="has no loss"):
        replace(recipe, framework="pytorch", contract=contract(metric="map50"))


def test_a_published_module_stays_as_it_is_and_is_measured():
    module = torch.nn.Linear(4, 3, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(WEIGHT))
    before = module.weight.detach().clone()
    recipe = Recipe(contract(), lambda _: splits(), lambda: module, FitSettings(epochs=5), own=as_published(contract()))
    fitted = fit(pytorch, module, splits(), recipe.fit, objective=recipe.objective, make_loop=recipe.own.loop)
    assert torch.equal(before, module.weight)
    (epoch,) = fitted.history
    assert (epoch.train_metric, epoch.validation_metric, epoch.validation_loss) == (1.0, 1.0, 0.0)


def test_options_of_the_format_are_those_that_the_helper_writes():
    assert hasattr(schema, "FullyConnectedOptionsT")
