"""T5 as two programs with a cache of keys and values, which exporters can follow for any number of ids.

The encoder reads ids and gives, for every layer of the decoder, the keys and values of what was read: they never change while
a text is written. The decoder takes one id with them and with the keys and values of what it wrote before, and gives scores and
the longer cache. How near two ids are is told by a table over distances, looked up in the graph: no logarithm is computed there
that another runtime might round to another bucket.

Source: C. Raffel et al. (2020), section 2.1; P. Shaw et al., "Self-Attention with Relative Position Representations" (2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HIDDEN = -1e9  # added to what attention shall not see: finite, and a softmax makes exactly 0 of it
ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_new": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
}
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Sizes:
    """What a T5's description says; `scaled` tells whether the last vector is divided by the root of its size."""

    width: int
    heads: int
    head_width: int
    layers: int
    decoder_layers: int
    buckets: int
    distance: int
    vocabulary: int
    padding: int
    epsilon: float
    activation: str
    gated: bool
    scaled: bool


def bucket(distance: int, buckets: int, furthest: int, both_ways: bool) -> int:
    """Give the bucket of a distance, key minus query: near ones have one each, far ones share, by logarithm.

    Source: Raffel et al. (2020), section 2.1, in the single precision of the published weights' own code.
    """
    first = 0
    if both_ways:
        buckets //= 2
        first = buckets if distance > 0 else 0
        distance = abs(distance)
    else:
        distance = -min(distance, 0)
    exact = buckets // 2
    if distance < exact:
        return first + distance
    share = torch.log(torch.tensor(float(distance)) / exact) / math.log(furthest / exact) * (buckets - exact)
    return first + min(exact + int(share), buckets - 1)


class Norm(nn.Module):
    """Division by the root of the mean square, and a factor for each place."""

    def __init__(self, weight: Tensor, epsilon: float) -> None:
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(weight, False), epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (…, W)."""
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon))


class Linear(nn.Module):
    """A product with (out, in) weights."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, False)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (…, in) into (…, out)."""
        return F.linear(x, self.weight)


def split(x: Tensor, heads: int) -> Tensor:
    """Turn (B, T, H·D) into (B, H, T, D)."""
    return x.reshape(x.shape[0], x.shape[1], heads, x.shape[2] // heads).transpose(1, 2)


class Reader(nn.Module):
    """The half of attention that what is looked at alone decides: its keys and values."""

    def __init__(self, weights: Weights, prefix: str, sizes: Sizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.k, self.v = (Linear(weights[f"{prefix}.{name}.weight"]) for name in "kv")

    def forward(self, x: Tensor) -> Tensor:
        """Give (B, 2, H, S, D) of (B, S, W)."""
        return torch.stack([split(self.k(x), self.heads), split(self.v(x), self.heads)], dim=1)


class Attention(nn.Module):
    """The other half: who looks, at what a reader gave. T5 does not divide by the root of a head's size."""

    def __init__(self, weights: Weights, prefix: str, sizes: Sizes) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.q, self.o = (Linear(weights[f"{prefix}.{name}.weight"]) for name in "qo")

    def forward(self, x: Tensor, read: Tensor, bias: Tensor) -> Tensor:
        """Let (B, T, W) look at (B, 2, H, S, D), by a bias that (B, H, T, S) can be added to."""
        keys, values = read[:, 0], read[:, 1]
        shares = torch.softmax(split(self.q(x), self.heads) @ keys.transpose(2, 3) + bias, dim=-1)  # (B, H, T, S)
        found: Tensor = self.o((shares @ values).transpose(1, 2).flatten(2))
        return found


class FeedForward(nn.Module):
    """Two products with an activation between them, the first one maybe gated."""

    def __init__(self, weights: Weights, prefix: str, sizes: Sizes) -> None:
        super().__init__()
        names = ("wi_0", "wi_1") if sizes.gated else ("wi",)
        self.first = nn.ModuleList(Linear(weights[f"{prefix}.{name}.weight"]) for name in names)
        self.last = Linear(weights[f"{prefix}.wo.weight"])
        self.activation = ACTIVATIONS[sizes.activation]

    def forward(self, x: Tensor) -> Tensor:
        """Turn (B, T, W) into (B, T, W)."""
        inner = self.activation(self.first[0](x))
        found: Tensor = self.last(inner * self.first[1](x) if len(self.first) == 2 else inner)
        return found


class EncoderLayer(nn.Module):
    """Attention of a text to itself, and a feed-forward network; each behind a norm and before a sum."""

    def __init__(self, weights: Weights, prefix: str, sizes: Sizes) -> None:
        super().__init__()
        self.reader, self.own = (kind(weights, f"{prefix}.0.SelfAttention", sizes) for kind in (Reader, Attention))
        self.feed = FeedForward(weights, f"{prefix}.1.DenseReluDense", sizes)
        self.before_own, self.before_feed = (Norm(weights[f"{prefix}.{i}.layer_norm.weight"], sizes.epsilon) for i in range(2))

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Turn (B, S, W) into (B, S, W)."""
        y = self.before_own(x)
        x = x + self.own(y, self.reader(y), bias)
        x = x + self.feed(self.before_feed(x))
        return x


class DecoderLayer(nn.Module):
    """Attention to what was written, attention to what was read, and a feed-forward network."""

    def __init__(self, weights: Weights, prefix: str, sizes: Sizes) -> None:
        super().__init__()
        self.reader, self.own = (kind(weights, f"{prefix}.0.SelfAttention", sizes) for kind in (Reader, Attention))
        self.cross = Attention(weights, f"{prefix}.1.EncDecAttention", sizes)
        self.feed = FeedForward(weights, f"{prefix}.2.DenseReluDense", sizes)
        norms = (Norm(weights[f"{prefix}.{i}.layer_norm.weight"], sizes.epsilon) for i in range(3))
        self.before_own, self.before_cross, self.before_feed = norms

    def forward(self, x: Tensor, past: Tensor, read: Tensor, bias: Tensor, unseen: Tensor) -> tuple[Tensor, Tensor]:
        """Go one step.

        Args:
            x: (B, 1, W).
            past: (B, 2, H, P, D), the layer's cache.
            read: (B, 2, H, S, D), keys and values of what was read.
            bias: (1, H, 1, P + 1), for what was written.
            unseen: (B, 1, 1, S), for what was read.

        Returns:
            (B, 1, W), and the cache (B, 2, H, P + 1, D).
        """
        y = self.before_own(x)
        present = torch.cat([past, self.reader(y)], dim=3)
        x = x + self.own(y, present, bias)
        x = x + self.cross(self.before_cross(x), read, unseen)
        x = x + self.feed(self.before_feed(x))
        return x, present


class Encoder(nn.Module):
    """(B, S) int32 ids to (B, L, 2, H, S, D): for each of the decoder's layers the keys and the values of what was read."""

    def __init__(self, weights: Weights, sizes: Sizes) -> None:
        super().__init__()
        self.padding = sizes.padding
        self.embedding = nn.Parameter(weights["shared.weight"], False)
        self.layers = nn.ModuleList(EncoderLayer(weights, f"encoder.block.{i}.layer", sizes) for i in range(sizes.layers))
        self.norm = Norm(weights["encoder.final_layer_norm.weight"], sizes.epsilon)
        places = [f"decoder.block.{i}.layer.1.EncDecAttention" for i in range(sizes.decoder_layers)]
        self.readers = nn.ModuleList(Reader(weights, place, sizes) for place in places)
        self.furthest = sizes.distance
        self.table = _table(weights, "encoder", sizes, range(-sizes.distance, sizes.distance + 1))

    def forward(self, ids: Tensor) -> Tensor:
        """Read ids; the padding's are not looked at."""
        x = F.embedding(ids, self.embedding)  # (B, S, W)
        places = torch.arange(ids.shape[1])
        distances = (places[None, :] - places[:, None]).clamp(-self.furthest, self.furthest) + self.furthest
        bias = self.table[distances].permute(2, 0, 1)[None] + hidden(ids, self.padding)  # (B, H, S, S)
        for layer in self.layers:
            x = layer(x, bias)
        x = self.norm(x)
        return torch.stack([reader(x) for reader in self.readers], dim=1)


class Decoder(nn.Module):
    """One step: a token, what was read and the cache in, scores and the longer cache out."""

    def __init__(self, weights: Weights, sizes: Sizes) -> None:
        super().__init__()
        self.padding, self.furthest = sizes.padding, sizes.distance
        self.embedding = nn.Parameter(weights["shared.weight"], False)
        self.layers = nn.ModuleList(DecoderLayer(weights, f"decoder.block.{i}.layer", sizes) for i in range(sizes.decoder_layers))
        self.norm = Norm(weights["decoder.final_layer_norm.weight"], sizes.epsilon)
        own, shared = weights["lm_head.weight"], weights["shared.weight"]
        self.head = None if own.data_ptr() == shared.data_ptr() else nn.Parameter(own, False)  # most use the embedding's, once
        self.factor = sizes.width**-0.5 if sizes.scaled else 1.0
        self.table = _table(weights, "decoder", sizes, range(0, -sizes.distance - 1, -1))

    def forward(self, token: Tensor, ids: Tensor, cross: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Give scores (B, V) and the cache (B, L, 2, H, P + 1, D).

        Args:
            token: (B, 1) int32.
            ids: (B, S) int32, what was read.
            cross: (B, L, 2, H, S, D), the encoder's answer.
            past: (B, L, 2, H, P, D), P from 0.
        """
        x = F.embedding(token, self.embedding)  # (B, 1, W)
        written = past.shape[4]
        distances = (written - torch.arange(written + 1)).clamp(max=self.furthest)
        bias = self.table[distances].transpose(0, 1)[None, :, None]  # (1, H, 1, P + 1)
        unseen = hidden(ids, self.padding)
        present: list[Tensor] = []
        for number, layer in enumerate(self.layers):
            x, grown = layer(x, past[:, number], cross[:, number], bias, unseen)
            present.append(grown)
        scores = F.linear(self.norm(x)[:, 0] * self.factor, self.embedding if self.head is None else self.head)
        return scores, torch.stack(present, dim=1)


def hidden(ids: Tensor, padding: int) -> Tensor:
    """Give what is added where (B, S) ids are padding: (B, 1, 1, S)."""
    return (ids == padding).float()[:, None, None, :] * HIDDEN


def _table(weights: Weights, side: str, sizes: Sizes, distances: range) -> nn.Parameter:
    """Give (N, H): the bias of each head for each distance, those beyond the furthest being as it."""
    known = weights[f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
    rows = [bucket(distance, sizes.buckets, sizes.distance, side == "encoder") for distance in distances]
    return nn.Parameter(known[torch.tensor(rows)], False)
