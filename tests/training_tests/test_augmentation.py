"""Changes to pictures: only while training, the same again with the same seed, and the same after a break."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training.augmentation import Augmentation
from training.frameworks import pytorch
from training.frameworks.pytorch_loop import PyTorchLoop
from training.models import cifar10_cnn
from training.progress import bar
from training.recipe import OPTIMIZERS, FitSettings, Split, Splits

PICTURES = torch.rand(16, 3, 8, 6, generator=torch.Generator().manual_seed(1))


def changed(layer: nn.Module, pictures: Tensor = PICTURES, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    result: Tensor = layer.train()(pictures)
    return result


def test_nothing_changes_in_evaluation() -> None:
    assert Augmentation().eval()(PICTURES) is PICTURES


def test_the_seed_decides() -> None:
    assert torch.equal(changed(Augmentation()), changed(Augmentation()))
    assert not torch.equal(changed(Augmentation()), changed(Augmentation(), seed=1))


def test_each_picture_is_mirrored_or_not() -> None:
    result = changed(Augmentation(shift=0, tint=0))
    mirrored = [torch.equal(one, before.flip(2)) for one, before in zip(result, PICTURES, strict=True)]
    kept = [torch.equal(one, before) for one, before in zip(result, PICTURES, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 3 < sum(mirrored) < 13


def test_pictures_move_whole_and_black_comes_in() -> None:
    dot = torch.zeros(200, 1, 9, 9)
    dot[:, :, 4, 4] = 1
    result = changed(Augmentation(shift=2, tint=0, mirror=False), dot)
    assert result.sum().item() == 200
    places = {tuple(place[2:]) for place in result.nonzero().tolist()}
    assert places == {(row, column) for row in range(2, 7) for column in range(2, 7)}


def test_channels_are_tinted_within_bounds() -> None:
    result = changed(Augmentation(shift=0, tint=0.25, mirror=False), torch.ones(64, 3, 2, 2))
    gains = result[:, :, 0, 0]
    assert 0.75 <= gains.min() < 0.8 < 1.2 < gains.max() <= 1.25
    assert torch.equal(result, gains[:, :, None, None].expand_as(result))


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.augmentation = Augmentation(shift=1)
        self.scores = nn.Linear(48, 2)

    def forward(self, image: Tensor) -> Tensor:
        x: Tensor = self.scores(self.augmentation(image.permute(0, 3, 1, 2).float() / 255).flatten(1))
        return x


def made(optimizer: str) -> tuple[Small, PyTorchLoop]:
    random = np.random.default_rng(0)
    split = Split({"image": random.integers(0, 256, (32, 4, 4, 3), dtype=np.uint8)}, random.integers(0, 2, 32))
    torch.manual_seed(5)
    model = Small()
    splits = Splits("made", "0" * 64, "made", ("a", "b"), split, split, split)
    return model, pytorch.loop(model, splits, FitSettings(epochs=2, batch_size=8, optimizer=optimizer))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_that_was_broken_off_goes_on_with_the_same_changes(optimizer: str) -> None:
    whole, loop = made(optimizer)
    with bar(1, " samples") as shown:
        loop.run_epoch(1, shown)
        weights, state = loop.weights(), pytorch.decode(pytorch.encode(loop.state()))  # as a checkpoint keeps it
        loop.run_epoch(2, shown)
        again, second = made(optimizer)
        torch.manual_seed(99)
        second.set_weights(weights)
        second.restore(state)
        second.run_epoch(2, shown)
    assert torch.equal(whole.scores.weight, again.scores.weight)


@pytest.mark.parametrize("recipe", [cifar10_cnn.RECIPE, *cifar10_cnn.VARIANTS], ids=lambda recipe: recipe.contract.name)
def test_pixels_are_normalised_channel_by_channel(recipe) -> None:
    image = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    image[..., 0], image[..., 2] = 255, 51  # red and some blue
    model = recipe.build().eval()
    light = cifar10_cnn.normalised(image, model.augmentation)
    assert light.shape == (1, 3, 32, 32)
    torch.testing.assert_close(light[0, :, 5, 5], torch.tensor([1.0, -1.0, -0.6]))
    assert model(image).shape == (1, 10)


def test_the_documents_network_is_the_one_described() -> None:
    (documents,) = cifar10_cnn.VARIANTS
    assert sum(weight.numel() for weight in documents.build().parameters()) == 62_006
