"""A T5 folder made two programs with contracts, samples, and answers of transformers itself that the pair is held to."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from edge import seq2seq, unigram
from edge.beams import MAX_BEAMS, MAX_LENGTH, Search
from edge.contract import PARITY_ONLY, SCHEMA, Contract, Graph, Metric, Step, Tensor, Tolerance
from edge.errors import BundleError, ConversionError
from edge.seq2seq import CROSS, IDS, PAIR, PAST, PRESENT, SCORES, TOKEN
from edge.steps.unigram import MAX_PREFIX
from edge.storage import save_npz
from export import sentencepiece_file
from export.huggingface_folder import CONFIG, TOKENIZER, Folder, open_folder
from export.huggingface_model import loaded
from export.module_program import exported
from export.t5 import ACTIVATIONS, Decoder, Encoder, Sizes

SPIECE, GENERATION = "spiece.model", "generation_config.json"
CLOSE = 2e-3
SAMPLES, READ, BEFORE = 12, 24, 5  # samples, the ids of each, and the steps that a cache holds
LONGEST = 512
PREFIX = "summarize: "
# What stands where the folder says nothing: the search of the course, bounded.
USUAL: dict[str, Any] = {"num_beams": 2, "repetition_penalty": 2.5, "max_length": 128, "early_stopping": True}
TRIED: tuple[dict[str, Any], ...] = (
    {"num_beams": 1, "max_length": 16},
    {"num_beams": 2, "repetition_penalty": 2.5, "max_length": 16, "early_stopping": True},
)
TEXTS = (
    "The two towns built a bridge over the river. It took three years. Now the way to work is half as long.",
    "Rain fell for a week, and the harvest came late this year.",
)


def take(source: str, name: str, licence: str, output: str) -> dict[str, Any]:
    """Write `encoder` and `decoder` below a folder: a program, a contract, samples and assets each.

    Args:
        source: The T5 folder.
        name: What the pair shall be called.
        licence: That of the weights.
        output: The folder to write to.

    Raises:
        ConversionError: The folder is refused, or its parts are not of one model; the message says which.
    """
    folder = open_folder(source, "text-to-text")
    told, tokenizer = _tokenizer(folder)
    net, notes = loaded(folder)
    sizes = _sizes(net.config, folder)
    if tokenizer.size > sizes.vocabulary:
        raise ConversionError(
            f"{folder.path.name}: the tokenizer gives ids up to {tokenizer.size - 1}, the model knows {sizes.vocabulary}; "
            "they are not of one model"
        )
    with torch.no_grad():
        weights = net.state_dict()
        modules = {"encoder": Encoder(weights, sizes).eval(), "decoder": Decoder(weights, sizes).eval()}
        samples = _samples(modules, sizes)
        _alike(modules, net, folder)
        pair = _pair(net, folder, tokenizer, _search(folder))
        for part, promise in _contracts(name, licence, folder, sizes).items():
            place = Path(output) / part
            (place / "assets").mkdir(parents=True)
            (place / "contract.json").write_text(promise.dumps(), encoding="utf-8")
            (place / "assets" / PAIR).write_text(json.dumps(pair), encoding="utf-8")
            save_npz(place / "samples.npz", {t.name: samples[t.name] for t in promise.main.inputs})
            torch.export.save(exported(modules[part], promise, folder.path.name), str(place / "net.pt2"))
        (Path(output) / "encoder" / "assets" / TOKENIZER).write_bytes(told)
    return {"notes": notes}


def _tokenizer(folder: Folder) -> tuple[bytes, unigram.Unigram]:
    """Read the tokenizer, from SentencePiece's file where there is no other.

    Raises:
        ConversionError: There is none, or it is of another kind.
    """
    path = folder.path / TOKENIZER
    if path.is_file():
        content = path.read_bytes()
    elif (folder.path / SPIECE).is_file():
        size = folder.config.get("vocab_size")
        told = sentencepiece_file.tokenizer((folder.path / SPIECE).read_bytes(), size if isinstance(size, int) else 0)
        content = json.dumps(told, ensure_ascii=False).encode()
    else:
        raise ConversionError(f"{folder.path.name}: neither {TOKENIZER} nor {SPIECE}, which turn texts into ids; copy the whole folder")
    try:
        return content, unigram.loads(content, f"{folder.path.name}: {path.name}")
    except BundleError as error:
        raise ConversionError(str(error)) from None


def _sizes(config: Any, folder: Folder) -> Sizes:
    if config.dense_act_fn not in ACTIVATIONS:
        raise ConversionError(f"{folder.path.name}: no activation called {config.dense_act_fn!r} is known, only {', '.join(ACTIVATIONS)}")
    return Sizes(
        width=config.d_model,
        heads=config.num_heads,
        head_width=config.d_kv,
        layers=config.num_layers,
        decoder_layers=config.num_decoder_layers,
        buckets=config.relative_attention_num_buckets,
        distance=config.relative_attention_max_distance,
        vocabulary=config.vocab_size,
        padding=config.pad_token_id or 0,
        epsilon=config.layer_norm_epsilon,
        activation=config.dense_act_fn,
        gated=config.is_gated_act,
        scaled=config.scale_decoder_outputs,
    )


def _samples(modules: dict[str, Any], sizes: Sizes) -> dict[str, Any]:
    """Make inputs of both programs: ids by chance, some filled up, and caches of a few steps."""
    chance = torch.Generator().manual_seed(0)
    ids = torch.randint(0, sizes.vocabulary, (SAMPLES, READ), generator=chance).int()
    ids[ids == sizes.padding] = (sizes.padding + 1) % sizes.vocabulary
    ids[1, READ // 2 :] = ids[2, READ - 1 :] = sizes.padding
    tokens = torch.randint(0, sizes.vocabulary, (SAMPLES, BEFORE + 1), generator=chance).int()
    cross = modules["encoder"](ids)
    past = torch.zeros(SAMPLES, sizes.decoder_layers, 2, sizes.heads, 0, sizes.head_width)
    for place in range(BEFORE):
        _, past = modules["decoder"](tokens[:, place : place + 1], ids, cross, past)
    return {IDS: ids.numpy(), TOKEN: tokens[:, BEFORE:].numpy(), CROSS: cross.numpy(), PAST: past.numpy()}


def _alike(modules: dict[str, Any], net: Any, folder: Folder) -> None:
    """Refuse a model that our own layers do not compute as transformers does."""
    chance = torch.Generator().manual_seed(1)
    ids, written = (torch.randint(2, net.config.vocab_size, (2, count), generator=chance) for count in (40, 12))
    wanted = net(input_ids=ids, attention_mask=torch.ones_like(ids), decoder_input_ids=written).logits
    cross, ids = modules["encoder"](ids.int()), ids.int()
    shape = cross.shape
    past, worst = torch.zeros(2, *shape[1:4], 0, shape[5]), 0.0
    for place in range(written.shape[1]):
        scores, past = modules["decoder"](written[:, place : place + 1].int(), ids, cross, past)
        worst = max(worst, float((scores - wanted[:, place]).abs().max()))
    if not worst <= CLOSE * max(1.0, float(wanted.abs().max())):
        raise ConversionError(f"{folder.path.name}: our layers answer {worst:.3g} away from transformers' own; its kind is not known")


def _search(folder: Folder) -> dict[str, Any]:
    """Give the usual search: the folder's own for summaries, where it has one that is within bounds, over the course's."""
    told = {**(folder.read(GENERATION) if folder.has(GENERATION) else {}), **_task(folder)}
    found = {**USUAL, **{name: told[name] for name in seq2seq.SEARCH if told.get(name) is not None}}
    bounds = {"num_beams": MAX_BEAMS, "max_length": MAX_LENGTH, "min_length": MAX_LENGTH}
    return {name: min(value, bounds[name]) if name in bounds and isinstance(value, int) else value for name, value in found.items()}


def _task(folder: Folder) -> dict[str, Any]:
    """Give what the folder says of summaries."""
    tasks = folder.config.get("task_specific_params")
    own = tasks.get("summarization") if isinstance(tasks, dict) else None
    return own if isinstance(own, dict) else {}


def _prefix(folder: Folder) -> str:
    told = _task(folder).get("prefix")
    return told if isinstance(told, str) and len(told) <= MAX_PREFIX else PREFIX


def _pair(net: Any, folder: Folder, tokenizer: unigram.Unigram, usual: dict[str, Any]) -> dict[str, Any]:
    """Give the content of `pair.json`: examples are answered by transformers' own `generate`."""
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    marks = _marks(net, folder)
    net.generation_config = _configured({}, marks)  # the folder's own would stand in for what a search leaves open
    examples = []
    for text, search in zip(TEXTS, TRIED, strict=True):
        ids = tokenizer.encode(_prefix(folder) + text, READ)
        given = torch.tensor([ids])
        answer = net.generate(given, attention_mask=torch.ones_like(given), do_sample=False, generation_config=_configured(search, marks))
        examples.append({"ids": ids, "search": search, "answer": answer[0, 1:].tolist()})
    hashed = hashlib.sha256()
    for path in folder.weights:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                hashed.update(block)
    content = {"weights": hashed.hexdigest(), **marks, "search": usual, "examples": examples}
    try:
        seq2seq.read_pair(json.dumps(content).encode(), PAIR)
    except BundleError as error:
        raise ConversionError(f"{folder.path.name}: {CONFIG} or {GENERATION} asks for a search that is not taken ({error})") from None
    return content


def _configured(search: dict[str, Any], marks: dict[str, int]) -> Any:
    """Give transformers' own form of a search, each field of it said, so that none is taken from the folder."""
    import transformers

    kind: Any = transformers.GenerationConfig
    told = asdict(Search(**search))
    if told["num_beams"] == 1:  # the library warns of what is for beams alone
        told = {name: value for name, value in told.items() if name not in ("length_penalty", "early_stopping")}
    ids = {"decoder_start_token_id": marks["start"], "eos_token_id": marks["end"], "pad_token_id": marks["padding"]}
    return kind(**told, **ids, use_cache=False)  # its cache fails where the decoder has more layers than the encoder


def _marks(net: Any, folder: Folder) -> dict[str, int]:
    config, generation = net.config, net.generation_config
    found = {"padding": config.pad_token_id if config.pad_token_id is not None else 0}
    for name, key in (("start", "decoder_start_token_id"), ("end", "eos_token_id")):
        told = getattr(config, key, None)
        told = getattr(generation, key, None) if told is None else told
        told = told[0] if isinstance(told, list) and len(told) == 1 else told
        told = found["padding"] if told is None and name == "start" else told
        if type(told) is not int or not 0 <= told < config.vocab_size:
            raise ConversionError(f"{folder.path.name}: {CONFIG} says {key} {told!r}, expected one id of the vocabulary; set it there")
        found[name] = told
    return found


def _contracts(name: str, licence: str, folder: Folder, sizes: Sizes) -> dict[str, Contract]:
    """Write what both programs take and give."""
    inner = (sizes.decoder_layers, 2, sizes.heads)
    limits = (0.0, float(sizes.vocabulary - 1))
    ids = Tensor(IDS, "int32", ("batch", "length"), "NL", limits, f"ids of {TOKENIZER}; {sizes.padding} fills up and is masked inside")
    cross = Tensor(CROSS, "float32", ("batch", *inner, "length", sizes.head_width), "NLKHTD", None, "keys and values of what was read")
    past = Tensor(PAST, "float32", ("batch", *inner, "past", sizes.head_width), "NLKHTD", None, "keys and values of what was written")
    present = Tensor(PRESENT, "float32", ("batch", *inner, "present", sizes.head_width), "NLKHTD", None, "the same, one step longer")
    token = Tensor(TOKEN, "int32", ("batch", 1), "NL", limits, "the id that was written last")
    scores = Tensor(SCORES, "float32", ("batch", sizes.vocabulary), "NC", None, "one score for each id that may come next")
    told = folder.config.get("n_positions")
    length = min(told, LONGEST) if isinstance(told, int) and told > 1 else LONGEST
    shared: dict[str, Any] = {
        "schema": SCHEMA,
        "version": "1.0.0",
        "metric": Metric(PARITY_ONLY, "higher", None, "samples"),
        "targets": ("server",),
        "recipes": ("fp32",),
        "requires_runtimes": ("onnxruntime",),
        "tolerance": Tolerance(onnx=CLOSE, tflite=CLOSE),
        "licence": licence,
        "source": f"the folder {folder.path.name}, a {folder.architecture}",
    }
    reads = Contract(
        name=f"{name}{seq2seq.ENCODER}",
        task="text-to-text, what is read",
        description="The encoder of a T5: reads a text once, for its decoder.",
        graphs=(Graph("main", (ids,), (cross,)),),
        preprocess=(Step("unigram", length=length, prefix=_prefix(folder), tokenizer=TOKENIZER),),
        assets={"tokenizer": TOKENIZER, "pair": PAIR},
        **shared,
    )
    writes = Contract(
        name=f"{name}{seq2seq.DECODER}",
        task="text-to-text, what is written",
        description="The decoder of a T5: one id at a time, with a cache of keys and values.",
        graphs=(Graph("main", (token, ids, cross, past), (scores, present)),),
        assets={"pair": PAIR},
        **shared,
    )
    return {"encoder": reads, "decoder": writes}
