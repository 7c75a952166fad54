"""A user's folder of a BERT: what is taken, and what is refused in words; texts become ids by its own tokenizer."""

import json

import numpy as np
import pytest

from edge.errors import InputError, UsageError
from tests.training_tests import tiny_bert
from training import bert_classifier, overrides
from training.data import cola, fake_news
from training.discover import find
from training.pretrained import bert_config
from training.pretrained.bert_weights import of_vocabulary, read_folder
from training.recipe import DataOptions


def _drop(*names):
    return lambda folder: [(folder / name).unlink() for name in names]


def _pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _parted(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")


def _told(**changed):
    return lambda folder: (folder / "config.json").write_text(json.dumps(json.loads((folder / "config.json").read_text()) | changed))


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (_drop("config.json"), "has no config.json, expected config.json, model.safetensors and tokenizer.json or vocab.txt"),
        (_drop("model.safetensors"), "has no weights; expected model.safetensors"),
        (_drop("vocab.txt"), "neither tokenizer.json nor vocab.txt"),
        (_pickled, "only pytorch_model.bin, and loading a pickle would run whatever code"),
        (_parted, "in several parts"),
        (_told(model_type="roberta"), "model_type is 'roberta', expected 'bert'"),
        (_told(hidden_size=17), "cannot be shared among 2 heads"),
        (_told(hidden_size="16"), "hidden_size is '16', expected a whole number"),
        (_told(num_hidden_layers=10**9), "num_hidden_layers is 1000000000"),
        (_told(hidden_act="swish"), "hidden_act is 'swish'"),
        (_told(pad_token_id=99), "beyond the vocabulary"),
        (_told(layer_norm_eps=0), "layer_norm_eps is 0"),
        (_told(is_decoder=True), "is a decoder"),
        (lambda folder: (folder / "config.json").write_text("{"), "no JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "expected an object"),
        (lambda folder: (folder / "vocab.txt").write_text("a\nb\n"), r"lacks \[PAD\]"),
        (lambda folder: (folder / "vocab.txt").write_bytes(b"\xff\xfe"), "not UTF-8"),
    ],
    ids=lambda value: value.replace(" ", "-")[:24] if isinstance(value, str) else "",
)
def test_a_folder_that_is_none_of_a_bert_is_refused_in_words(change, fragment, tmp_path):
    folder = tiny_bert.folder(tmp_path / "bert")
    change(folder)
    with pytest.raises(InputError, match=fragment):
        read_folder(folder)


@pytest.mark.parametrize("made", [False, True], ids=["nothing", "a file"])
def test_what_is_no_folder_is_told(made, tmp_path):
    place = tmp_path / "bert"
    if made:
        place.write_text("x")
    with pytest.raises(InputError, match="is no folder" if made else "there is no such folder"):
        read_folder(place)


def test_wrong_weights_are_told_with_the_folder(tmp_path):
    folder = tiny_bert.folder(tmp_path / "bert", intermediate_size=48)
    tiny_bert.save(folder / "model.safetensors", tiny_bert.tables())
    with pytest.raises(InputError, match=r"bert: model.safetensors: encoder.layer.0.intermediate.dense.weight is .*expected \(48, 16\)"):
        read_folder(folder).build()


def test_a_vocabulary_splits_words_as_transformers_does(tmp_path):
    from tokenizers import Tokenizer
    from transformers import BertTokenizer

    (tmp_path / "vocab.txt").write_text("\n".join(tiny_bert.WORDS))
    ours = Tokenizer.from_str(of_vocabulary((tmp_path / "vocab.txt").read_bytes(), True, "x").decode())
    theirs = BertTokenizer(str(tmp_path / "vocab.txt"))
    for text in ("The banks rose.", "SHIPPING ähnlich oil", "price [MASK] report\n says", "日本 oil"):
        assert ours.encode(text).ids == theirs(text)["input_ids"]


def test_capitals_stay_where_the_folder_says_so(tmp_path):
    folder = tiny_bert.folder(tmp_path / "bert")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert json.loads(read_folder(folder).tokenizer)["normalizer"]["lowercase"] is False


def _articles(folder, count=30):
    folder.mkdir()
    draw = np.random.default_rng(0)
    for name, word in (("Fake.csv", "oil"), ("True.csv", "bank")):
        words = [" ".join(draw.choice(tiny_bert.WORDS[5:18], 6)) for _ in range(count)]
        rows = [f'"{word} {number}","the {word} {text}",x,today' for number, text in enumerate(words)]
        (folder / name).write_text("title,text,subject,date\n" + "\n".join(rows) + "\n")
    return folder


def test_a_recipe_takes_a_users_bert_by_one_setting(tmp_path):
    bert, news = tiny_bert.folder(tmp_path / "bert"), _articles(tmp_path / "news")
    recipe = overrides.apply(find("news_bert_fake_news"), {"backbone": str(bert), "frozen": "1"})
    splits = recipe.load_data(DataOptions(folder=news))
    ready = recipe.for_data(splits)
    ready.check_data(splits)
    assert ready.contract.main.inputs[0].range == (0.0, len(tiny_bert.WORDS) - 1.0)
    assert not splits.pinned, "the folder may change"
    assert "taught to bert" in splits.note
    net = ready.build()
    assert net.bert.config.hidden_size == 16
    learning = {name.split(".")[1] + name.split(".")[2] for name, one in net.named_parameters() if one.requires_grad and "layers" in name}
    assert learning == {"layers1"}
    before = splits.sha256
    tiny_bert.save(bert / "model.safetensors", tiny_bert.tables(seed=1))
    assert recipe.load_data(DataOptions(folder=news)).sha256 != before, "other weights are another training"


@pytest.mark.parametrize(
    ("changed", "fragment"),
    [({"max_position_embeddings": 32}, "has 32 positions, expected at least 64"), ({"pad_token_id": 1}, "pad_token_id is 1, expected 0")],
    ids=["positions", "padding"],
)
def test_a_bert_that_cannot_serve_here_is_told(changed, fragment, tmp_path):
    sizes = tiny_bert.SIZES | {key: value for key, value in changed.items() if key in tiny_bert.SIZES}
    folder = tiny_bert.folder(tmp_path / "bert", sizes, **changed)
    splits, promise = fake_news.load(DataOptions(folder=_articles(tmp_path / "news"))), find("news_bert_fake_news").contract
    with pytest.raises(InputError, match=fragment):
        bert_classifier.numbered(splits, promise, str(folder))


def test_a_tokenizer_of_another_model_is_told(tmp_path):
    folder = tiny_bert.folder(tmp_path / "bert")
    (folder / "vocab.txt").write_text("\n".join([*tiny_bert.WORDS[:5], *(f"w{i}" for i in range(30)), *tiny_bert.WORDS[5:]]))
    splits = fake_news.load(DataOptions(folder=_articles(tmp_path / "news")))
    with pytest.raises(InputError, match="take tokenizer and weights of one model"):
        bert_classifier.numbered(splits, find("news_bert_fake_news").contract, str(folder))


def test_no_more_layers_stay_than_there_are(tmp_path):
    with pytest.raises(UsageError, match="frozen is 3, expected 0 to 2"):
        bert_classifier.build(2, str(tiny_bert.folder(tmp_path / "bert")), frozen=3)


def test_acceptability_is_learned_from_a_users_files(tmp_path):
    (tmp_path / "cola").mkdir()
    for name in ("in_domain_train.tsv", "in_domain_dev.tsv"):
        draw = np.random.default_rng(len(name))
        lines = [f"x\t{i % 2}\t{'' if i % 2 else '*'}\t{' '.join(draw.choice(tiny_bert.WORDS[5:18], 7))}" for i in range(60)]
        (tmp_path / "cola" / name).write_text("\n".join(lines) + "\n")
    recipe = overrides.apply(find("cola_bert"), {"backbone": str(tiny_bert.folder(tmp_path / "bert"))})
    splits = recipe.load_data(DataOptions(folder=tmp_path / "cola"))
    recipe.for_data(splits).check_data(splits)
    assert splits.classes == cola.LABELS


def test_a_config_of_bert_is_read():
    content = json.dumps({"model_type": "bert", "vocab_size": 9, **tiny_bert.SIZES}).encode()
    assert bert_config.read(content, "x") == bert_config.BertConfig(vocab_size=9, **tiny_bert.SIZES)
