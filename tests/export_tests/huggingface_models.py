"""Tiny random models in Hugging Face folders, written as people's own are: `save_pretrained` and a `tokenizer.json`."""

import json

from edge import contract
from export import first_contract, signature
from export.convert import _run

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *["the", "cat", "dog", "sat", "ran", "on", "a", "mat", "fast", "##s", "##ing", "good", "bad"]]
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": len(WORDS)}


def tokenizer(folder):
    """Write a WordPiece tokenizer; it cuts and fills up by itself, which the step does not want."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing

    made = Tokenizer(WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = BertNormalizer(), BertPreTokenizer()
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    made.enable_truncation(5)
    made.enable_padding(length=5)
    made.save(str(folder / "tokenizer.json"))


def bert(folder, **changed):
    """A classifier of texts: two layers of BERT, three labels."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    named = {"id2label": {0: "good", 1: "bad", 2: "neither"}, "label2id": {"good": 0, "bad": 1, "neither": 2}}
    config = BertConfig(**SIZES, max_position_embeddings=16, initializer_range=0.5, **named, **changed)
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer(folder)
    return folder


def sentences(folder, mode="mean"):
    """An encoder of sentences: the plain network, pooled and brought to length 1."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(1)
    BertModel(BertConfig(**SIZES, max_position_embeddings=16, initializer_range=0.5), add_pooling_layer=False).save_pretrained(folder)
    tokenizer(folder)
    pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": mode == "cls", "pooling_mode_mean_tokens": mode == "mean"}
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    listed = [{"idx": i, "path": path, "type": f"sentence_transformers.models.{kind}"} for i, (path, kind) in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(listed))
    return folder


def vit(folder):
    """A classifier of pictures of 16 × 16 pixels; its labels have no names."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(2)
    sizes = {**SIZES, "image_size": 16, "patch_size": 8, "num_labels": 4, "initializer_range": 0.3}
    sizes.pop("vocab_size")
    ViTForImageClassification(ViTConfig(**sizes)).save_pretrained(folder)
    told = {"size": {"height": 16, "width": 16}, "resample": 3, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}
    (folder / "preprocessor_config.json").write_text(json.dumps(told))
    return folder


def stated(folder, path, **changed):
    """What `tandem contract init` writes for a folder, filled in."""
    content, _ = first_contract.draft(folder.name, signature.run(str(folder)))
    content |= {"licence": "MIT", "source": "made by a test", **changed}
    if str(content.get("labels", [""])[0]).startswith("FILL IN"):
        content["labels"] = list("abcd")[: content["graphs"][0]["outputs"][0]["shape"][1]]
    path.write_text(json.dumps(content))
    return contract.load(path)


def taken(folder, root):
    """What the step that makes a program of a folder reports, by the contract in `root`."""
    request = {"source": str(folder), "contract_file": str(root / "contract.json"), "output": str(root / "program.pt2")}
    return _run("take_huggingface", request)
