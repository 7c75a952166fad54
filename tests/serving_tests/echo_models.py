"""Models for tests that answer with what they were given: the row that their step made of a text."""

from pathlib import Path

import numpy as np
from onnx import helper

from edge.contract import Step, Tensor
from edge.steps import preprocessing
from edge.storage import write_sums
from tests.serving_tests.conftest import tiny_contract, write_bundle

LENGTH = 8
WORDS = ("win", "a", "prize", "!", "\u559c\u6b61", "caf\u00e9", "\U0001f389", "&")
ASSETS = {
    "vocabulary.txt": "".join(f"{word}\n" for word in WORDS).encode(),
    "terms.tsv": "".join(f"{word}\t{1 + place / 10}\n" for place, word in enumerate(WORDS)).encode(),
}
ECHOES = {
    "echo_words": (Step("tokenize", length=LENGTH, markup=True, own_script=True), "int32"),
    "echo_characters": (Step("tokenize", length=LENGTH, unit="characters", own_script=True), "int32"),
    "echo_code": (Step("mark_words", length=LENGTH, words="vocabulary.txt", markup=True, own_script=True), "float32"),
    "echo_weights": (Step("weigh_terms", terms="terms.tsv", markup=True, own_script=True), "float32"),
}


def write_echo(root: Path, name: str) -> Path:
    """Write one of the released bundles of `ECHOES` below a folder."""
    step, dtype = ECHOES[name]
    row = Tensor("row", dtype, ("batch", LENGTH), "NL")
    asset = "terms.tsv" if step.name == "weigh_terms" else "vocabulary.txt"
    contract = tiny_contract(name, (row,), Tensor("echo", dtype, ("batch", LENGTH), "NL"), preprocess=(step,), assets={"words": asset})
    beside = root.parent / f"{root.name}-assets"
    beside.mkdir(exist_ok=True)
    (beside / asset).write_bytes(ASSETS[asset])
    rows = np.stack([preprocessing(contract, beside)(text) for text in ("win a prize", "caf\u00e9!")])
    golden = {"raw/000": np.array("win a prize"), "raw/001": np.array("caf\u00e9!"), "input/row": rows, "output/echo": rows}
    folder = write_bundle(root, contract, [helper.make_node("Identity", ["row"], ["echo"])], {}, golden)
    (folder / "assets").mkdir()
    (folder / "assets" / asset).write_bytes(ASSETS[asset])
    write_sums(folder, ["contract.json", "golden.npz", "model.onnx", "variants.json", f"assets/{asset}"])
    return folder
