"""Tiny random T5s in folders, as people's own are, and pairs of bundles made of them without the children of an export."""

import io
import json
import random
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge import contract
from edge.storage import load_npz, save_npz, sha256_file, write_sums
from edge.variants import Io, Physical, Variant, dumps
from export import seq2seq_model, to_onnx
from export.pt2_call import caller
from export.pt2_program import open_pt2

TEXT = (
    "the cat sat on a mat and dogs ran fast naïve café Über straße こんにちは 世界 ﬁne ① ２０２４ summary model running towns bridge rain"
)
WORDS = TEXT.split()
SIZES: dict[str, Any] = {"vocab_size": 80, "d_model": 16, "d_kv": 6, "d_ff": 24, "num_layers": 2, "num_heads": 2}
SIZES |= {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 10, "decoder_start_token_id": 0}
ENDING = 2.0
FAST = {
    "type": "Sequence",
    "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}],
}


def spiece(vocabulary: int = 62) -> bytes:
    """Train SentencePiece's own model on a few words."""
    import sentencepiece

    chance, out = random.Random(1), io.BytesIO()
    lines = [" ".join(chance.choices(WORDS, k=9)) for _ in range(300)]
    told = {"vocab_size": vocabulary, "model_type": "unigram", "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=out, **told)
    return out.getvalue()


def tokenizer(model: bytes, **rules: Any) -> Any:
    """Make the same tokenizer by the library `tokenizers`, as T5's own file has it; rules are its normalizer and pre_tokenizer."""
    from sentencepiece import sentencepiece_model_pb2
    from tokenizers import AddedToken, Tokenizer, models, processors

    told = sentencepiece_model_pb2.ModelProto()
    told.ParseFromString(model)
    made = Tokenizer(models.Unigram([(piece.piece, piece.score) for piece in told.pieces], unk_id=2, byte_fallback=False))
    made.post_processor = processors.TemplateProcessing(single=["$A", "</s>"], special_tokens=[("</s>", 1)])
    marks = ["<pad>", "</s>", "<unk>", "<extra_id_0>", "<extra_id_1>"]
    made.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in marks])
    content = json.loads(made.to_str())
    return Tokenizer.from_str(json.dumps({**content, "pre_tokenizer": FAST, **rules}))


def charsmap(model: bytes) -> bytes:
    """The table of characters in SentencePiece's file."""
    from sentencepiece import sentencepiece_model_pb2

    told = sentencepiece_model_pb2.ModelProto()
    told.ParseFromString(model)
    return bytes(told.normalizer_spec.precompiled_charsmap)


def network(seed: int = 0, **changed: Any) -> Any:
    """A T5 with large random weights, so that its answers differ clearly from text to text."""
    from transformers import T5Config, T5ForConditionalGeneration

    net = T5ForConditionalGeneration(T5Config(**{**SIZES, **changed})).eval()
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in net.parameters():
            drawn = torch.randn(weight.shape, generator=chance)
            weight.copy_(0.6 * drawn if weight.dim() > 1 else 1 + 0.3 * drawn)
        net.shared.weight[1] *= ENDING  # so that some texts come to an end
    return net


def folder(place: Path, model: bytes, seed: int = 0, spiece_alone: bool = False, **changed: Any) -> Path:
    """Write a T5 folder."""
    network(seed, **changed).save_pretrained(place)
    if spiece_alone:
        (place / "spiece.model").write_bytes(model)
    else:
        tokenizer(model).save(str(place / "tokenizer.json"))
    return place


def pair(source: Path, root: Path, name: str = "tiny") -> Path:
    """Take a folder in this process, convert both programs, and write both bundles; give the path that `Seq2Seq.open` takes."""
    seq2seq_model.take(str(source), name, "made by a test", str(root / "parts"))
    for part in ("encoder", "decoder"):
        place = root / "parts" / part
        promise = contract.load(place / "contract.json")
        bundle = root / "bundles" / promise.name / promise.version
        shutil.copytree(place / "assets", bundle / "assets")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own, as in a child
            to_onnx.run(str(place / "net.pt2"), str(place / "contract.json"), str(bundle / "model.onnx"))
        _prove(promise, place, bundle)
    return root / "bundles" / name


def _prove(promise: contract.Contract, place: Path, bundle: Path) -> None:
    """Write what a release writes beside the file, with the program's own answers as golden ones."""
    samples = load_npz(place / "samples.npz")
    with torch.no_grad():
        answers = caller(open_pt2(str(place / "net.pt2")))(*(torch.from_numpy(samples[t.name]) for t in promise.main.inputs))
    golden = {f"input/{name}": np.ascontiguousarray(array[:8]) for name, array in samples.items()}
    golden |= {f"output/{t.name}": answer.numpy()[:8] for t, answer in zip(promise.main.outputs, answers, strict=True)}
    save_npz(bundle / "golden.npz", golden)
    (bundle / "contract.json").write_text(promise.dumps(), encoding="utf-8")
    sides = [tuple(Physical(t.name, t.dtype, t.layout) for t in side) for side in (promise.main.inputs, promise.main.outputs)]
    file = bundle / "model.onnx"
    facts: tuple[Any, ...] = (None, None, 1.0, 2e-3, file.stat().st_size, sha256_file(file))
    variant = Variant("model.onnx", "onnx", "fp32", ("server",), Io(*sides), {}, ("onnxruntime",), *facts)
    (bundle / "variants.json").write_text(dumps((variant,)), encoding="utf-8")
    assets = [f"assets/{path}" for path in promise.assets.values()]
    write_sums(bundle, ["contract.json", "golden.npz", "model.onnx", "variants.json", *assets])
