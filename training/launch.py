"""`tandem train --processes N`: what torchrun does, on this machine alone, and with the command's own words and exit codes."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.errors import SetupError, TandemError, UsageError
from training.finished import Outcome, TrainOptions
from training.ranks import joined, launched
from training.train import train, unchanged

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

MOST = 1024
RESTARTS = 3  # after a process was killed
_HERE = "127.0.0.1"
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)  # that torchrun's agent takes for itself


def train_in(processes: int, name: str, options: TrainOptions) -> Outcome:
    """Train in several processes; where one is killed, all go on from the last checkpoint.

    Args:
        processes: How many, from 1.
        name: The recipe's name, or the path of its file.
        options: What differs from the recipe.

    Raises:
        UsageError: The number cannot be used, or this is a process of a group already.
        SetupError: Processes were killed again and again.
        TandemError: Training cannot be done; it is what the process with the lowest rank says.
        KeyboardInterrupt: All were told to end.
    """
    if not 1 <= processes <= MOST:
        raise UsageError(f"--processes is {processes}, expected a whole number from 1 to {MOST}")
    if launched():
        raise UsageError("--processes inside of torchrun starts processes twice; leave it out")
    done = unchanged(name, options)
    if done is not None:
        return done
    with tempfile.TemporaryDirectory(prefix="tandem-") as logs, _quiet(), _surroundings(processes):
        results = _launch(processes, logs, name, options)
    return _outcome([results[rank] for rank in sorted(results)])


def _launch(processes: int, logs: str, name: str, options: TrainOptions) -> dict[int, Outcome | TandemError]:
    """Run the agent; return what each rank ended with."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint=f"{_HERE}:0",  # a free port
        local_addr=_HERE,
        max_restarts=RESTARTS,
        logs_specs=DefaultLogsSpecs(log_dir=logs),
    )
    try:
        results: dict[int, Outcome | TandemError] = elastic_launch(config, _work)(name, options)
    except SignalException:
        raise KeyboardInterrupt from None
    except ChildFailedError as error:
        raise _failure(error.failures) from None
    return results


def _work(name: str, options: TrainOptions) -> Outcome | TandemError:
    """Train as one rank. What went wrong on purpose is a result and no failure: to start again would not mend it."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is open is put away
    try:
        with joined():
            return train(name, options)
    except TandemError as error:
        return error


def _outcome(results: list[Outcome | TandemError]) -> Outcome:
    from training.frameworks.distributed import LostRankError

    errors = [result for result in results if isinstance(result, TandemError)]
    if errors:
        raise next((error for error in errors if not isinstance(error, LostRankError)), errors[0])
    return next(result for result in results if isinstance(result, Outcome))


def _failure(failures: Mapping[int, ProcessFailure]) -> Exception:
    rank, failed = min(failures.items(), key=lambda item: item[1].timestamp)
    if failed.exitcode < 0:
        return SetupError(
            f"the process of rank {rank} was killed by {signal.Signals(-failed.exitcode).name}, after {RESTARTS} restarts for the last "
            "time; where that was for want of memory, use fewer processes; the same command goes on from the last checkpoint"
        )
    lines = [line for line in str(failed.message).splitlines() if line.strip()]
    return RuntimeError(f"rank {rank}: {lines[-1].strip() if lines else f'exit code {failed.exitcode}'}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Let the agent, which tells every signal and restart at length, say nothing; and give back the signals that it takes."""
    disabled, handlers = logging.root.manager.disable, {number: signal.getsignal(number) for number in _SIGNALS}
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(disabled)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _surroundings(processes: int) -> Iterator[None]:
    """Share the processors out, and keep the group's ports off the network; what is set already stays."""
    wanted = {
        "OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // processes)),
        "PYTHONWARNINGS": "ignore:resource_tracker:UserWarning",  # a process that was killed has put nothing away; Python does
    }
    if "lo" in {name for _, name in socket.if_nameindex()}:
        wanted["GLOO_SOCKET_IFNAME"] = "lo"
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
