"""Tiny random BERTs as users have them: a folder of configuration, weights and vocabulary; and small articles to teach them."""

import json

import numpy as np

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *["the", "a", "of", "to", "oil", "bank", "rose", "fell", "ship", "price", "report", "says", "not", "very"],
    "##s",
    "##ing",
    ".",
]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 128}


def save(path, tables):
    """Write tables of float32 as a safetensors file."""
    header, parts, end = {}, [], 0
    for name, table in tables.items():
        content = np.ascontiguousarray(table, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(table.shape), "data_offsets": [end, end + len(content)]}
        parts.append(content)
        end += len(content)
    head = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + b"".join(parts))


def tables(sizes=SIZES, seed=0, prefix=""):
    """Random weights by their published names."""
    draw = np.random.default_rng(seed)
    width, wide = sizes["hidden_size"], sizes["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (len(WORDS), width),
        "embeddings.position_embeddings.weight": (sizes["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": (2, width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
    }
    for layer in range(sizes["num_hidden_layers"]):
        for name, out, into in [
            *((f"attention.self.{each}", width, width) for each in ("query", "key", "value")),
            ("attention.output.dense", width, width),
            ("intermediate.dense", wide, width),
            ("output.dense", width, wide),
        ]:
            shapes |= {f"encoder.layer.{layer}.{name}.weight": (out, into), f"encoder.layer.{layer}.{name}.bias": (out,)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"encoder.layer.{layer}.{name}.{kind}": (width,) for kind in ("weight", "bias")}
    return {prefix + name: draw.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


def folder(path, sizes=SIZES, **changed):
    """Write a folder of a BERT with an old vocabulary file."""
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps({"model_type": "bert", "vocab_size": len(WORDS), **sizes, **changed}))
    (path / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    save(path / "model.safetensors", tables(sizes))
    return path
