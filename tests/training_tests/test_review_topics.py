"""The road of `review_topics` with a tiny random BERT that knows Chinese signs: a user's file in, topics, a network, figures, a map."""

import json

import numpy as np
import pytest
import torch

from edge.errors import ContractError, InputError, UsageError
from tests.training_tests import tiny_bert
from training.data import packages, product_reviews_zh
from training.discover import find
from training.overrides import apply
from training.pretrained import multilingual
from training.recipe import DataOptions, Splits
from training.tasks import task
from training.topics import corpus, topic_map
from training.topics.judging import judge
from training.topics.splits import ABOUT, NONE
from training.topics.topic_map import Mapped, page, picture

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
SUBJECTS = ("电池充耐用久", "屏幕清晰亮彩", "包装快递送达")


def chinese_bert(path, model_type="bert", **changed):
    """A folder of a random BERT whose vocabulary is the signs of the reviews."""
    signs = [*MARKS, *dict.fromkeys("".join(SUBJECTS))]
    tiny_bert.folder(path, vocab_size=len(signs), model_type=model_type, **changed)
    tiny_bert.save(path / "model.safetensors", weights(len(signs)))
    (path / "vocab.txt").write_text("\n".join(signs) + "\n", encoding="utf-8")
    return path


def weights(signs):
    """Tables of a BERT that lets its signs' own vectors through, nearly as they are, so that texts of other signs are far apart."""
    tables = {name: 0.05 * table for name, table in tiny_bert.tables().items()}
    for name, table in tables.items():
        if "LayerNorm" in name:
            tables[name] = np.full_like(table, 1.0 if name.endswith("weight") else 0.0)
    draw = np.random.default_rng(3)
    return tables | {"embeddings.word_embeddings.weight": draw.normal(0, 2, (signs, 16)).astype(np.float32)}


def reviews(count=40, seed=0):
    """Texts of signs of one subject each; all different."""
    draw = np.random.default_rng(seed)
    return list(dict.fromkeys("".join(draw.choice(list(subject), 7)) for subject in SUBJECTS for _ in range(count)))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A recipe for a user's Chinese reviews, and its data."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "reviews.tsv").write_text("stars\tcomment\n" + "".join(f"5\t{text}\n" for text in reviews()), encoding="utf-8")
    settings = {"backbone": str(chinese_bert(folder / "bert")), "features": "6", "least": "8", "neighbours": "3", "alike": "0.5"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TANDEM_CACHE", str(folder / "cache"))
        recipe = apply(find("review_topics"), settings)
        splits = recipe.load_data(DataOptions(folder=folder / "reviews.tsv"))
        again = recipe.load_data(DataOptions(folder=folder / "reviews.tsv"))
    np.testing.assert_array_equal(splits.vectors, again.vectors)
    assert len(list((folder / "cache" / "packages").glob("vectors-*.npz"))) == 1, "read once"
    return recipe.for_data(splits), splits


def test_the_topics_are_the_subjects(made):
    _, splits = made
    assert len(splits.names) == 3
    subjects = np.array([next(number for number, signs in enumerate(SUBJECTS) if text[0] in signs) for text in splits.corpus.texts])
    labels = splits.of_all()
    table = np.zeros((3, 3), int)
    np.add.at(table, (labels[labels >= 0], subjects[labels >= 0]), 1)
    assert sorted(table.argmax(axis=1)) == [0, 1, 2], "each topic is another subject"
    assert table.max(axis=1).sum() > 0.95 * table.sum()
    assert table.sum() > 0.8 * len(subjects)
    assert splits.classes[-1] == NONE
    assert not splits.pinned


def test_the_contract_is_of_these_topics(made):
    recipe, splits = made
    recipe.check_data(splits)
    contract = recipe.contract
    assert contract.labels == splits.classes
    assert contract.main.outputs[0].shape == ("batch", 4)
    assert contract.main.inputs[0].range == (0.0, len(MARKS) + 18 - 1.0)
    assert contract.source == splits.corpus.note
    assert contract.budget.size_bytes is None
    about = json.loads(splits.assets[ABOUT])
    assert [one["name"] for one in about["topics"]] == list(splits.names)
    assert sum(one["count"] for one in about["topics"]) + about["no_topic"] == about["texts"] == len(splits.corpus.texts)
    assert all(len(one["examples"]) == 3 for one in about["topics"])


def test_the_network_gives_the_topic_of_the_rule(made):
    recipe, splits = made
    model = recipe.build().eval()
    with torch.no_grad():
        scores = model(torch.from_numpy(splits.test.inputs["ids"])).numpy()
    np.testing.assert_array_equal(scores.argmax(axis=1), splits.test.targets)
    np.testing.assert_array_equal(splits.test.targets == 3, splits.of_all()[splits.rows["test"]] < 0)


def test_figures_and_pictures_are_made(made):
    recipe, splits = made
    figures = judge(splits)
    assert figures["topics"] == 3
    assert figures["of those, told the same topic"] > 0.9
    assert -1 <= figures["coherence in a text, 95 % from"] <= figures["coherence in a text"] <= figures["coherence in a text, 95 % to"] <= 1
    assert "coherence in a review" not in figures
    assert "two sentences of a review in one topic, topics" not in figures, "a user's texts are no sentences of reviews"
    conclusion = recipe.concluded(None, splits)
    assert conclusion.pictures["topics.png"].startswith(b"\x89PNG")
    assert "电池" in conclusion.pictures["topics.html"].decode() or "池" in conclusion.pictures["topics.html"].decode()


def test_other_data_are_refused(made):
    _, splits = made
    other = Splits("x", "0", "x", ("a", "b"), splits.train, splits.validation, splits.test)
    with pytest.raises(ContractError, match="its data are Splits, expected those that its load_data gives"):
        find("review_topics").for_data(other)
    with pytest.raises(ContractError, match="review_topics: is made of its data"):
        find("review_topics").build()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("", "holds no texts, expected one review or more", id="empty"),
        pytest.param("good\nbad\nfair\n", "3 different texts, expected at least ten", id="three texts"),
        pytest.param("the same\n" * 500, "1 different text, expected at least ten", id="all the same"),
        pytest.param("!!!\n???\n", "none of 2 texts has a word in it", id="signs only"),
        pytest.param("good \0 bad\n", "text 1: the text holds a character of value 0", id="binary"),
    ],
)
def test_reviews_without_topics_are_told(content, words, tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(content)

    def prepared():
        found = corpus.read(DataOptions(folder=path))
        return corpus.parted(found.groups, found.name)

    with pytest.raises(InputError, match=words):
        prepared()


def test_a_text_of_a_hundred_thousand_words_is_cut_and_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "mine.txt"
    path.write_text("\n".join([*reviews(), "电 " * 100_000]), encoding="utf-8")
    settings = {"backbone": str(chinese_bert(tmp_path / "bert")), "features": "6", "least": "8", "neighbours": "3"}
    splits = apply(find("review_topics"), settings).load_data(DataOptions(folder=path))
    assert splits.train.inputs["ids"].shape[1] == 128
    told = f"1 of {len(splits.corpus.texts)} texts have 128 pieces of words or more; of those only the beginning counts"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "column", "words"),
    [
        pytest.param({"a.csv": "stars,says\n" + "5,fine\n" * 12}, "", "which of its columns holds the reviews", id="which column"),
        pytest.param({"a.csv": "stars,says\n" + "5,fine\n" * 12}, "comment", "has no column 'comment', expected one of", id="no column"),
        pytest.param({"a.csv": "review\nfine\n"}, "", "has 1 rows, expected at least 10", id="a short table"),
        pytest.param({}, "", "holds nothing, expected one file of reviews", id="an empty folder"),
        pytest.param({"a.txt": "x", "b.csv": "y"}, "", "holds a.txt, b.csv, expected one file of reviews", id="two files"),
        pytest.param({"weights.bin": "x"}, "", "holds weights.bin, expected one file", id="no reviews"),
    ],
)
def test_a_folder_without_what_is_expected_is_told(files, column, words, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=words):
        corpus.read(DataOptions(folder=tmp_path), column=column)


def test_a_table_is_read_by_its_column(tmp_path):
    (tmp_path / "a.csv").write_text("stars;comment\n" + "".join(f"5;it is {word}\n" for word in "abcdefghijkl"))
    assert corpus.read(DataOptions(folder=tmp_path)).texts[:2] == ("it is a", "it is b")
    assert len(corpus.read(DataOptions(folder=tmp_path / "a.csv"), column="stars").texts) == 1, "texts that repeat count once"


def test_what_cannot_be_read_together_is_told(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(reviews()), encoding="utf-8")
    with pytest.raises(UsageError, match="the texts are Chinese, MiniLM reads English; name a multilingual model: --set backbone=FOLDER"):
        corpus.read(DataOptions(folder=tmp_path))
    with pytest.raises(UsageError, match="reviews is 'french', expected one of amazon, chinese"):
        corpus.read(DataOptions(), reviews="french")
    with pytest.raises(InputError, match=r"nothing: there is no such folder, expected one with config\.json"):
        multilingual.read_folder(tmp_path / "nothing")


def test_chinese_reviews_come_out_of_their_package(monkeypatch):
    lines = ["".join(text) for text in zip(*[iter("".join(reviews()))] * 9, strict=False)]
    half = len(lines) // 2
    content = dict(zip(product_reviews_zh.REVIEWS, ("\n".join(part).encode() for part in (lines[:half], lines[half:])), strict=True))
    monkeypatch.setattr(packages, "fetch", lambda package: package)
    monkeypatch.setattr(packages, "read_members", lambda package, names: content)
    found = corpus.read(DataOptions(), reviews="chinese", english_only=False)
    assert set(found.texts) <= set(lines)
    assert len(found.texts) > 0.9 * len(set(lines))


def test_every_part_gets_texts_and_none_is_in_two():
    groups = [f"{number % 25:04d}" for number in range(100)]
    rows = corpus.parted(groups, "texts")
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(100))
    seen = [{groups[row] for row in part} for part in rows.values()]
    assert [len(part) for part in seen] == [21, 2, 2]
    assert len(set.union(*seen)) == 25, "no group is in two parts"


def test_a_folder_of_xlm_r_is_the_same_network_by_other_names(tmp_path):
    plain = multilingual.read_folder(chinese_bert(tmp_path / "bert"))
    other = tmp_path / "xlmr"
    chinese_bert(other, model_type="xlm-roberta", max_position_embeddings=130, pad_token_id=1, type_vocab_size=2)
    (other / "vocab.txt").unlink()
    (other / "tokenizer.json").write_bytes(plain.tokenizer)
    tables = weights(23)
    table = "embeddings.position_embeddings.weight"
    tables[table] = np.concatenate([np.full((2, 16), 9, np.float32), tables[table]])  # two rows that are never read
    tiny_bert.save(other / "model.safetensors", {f"roberta.{name}": values for name, values in tables.items()})
    found = multilingual.read_folder(other)
    assert found.config.max_position_embeddings == 128
    assert found.config.pad_token_id == 0, "as the tokenizer says"
    ids = torch.tensor([[2, 6, 7, 3, 0, 0]], dtype=torch.int32)
    with torch.no_grad():
        torch.testing.assert_close(found.build().eval().mean(ids), plain.build().eval().mean(ids))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"max_position_embeddings": 2}, "expected both", id="no positions"),
        pytest.param({"max_position_embeddings": 130}, r"has no tokenizer\.json", id="no tokenizer"),
    ],
)
def test_a_folder_of_xlm_r_that_lacks_something_is_told(change, words, tmp_path):
    with pytest.raises(InputError, match=words):
        multilingual.read_folder(chinese_bert(tmp_path / "xlmr", model_type="xlm-roberta", pad_token_id=1, **change))


def test_the_map_holds_every_text_and_no_text_ends_its_script():
    texts = ["fine </script><script>alert(1)</script>", "long " * 100, "short"]
    shown = Mapped("my reviews", texts, np.array([[0.0, 0], [2, 1], [4, 4]]), np.array([0, 0, -1]), ["fine, long, $5"])
    html = page(shown).decode()
    data = json.loads(html.split('type="application/json">')[1].split("</script>")[0])
    assert data["texts"][0] == texts[0]
    assert len(data["texts"][1]) == topic_map.LONGEST
    assert data["topic"] == [0, 0, -1]
    assert data["x"] == [0.0, 0.5, 1.0]
    assert data["topics"] == [{"name": "fine, long, $5", "count": 2}]
    assert "http" not in html, "it needs no network"
    assert picture(shown).startswith(b"\x89PNG")


def test_vectors_are_judged_among_themselves():
    vectors = np.float32([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]])
    within, across = task("embedding").cosines(vectors, np.array([[0], [0], [5], [5]]))
    assert within == pytest.approx(0.994, abs=0.001)
    assert across == pytest.approx((0 + 0.1104 + 0.1104 + 0.2195) / 4, abs=0.001)
