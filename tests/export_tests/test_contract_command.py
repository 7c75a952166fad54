"""A first contract comes from the file itself; what it cannot know is asked for and refused until it is filled in."""

import json

import numpy as np
import onnx
import pytest

from edge import contract
from edge.cli import main
from edge.errors import ContractError
from export import first_contract, tflite_metadata
from tests.export_tests import foreign_models as models


@pytest.fixture
def tandem(tmp_path, capfd, monkeypatch):
    """Run a command in a folder of its own; give exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = main(list(map(str, words)))
        return code, *capfd.readouterr()

    return run


def fill(path):
    """Fill in what a person would."""
    data = json.loads(path.read_text())
    data |= {key: "known" for key in first_contract.ASKED if str(data[key]).startswith(first_contract.MARK)}
    if data.get("labels"):
        data["labels"] = ["a", "b", "c"]
    path.write_text(json.dumps(data))


def test_the_first_contract_of_an_onnx_file_asks_and_loads_once_it_is_filled_in(tandem, tmp_path):
    program = models.linear(tmp_path / "MyNet-v2.onnx")
    code, out, err = tandem("contract", "init", program)
    assert (code, out) == (0, "contract.json\n")
    asked = [line.split(":")[0].strip() for line in err.splitlines()[1:]]
    assert asked == ["task", "licence", "source", "metric", "labels"]
    path = tmp_path / "contract.json"
    code, _, err = tandem("contract", "check", program, path)
    assert code == 7
    assert "task, licence, source, labels still to be filled in" in err
    fill(path)
    promise = contract.load(path)
    assert (promise.name, promise.targets, promise.main.inputs[0].shape) == ("my_net_v2", ("server",), ("batch", 6))
    assert tandem("contract", "check", program, path)[0] == 0


def test_a_contract_that_is_there_is_not_written_over(tandem, tmp_path):
    program = models.linear(tmp_path / "net.onnx")
    assert tandem("contract", "init", program)[0] == 0
    code, _, err = tandem("contract", "init", program)
    assert code == 2
    assert "is there already" in err


def test_axes_dtypes_and_several_tensors_are_as_in_the_file(tandem, tmp_path):
    code, out, _ = tandem("contract", "init", models.two_by_two(tmp_path / "pair.onnx"), "--json")
    assert code == 0
    assert json.loads(out)["asked"][0].startswith("task")
    (graph,) = json.loads((tmp_path / "contract.json").read_text())["graphs"]
    assert [(t["name"], t["dtype"], t["shape"]) for t in graph["inputs"]] == [
        ("ids", "int64", ["batch", "length"]), ("scale", "float32", ["batch", 1]),
    ]  # fmt: skip
    assert [t["name"] for t in graph["outputs"]] == ["scaled", "total"]


def test_what_an_onnx_file_says_about_itself_is_taken_over(tandem, tmp_path):
    program = models.linear(tmp_path / "net.onnx")
    model = onnx.load(program)
    model.doc_string = "Three kinds of things."
    model.metadata_props.add(key="names", value="{0: 'ape', 1: 'bee', 2: 'cow'}")
    model.metadata_props.add(key="license", value="MIT")
    onnx.save(model, program)
    _, _, err = tandem("contract", "init", program)
    data = json.loads((tmp_path / "contract.json").read_text())
    assert (data["labels"], data["licence"], data["description"]) == (["ape", "bee", "cow"], "MIT", "Three kinds of things.")
    assert "labels" not in err


def test_integers_of_a_tflite_file_become_real_numbers_with_their_range(tandem, tmp_path):
    program = models.tflite(tmp_path / "net.tflite", integers=True)
    assert tandem("contract", "init", program)[0] == 0
    fill(tmp_path / "contract.json")
    promise = contract.load(tmp_path / "contract.json")
    assert (promise.main.inputs[0].dtype, promise.targets) == ("float32", ("device",))
    assert promise.main.inputs[0].range == pytest.approx((-6.4, 6.35))


@pytest.mark.parametrize(
    ("shape", "layout"),
    [(["batch", 3, 8, 8], "NCHW"), (["batch", 8, 8, 3], "NHWC"), (["batch", 5], "NC"), (["batch", 2, 2, 2, 2], "NABCD")],
)
def test_a_layout_is_guessed_by_the_small_axis(shape, layout):
    assert first_contract.layout(shape) == layout


@pytest.mark.parametrize(("text", "name"), [("MobileNetV2", "mobile_net_v2"), ("7 up", "model_7_up"), ("a--b", "a_b"), ("模型", "model")])
def test_any_file_name_becomes_a_models_name(text, name):
    assert first_contract.plain_name(text) == name


def test_a_class_by_import_path_has_no_signature_yet(tandem):
    code, _, err = tandem("contract", "init", "my.module:Net")
    assert code == 2
    assert "write its contract by hand" in err


def test_a_damaged_file_is_one_line(tandem, tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"\x08\x07nothing")
    code, _, err = tandem("contract", "init", "net.onnx")
    assert code == 3
    assert "net.onnx" in err
    assert "Traceback" not in err


def test_an_unfilled_contract_names_its_fields(toy_contract):
    from dataclasses import replace

    from edge.contract import Tensor

    promise = toy_contract("toy", Tensor("x", "float32", ("batch", 4), "NC"), 3)
    first_contract.unfilled(promise, "c.json")
    with pytest.raises(ContractError, match=r"c\.json: licence, labels still to be filled in"):
        first_contract.unfilled(replace(promise, licence="FILL IN: x", labels=("FILL IN: y",)), "c.json")


class TestMetadata:
    """TensorFlow Lite's own metadata: labels in an archive at the file's end, normalisation in a flatbuffer."""

    @pytest.fixture
    def labelled(self, tmp_path):
        import zipfile

        import flatbuffers
        from ai_edge_litert import schema_py_generated as schema

        path = models.tflite(tmp_path / "net.tflite")
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = np.frombuffer(metadata(), np.uint8)
        entry.name, entry.buffer = "TFLITE_METADATA", len(model.buffers)
        model.buffers.append(buffer)
        model.metadata = [entry]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        path.write_bytes(bytes(builder.Output()))
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("labels.txt", "ape\nbee\ncow\n")
        return path

    def test_labels_licence_and_normalisation_are_read(self, labelled):
        told = tflite_metadata.read(str(labelled))
        assert (told["labels"], told["licence"], told["source"]) == (["ape", "bee", "cow"], "MIT", "animals")
        assert told["inputs"] == [{"name": "picture", "meaning": "(normalised before: (value - [127.5]) / [64.0])"}]

    def test_they_reach_the_contract(self, labelled, tandem, tmp_path):
        assert tandem("contract", "init", labelled)[0] == 0
        data = json.loads((tmp_path / "contract.json").read_text())
        assert data["labels"] == ["ape", "bee", "cow"]
        assert "normalised before" in data["graphs"][0]["inputs"][0]["meaning"]

    def test_a_file_without_them_says_nothing(self, tmp_path):
        assert tflite_metadata.read(str(models.tflite(tmp_path / "net.tflite"))) == {}


def table(builder, fields):
    """Write a flatbuffer's table of (place, kind, value)."""
    builder.StartObject(1 + max(place for place, _, _ in fields))
    for place, kind, value in fields:
        (builder.PrependByteSlot if kind == "byte" else builder.PrependUOffsetTRelativeSlot)(place, value, 0)
    return builder.EndObject()


def vector(builder, items):
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return builder.EndVector()


def floats(builder, values):
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return builder.EndVector()


def metadata():
    """TensorFlow Lite's metadata with one input that is normalised and one output with labels."""
    import flatbuffers

    b = flatbuffers.Builder(256)
    mean, deviation = floats(b, [127.5]), floats(b, [64.0])
    unit = table(b, [(0, "byte", 1), (1, "offset", table(b, [(0, "offset", mean), (1, "offset", deviation)]))])
    units, name = vector(b, [unit]), b.CreateString("picture")
    inputs = vector(b, [table(b, [(0, "offset", name), (4, "offset", units)])])
    file = table(b, [(0, "offset", b.CreateString("labels.txt")), (2, "byte", 2)])
    outputs = vector(b, [table(b, [(6, "offset", vector(b, [file]))])])
    graphs = vector(b, [table(b, [(2, "offset", inputs), (3, "offset", outputs)])])
    words = [b.CreateString("animals"), b.CreateString("MIT")]
    b.Finish(table(b, [(0, "offset", words[0]), (3, "offset", graphs), (5, "offset", words[1])]), b"M001")
    return bytes(b.Output())
