"""Models made to fail: int8 destroys each, blame names the module that does it, and the mended file passes the same gate."""

import json
import logging
import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from edge import contract, variants
from edge.contract import Contract, Graph, Metric, Tensor, Tolerance
from edge.errors import GateError
from edge.storage import save_npz, write_sums
from export.release import Options, export

LOG = logging.getLogger("repair")
RUNTIMES = ("ai-edge-litert", "tflite-runtime")


class Exploding(nn.Module):
    """One channel of the first convolution is ten thousand times the others; the next one scales it back."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Linear(128, 4)

    def forward(self, image):
        x = (image.permute(0, 3, 1, 2).float() - 127.5) / 127.5
        return self.head(self.features(x).flatten(1))

    def explode(self, times=1e4):
        """Keep the function, spoil the ranges."""
        with torch.no_grad():
            first, second = self.features[0], self.features[2]
            first.weight[3] *= times
            first.bias[3] *= times
            second.weight[:, 3] /= times


class Upsampling(nn.Module):
    """A transposed convolution, whose kernel of 8-bit weights the oldest runtime does not have for float activations."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.head = nn.Linear(256, 4)

    def forward(self, image):
        x = (image.permute(0, 3, 1, 2).float() - 127.5) / 127.5
        return self.head(torch.relu(self.up(torch.relu(self.down(x)))).flatten(1))


class Attention(nn.Module):
    """One head that must not look at what the mask covers."""

    def __init__(self, width, fill):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.fill = fill

    def forward(self, x, mask):
        scores = self.q(x) @ self.k(x).transpose(1, 2) / math.sqrt(x.shape[-1])  # (B, T, T)
        hidden = torch.zeros(mask.shape).masked_fill(~mask, self.fill)[:, None, :]
        return torch.softmax(scores + hidden, dim=-1) @ self.v(x)


class Masked(nn.Module):
    """A transformer's layer over ids, of which a zero ends the text; what stands behind it is noise and must not count."""

    def __init__(self, fill):
        super().__init__()
        self.embed = nn.Embedding(12, 16)
        self.place = nn.Parameter(torch.randn(12, 16) * 0.1)
        self.blocks = nn.ModuleList([Attention(16, fill)])
        self.head = nn.Linear(16, 3)

    def forward(self, ids):
        inside = torch.cumsum((ids == 0).int(), dim=1) == 0
        x = self.embed(ids) + self.place
        for block in self.blocks:
            x = x + block(x, inside)
        return self.head(x[:, 0])


def pictures(count, seed):
    """Waves in four directions under noise, (count, 8, 8, 1) uint8, and which direction."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:8, 0:8]
    waves = np.stack([np.sin(1.2 * y), np.sin(1.2 * x), np.sin(0.9 * (x + y)), np.sin(0.9 * (y - x))])
    kind = random.integers(0, 4, count)
    sign = random.choice([-1, 1], count)[:, None, None]
    shown = 128 + 60 * waves[kind] * sign + random.normal(0, 40, (count, 8, 8))
    return np.clip(shown, 0, 255).astype(np.uint8)[..., None], kind


def texts(count, seed):
    """Ids (count, 12) int32 with one of three words before the zero; behind it stand the others."""
    random = np.random.default_rng(seed)
    ids = random.integers(4, 12, (count, 12))
    end = random.integers(4, 9, count)
    kind = random.integers(0, 3, count)
    rows = np.arange(count)
    ids[rows, random.integers(1, end)] = kind + 1
    ids[rows, end] = 0
    for place in (9, 10, 11):
        ids[rows, place] = random.integers(1, 4, count)
    return ids.astype(np.int32), kind


def fit(net, inputs, target, steps):
    """Train on the processor for about a second."""
    torch.set_num_threads(1)
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    x, y = torch.from_numpy(inputs), torch.from_numpy(target)
    for _ in range(steps):
        chosen = torch.randint(0, len(x), (64,))
        loss = nn.functional.cross_entropy(net(x[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


@pytest.fixture(scope="module")
def hand_over(tmp_path_factory):
    """The function that trains a net and hands it over as training does; gives `runs`."""

    def make(net, data, steps, spoil=None, **promise):
        torch.manual_seed(0)
        net = fit(net(), *data(3000, 0), steps)
        if spoil:
            spoil(net)
        (inputs, target), (calibration, _) = data(400, 1), data(48, 2)
        with torch.no_grad():
            answers = net(torch.from_numpy(inputs)).numpy()
        assert np.mean(answers.argmax(axis=1) == target) > 0.95, "it is not learned, so the test would show nothing"
        runs = tmp_path_factory.mktemp("runs")
        folder = runs / "faulty" / "1.0.0"
        folder.mkdir(parents=True)
        row = Tensor("x", str(inputs.dtype), ("batch", *inputs.shape[1:]), "NHWC" if inputs.ndim == 4 else "NT")
        made = Contract(
            schema=contract.SCHEMA, name="faulty", version="1.0.0", task="classification", targets=("device",),
            graphs=(Graph("main", (row,), (Tensor("y", "float32", ("batch", answers.shape[1]), "NC"),)),),
            metric=Metric("accuracy", "higher", 0.9), tolerance=Tolerance(tflite=1e-2, agreement=0.97, metric_drop=0.02), **promise,
        )  # fmt: skip
        torch.export.save(
            torch.export.export(net, (torch.from_numpy(inputs[:2]),), dynamic_shapes=({0: torch.export.Dim("batch")},)),
            folder / "program.pt2",
        )
        (folder / "contract.json").write_text(made.dumps())
        save_npz(folder / "calibration.npz", {"input/x": calibration})
        save_npz(folder / "eval.npz", {"input/x": inputs, "target": target})
        save_npz(folder / "golden.npz", {"input/x": inputs[:8], "output/y": answers[:8]})
        write_sums(folder, ["program.pt2", "contract.json", "calibration.npz", "eval.npz", "golden.npz"])
        return runs

    return make


def measured(outcome):
    return json.loads((outcome.folder / "measurements.json").read_text())


def tflite_files(outcome):
    return {v.recipe: v for v in variants.loads((outcome.folder / "variants.json").read_bytes())}


@pytest.fixture(scope="module")
def exploding(hand_over):
    return hand_over(Exploding, pictures, 200, Exploding.explode, recipes=("static_wi8_ai8",), requires_runtimes=RUNTIMES)


@pytest.fixture(scope="module")
def bulging(hand_over):
    return hand_over(Exploding, pictures, 200, lambda net: net.explode(200), recipes=("static_wi8_ai8",), requires_runtimes=RUNTIMES[:1])


@pytest.fixture(scope="module")
def masked(hand_over):
    return hand_over(lambda: Masked(float("-inf")), texts, 600, recipes=("static_wi8_ai8",), requires_runtimes=RUNTIMES)


@pytest.fixture(scope="module")
def upsampling(hand_over):
    return hand_over(Upsampling, pictures, 200, recipes=("dynamic_wi8_afp32",), requires_runtimes=RUNTIMES)


@pytest.mark.parametrize(
    ("model", "file", "module", "operator", "treated"),
    [
        ("exploding", "static_wi8_ai8", "features.0", "DEPTHWISE_CONV_2D", {"features.0": "float", "features.2": "float"}),
        ("bulging", "static_wi8_ai8", "features.0", "DEPTHWISE_CONV_2D", {"features.0": "int16", "features.2": "int16"}),
        ("masked", "static_wi8_ai8", "blocks.0", "SELECT_V2", {"blocks.0": "float"}),
        ("upsampling", "dynamic_wi8_afp32", "up", "TRANSPOSE_CONV", {"up": "float", "head": "per_tensor"}),
    ],
    ids=["exploding channel", "large channel", "-inf mask", "transposed convolution"],
)
def test_the_culprit_is_named_first_and_the_mended_file_passes_on_every_runtime(request, model, file, module, operator, treated):
    runs = request.getfixturevalue(model)
    outcome = export("faulty", Options(runs, runs / "bundles"))
    mended, exact = tflite_files(outcome)[file], tflite_files(outcome)["fp32"]
    assert mended.file == f"model.{file}.mixed.tflite"
    assert mended.passed == (RUNTIMES[:1] if "int16" in treated.values() else RUNTIMES), "tflite-runtime 2.14 has no int16 between int8"
    assert mended.size_bytes < exact.size_bytes
    found = measured(outcome)
    first = found["drift_by_tensor"][0]
    assert (first["file"], first["module"], first["operator"]) == (mended.file, module, operator)
    note = next(note for note in found["notes"] if "mended in" in note)
    LOG.info("blamed first: %s (%s), it adds %s dB; %s", first["module"], first["operator"], first["added_snr_db"], note)
    for name, treatment in treated.items():
        assert re.search(rf"{re.escape(name)} \(\w+\) in {treatment}", note)
    assert re.search(rf"it cost \d+ → {mended.size_bytes} bytes, [\d.]+ → [\d.]+ ms on ai-edge-litert", note)


def test_without_repair_the_error_names_the_culprits_and_the_remedy(masked):
    with pytest.raises(GateError) as caught:
        export("faulty", Options(masked, masked / "bundles", force=True, repair=False))
    said = str(caught.value)
    assert "\n" not in said
    assert "model.static_wi8_ai8.tflite: not released: ai-edge-litert 2." in said
    assert "top-1 agreement is 0." in said
    assert "worst operators by the noise they add: blocks.0 (SELECT_V2, infinities lost), " in said
    assert "mask with a finite number such as -12 instead of -inf" in said
    assert "tried in vain" not in said
