"""A folder of a BERT that guesses words: both files name those that transformers names, and questions that ask for nothing are refused."""

import json

import numpy as np
import pytest
import torch

from edge import Model
from edge.cli import main
from edge.errors import BundleError, ConversionError, InputError
from edge.steps import POSTPROCESS, preprocessing
from edge.steps.context import Context
from edge.storage import save_npz
from export.huggingface_folder import open_folder
from tests.export_tests import huggingface_models as models
from training.pretrained.bert_weights import of_vocabulary

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *["the", "cat", "dog", "sat", "ran", "on", "a", "mat", "fast", "##s", "good", "bad"]]
TEXTS = ["the [MASK] sat on the mat", "a dog [MASK]", "[MASK]", "bad dogs [MASK] on a good mat"]
SIZES = {**models.SIZES, "vocab_size": len(WORDS), "max_position_embeddings": 12}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny random BERT with a head for masked words, as `save_pretrained` writes it, with its tokenizer."""
    from transformers import BertConfig, BertForMaskedLM

    made = tmp_path_factory.mktemp("models") / "guesser"
    torch.manual_seed(3)
    BertForMaskedLM(BertConfig(**SIZES, initializer_range=0.5)).save_pretrained(made)
    (made / "tokenizer.json").write_bytes(of_vocabulary("\n".join(WORDS).encode(), True, "test"))
    return made


@pytest.fixture(scope="module")
def promise(folder, tmp_path_factory):
    """The contract that the folder leads to, and the place of it and its samples."""
    root = tmp_path_factory.mktemp("guesser")
    made = models.stated(folder, root / "contract.json")
    prepare = preprocessing(made, folder)
    save_npz(root / "samples.npz", {"ids": np.stack([prepare(text) for text in TEXTS])})
    return made, root


def expected(folder):
    """The likeliest words and their shares by transformers itself, at each text's mask; marks are no words."""
    from tokenizers import Tokenizer
    from transformers import BertForMaskedLM

    net, tokenizer = BertForMaskedLM.from_pretrained(folder).eval(), Tokenizer.from_file(str(folder / "tokenizer.json"))
    found = []
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        with torch.no_grad():
            shares = net(input_ids=torch.tensor([ids])).logits[0, ids.index(4)].softmax(-1).numpy()
        best = [i for i in np.argsort(-shares) if i > 4][:5]
        found.append([(WORDS[i], shares[i]) for i in best])
    return found


def test_the_contract_asks_for_one_mask_and_answers_words(promise):
    made, _ = promise
    assert made.task == "fill-mask"
    assert made.preprocess[0].parameters["mask"] == "[MASK]"
    assert [step.name for step in made.postprocess] == ["softmax", "likely_words"]
    assert made.main.outputs[0].row_shape == (len(WORDS),)


@pytest.mark.slow
def test_both_files_name_the_words_that_transformers_names(folder, promise, tmp_path):
    _, root = promise
    words = ["--contract", str(root / "contract.json"), "--samples", str(root / "samples.npz")]
    assert main(["export", "--program", str(folder), *words, "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "bundles")]) == 0
    for target, allowed in (("server", 1e-4), ("device", 0.05)):
        with Model.open(tmp_path / "bundles" / "guesser", target=target) as model:
            answers = model.predict_many(TEXTS)
        for answer, wanted in zip(answers, expected(folder), strict=True):
            shares = {item.label: item.score for item in answer.ranking}
            assert answer.label == wanted[0][0]
            assert shares[wanted[0][0]] == pytest.approx(wanted[0][1], abs=allowed)


def test_the_program_scores_what_transformers_scores_at_the_mask(folder, promise, tmp_path):
    from edge.storage import load_npz
    from export.pt2_program import open_pt2

    _, root = promise
    report, code = models.taken(folder, root)
    assert code == 0, report
    scores = open_pt2(str(root / "program.pt2")).module()(torch.from_numpy(load_npz(root / "samples.npz")["ids"])).softmax(-1)
    for row, wanted in zip(scores.detach().numpy(), expected(folder), strict=True):
        for word, share in wanted:
            assert row[WORDS.index(word)] == pytest.approx(share, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("the cat sat", r"the text has no \[MASK\]"),
        ("the [MASK] sat on the [MASK]", r"comes 2 times, expected it once"),
        ("the cat " * 10 + "[MASK]", "stands behind the 12 pieces"),
        ("", "empty"),
    ],
    ids=["none", "two", "behind the end", "empty"],
)
def test_a_text_that_does_not_ask_for_one_word_is_refused(text, fragment, folder, promise):
    with pytest.raises(InputError, match=fragment):
        preprocessing(promise[0], folder)(text)


def test_words_are_ranked_without_marks_and_equals_by_their_number(folder):
    scores = np.zeros(len(WORDS), np.float32)
    scores[[4, 7, 9]] = 3, 2, 2
    function, _ = POSTPROCESS["likely_words"]
    assert [(item.label, item.score) for item in function(scores, Context(assets=folder), k=3)] == [
        ("dog", 2.0),
        ("ran", 2.0),
        ("the", 0.0),
    ]


@pytest.mark.parametrize("parameters", [{"k": 0}, {"k": True}, {"tokenizer": "../other.json"}], ids=["none", "true", "outside"])
def test_parameters_that_cannot_be_are_told(parameters):
    assert POSTPROCESS["likely_words"][1](**parameters).startswith("has ")
    assert POSTPROCESS["likely_words"][1]() == ""


@pytest.mark.parametrize(
    "content", ["{", "{}", '{"model": {"vocab": {"a": "x"}}}', '{"model": {"vocab": {}}}'], ids=["cut", "none", "no number", "empty"]
)
def test_a_damaged_tokenizer_is_told(content, tmp_path):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(BundleError, match="copy the bundle again"):
        POSTPROCESS["likely_words"][0](np.zeros(3, np.float32), Context(assets=tmp_path))


def test_scores_of_another_model_are_told(folder):
    with pytest.raises(BundleError, match="not of one model"):
        POSTPROCESS["likely_words"][0](np.zeros(3, np.float32), Context(assets=folder))


def test_a_tokenizer_without_a_mask_is_refused(folder, tmp_path):
    told = json.loads((folder / "tokenizer.json").read_text())
    told["model"]["vocab"].pop("[MASK]")
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "tokenizer.json").write_text(json.dumps(told))
    with pytest.raises(ConversionError, match=r"has no piece \[MASK\]"):
        open_folder(str(tmp_path)).number_of("[MASK]")
