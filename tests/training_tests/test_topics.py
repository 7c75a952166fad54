"""Topics among made-up vectors: found, merged, named, measured, and refused in words where there are none."""

import importlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from edge.errors import InputError, SetupError, UsageError
from training.topics import coherence, finding, words
from training.topics.assigning import assigned, look, near_enough, with_them
from training.topics.finding import TopicSettings, by_size, centres, find, merged

SETTINGS = TopicSettings(reduce="none", least=10, neighbours=3, alike=0.8)
SUBJECTS = (("battery", "charge", "hours"), ("screen", "bright", "colours"), ("music", "songs", "album"))


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def drawn(sizes=(60, 40, 30), noise=25, seed=0, width=24):
    """Heaps of unit vectors around directions with a cosine of 0.6, and noise further off; the heap of each, -1 for noise."""
    random = np.random.default_rng(seed)
    around = unit(np.eye(width)[: len(sizes)] + 1.2 * np.eye(width)[-1])
    groups = np.repeat(np.arange(len(sizes)), np.array(sizes, np.int64))
    near = unit(around[groups] + random.normal(0, 0.05, (len(groups), width)))
    vectors = np.concatenate([near, unit(random.normal(size=(noise, width)))])
    order = random.permutation(len(vectors))
    return vectors[order], np.concatenate([groups, np.full(noise, -1)])[order]


def told(groups, seed=1):
    """A text for each heap's members: words of its subject among words that any text has."""
    random = np.random.default_rng(seed)
    spoken = [["really", "the", *random.permutation(SUBJECTS[group])[:2]] if group >= 0 else ["the", "really"] for group in groups]
    return [" ".join(random.permutation(one)) for one in spoken]


def test_heaps_are_found_the_largest_first_and_noise_is_none():
    vectors, groups = drawn()
    labels = find(vectors, SETTINGS)
    assert [int((labels == topic).sum()) for topic in range(3)] == [60, 40, 30]
    np.testing.assert_array_equal(labels[groups >= 0], groups[groups >= 0])
    assert (labels[groups < 0] == -1).all()


def test_topics_that_mean_nearly_the_same_become_one_the_most_alike_first():
    middle = np.array([[1, 0, 0], [0.8, 0.6, 0], [0, 0, 1.0]])
    vectors, labels = np.repeat(middle, 2, axis=0), np.array([0, 0, 1, 1, 2, 2])
    assert merged(vectors, labels, 0.5).tolist() == [0, 0, 0, 0, 1, 1]
    assert merged(vectors, labels, 0.9).tolist() == labels.tolist()
    assert merged(vectors, np.array([0, -1, 1, 1, 2, -1]), -1.0).tolist() == [0, -1, 0, 0, 0, -1]


def test_centres_have_length_one_and_pass_over_what_is_in_no_topic():
    found = centres(np.array([[3.0, 0], [0, 3], [9, 9]]), np.array([0, 0, -1]))
    np.testing.assert_allclose(found, [[np.sqrt(0.5), np.sqrt(0.5)]])


def test_numbers_go_by_size():
    assert by_size(np.array([0, 1, 1, -1, 2, 2, 2])).tolist() == [2, 1, 1, -1, 0, 0, 0]


@pytest.mark.parametrize("reduce", ["pca", "none", pytest.param("tsne", marks=pytest.mark.slow)])
def test_every_reduction_finds_the_heaps(reduce):
    vectors, groups = drawn(noise=0)
    labels = find(vectors, TopicSettings(reduce=reduce, features=5, least=10, neighbours=3, alike=0.8))
    assert len({(one, other) for one, other in zip(labels, groups, strict=True) if one >= 0}) == 3


def test_umap_that_is_missing_is_told(monkeypatch):
    taken = importlib.import_module

    def without(name, *rest, **named):
        if name == "umap":
            raise ImportError(name)
        return taken(name, *rest, **named)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(SetupError, match=r"umap-learn is not installed; install it, or leave reduce at pca"):
        finding.reduced(drawn()[0], TopicSettings(reduce="umap"))


def test_umap_is_asked_for_the_features_and_its_points_are_heaped(monkeypatch):
    class Reducer:
        """Takes what umap-learn 0.5.12 takes, with which the same test passed, and gives the main axes in its place."""

        def __init__(self, *, n_components, n_neighbors, min_dist, metric, random_state, n_jobs):
            assert (n_neighbors, min_dist, metric, random_state, n_jobs) == (15, 0.0, "cosine", 0, 1)
            self.count = n_components

        def fit_transform(self, vectors):
            return np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)[0][:, : self.count]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Reducer))
    assert finding.reduced(drawn(noise=0)[0], TopicSettings(reduce="umap", features=4)).shape[1] == 4
    assert find(drawn(noise=0)[0], TopicSettings(reduce="umap", features=4, least=10, alike=0.8)).max() == 2


@pytest.mark.parametrize(
    ("vectors", "least", "words_"),
    [
        pytest.param(
            drawn()[0][:3], 10, "3 different texts to learn from, expected at least 20, twice the smallest topic", id="three texts"
        ),
        pytest.param(drawn(sizes=(), noise=120)[0], 50, "HDBSCAN finds no topic, all 120 texts lie apart", id="all noise"),
    ],
)
def test_texts_without_topics_are_told(vectors, least, words_):
    with pytest.raises(InputError, match=f"my reviews: {words_}"):
        find(vectors, TopicSettings(features=6, least=least), "my reviews")


@pytest.mark.parametrize(
    ("settings", "words_"),
    [
        pytest.param({"reduce": "magic"}, "reduce is 'magic', expected one of pca, tsne, umap, none", id="an unknown reduction"),
        pytest.param({"features": 1}, "features is 1", id="too few features"),
        pytest.param({"least": 1.5}, "least is 1.5", id="half a text"),
        pytest.param({"neighbours": 0}, "neighbours is 0", id="no neighbours"),
        pytest.param({"alike": "much"}, "alike is 'much', expected a cosine", id="no number"),
        pytest.param({"alike": 2}, "alike is 2, expected a cosine from -1 to 1", id="no cosine"),
    ],
)
def test_settings_that_cannot_be_used_are_told(settings, words_):
    with pytest.raises(UsageError, match=words_):
        TopicSettings(**settings)


def test_new_texts_get_the_topic_that_they_would_have_had():
    vectors, groups = drawn(sizes=(70, 50, 40), noise=40, seed=2)
    old, new = slice(0, 150), slice(150, None)
    labels = find(vectors[old], SETTINGS)
    anew = with_them(vectors[old], labels, vectors[new], SETTINGS)
    np.testing.assert_array_equal(anew[new][groups[new] >= 0], groups[new][groups[new] >= 0])
    found = look(vectors[old], vectors[new], np.arange(20), SETTINGS)
    assert found.kept == 1.0
    np.testing.assert_array_equal(assigned(vectors[new] @ found.centres.T, found.threshold), found.held_out)


def test_the_threshold_is_the_one_that_serves_both_kinds_of_texts():
    cosines = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.1], [0.4, 0.3], [0.1, 0.35], [0.3, 0.2], [0.2, 0.1], [0.1, 0.1]])
    right = np.array([0, 1, 0, -1, -1, -1, -1, -1])
    threshold = near_enough(cosines, right)
    assert 0.4 < threshold <= 0.7
    np.testing.assert_array_equal(assigned(cosines, threshold), right)
    assert near_enough(cosines, np.full(8, -1)) > 0.9, "where nothing has a topic, nothing is near enough"


def test_words_name_the_topics_and_no_stop_word_does():
    _, groups = drawn(noise=30)
    counted = words.count(told(groups))
    listed = words.top(counted, groups, 10)
    assert [set(one) for one in listed] == [set(subject) for subject in SUBJECTS]
    assert words.names([["a", "b", "c"], ["a", "b", "c", "d"], [], ["a", "b", "c"]]) == ("a, b, c", "a, b, c, d", "topic 3", "topic 4")


def test_frequent_words_of_any_language_that_all_topics_share_are_stop_words():
    groups = np.repeat([0, 1], 100)
    texts = [f"blorp {'alpha' if group == 0 else 'omega'}" for group in groups]
    counted = words.count(texts)
    assert {word for word, stop in zip(counted.words, words.stop_words(counted, groups), strict=True) if stop} == {"blorp"}


def test_chinese_words_are_found_by_themselves():
    texts = ["电池很耐用"] * 5 + ["屏幕很清晰"] * 5
    assert words.unit_of(texts) == "jieba"
    assert words.unit_of(["the battery 很 lasts"]) == "words"
    listed = words.top(words.count(texts), np.repeat([0, 1], 5), 3)
    assert "电池" in listed[0]
    assert "很" not in {word for one in listed for word in one}, "a stop word"


def test_coherence_by_hand():
    there = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], bool)
    counted = words.Counted(("salt", "pepper", "moon"), there)
    assert coherence.npmi(counted, [["salt", "pepper"], ["salt", "moon"], ["moon"]]).tolist() == pytest.approx([1.0, -1.0, 0.0])
    half = words.Counted(("salt", "pepper"), np.array([[1, 1], [1, 0], [0, 1], [0, 0]], bool))
    assert coherence.npmi(half, [["salt", "pepper"]])[0] == pytest.approx(0.0), "together as often as by chance"


def test_true_topics_hold_together_better_than_mixed_ones():
    _, groups = drawn(noise=0)
    counted = words.count(told(groups))
    mixed = np.random.default_rng(0).permutation(groups)
    assert coherence.of_labels(counted, groups) > coherence.of_labels(counted, mixed) + 0.1
    measured = coherence.coherence(counted, words.top(counted, groups, 3))
    assert measured.low < measured.mean < measured.high
    assert len(measured.each) == 3


def test_k_means_gives_as_many_clusters_for_each_seed():
    vectors, _ = drawn(noise=0)
    parts = coherence.k_means(vectors, 3, seeds=2)
    assert [sorted(np.bincount(part).tolist()) for part in parts] == [[30, 40, 60]] * 2


def test_texts_of_one_review_that_share_a_topic_are_counted_in_pairs():
    labels, groups = np.array([0, 0, 1, 1, -1]), [7, 7, 7, 9, 9]
    within, across = coherence.together(labels, groups)
    assert within == pytest.approx(1 / 3), "of the three pairs in review 7, one"
    assert across == pytest.approx(1 / 3), "of three pairs across, the last two texts"
    assert coherence.together(np.full(3, -1), [1, 1, 2]) == (0.0, 0.0)
