"""Word vectors: how posts are read, what counts as near, that a training can be put away, and what is said without gensim."""

import numpy as np
import pytest
import torch

from edge.errors import InputError, SetupError
from training.data import newsgroups
from training.models import word2vec
from training.models.word2vec import COUNT, RECIPE, WIDTH, Company, WordVectors

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
        assert newsgroups.commonest(2) == {"two": 3, "one": 1}
        with pytest.raises(InputError, match="holds 3 different words, expected 4"):
            newsgroups.commonest(4)
    finally:
        newsgroups.posts.cache_clear()


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


def test_the_nearest_word_is_never_the_word_itself():
    torch.manual_seed(0)
    model = WordVectors().eval()
    with torch.no_grad():
        model.vectors[2:] = torch.nn.functional.normalize(torch.randn(COUNT - 2, WIDTH), dim=1)
        model.vectors[3] = model.vectors[2]
        alike = model(torch.tensor([[2], [1]], dtype=torch.int32))
    assert alike.shape == (2, COUNT)
    assert alike[0].argmax() == 3
    assert alike[0, 3] == pytest.approx(1, abs=1e-5)
    assert alike[0, 2] == pytest.approx(-1, abs=1e-5)
    assert alike[0, :2].tolist() == [-2, -2]
    assert (alike[1, 2:] == 0).all(), "an unknown word is alike to nothing"


def test_the_contract_takes_its_labels_from_the_words(few):
    assert RECIPE.contract.labels == ()
    contract = RECIPE.for_data(few).contract
    assert contract.labels == few.classes
    assert len(contract.labels) == 22
    assert few.test.raw.tolist() == [few.classes[row] for row in few.test.inputs["ids"][:, 0]]


@pytest.mark.parametrize("skip_gram", [True, False])
def test_a_training_that_was_put_away_goes_on_alike(few, skip_gram):
    def loop():
        made = Company(WordVectors(), few, RECIPE.fit, RECIPE.objective, skip_gram=skip_gram)
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
