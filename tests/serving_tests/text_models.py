"""A tiny model of texts for tests: it counts letters of a vocabulary, released without training."""

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from edge.contract import Step, Tensor
from edge.steps import preprocessing
from edge.storage import write_sums
from tests.serving_tests.conftest import tiny_contract, write_bundle

NAME, LETTERS, TEXTS = "tiny_texts", "abc", ("a bad cab", "ccc", "\u4e2d abc")


def write_letters(root: Path) -> Path:
    """Write the released bundle below a folder: ids in, their sum and the number of known letters out as two scores."""
    contract = tiny_contract(
        NAME,
        (Tensor("ids", "int32", ("batch", 6), "NL", (0, 4)),),
        Tensor("logits", "float32", ("batch", 2), "NC"),
        preprocess=(Step("tokenize", length=6, unit="characters"),),
        postprocess=(Step("softmax"), Step("top_k", k=2)),
        labels=("low", "high"),
        assets={"vocabulary": "vocabulary.txt"},
    )
    weights = np.random.default_rng(2).normal(size=(6, 2)).astype(np.float32)
    nodes: list[Any] = [
        helper.make_node("Cast", ["ids"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["real", "weights"], ["logits"]),
    ]
    assets = root / NAME / "1.0.0" / "assets"
    vocabulary = root / "vocabulary.txt"
    vocabulary.parent.mkdir(parents=True, exist_ok=True)
    vocabulary.write_text("".join(f"{letter}\n" for letter in LETTERS), encoding="utf-8")
    prepare = preprocessing(contract, root)
    ids = np.stack([prepare(text) for text in TEXTS])
    logits = ids.astype(np.float32) @ weights
    golden = {f"raw/{i:03}": np.array(text) for i, text in enumerate(TEXTS)}
    golden |= {"input/ids": ids, "output/logits": logits, "label": np.array([contract.labels[i] for i in logits.argmax(1)])}
    folder = write_bundle(root, contract, nodes, {"weights": weights}, golden)
    assets.mkdir()
    vocabulary.rename(assets / "vocabulary.txt")
    write_sums(folder, ["contract.json", "golden.npz", "model.onnx", "variants.json", "assets/vocabulary.txt"])
    return folder
