"""Words as vectors: which words stand in the same company, and so mean something alike.

Run:      tandem train word2vec                   (then: tandem export word2vec; needs the extra `words`)
          tandem train word2vec_cbow
Expected: rank correlation with what people call alike, WordSim-353: 0.428 by skip-gram, 0.513 by the bag of words, over the 59 %
          of its pairs whose words are known; of 3,232 analogies 12.6 % and 17.7 % right (seed 0). Five million words are few:
          the figures that papers report come from billions
Time:     91 s for 3 epochs of skip-gram, 37 s for 5 of the bag of words, on one thread of a CPU with much other work beside it
Size:     800,200 parameters; 931 kB with int8 weights, whose similarities are off by 0.0007 on average; 3.2 MB in float32; both
          proved on both TFLite runtimes
Source:   skip-gram with negative sampling, and the continuous bag of words (Mikolov, Sutskever, Chen, Corrado and Dean, 2013),
          by gensim (Řehůřek and Sojka, 2010); judged by WordSim-353 (Finkelstein et al., 2001) and word analogies

What leaves is a table and one multiplication: a word's number in, its cosine similarity to every word out, its own and those of
the two numbers that are no words pushed to the end, so the best five are the nearest words. An unknown word is alike to nothing.

The test split is 200 words and the trained vectors' own similarities: export's gate tells how far a released file is off them.
"""

from __future__ import annotations

import io
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
from training.data import newsgroups
from training.frameworks.own_loop import OwnLoop
from training.objective import Objective
from training.own import Conclusion, OwnTraining
from training.recipe import Array, DataOptions, FitSettings, Recipe, Split, Splits

WORDS = 8000
COUNT = WORDS + 2  # with the end and unknown words
WIDTH = 100
WINDOW = 5  # words on either side
NEGATIVE = 5  # words drawn against each
JUDGED = 200  # words of the validation and of the test split
TURNS = 20  # parts of the text in an epoch
SHOWN = {
    "religion": ("god", "jesus", "church", "faith", "bible"),
    "space": ("orbit", "nasa", "moon", "shuttle", "launch"),
    "hockey and baseball": ("hockey", "team", "players", "season", "baseball"),
    "computers": ("windows", "software", "disk", "keyboard", "printer"),
    "cars": ("car", "engine", "bike", "brake", "wheel"),
    "medicine": ("doctor", "patients", "disease", "cancer", "treatment"),
}


class WordVectors(nn.Module):
    """A table of unit vectors; rows 0 and 1, the end and unknown words, are zeros."""

    def __init__(self) -> None:
        """Make a table of zeros."""
        super().__init__()
        self.vectors = nn.Parameter(torch.zeros(COUNT, WIDTH))
        self.no_words = nn.Buffer(torch.tensor([2.0, 2.0] + WORDS * [0.0]))
        self.numbers = nn.Buffer(torch.arange(COUNT, dtype=torch.int32))

    def forward(self, ids: Tensor) -> Tensor:
        """Compare a word with all.

        Args:
            ids: (B, 1) int32.

        Returns:
            (B, words + 2) float32: cosine similarities; 2 less for the word itself and for what is no word.
        """
        alike = F.linear(F.embedding(ids[:, 0], self.vectors), self.vectors)
        return alike - 2 * (ids == self.numbers).float() - self.no_words


class Company(OwnLoop):
    """Lets gensim read the posts, a twentieth of an epoch in each step."""

    module: WordVectors

    def __init__(self, module: WordVectors, splits: Splits, settings: FitSettings, objective: Objective, *, skip_gram: bool) -> None:
        """Count the words; of the posts as great a share is read as there are training samples of all words.

        Raises:
            SetupError: gensim is not installed.
        """
        super().__init__(module, splits, settings, objective, steps=TURNS)
        self._model = _gensim().models.Word2Vec(
            vector_size=WIDTH, window=WINDOW, negative=NEGATIVE, sg=int(skip_gram), min_count=1, workers=1, seed=settings.seed, sample=1e-4
        )
        posts = newsgroups.posts()
        self._posts = posts[: max(TURNS, len(posts) * len(splits.train) // WORDS)]
        self._model.build_vocab_from_freq(newsgroups.commonest(WORDS), corpus_count=len(self._posts))
        self._losses: list[float] = []

    def step(self, index: int) -> Tensor:
        """Learn from a part of the posts; return the loss of a word, ()."""
        whole, taken = self.settings.epochs * TURNS, (self.number - 1) * TURNS + index
        self._model.random.seed(self.settings.seed * whole + taken)  # so that a training that was taken up again draws alike
        rates = [self.settings.learning_rate * max(1 - step / whole, 1e-3) for step in (taken, taken + 1)]
        part = self._posts[index::TURNS]
        words = sum(map(len, part))
        self._model.train(
            part, total_examples=len(part), total_words=words, epochs=1, start_alpha=rates[0], end_alpha=rates[1], compute_loss=True
        )
        self._losses = [*(self._losses if index else []), float(self._model.get_latest_training_loss()) / words]
        return torch.tensor(self._losses[-1])

    def judge(self) -> tuple[float, float, float]:
        """Put the vectors into the module; return the epoch's loss thrice, since the words judge themselves at the end."""
        table = torch.from_numpy(self._model.wv.vectors[[self._model.wv.key_to_index[w] for w in newsgroups.commonest(WORDS)]])
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


def load(_options: DataOptions) -> Splits:
    """Load the words as samples; what is right for them, only trained vectors know (`conclude`)."""
    words = list(newsgroups.commonest(WORDS))
    order = np.random.default_rng(0).permutation(WORDS) + 2
    parts = (order, order[:JUDGED], order[JUDGED : 2 * JUDGED])
    train, validation, test = (_split(part, ["", "", *words]) for part in parts)
    note = f"{len(newsgroups.posts()):,} posts of twenty newsgroups, {newsgroups.PACKAGE}"
    assets = {"vocabulary.txt": "".join(f"{word}\n" for word in words).encode()}
    labels = ("(end)", "(unknown)", *words)
    return Splits("newsgroups", newsgroups.PACKAGE.sha256, note, labels, train, validation, test, assets=assets)


def _split(rows: Array, words: Sequence[str]) -> Split:
    nothing = np.broadcast_to(np.zeros(1, np.float32), (len(rows), COUNT))
    return Split({"ids": rows[:, None].astype(np.int32)}, nothing, np.array([words[row] for row in rows]))


def conclude(model: Any, splits: Splits) -> Conclusion:
    """Judge the vectors by what people say is alike and by analogies; the trained similarities become what is right."""
    vectors = model.vectors.detach().numpy()[2:]
    keyed, datapath = _keyed(vectors, splits.classes[2:]), _gensim().test.utils.datapath
    _, spearman, unknown = keyed.evaluate_word_pairs(datapath("wordsim353.tsv"))
    right, sections = keyed.evaluate_word_analogies(datapath("questions-words.txt"), restrict_vocab=WORDS)
    figures = {
        "WordSim-353: Spearman's rank correlation": float(spearman[0]),
        "WordSim-353: share of pairs whose words are known": 1 - float(unknown) / 100,
        "analogies: share that is right": float(right),
        "analogies: how many have known words": float(sum(len(part["correct"]) + len(part["incorrect"]) for part in sections[:-1])),
    }
    train, validation, test = (_answered(model, split) for split in (splits.train.take(np.arange(JUDGED)), splits.validation, splits.test))
    pictures = {"words.png": picture(vectors, splits.classes[2:])}
    return Conclusion(replace(splits, train=train, validation=validation, test=test), figures, pictures)


def _keyed(vectors: Array, words: Sequence[str]) -> Any:
    import gensim.test.utils

    found = gensim.models.KeyedVectors(WIDTH)
    found.add_vectors(list(words), vectors)
    return found


def _answered(model: Any, split: Split) -> Split:
    with torch.no_grad():
        return replace(split, targets=model(torch.from_numpy(split.inputs["ids"])).numpy())


def picture(vectors: Array, words: Sequence[str]) -> bytes:
    """Draw some words of six fields in the plane that their vectors spread most in, as PNG."""
    from matplotlib.figure import Figure

    number = {word: row for row, word in enumerate(words)}
    shown = {field: [word for word in some if word in number] for field, some in SHOWN.items()}
    table = vectors[[number[word] for some in shown.values() for word in some]]
    _, _, axes_of = np.linalg.svd(table - table.mean(0), full_matrices=False)
    figure = Figure(figsize=(8, 6.5), dpi=110, layout="constrained")
    axes = figure.subplots()
    for field, some in shown.items():
        where = (vectors[[number[word] for word in some]] - table.mean(0)) @ axes_of[:2].T
        axes.plot(*where.T, "o", markersize=4, label=field)
        for place, word in zip(where, some, strict=True):
            axes.annotate(word, place, xytext=(4, 3), textcoords="offset points", fontsize=9)
    axes.legend(frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _contract(name: str) -> Contract:
    return Contract(
        schema=1,
        name=name,
        version="1.0.0",
        task="word-similarity",
        description="The words that mean something alike, nearest first.",
        graphs=(
            Graph(
                "main",
                (Promise("ids", "int32", ("batch", 1), "NL", (0.0, COUNT - 1.0), "the number of a word"),),
                (Promise("alike", "float32", ("batch", COUNT), "NC", None, "cosine similarity of each word; 2 less for the word itself"),),
            ),
        ),
        preprocess=(Step("tokenize", length=1, vocabulary="vocabulary.txt"),),
        postprocess=(Step("top_k", k=5),),
        assets={"vocabulary": "vocabulary.txt"},
        metric=Metric("mae", "lower", floor=0.02),
        targets=("server", "device"),
        recipes=("weight_only_wi8_afp32",),
        requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
        tolerance=Tolerance(onnx=1e-4, tflite=1e-4, agreement=0.95, metric_drop=0.02),
        budget=Budget(size_bytes=1_200_000),  # of the file for devices
        licence="Apache-2.0",
        source="twenty newsgroups (Lang, 1995)",
    )


RECIPE = Recipe(
    contract=_contract("word2vec"),
    load_data=load,
    build=WordVectors,
    fit=FitSettings(epochs=3, batch_size=128, learning_rate=0.025),
    task="regression",
    raw_inputs="data",
    own=OwnTraining(partial(Company, skip_gram=True), "loss of a word", "lower"),
    conclude=conclude,
)

VARIANTS = (
    replace(
        RECIPE,
        contract=_contract("word2vec_cbow"),
        fit=replace(RECIPE.fit, epochs=5, learning_rate=0.05),
        own=OwnTraining(partial(Company, skip_gram=False), "loss of a word", "lower"),
    ),
)
