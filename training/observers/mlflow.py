"""MLflow: settings, figures by epoch and pictures, sent to a tracking server; a server that fails does not end a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from edge.errors import SetupError
from training.course import Epoch
from training.observers import Watched
from training.progress import say

EXPERIMENT = "tandem"
_KEPT = ("training.json", "run.html", "contract.json", "curves.png", "confusion.png", "reliability.png", "values.png")


class MLflow:
    """One run on a tracking server."""

    def __init__(self, client: MlflowClient, run: str) -> None:
        """Take a run that has begun."""
        self._client, self._run, self._lost, self._done = client, run, False, False

    def epoch(self, epoch: Epoch, _weights: Mapping[str, Any], /) -> None:
        """Send the figures of an epoch; the weights stay here."""
        for name, value in asdict(epoch).items():
            if name != "number":
                self._send(partial(self._client.log_metric, self._run, name, value, step=epoch.number))

    def finished(self, record: Mapping[str, Any], folder: Path) -> None:
        """Send the test figures, and record, page and pictures as artifacts."""
        self._send(lambda: self._client.log_metric(self._run, f"test_{record['metric']['name']}", record["metric"]["test"]))
        for name in _KEPT:
            if (folder / name).is_file():
                self._send(partial(self._client.log_artifact, self._run, str(folder / name)))
        self._done = True

    def close(self) -> None:
        """End the run, as failed where training did not finish."""
        self._send(lambda: self._client.set_terminated(self._run, "FINISHED" if self._done else "FAILED"))

    def _send(self, send: Callable[[], object]) -> None:
        """Send one thing; after the first failure say so and send nothing more."""
        if self._lost:
            return
        try:
            send()
        except (MlflowException, OSError) as error:
            self._lost = True
            say(f"MLflow: {_first(error)}; training goes on without it")


def open_observer(watched: Watched, address: str) -> MLflow:
    """Begin a run in the experiment `tandem`.

    Args:
        watched: What is trained.
        address: Of the tracking server (`http://127.0.0.1:5000`), or a database (`sqlite:///mlflow.db`).

    Raises:
        SetupError: The server does not answer.
    """
    contract = watched.recipe.contract
    with _told(address):
        client = MlflowClient(address)
        found = client.get_experiment_by_name(EXPERIMENT)
        experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
        run = client.create_run(experiment, run_name=f"{contract.name} {contract.version}").info.run_id
        for name, value in {**asdict(watched.recipe.fit), "model": contract.name, "data": watched.splits.note}.items():
            client.log_param(run, name, value)
    say(f"MLflow: run {run} at {address}")
    return MLflow(client, run)


@contextmanager
def _told(address: str) -> Iterator[None]:
    try:
        yield
    except (MlflowException, OSError) as error:
        raise SetupError(f"--mlflow {address}: {_first(error)}; start the server, correct the address, or leave the option out") from None


def _first(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
