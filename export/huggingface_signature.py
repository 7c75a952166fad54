"""What a Hugging Face folder says of itself, for a first contract: tensors, steps, labels, and what it leaves open."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict
from typing import Any

from edge.errors import ConversionError
from export.given_order import Own
from export.huggingface_folder import CONFIG, MASK, MODULES, POOLING, PREPROCESSOR, SHIFTED, TOKENIZER, Folder, open_folder

LENGTH = 128
IDS, IMAGE, LOGITS, EMBEDDING = "ids", "image", "logits", "embedding"
FILTERS = {0: "nearest", 2: "bilinear", 3: "bicubic", 4: "box"}  # Pillow's numbers of the filters that `resize` has


def read(source: str) -> dict[str, Any]:
    """Read a folder's signature; see `export.signature.run`.

    Raises:
        ConversionError: It is refused, or does not say what a contract needs.
    """
    folder = open_folder(source)
    inputs, told = (_texts if folder.takes_texts else _pictures)(folder)
    output, answered = {"sentence-similarity": _embedding, "fill-mask": _guesses}.get(folder.task, _classes)(folder)
    contract = {**told["contract"], **answered["contract"]}
    contract["graphs"] = [{"name": "main", "inputs": [told["tensor"]], "outputs": [answered["tensor"]]}]
    return {
        "inputs": [asdict(inputs)],
        "outputs": [asdict(output)],
        "targets": ["server", "device"],
        "task": folder.task,
        "description": f"{folder.architecture} from a Hugging Face folder.",
        "labels": answered.get("labels", []),
        "classes": folder.task not in ("sentence-similarity", "fill-mask") and output.shape[1] != 1,
        "contract": {**contract, "recipes": ["dynamic_wi8_afp32"], "tolerance": {"onnx": 1e-3, "tflite": 1e-2}},
        "asked": [*told["asked"], *answered["asked"]],
    }


def longest(folder: Folder) -> int:
    """Give how many ids the model can take at most.

    Raises:
        ConversionError: The description bounds it to nothing.
    """
    positions = folder.config.get("max_position_embeddings")
    shift = folder.padding + 1 if folder.config.get("model_type") in SHIFTED else 0
    found = [positions - shift] if isinstance(positions, int) else []
    for name, key in (("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")):
        told = folder.read(name).get(key) if folder.has(name) else None
        found += [told] if isinstance(told, int) and 0 < told < 1 << 20 else []
    if min(found, default=LENGTH) < 1:
        raise ConversionError(f"{folder.path.name}: {CONFIG} says max_position_embeddings {positions!r}, which leaves no room for a text")
    return min(found, default=LENGTH)


def _texts(folder: Folder) -> tuple[Own, dict[str, Any]]:
    """Describe ids; their length is fixed, since devices need it so."""
    most, padding = longest(folder), folder.padding
    length = min(most, LENGTH)
    meaning = f"ids of {TOKENIZER}; {padding} fills up and is masked inside the graph"
    known = folder.config.get("vocab_size")
    limits = {"range": [0, known - 1]} if isinstance(known, int) and known > 1 else {}
    step = {"step": "wordpiece", "length": length, "padding": padding, "tokenizer": TOKENIZER}
    step |= {"mask": MASK} if folder.task == "fill-mask" else {}
    asked = [
        f"length: {length} ids of at most {most}; longer texts are cut; change it in the input's shape and in the step wordpiece alike"
    ]
    return Own(IDS, "int32", (None, None)), {
        "tensor": {"name": IDS, "dtype": "int32", "shape": ["batch", length], "layout": "NL", **limits, "meaning": meaning},
        "contract": {"preprocess": [step], "assets": {"tokenizer": TOKENIZER}},
        "asked": asked,
    }


def _pictures(folder: Folder) -> tuple[Own, dict[str, Any]]:
    """Describe pixels; size and filter are the image processor's."""
    told = folder.read(PREPROCESSOR)
    height, width, kept = size(folder)
    filter = FILTERS.get(told.get("resample", 2), "bicubic")
    step = {"step": "resize", "height": height, "width": width, "filter": filter, "fit": "cover" if kept else "stretch"}
    asked = [f"resize: {kept}; the step shows the model the middle of the whole shorter side: measure it with --eval"] if kept else []
    if told.get("resample", 2) not in FILTERS:
        asked.append(
            f"resize: the folder resamples by Pillow's filter {told['resample']!r}, which no step has; {filter} stands in its place"
        )
    shape = (None, height, width, 3)
    return Own(IMAGE, "uint8", shape), {
        "tensor": {"name": IMAGE, "dtype": "uint8", "shape": ["batch", *shape[1:]], "layout": "NHWC", "range": [0, 255]},
        "contract": {"preprocess": [{"step": "decode_image", "channels": 3}, step]},
        "asked": asked,
    }


def size(folder: Folder) -> tuple[int, int, str]:
    """Give height and width of the pictures, and what is said where their shape is kept by cutting; empty where it is not.

    Raises:
        ConversionError: The image processor's description says no size.
    """
    told = folder.read(PREPROCESSOR)
    wanted, crop = told.get("size", folder.config.get("image_size")), told.get("crop_size")
    side = wanted.get("shortest_edge") if isinstance(wanted, dict) else None
    if told.get("do_center_crop") and crop is not None:
        wanted, kept = crop, f"the folder brings the shorter side to {side or wanted} and cuts out the middle"
    elif side is not None:
        wanted, kept = side, f"the folder keeps the shape of a picture ({PREPROCESSOR}: shortest_edge)"
    else:
        kept = ""
    if isinstance(wanted, dict):
        wanted = (wanted.get("height"), wanted.get("width"))
    pair = wanted if isinstance(wanted, tuple) else (wanted, wanted)
    if not all(type(each) is int and 1 <= each <= 8192 for each in pair):
        raise ConversionError(f"{folder.path.name}: {PREPROCESSOR} says no size that a picture could have (it says {wanted!r}); add one")
    return int(pair[0]), int(pair[1]), kept


def _classes(folder: Folder) -> tuple[Own, dict[str, Any]]:
    """Describe scores; the labels are those of the description, where it has some."""
    named = folder.config.get("id2label")
    named = {str(key): str(value) for key, value in named.items()} if isinstance(named, dict) else {}
    count = len(named) or int(folder.config.get("num_labels") or 2)
    listed = [named.get(str(i), "") for i in range(count)]
    known = all(listed) and not all(re.fullmatch(r"LABEL_\d+", label) for label in listed)
    several = Counter(listed)
    labels = [f"{label} ({i})" if several[label] > 1 else label for i, label in enumerate(listed)] if known else []
    ranked = [{"step": "softmax"}, {"step": "top_k", "k": min(5, count)}]
    asked = []
    if folder.config.get("problem_type") == "multi_label_classification":
        ranked = ranked[1:]
        asked.append("postprocess: several labels may be right at once; top_k ranks the raw scores, and no step makes shares of them")
    if count == 1:
        ranked, labels = [], []
    answered = {
        "tensor": {"name": LOGITS, "dtype": "float32", "shape": ["batch", count], "layout": "NC", "meaning": "one score a class"},
        "contract": {"postprocess": ranked},
        "labels": labels,
        "asked": asked,
    }
    return Own(LOGITS, "float32", (None, count)), answered


def _guesses(folder: Folder) -> tuple[Own, dict[str, Any]]:
    """Describe scores of what could stand at the mask: one a piece of the vocabulary."""
    folder.number_of(MASK)
    count = folder.config.get("vocab_size")
    if not isinstance(count, int) or count < 1:
        raise ConversionError(f"{folder.path.name}: {CONFIG} says vocab_size {count!r}, so the words are unknown; save the model anew")
    meaning = f"one score a piece of {TOKENIZER}, of what could stand at {MASK}"
    answered = {
        "tensor": {"name": LOGITS, "dtype": "float32", "shape": ["batch", count], "layout": "NC", "meaning": meaning},
        "contract": {"postprocess": [{"step": "softmax"}, {"step": "likely_words", "tokenizer": TOKENIZER, "k": 5}]},
        "asked": [],
    }
    return Own(LOGITS, "float32", (None, count)), answered


def _embedding(folder: Folder) -> tuple[Own, dict[str, Any]]:
    """Describe an encoder's answer: one vector a text."""
    width = next((folder.config[key] for key in ("hidden_size", "dim", "d_model") if isinstance(folder.config.get(key), int)), None)
    if width is None:
        raise ConversionError(f"{folder.path.name}: {CONFIG} has no hidden_size, so the vectors' length is unknown; save the model anew")
    how, normalised = pooling(folder)
    asked = [] if folder.has(f"{POOLING}/{CONFIG}") else [f"pooling: no {POOLING}/{CONFIG}; the mean over the text is taken, of length 1"]
    meaning = f"pooled by {how}{', of length 1' if normalised else ''}"
    answered = {
        "tensor": {"name": EMBEDDING, "dtype": "float32", "shape": ["batch", width], "layout": "NC", "meaning": meaning},
        "contract": {},
        "asked": asked,
    }
    return Own(EMBEDDING, "float32", (None, width)), answered


def pooling(folder: Folder) -> tuple[str, bool]:
    """Give how vectors are pooled, `mean` or `cls`, and whether they are brought to length 1.

    Raises:
        ConversionError: The folder pools otherwise, or has modules that are not known here.
    """
    modules = folder.modules()
    unknown = [name for name in modules if name not in ("Transformer", "Pooling", "Normalize")]
    if unknown:
        raise ConversionError(
            f"{folder.path.name}: {MODULES} has {', '.join(unknown)}; taken are Transformer, Pooling and Normalize; export the whole "
            "encoder yourself: --program net.pt2"
        )
    if not folder.has(f"{POOLING}/{CONFIG}"):
        return "mean", not modules or "Normalize" in modules
    told = folder.read(f"{POOLING}/{CONFIG}")
    mode = told.get("pooling_mode")
    names = [mode] if isinstance(mode, str) else [key.removeprefix("pooling_mode_") for key, value in told.items() if value is True]
    names = [{"cls_token": "cls", "mean_tokens": "mean"}.get(name, name) for name in names if name != "include_prompt"]
    if names not in (["mean"], ["cls"]):
        raise ConversionError(
            f"{folder.path.name}: pools by {' and '.join(names) or 'nothing'}, expected the mean or the first token (cls)"
        )
    return names[0], not modules or "Normalize" in modules
