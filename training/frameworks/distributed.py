"""Several processes as one training: PyTorch's data parallelism over gloo between processors, over NCCL between GPUs.

Each rank holds the whole data set and the whole module, so a machine needs the memory of one process as often as it runs
ranks. The order of the samples is the same on all; each takes its part of every batch, and the gradient of a step is the
mean over the whole batch, whoever had how many of it. What a batch's part is too small to do by itself, such as batch
normalisation's statistics, is done per rank on CPUs and, by `SyncBatchNorm`, over all ranks on GPUs.

Objects that ranks exchange are pickled: only the training's own processes may reach the group's ports.
"""

from __future__ import annotations

import copy
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from edge.errors import SetupError, TandemError, UsageError
from training.frameworks.meeting import meet
from training.ranks import current

T = TypeVar("T")
WAIT = timedelta(minutes=30)  # for a rank that answers no more, although its connection stands
_NETWORK = ("gloo", "NCCL", "Connection", "store")


class LostRankError(SetupError):
    """Another rank has ended; it has said why, unless it was killed."""


class Group:
    """The ranks of this training."""

    def __init__(self) -> None:
        """Find out which rank of how many this process is."""
        self.number, self.count = dist.get_rank(), dist.get_world_size()

    def first(self, action: Callable[[], T]) -> T:
        """Act on rank 0 only, and give every rank the result; a `TandemError` there is raised on every rank."""
        box: list[Any] = [_attempt(action) if self.number == 0 else None]
        dist.broadcast_object_list(box, src=0)
        result, error = box[0]
        if error is not None:
            raise error
        return cast("T", result)

    def every(self, action: Callable[[], T]) -> T:
        """Act on every rank, and give each its own result; a `TandemError` on any is raised on every rank."""
        result, own = _attempt(action)
        error = next((error for error in collect(own) if error is not None), None)
        if error is not None:
            raise error
        return cast("T", result)


@contextmanager
def member() -> Iterator[Group]:
    """Be a rank of the group that the environment names, for as long as the block runs.

    Raises:
        SetupError: The group cannot be joined, or another rank has ended before this one.
    """
    name = f"rank {os.environ['RANK']} of {os.environ['WORLD_SIZE']}"
    if torch.cuda.is_available():
        torch.cuda.set_device(device())
    try:
        store, rank, count = meet(WAIT)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=WAIT)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Grad strides do not match")  # of convolutions of one channel; it costs nothing
            yield Group()
        dist.destroy_process_group()  # not after an error: there may be nobody to take leave of
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and not any(word in str(error) for word in _NETWORK):
            raise
        reason = re.sub(r"\[/\S+\] ?", "", str(error).splitlines()[0]).split(". ")[0][:200]  # without the library's own places
        raise LostRankError(f"{name}: another one has ended or cannot be reached ({reason}); the same command goes on") from None


def device() -> torch.device:
    """Return what this rank computes on: the GPU of its number on this machine, else the CPU.

    Raises:
        SetupError: The machine has fewer GPUs than ranks.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    local, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if local >= there:
        raise SetupError(f"this machine has {there} GPUs, expected one for each process; start {there} processes on it")
    return torch.device("cuda", local)


def part(batch: int) -> slice:
    """Return which samples of a batch are this rank's.

    Raises:
        UsageError: There are fewer samples than ranks.
    """
    ranks = current()
    if batch < ranks.count:
        raise UsageError(f"a batch has {batch} samples for {ranks.count} processes, expected one for each; start fewer of them")
    return slice(batch * ranks.number // ranks.count, batch * (ranks.number + 1) // ranks.count)


def replica(module: nn.Module, place: torch.device) -> nn.Module:
    """Return the module that this rank trains: itself; a copy where its batch normalisation must become that of all ranks."""
    apart = any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in module.modules())
    if current().count == 1 or place.type != "cuda" or not apart:
        return module
    return synchronised(module)


def synchronised(module: nn.Module) -> nn.Module:
    """Return a copy whose batch normalisation takes its statistics over all ranks; its weights have the same names."""
    convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
    return convert(copy.deepcopy(module))


def parallel(module: nn.Module) -> nn.Module:
    """Return the module such that a backward pass gives each rank the mean of all gradients; alone, the module itself."""
    return module if current().count == 1 else DistributedDataParallel(module)


def unsynchronised(module: nn.Module) -> AbstractContextManager[None]:
    """Let gradients add up on each rank by itself, for as long as the block runs."""
    return module.no_sync() if isinstance(module, DistributedDataParallel) else nullcontext()


def total(values: Tensor) -> Tensor:
    """Add values up over all ranks, in place."""
    if current().count > 1:
        dist.all_reduce(values)
    return values


def as_first(values: Tensor) -> Tensor:
    """Take over rank 0's values, in place."""
    if current().count > 1:
        dist.broadcast(values, src=0)
    return values


def collect(value: T) -> list[T]:
    """Return every rank's value, in the order of the ranks."""
    if current().count == 1:
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def _attempt(action: Callable[[], T]) -> tuple[T | None, TandemError | None]:
    try:
        return action(), None
    except TandemError as error:
        return None, error.with_traceback(None)
