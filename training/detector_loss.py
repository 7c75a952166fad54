"""The loss of a detector over a grid of anchors, in PyTorch: where, whether, and what.

Source: J. Redmon, A. Farhadi, "YOLO9000" (2017), for the grid; H. Rezatofighi et al., "Generalized intersection over union"
(2019), for the distance of boxes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

IGNORED = 0.6  # overlap with a true box from which a box that is not responsible for it is not blamed either
WHERE, WHETHER, WHAT = 2.0, 1.0, 1.0  # weights of the parts


class DetectorLoss:
    """Takes raw outputs (B, H, W, A·(5 + C)) and targets (B, M, 5), and gives the mean loss for each true box, a scalar.

    The anchor whose shape is nearest, in the cell that holds a true box's centre, is responsible for it.
    """

    def __init__(self, anchors: Sequence[Sequence[float]], stride: int) -> None:
        """Take the anchors, (width, height) in pixels, and the pixels from cell to cell."""
        self._anchors, self._stride = torch.tensor(anchors, dtype=torch.float32), stride

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""
        anchors = self._anchors.to(outputs.device)
        raw = outputs.float().reshape(*outputs.shape[:3], len(anchors), -1)  # (B, H, W, A, 5 + C)
        boxes = self._decoded(raw, anchors)  # (B, H, W, A, 4)
        sample, slot = torch.nonzero(targets[..., 0] >= 0, as_tuple=True)  # (K,) each
        true = targets[sample, slot]  # (K, 5)
        row = (true[:, 2] / self._stride).long().clamp(0, raw.shape[1] - 1)
        column = (true[:, 1] / self._stride).long().clamp(0, raw.shape[2] - 1)
        kind = _shape_overlaps(true[:, 3:], anchors).argmax(dim=1)
        place = sample, row, column, kind
        blamed = self._blamed(boxes.detach(), targets)  # (B, H, W, A)
        wanted = torch.zeros_like(blamed)
        wanted[place], blamed[place] = 1.0, 1.0
        count = max(1, len(true))
        whether = (F.binary_cross_entropy_with_logits(raw[..., 4], wanted, reduction="none") * blamed).sum()
        where = (1 - generalised_overlap(boxes[place], _corners(true[:, 1:]))).sum()
        what = F.cross_entropy(raw[place][:, 5:], true[:, 0].long(), reduction="sum")
        return (WHERE * where + WHETHER * whether + WHAT * what) / count

    def _decoded(self, raw: Tensor, anchors: Tensor) -> Tensor:
        """Return the boxes, xyxy in pixels; the equations are those of `edge.steps.boxes.find`."""
        rows, columns = torch.meshgrid(
            torch.arange(raw.shape[1], device=raw.device), torch.arange(raw.shape[2], device=raw.device), indexing="ij"
        )
        cells = torch.stack([columns, rows], dim=-1)[:, :, None]  # (H, W, 1, 2)
        centres = (cells + torch.sigmoid(raw[..., :2])) * self._stride
        return _corners(torch.cat([centres, anchors * torch.exp(raw[..., 2:4].clamp(-8, 8))], dim=-1))

    def _blamed(self, boxes: Tensor, targets: Tensor) -> Tensor:
        """Return 0 for boxes that cover a true one well, else 1: (B, H, W, A)."""
        best = torch.zeros(boxes.shape[:-1], device=boxes.device)
        for slot in range(targets.shape[1]):  # one by one: all at once would need M times the memory
            true = _corners(targets[:, slot, 1:])[:, None, None, None]  # (B, 1, 1, 1, 4)
            there = (targets[:, slot, 0] >= 0)[:, None, None, None]
            best = torch.maximum(best, torch.where(there, _overlap(boxes, true)[0], 0.0))
        return (best < IGNORED).float()


def generalised_overlap(first: Tensor, second: Tensor) -> Tensor:
    """Return the generalised intersection over union of pairs of boxes (K, 4), xyxy: (K,), -1 to 1."""
    overlap, union = _overlap(first, second)
    hull = torch.maximum(first[..., 2:], second[..., 2:]) - torch.minimum(first[..., :2], second[..., :2])
    area = hull.prod(dim=-1).clamp_min(1e-6)
    return overlap - (area - union) / area


def _overlap(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    shared = (torch.minimum(first[..., 2:], second[..., 2:]) - torch.maximum(first[..., :2], second[..., :2])).clamp_min(0).prod(dim=-1)
    union = (first[..., 2:] - first[..., :2]).prod(dim=-1) + (second[..., 2:] - second[..., :2]).prod(dim=-1) - shared
    return shared / union.clamp_min(1e-6), union


def _corners(centred: Tensor) -> Tensor:
    """Turn centre and size (…, 4) into xyxy."""
    halves = centred[..., 2:] / 2
    return torch.cat([centred[..., :2] - halves, centred[..., :2] + halves], dim=-1)


def _shape_overlaps(sizes: Tensor, anchors: Tensor) -> Tensor:
    shared = torch.minimum(sizes[:, None], anchors[None]).prod(dim=2)
    return shared / (sizes.prod(dim=1)[:, None] + anchors.prod(dim=1)[None] - shared)
