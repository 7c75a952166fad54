"""Texts sorted into classes by a BERT that others trained and that is taught a little further here.

The text's vector is the mean of its states; one layer makes scores of it. Embeddings and the lowest layers, which know the
language, stay as they are where that is asked for: it costs little accuracy and saves much time.

Sources: Devlin et al., "BERT" (2019); the mean in place of the first state: Reimers and Gurevych, "Sentence-BERT" (2019).
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import cast

from torch import Tensor, nn

from edge.contract import Contract, Graph, Step, Tolerance
from edge.errors import InputError, UsageError
from training.data import keyed, texts
from training.families import text_classifier
from training.pretrained import minilm
from training.pretrained.bert import Bert
from training.pretrained.bert_weights import TOKENIZER, BertWeights, read_folder
from training.recipe import Recipe, Splits


class BertClassifier(nn.Module):
    """An encoder, the mean of its states, and scores."""

    def __init__(self, bert: Bert, classes: int, frozen: int = 0, dropout: float = 0.1) -> None:
        """Take an encoder.

        Args:
            bert: With its trained weights.
            classes: How many there are.
            frozen: How many of the lowest layers stay as they are, and the embeddings below them; with 0 everything learns.
            dropout: The share of the vector's features that are left out while learning.
        """
        super().__init__()
        self.bert, self.dropout = bert, nn.Dropout(dropout)
        self.scores = nn.Linear(bert.config.hidden_size, classes)
        fixed = [bert.words, bert.positions, bert.segments, bert.norm, *bert.layers[:frozen]] if frozen else []
        for part in fixed:
            part.requires_grad_(False)

    def forward(self, ids: Tensor) -> Tensor:
        """Score each class: (B, T) int32 ids to (B, C) float32."""
        return cast("Tensor", self.scores(self.dropout(self.bert.mean(ids))))


def promise(name: str, labels: tuple[str, ...], length: int) -> Contract:
    """Return the contract of such a classifier; `adapted` gives it the size of the vocabulary.

    Args:
        name: Model name.
        labels: One per class, in the order of the scores.
        length: Pieces of words that the graph takes, the marks at both ends among them.
    """
    family = text_classifier(name, labels, length, minilm.VOCABULARY_SIZE)
    return replace(
        family,
        graphs=(_graph(family, minilm.VOCABULARY_SIZE, length),),
        preprocess=(Step("wordpiece", length=length, padding=minilm.PADDING, tokenizer=TOKENIZER, own_script=True),),
        assets={"tokenizer": TOKENIZER},
        recipes=("dynamic_wi8_afp32_per_tensor",),
        requires_runtimes=("onnxruntime", "ai-edge-litert", "tflite-runtime"),
        tolerance=Tolerance(onnx=1e-3, tflite=1e-2, agreement=0.99, metric_drop=0.005),
    )


def backbone(folder: str = "") -> BertWeights:
    """Return the BERT of a user's folder, or MiniLM where none is named.

    Raises:
        SetupError: MiniLM's package is not cached and cannot be fetched.
        InputError: The folder is not one of a BERT, or fills texts up with another id than 0.
    """
    found = read_folder(Path(folder).expanduser()) if folder else minilm.weights()
    if found.config.pad_token_id != minilm.PADDING:
        raise InputError(f"{found.where}: pad_token_id is {found.config.pad_token_id}, expected {minilm.PADDING}; take another BERT")
    return found


def numbered(splits: Splits, promise: Contract, folder: str = "") -> Splits:
    """Turn texts into ids by a BERT's own tokenizer.

    Args:
        splits: `text`: (N,) str.
        promise: Its preprocessing is `wordpiece`.
        folder: A user's BERT, whose tokenizer is taken; MiniLM's where none is named.

    Raises:
        InputError: The folder is not one of a BERT, or has not as many positions as ids are wanted.
        RuntimeMissingError: The library `tokenizers` is not installed.
    """
    found, length = backbone(folder), int(promise.preprocess[0].parameters["length"])
    if length > found.config.max_position_embeddings:
        raise InputError(f"{found.where}: has {found.config.max_position_embeddings} positions, expected at least {length}")
    made = texts.prepared(splits, promise, {TOKENIZER: found.tokenizer})
    highest = max(int(split.inputs[name].max()) for split in made.parts().values() for name in split.inputs)
    if highest >= found.config.vocab_size:
        raise InputError(
            f"{found.where}: {TOKENIZER} gives the id {highest}, but the weights know {found.config.vocab_size} pieces; "
            "take tokenizer and weights of one model"
        )
    if not folder:
        return made
    digest = keyed.key(made.sha256.encode(), sha256(found.weights).digest(), sha256(found.tokenizer).digest())
    return replace(made, sha256=digest, note=f"{made.note}; taught to {found.where}", pinned=False)


def build(classes: int, folder: str = "", frozen: int = 0, dropout: float = 0.1) -> BertClassifier:
    """Make the classifier of a BERT; see `backbone` and `BertClassifier`.

    Raises:
        UsageError: It has fewer layers than shall stay as they are.
        InputError: The folder is not one of a BERT.
    """
    found = backbone(folder)
    if not 0 <= frozen <= found.config.num_hidden_layers:
        raise UsageError(f"frozen is {frozen!r}, expected 0 to {found.config.num_hidden_layers}, the layers of {found.where}")
    return BertClassifier(found.build(dropout), classes, frozen, dropout)


def adapted(recipe: Recipe, splits: Splits) -> Recipe:
    """Return the recipe with the vocabulary of the data's tokenizer: how many ids the graph takes."""
    from tokenizers import Tokenizer

    size = Tokenizer.from_str(splits.assets[TOKENIZER].decode("utf-8")).get_vocab_size()
    length = int(recipe.contract.preprocess[0].parameters["length"])
    made = replace(recipe.contract, graphs=(_graph(recipe.contract, size, length),))
    return replace(recipe, contract=made if splits.pinned else replace(made, source=splits.note))


def _graph(family: Contract, size: int, length: int) -> Graph:
    meaning = f"ids of {TOKENIZER}; the first {length} pieces count, longer texts are cut; 0 fills up and is masked inside the graph"
    return replace(family.main, inputs=(replace(family.main.inputs[0], range=(0.0, size - 1.0), meaning=meaning),))
