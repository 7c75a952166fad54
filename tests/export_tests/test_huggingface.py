"""Hugging Face folders go through the gate and answer as transformers does; what could run code, or is not whole, is refused."""

import json
import shutil

import numpy as np
import pytest
import torch

from edge import Model, contract
from edge.cli import main
from edge.steps import preprocessing
from edge.storage import load_npz, save_npz
from export.convert import _run
from tests.export_tests import huggingface_models as models

TEXTS = ["the cat sat on the mat", "a dog ran", "cats running fast", "good", "bad dogs sat on a good mat and the cat ran fast on it"]


def stated(folder, path, **changed):
    """What `tandem contract init` writes for a folder, filled in."""
    code = main(["contract", "init", str(folder), "--out", str(path)])
    assert code == 0
    content = json.loads(path.read_text()) | {"licence": "MIT", "source": "made by a test"} | changed
    if str(content.get("labels", [""])[0]).startswith("FILL IN"):
        content["labels"] = list("abcd")
    path.write_text(json.dumps(content))
    return contract.load(path)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """The folders, each written once; tests that change one copy it."""
    root = tmp_path_factory.mktemp("huggingface")
    return {
        "bert": models.bert(root / "TinyBert"),
        "sentences": models.sentences(root / "tiny-sentences"),
        "cls": models.sentences(root / "tiny-cls", "cls"),
        "vit": models.vit(root / "tiny-vit"),
    }


def released(folder, root, samples, **changed):
    """Export a folder as a person would; give the bundle."""
    promise = stated(folder, root / "contract.json", **changed)
    prepare = preprocessing(promise, folder)
    save_npz(root / "samples.npz", {promise.main.inputs[0].name: np.stack([prepare(each) for each in samples])})
    words = ["--contract", str(root / "contract.json"), "--samples", str(root / "samples.npz")]
    places = ["--runs", str(root / "runs"), "--out", str(root / "bundles")]
    assert main(["export", "--program", str(folder), *words, *places]) == 0
    return root / "bundles" / promise.name


def own(kind, folder, texts):
    """What transformers itself makes of texts, by its own tokenizer, mask and segments."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16)
    found = tokenizer.encode_batch(texts)
    with torch.no_grad():
        ids, mask = (torch.tensor([getattr(each, key) for each in found]) for key in ("ids", "attention_mask"))
        return kind.from_pretrained(folder).eval()(input_ids=ids, attention_mask=mask), mask


class TestTexts:
    """A classifier of texts, for servers and devices."""

    @pytest.fixture(scope="class")
    def bundle(self, workshop, tmp_path_factory):
        return released(workshop["bert"], tmp_path_factory.mktemp("texts"), TEXTS)

    def test_both_files_are_released_and_answer_as_transformers_does(self, bundle, workshop):
        from transformers import BertForSequenceClassification

        wanted = own(BertForSequenceClassification, workshop["bert"], TEXTS)[0].logits.numpy()
        for target, file, allowed in (("server", "model.onnx", 1e-4), ("device", "model.dynamic_wi8_afp32.tflite", 0.3)):
            with Model.open(bundle, target=target) as model:
                assert model.variant.file == file
                answers = model.predict_many(TEXTS)
            got = np.stack([answer.outputs["logits"] for answer in answers])
            assert np.abs(got - wanted).max() < allowed
            assert [answer.label for answer in answers] == [("good", "bad", "neither")[i] for i in wanted.argmax(1)]

    def test_the_tokenizer_travels_with_it(self, bundle, workshop):
        assert (bundle / "1.0.0/assets/tokenizer.json").read_bytes() == (workshop["bert"] / "tokenizer.json").read_bytes()


@pytest.mark.parametrize("kind", ["sentences", "cls"])
def test_sentences_become_vectors_of_length_one(kind, workshop, tmp_path):
    from transformers import BertModel

    folder = workshop[kind]
    bundle = released(folder, tmp_path, TEXTS, targets=["server"], requires_runtimes=["onnxruntime"])
    answer, mask = own(BertModel, folder, TEXTS)
    tokens, weights = answer.last_hidden_state, mask[:, :, None].float()
    wanted = tokens[:, 0] if kind == "cls" else (tokens * weights).sum(1) / weights.sum(1)
    with Model.open(bundle, target="server") as model:
        got = np.stack([answer.outputs["embedding"] for answer in model.predict_many(TEXTS)])
    np.testing.assert_allclose(got, torch.nn.functional.normalize(wanted, dim=1).numpy(), atol=1e-5)


def test_pictures_are_scaled_and_normalised_in_the_graph(workshop, tmp_path, noise):
    from transformers import ViTForImageClassification

    folder = workshop["vit"]
    pictures = noise.integers(0, 256, (6, 20, 30, 3), dtype=np.uint8)
    bundle = released(folder, tmp_path, list(pictures))
    pixels = load_npz(tmp_path / "samples.npz")["image"]
    normal = (pixels / 255 - np.array([0.5, 0.4, 0.3])) / np.array([0.2, 0.3, 0.4])
    with torch.no_grad():
        net = ViTForImageClassification.from_pretrained(folder).eval()
        wanted = net(pixel_values=torch.from_numpy(normal.transpose(0, 3, 1, 2)).float()).logits.numpy()
    for target, allowed in (("server", 1e-4), ("device", 0.3)):
        with Model.open(bundle, target=target) as model:
            answers = model.predict_many(list(pictures))
        assert np.abs(np.stack([answer.outputs["logits"] for answer in answers]) - wanted).max() < allowed
    steps = [(step.name, dict(step.parameters)) for step in contract.load(tmp_path / "contract.json").preprocess]
    assert steps[1] == ("resize", {"height": 16, "width": 16, "filter": "bicubic", "fit": "stretch"})


def test_a_first_contract_says_what_it_cannot_know(workshop, tmp_path, capfd):
    main(["contract", "init", str(workshop["vit"]), "--out", str(tmp_path / "c.json"), "--json"])
    asked = json.loads(capfd.readouterr().out)["asked"]
    assert [line.split(":")[0] for line in asked] == ["licence", "source", "metric", "labels"]
    promise = stated(workshop["bert"], tmp_path / "bert.json")
    assert (promise.name, promise.labels, promise.main.inputs[0].shape) == ("tiny_bert", ("good", "bad", "neither"), ("batch", 16))
    assert "length: 16 ids of at most 16" in capfd.readouterr().err
    assert main(["contract", "check", str(workshop["bert"]), str(tmp_path / "bert.json")]) == 0


def edited(name, **changed):
    """A change of a JSON file of a folder; None takes a key away."""

    def change(folder):
        content = json.loads((folder / name).read_text()) | changed
        (folder / name).write_text(json.dumps({key: value for key, value in content.items() if value is not None}))

    return change


def as_pickle(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02.")


def linked(folder):
    (folder / "model.safetensors").rename(folder.parent / "blob")
    (folder / "model.safetensors").symlink_to(folder.parent / "blob")


def cut(folder):
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])


def headless(folder):
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    save_file({key: value for key, value in state.items() if not key.startswith("classifier.")}, folder / "model.safetensors")


def outside(folder):
    shutil.copy(folder / "model.safetensors", folder.parent / "other.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../other.safetensors"}}))


def gone(name):
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("base", "harm", "fragment"),
    [
        pytest.param("bert", gone("config.json"), "no config.json", id="no description"),
        pytest.param("bert", lambda f: (f / "config.json").write_text("{"), "no whole JSON", id="half a description"),
        pytest.param("bert", as_pickle, "only pytorch_model.bin, and loading a pickle", id="weights as a pickle"),
        pytest.param("bert", gone("model.safetensors"), "no weights", id="no weights"),
        pytest.param("bert", edited("config.json", auto_map={"AutoModel": "m.M"}), "auto_map", id="a class of its own"),
        pytest.param("bert", lambda f: (f / "modeling.py").write_text(""), "modeling.py is code", id="code"),
        pytest.param("bert", edited("config.json", quantization_config={"bits": 4}), "quantized already", id="quantized"),
        pytest.param("bert", linked, "is a link", id="a link"),
        pytest.param("bert", outside, "no safetensors file in this folder", id="a part outside"),
        pytest.param("bert", gone("tokenizer.json"), "no tokenizer.json", id="no tokenizer"),
        pytest.param("bert", edited("config.json", architectures=["BertForMaskedLM"]), "is a BertForMaskedLM; taken are", id="another task"),
        pytest.param("bert", edited("config.json", architectures=None), "names None as architectures", id="no class named"),
        pytest.param("vit", gone("preprocessor_config.json"), "no preprocessor_config.json", id="no normalisation"),
        pytest.param("sentences", edited("1_Pooling/config.json", pooling_mode_max_tokens=True), "pools by mean and max", id="two poolings"),
        pytest.param("bert", cut, "the weights are damaged", id="half the weights"),
        pytest.param("bert", headless, "2 weights of BertForSequenceClassification are missing", id="a head by chance"),
        pytest.param("bert", edited("config.json", model_type="mystery"), "knows no model_type 'mystery'", id="unknown architecture"),
        pytest.param("bert", edited("config.json", architectures=["XForSequenceClassification"]), "is not the class of", id="unknown class"),
        pytest.param("bert", edited("config.json", hidden_size=40), "cannot make|of another shape", id="another size"),
    ],
)
def test_a_folder_that_is_refused_says_why(base, harm, fragment, workshop, tmp_path):
    folder = tmp_path / "folder"
    shutil.copytree(workshop[base], folder)
    stated(folder, tmp_path / "contract.json")
    harm(folder)
    request = {"source": str(folder), "contract_file": str(tmp_path / "contract.json"), "output": str(tmp_path / "program.pt2")}
    report, code = _run("take_huggingface", request)
    assert code == 3
    assert __import__("re").search(fragment, report["error"]), report["error"]
    assert not (tmp_path / "program.pt2").exists()
