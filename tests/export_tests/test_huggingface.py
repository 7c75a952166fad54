"""Hugging Face folders go through the gate and answer as transformers does; what could run code, or is not whole, is refused."""

import json
import warnings

import numpy as np
import pytest
import torch

from edge import Model, contract
from edge.cli import main
from edge.steps import preprocessing
from edge.storage import load_npz, save_npz
from export import to_onnx
from export.pt2_program import open_pt2
from tests.export_tests import huggingface_models as models

TEXTS = ["the cat sat on the mat", "a dog ran", "cats running fast", "good", "bad dogs sat on a good mat and the cat ran fast on it"]


def prepared(folder, root, samples, **changed):
    """A folder's contract and its samples, made by the contract's own steps."""
    promise = models.stated(folder, root / "contract.json", **changed)
    prepare = preprocessing(promise, folder)
    rows = np.stack([prepare(each) for each in samples])
    save_npz(root / "samples.npz", {promise.main.inputs[0].name: rows})
    return promise, rows


def released(folder, root, samples):
    """Export a folder as a person would; give the bundle."""
    promise, _ = prepared(folder, root, samples)
    words = ["--contract", str(root / "contract.json"), "--samples", str(root / "samples.npz")]
    places = ["--runs", str(root / "runs"), "--out", str(root / "bundles")]
    assert main(["export", "--program", str(folder), *words, *places]) == 0
    return root / "bundles" / promise.name


def through_onnx(folder, root, samples):
    """Take a folder, convert it to ONNX, and let onnxruntime answer the samples; the steps of an export, without their children."""
    import onnxruntime

    promise, rows = prepared(folder, root, samples)
    report, code = models.taken(folder, root)
    assert code == 0, report
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, as in a child
        to_onnx.run(str(root / "program.pt2"), str(root / "contract.json"), str(root / "model.onnx"))
    session = onnxruntime.InferenceSession(root / "model.onnx", providers=["CPUExecutionProvider"])
    return session.run(None, {promise.main.inputs[0].name: rows})[0]


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


def test_texts_are_answered_by_both_files_as_transformers_does(huggingface_folders, tmp_path):
    from transformers import BertForSequenceClassification

    bundle = released(huggingface_folders["bert"], tmp_path, TEXTS)
    wanted = own(BertForSequenceClassification, huggingface_folders["bert"], TEXTS)[0].logits.numpy()
    for target, file, allowed in (("server", "model.onnx", 1e-4), ("device", "model.dynamic_wi8_afp32.tflite", 1.0)):
        with Model.open(bundle, target=target) as model:
            assert model.variant.file == file
            answers = model.predict_many(TEXTS)
        got = np.stack([answer.outputs["logits"] for answer in answers])
        assert np.abs(got - wanted).max() < allowed
        assert [answer.label for answer in answers] == [("good", "bad", "neither")[i] for i in wanted.argmax(1)]
    assert (bundle / "1.0.0/assets/tokenizer.json").read_bytes() == (huggingface_folders["bert"] / "tokenizer.json").read_bytes()


@pytest.mark.parametrize("kind", ["sentences", pytest.param("cls", marks=pytest.mark.slow)])
def test_sentences_become_vectors_of_length_one(kind, huggingface_folders, tmp_path):
    from transformers import BertModel

    answer, mask = own(BertModel, huggingface_folders[kind], TEXTS)
    tokens, weights = answer.last_hidden_state, mask[:, :, None].float()
    wanted = tokens[:, 0] if kind == "cls" else (tokens * weights).sum(1) / weights.sum(1)
    got = through_onnx(huggingface_folders[kind], tmp_path, TEXTS)
    np.testing.assert_allclose(got, torch.nn.functional.normalize(wanted, dim=1).numpy(), atol=1e-5)


def test_pictures_are_scaled_and_normalised_in_the_graph(huggingface_folders, tmp_path, noise):
    from transformers import ViTForImageClassification

    pictures = noise.integers(0, 256, (6, 20, 30, 3), dtype=np.uint8)
    got = through_onnx(huggingface_folders["vit"], tmp_path, list(pictures))
    normal = (load_npz(tmp_path / "samples.npz")["image"] / 255 - np.array([0.5, 0.4, 0.3])) / np.array([0.2, 0.3, 0.4])
    with torch.no_grad():
        net = ViTForImageClassification.from_pretrained(huggingface_folders["vit"]).eval()
        wanted = net(pixel_values=torch.from_numpy(normal.transpose(0, 3, 1, 2)).float()).logits.numpy()
    np.testing.assert_allclose(got, wanted, atol=1e-4)
    steps = [(step.name, dict(step.parameters)) for step in contract.load(tmp_path / "contract.json").preprocess]
    assert steps[1] == ("resize", {"height": 16, "width": 16, "filter": "bicubic", "fit": "stretch"})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sentences", "vit"])
def test_the_others_are_released_for_devices_too(kind, huggingface_folders, tmp_path, noise):
    samples = TEXTS if kind == "sentences" else list(noise.integers(0, 256, (6, 20, 30, 3), dtype=np.uint8))
    bundle = released(huggingface_folders[kind], tmp_path, samples)
    answers = []
    for target in ("server", "device"):
        with Model.open(bundle, target=target) as model:
            answers.append(np.stack([next(iter(answer.outputs.values())) for answer in model.predict_many(samples)]))
    assert np.abs(answers[0] - answers[1]).max() < 1.0


@pytest.mark.parametrize(
    ("family", "sizes"),
    [
        ("Roberta", {**models.SIZES, "max_position_embeddings": 18, "pad_token_id": 1}),
        ("DistilBert", {"vocab_size": 17, "dim": 32, "n_layers": 1, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 16}),
        ("DebertaV2", {**models.SIZES, "max_position_embeddings": 16}),
    ],
)
def test_families_with_masks_and_positions_of_their_own_answer_alike(family, sizes, tmp_path):
    """RoBERTa numbers its places behind the padding, DistilBERT has no segments, DeBERTa takes no mask but its own."""
    import transformers

    torch.manual_seed(0)
    kind = getattr(transformers, f"{family}ForSequenceClassification")
    kind(getattr(transformers, f"{family}Config")(initializer_range=0.5, **sizes)).save_pretrained(tmp_path / "net")
    models.tokenizer(tmp_path / "net")
    promise, rows = prepared(tmp_path / "net", tmp_path, TEXTS)
    assert promise.main.inputs[0].row_shape == (16,)
    report, code = models.taken(tmp_path / "net", tmp_path)
    assert code == 0, report
    ids = torch.from_numpy(rows)
    mask = (ids != sizes.get("pad_token_id", 0)).int()
    with torch.no_grad():
        wanted = kind.from_pretrained(tmp_path / "net").eval()(input_ids=ids, attention_mask=mask).logits
        got = open_pt2(str(tmp_path / "program.pt2")).module()(ids)
    assert float((got - wanted).abs().max()) < 1e-4


def test_a_first_contract_says_what_it_cannot_know(huggingface_folders, tmp_path, capfd):
    main(["contract", "init", str(huggingface_folders["vit"]), "--out", str(tmp_path / "c.json"), "--json"])
    asked = json.loads(capfd.readouterr().out)["asked"]
    assert [line.split(":")[0] for line in asked] == ["licence", "source", "metric", "labels"]
    assert main(["contract", "init", str(huggingface_folders["bert"]), "--out", str(tmp_path / "bert.json")]) == 0
    assert "length: 16 ids of at most 16" in capfd.readouterr().err
    promise = models.stated(huggingface_folders["bert"], tmp_path / "bert.json")
    assert (promise.name, promise.labels, promise.main.inputs[0].shape) == ("tiny_bert", ("good", "bad", "neither"), ("batch", 16))
    assert main(["contract", "check", str(huggingface_folders["bert"]), str(tmp_path / "bert.json")]) == 0
