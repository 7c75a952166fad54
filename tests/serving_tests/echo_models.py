"""Models for tests that answer with what they were given: the row that their step made of a text."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from onnx import helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from edge.contract import Step, Tensor
from edge.steps import preprocessing
from edge.storage import write_sums
from tests.serving_tests.conftest import tiny_contract, write_bundle

LENGTH = 8
WORDS = ("win", "a", "prize", "!", "\u559c\u6b61", "caf\u00e9", "\U0001f389", "&")
ECHOES = {
    "echo_words": (Step("tokenize", length=LENGTH, markup=True, own_script=True), "int32"),
    "echo_characters": (Step("tokenize", length=LENGTH, unit="characters", own_script=True), "int32"),
    "echo_jieba": (Step("tokenize", length=LENGTH, unit="jieba", own_script=True), "int32"),
    "echo_pieces": (Step("wordpiece", length=LENGTH), "int32"),
    "echo_code": (Step("mark_words", length=LENGTH, words="vocabulary.txt", markup=True, own_script=True), "float32"),
    "echo_weights": (Step("weigh_terms", terms="terms.tsv", markup=True, own_script=True), "float32"),
    "echo_numbers": (Step("number_words", length=LENGTH), "int32"),
}


@lru_cache
def asset(name: str) -> bytes:
    """Return the content of an asset that the models' steps read."""
    if name == "terms.tsv":
        return "".join(f"{word}\t{1 + place / 10}\n" for place, word in enumerate(WORDS)).encode()
    return pieces().to_str().encode() if name == "tokenizer.json" else "".join(f"{word}\n" for word in WORDS).encode()


def pieces() -> Tokenizer:
    """Return a WordPiece tokenizer as BERT has them: signs and Chinese characters stand alone, small letters, no accents."""
    known = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "win", "a", "prize", "##s", "!", "\u559c", "\u6b61", "cafe", "\U0001f389", "<", ">", "b")
    made = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(known)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return made


def write_echo(root: Path, name: str) -> Path:
    """Write one of the released bundles of `ECHOES` below a folder."""
    step, dtype = ECHOES[name]
    row = Tensor("row", dtype, ("batch", LENGTH), "NL")
    file = {"weigh_terms": "terms.tsv", "wordpiece": "tokenizer.json"}.get(step.name, "vocabulary.txt")
    contract = tiny_contract(name, (row,), Tensor("echo", dtype, ("batch", LENGTH), "NL"), preprocess=(step,), assets={"words": file})
    beside = root.parent / f"{root.name}-assets"
    beside.mkdir(exist_ok=True)
    (beside / file).write_bytes(asset(file))
    rows = np.stack([preprocessing(contract, beside)(text) for text in ("win a prize", "caf\u00e9!")])
    golden = {"raw/000": np.array("win a prize"), "raw/001": np.array("caf\u00e9!"), "input/row": rows, "output/echo": rows}
    folder = write_bundle(root, contract, [helper.make_node("Identity", ["row"], ["echo"])], {}, golden)
    (folder / "assets").mkdir()
    (folder / "assets" / file).write_bytes(asset(file))
    write_sums(folder, ["contract.json", "golden.npz", "model.onnx", "variants.json", f"assets/{file}"])
    return folder
