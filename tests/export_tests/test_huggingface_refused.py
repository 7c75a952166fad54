"""Hugging Face folders that are not whole, need code, or do not fit their contract: each is refused with its reason."""

import json
import re
import shutil
import sys

import pytest

from tests.export_tests import huggingface_models as models


def without_padding(promise):
    promise["preprocess"][0]["padding"] = 7


def too_long(promise):
    promise["graphs"][0]["inputs"][0]["shape"][1] = promise["preprocess"][0]["length"] = 64


def as_pixels(promise):
    promise["graphs"][0]["inputs"][0] |= {"dtype": "uint8", "shape": ["batch", 16, 16, 3]}


@pytest.mark.parametrize(
    ("harm", "fragment"),
    [(without_padding, "expected padding=0 and length=16"), (too_long, "takes at most 16"), (as_pixels, "expected one input, int32")],
)
def test_a_contract_that_is_not_the_folders_is_refused(harm, fragment, huggingface_folders, tmp_path):
    models.stated(huggingface_folders["bert"], tmp_path / "contract.json")
    content = json.loads((tmp_path / "contract.json").read_text())
    harm(content)
    (tmp_path / "contract.json").write_text(json.dumps(content))
    report, code = models.taken(huggingface_folders["bert"], tmp_path)
    assert code == 3
    assert fragment in report["error"]


def test_without_the_library_the_extra_is_named(huggingface_folders, tmp_path, monkeypatch):
    models.stated(huggingface_folders["bert"], tmp_path / "contract.json")
    monkeypatch.setitem(sys.modules, "transformers", None)
    report, code = models.taken(huggingface_folders["bert"], tmp_path)
    assert code == 6
    assert "the package 'transformers' is missing; install Tandem with the extra huggingface" in report["error"]


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
        pytest.param("bert", edited("config.json", vocab_size=9), "ids up to 16, the model knows 9", id="another tokenizer"),
        pytest.param(
            "bert",
            edited("config.json", architectures=["BertForNextSentencePrediction"]),
            "is a BertForNextSentencePrediction; taken are",
            id="another task",
        ),
        pytest.param("bert", edited("config.json", architectures=None), "names None as architectures", id="no class named"),
        pytest.param("vit", gone("preprocessor_config.json"), "no preprocessor_config.json", id="no normalisation"),
        pytest.param(
            "sentences", edited("1_Pooling/config.json", pooling_mode_max_tokens=True), "pools by mean and max", id="two poolings"
        ),
        pytest.param("bert", cut, "the weights are damaged", id="half the weights"),
        pytest.param("bert", headless, "2 weights of BertForSequenceClassification are missing", id="a head by chance"),
        pytest.param("bert", edited("config.json", model_type="mystery"), "knows no model_type 'mystery'", id="unknown architecture"),
        pytest.param(
            "bert", edited("config.json", architectures=["XForSequenceClassification"]), "is not the class of", id="unknown class"
        ),
        pytest.param("bert", edited("config.json", hidden_size=40), "cannot make|of another shape", id="another size"),
    ],
)
def test_a_folder_that_is_refused_says_why(base, harm, fragment, huggingface_folders, tmp_path):
    folder = tmp_path / "folder"
    shutil.copytree(huggingface_folders[base], folder)
    models.stated(folder, tmp_path / "contract.json")
    harm(folder)
    report, code = models.taken(folder, tmp_path)
    assert code == 3
    assert re.search(fragment, report["error"]), report["error"]
    assert not (tmp_path / "program.pt2").exists()
