"""Our BERT gives what transformers' gives, from the same weights; a text answers alike whatever fills it up; bad weights are told."""

import dataclasses

import numpy as np
import pytest
import torch

from edge.errors import InputError
from tests.training_tests import tiny_bert
from training.pretrained import bert_config, safetensors_file
from training.pretrained.bert import Bert, put_in
from training.pretrained.bert_weights import read_folder

IDS = [[2, 5, 9, 12, 3, 0, 0, 0], [2, 6, 3, 0, 0, 0, 0, 0], [2, 7, 8, 9, 10, 11, 12, 3]]


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_states_are_those_of_transformers(activation, tmp_path):
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    made = BertConfig(vocab_size=len(tiny_bert.WORDS), **tiny_bert.SIZES, hidden_act=activation, initializer_range=0.5)
    theirs = BertModel(made).eval()
    theirs.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(tiny_bert.WORDS))
    ids = torch.tensor(IDS)
    with torch.no_grad():
        ours = read_folder(tmp_path).build().eval()(ids.int())
        wanted = theirs(input_ids=ids, attention_mask=(ids != 0).long()).last_hidden_state
    text = (ids != 0).numpy()
    np.testing.assert_allclose(ours.numpy()[text], wanted.numpy()[text], atol=2e-6)


def test_what_fills_a_text_up_changes_nothing(tmp_path):
    bert = read_folder(tiny_bert.folder(tmp_path / "bert")).build().eval()
    short, long = torch.tensor([IDS[0][:5]]).int(), torch.tensor([IDS[0]]).int()
    with torch.no_grad():
        torch.testing.assert_close(bert.mean(short), bert.mean(long), atol=1e-6, rtol=0)
        assert not torch.allclose(bert.mean(short), bert(long).mean(1), atol=1e-3), "else the mean counts what fills up"


def test_a_program_takes_every_batch_and_one_input(tmp_path):
    bert = read_folder(tiny_bert.folder(tmp_path / "bert")).build().eval()
    ids = torch.tensor(IDS).int()
    exported = torch.export.export(bert, (ids,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(ids[:1]), bert(ids)[:1], atol=1e-5, rtol=0)


def test_too_many_ids_are_told(tmp_path):
    bert = read_folder(tiny_bert.folder(tmp_path / "bert")).build()
    with pytest.raises(InputError, match="129 ids, expected at most 128"):
        bert(torch.ones(1, 129, dtype=torch.int32))


def _loaded(tables, **changed):
    config = bert_config.BertConfig(vocab_size=len(tiny_bert.WORDS), **{**tiny_bert.SIZES, **changed})
    bert = Bert(config)
    put_in(bert, tables, "mine")
    return bert


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_names_of_old_and_of_whole_models_are_known(prefix):
    tables = {name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): one for name, one in tiny_bert.tables().items()}
    bert = _loaded({prefix + name: one for name, one in tables.items()} | {"classifier.weight": np.zeros((2, 16), np.float32)})
    np.testing.assert_array_equal(bert.norm.weight.detach().numpy(), tables["embeddings.LayerNorm.gamma"])


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (lambda tables: tables.pop("encoder.layer.1.output.dense.bias"), "has no table encoder.layer.1.output.dense.bias"),
        (lambda tables: tables.update({"embeddings.LayerNorm.bias": np.zeros(7, np.float32)}), r"is \(7,\), expected \(16,\)"),
        (lambda tables: tables.update({"encoder.layer.2.output.dense.bias": np.zeros(16, np.float32)}), "num_hidden_layers 2"),
        (lambda tables: tables.clear(), "it begins with nothing"),
    ],
    ids=["missing", "another shape", "more layers", "none"],
)
def test_weights_of_another_model_are_told(change, fragment):
    tables = tiny_bert.tables()
    change(tables)
    with pytest.raises(InputError, match=fragment):
        _loaded(tables)


def test_a_file_gives_its_tables_in_every_precision(tmp_path):
    from safetensors.torch import save_file

    table = torch.tensor([[1.5, -2.0], [0.25, 3.0]])
    kinds = {"single": torch.float32, "half": torch.float16, "brain": torch.bfloat16, "double": torch.float64}
    save_file({**{name: table.to(kind) for name, kind in kinds.items()}, "counter": torch.arange(3)}, tmp_path / "f")
    found = safetensors_file.read((tmp_path / "f").read_bytes(), "f")
    assert set(found) == set(kinds)
    for one in found.values():
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, table.numpy())


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"PK\x03\x04" + content,
        lambda content: content[: len(content) // 2],
        lambda content: content[:8] + b"{" + content[9:20],
        lambda content: content.replace(b'"F32"', b'"Q32"'),
        lambda content: content.replace(b'"shape": [16]', b'"shape": [-1]'),
        lambda content: (2).to_bytes(8, "little") + b"[]",
    ],
    ids=["empty", "a zip", "half", "no JSON", "a kind", "a shape", "a list"],
)
def test_a_damaged_file_is_told(damage, tmp_path):
    tiny_bert.save(tmp_path / "f", tiny_bert.tables())
    with pytest.raises(InputError, match="mine: "):
        safetensors_file.read(damage((tmp_path / "f").read_bytes()), "mine")


@pytest.mark.slow
def test_minilm_gives_the_states_of_transformers(tmp_path):
    from tokenizers import Tokenizer
    from transformers import BertModel

    from training.pretrained import minilm

    found = minilm.SOURCE.read_all()
    for key, name in (("config", "config.json"), ("weights", "model.safetensors")):
        (tmp_path / name).write_bytes(found[key])
    tokenizer = Tokenizer.from_str(found["tokenizer"].decode())
    tokenizer.enable_padding(length=24)
    tokenizer.enable_truncation(24)
    told = tokenizer.encode_batch(["Grain ships rose.", "The bank says that oil fell, and with it the price of almost all else."])
    ids, mask = (torch.tensor([getattr(one, key) for one in told]) for key in ("ids", "attention_mask"))
    with torch.no_grad():
        wanted = BertModel.from_pretrained(tmp_path, add_pooling_layer=False).eval()(input_ids=ids, attention_mask=mask).last_hidden_state
        ours = minilm.bert().eval()(ids.int())
    inside = mask.numpy() == 1
    np.testing.assert_allclose(ours.numpy()[inside], wanted.numpy()[inside], atol=1e-5)
    config = dataclasses.asdict(minilm.weights().config)
    assert (config["vocab_size"], config["hidden_size"]) == (minilm.VOCABULARY_SIZE, minilm.WIDTH)
