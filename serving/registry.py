"""The models that are served: found below a directory, loaded one by one, each ready or saying why not."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

from edge.bundle import versions
from edge.errors import BundleError, ProviderError, TandemError, UnknownModelError
from edge.json_tensors import shown
from edge.layouts import Layouts
from edge.model import Model
from serving.errors import NotReadyError
from serving.latency import Latency, measure
from serving.metrics import Metrics
from serving.settings import Settings
from serving.threads import processors

logger = logging.getLogger("bentoml.tandem")  # below BentoML's own, so that its handler writes our lines too
SLOW_S, WIDE_WORTH = 0.002, 0.7  # with `auto` threads: what counts as slow, and how much quicker several threads must be
MAX_MEASURED_BATCH = 32  # what larger batches gain beyond this is little, and they are late
LOADING = "still loading; its golden inputs are replayed first, ask again in a moment"


@dataclass
class Entry:
    """One version of one model: loading, ready (`model` and its measured `latency` are set) or failed (`message` says why)."""

    name: str
    version: str
    path: Path | None
    model: Model | None = None
    latency: Latency = field(default_factory=lambda: Latency((1,), (0.0,)))
    message: str = LOADING
    threads: int = 1
    layouts: Layouts = field(default_factory=Layouts, repr=False)

    @property
    def state(self) -> str:
        """The state in V2's terms."""
        return "READY" if self.model else "LOADING" if self.message == LOADING else "UNAVAILABLE"

    def opened(self) -> Model:
        """Give the loaded model.

        Raises:
            NotReadyError: It is loading, or failed to load; the message says why.
        """
        if self.model is None:
            raise NotReadyError(f"{self.name} {self.version} is not ready: {self.message}")
        return self.model


class Registry:
    """Every model that was asked for, in whatever state it is; a model that fails does not keep others from being served."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Look for the models; none is loaded yet."""
        self._settings, self._metrics = settings, metrics
        self._loading, self._changing = threading.Lock(), threading.Lock()  # one model at a time; one change of `entries` at a time
        self._stopped = False
        self.entries = _wanted(settings)
        for entry in self.entries:
            metrics.state(entry.name, entry.version, entry.state.lower())

    @property
    def ready(self) -> bool:
        """Whether there are models and all of them answer."""
        return bool(self.entries) and all(entry.model for entry in self.entries)

    @property
    def message(self) -> str:
        """What stands in the way of readiness, empty where nothing does."""
        if not self.entries:
            return f"no model was found below {self._settings.bundles.absolute()}; export one, or set TANDEM_BUNDLES"
        return "; ".join(f"{entry.name} {entry.version}: {entry.message}" for entry in self.entries if entry.model is None)

    def load(self) -> None:
        """Load every model, one after the other; takes as long as reading files and replaying golden inputs takes."""
        for entry in self.entries:
            with self._loading:
                if entry.path is None or self._stopped or not self._has(entry):
                    continue
                self._load(entry, entry.path)
                if not self._has(entry):
                    self._forget(entry)

    def stop(self) -> None:
        """Load no more models: whoever waits for the end of `load` waits for one model at most."""
        self._stopped = True

    def close(self) -> None:
        """Let every model go."""
        for entry in self.entries:
            entry.model, entry.message = None, "the server is stopping"

    def index(self) -> list[dict[str, str]]:
        """List every model that is served or lies below the bundles, with its state in V2's terms."""
        listed = [
            {"name": entry.name, "version": entry.version, "state": entry.state, "reason": "" if entry.model else entry.message}
            for entry in self.entries
        ]
        served = {entry.name for entry in self.entries}
        idle = [name for name in _present(self._settings.bundles.absolute()) if name not in served]
        return listed + [{"name": name, "version": "", "state": "UNAVAILABLE", "reason": "not loaded"} for name in idle]

    def reload(self, name: str) -> tuple[Entry, list[Entry]]:
        """Load the newest version of a model from its folder; where that fails, what is served stays.

        Returns:
            The new entry, and those of the same name whose place it has taken.

        Raises:
            UnknownModelError: No model of that name lies below the bundles.
            TandemError: It cannot be used.
        """
        root = self._settings.bundles.absolute()
        if name not in _present(root):  # a name from a request never becomes a path before it was found in the folder
            raise UnknownModelError(f"no model is called {shown(name)} below the bundles; export it there first")
        path = versions(root / name)[-1]
        entry = Entry(name, path.name, path)
        with self._loading:
            self._load(entry, path)
            if entry.model is None:
                raise NotReadyError(f"{name} {path.name} was not loaded: {entry.message}")
            return entry, self._exchange(name, entry)

    def remove(self, name: str) -> list[Entry]:
        """Serve a model no longer, in none of its versions; gives its entries, which still answer what they have accepted.

        Raises:
            UnknownModelError: It is not served.
        """
        self.find(name)
        return self._exchange(name)

    def find(self, name: str, version: str | None = None) -> Entry:
        """Give a model by name, the newest of its versions that are served, or by version.

        Raises:
            UnknownModelError: It is not served; the message lists what is.
        """
        named = [entry for entry in self.entries if entry.name == name]
        found = [entry for entry in named if version in (None, entry.version)]
        if found:
            return found[-1]
        if named:
            listed = ", ".join(entry.version for entry in named)
            raise UnknownModelError(f"{name} is not served in version {version!r}; there are {listed}")
        listed = ", ".join(sorted({entry.name for entry in self.entries})) or "none"
        raise UnknownModelError(f"no model is called {name!r}; the models are {listed}")

    def _has(self, entry: Entry) -> bool:
        """Tell whether this entry, and not another of its name and version, is still asked for."""
        return any(other is entry for other in self.entries)

    def _exchange(self, name: str, *entries: Entry) -> list[Entry]:
        """Put entries in the place of those of a name; gives those that were there."""
        with self._changing:
            gone = [other for other in self.entries if other.name == name]
            self.entries = sorted([*(other for other in self.entries if other.name != name), *entries], key=_order)
        for other in gone:
            self._forget(other)
        return gone

    def _forget(self, entry: Entry) -> None:
        """Say that an entry is not served, unless another of its name and version is."""
        if not any((other.name, other.version) == (entry.name, entry.version) for other in self.entries):
            self._metrics.state(entry.name, entry.version, "unavailable")

    def _load(self, entry: Entry, path: Path) -> None:
        try:
            entry.threads = self._settings.threads or 1
            model = self._open(entry, path)
            entry.latency = self._measure(model)
            entry.model = model if self._settings.threads else self._widened(entry, path, model)
        except TandemError as error:
            entry.message = str(error)
            logger.error("%s %s is not ready: %s", entry.name, entry.version, error)
        except Exception as error:  # whatever is wrong with one bundle, the other models are served
            entry.message = f"could not be loaded ({type(error).__name__}); the server's log has the details"
            logger.exception("%s %s could not be loaded", entry.name, entry.version)
        else:
            self._tell(entry, entry.model)
            return
        if not any(other.model and (other.name, other.version) == (entry.name, entry.version) for other in self.entries):
            self._metrics.state(entry.name, entry.version, "unavailable")

    def _tell(self, entry: Entry, model: Model) -> None:
        """Say in metrics and log what a model truly runs on, and what was measured."""
        runtime, file, asked = model.runtime, model.variant.file, self._settings.device
        self._metrics.state(entry.name, entry.version, "ready")
        self._metrics.batch_limit(entry.name, entry.version, entry.latency.limit)
        self._metrics.provider(entry.name, entry.version, runtime.name, runtime.provider, file)
        self._metrics.device(entry.name, entry.version, asked, device_taken(model), entry.threads)
        logger.info(
            "%s %s is ready: %s on %s %s (%s); DEVICE=%s took %s%s; threads: %s; %s",
            *(entry.name, entry.version, file, runtime.name, runtime.version, runtime.provider, asked, device_taken(model)),
            *(f", since {runtime.note}" if runtime.note else "", entry.threads, _batching(entry.latency)),
        )

    def _measure(self, model: Model) -> Latency:
        """Time the model by batch size, on its first golden input."""
        sample = {name: array[:1] for name, array in model.bundle.golden.inputs.items()}
        most = min(self._settings.max_batch, MAX_MEASURED_BATCH) if self._settings.batching else 1
        return measure(model.run, sample, most)

    def _widened(self, entry: Entry, path: Path, model: Model) -> Model:
        """Try a slow model on all processors of this worker, and take that where it is much quicker."""
        most, alone = processors() // self._settings.workers, entry.latency.predict(1)
        if most < 2 or alone < SLOW_S:
            return model
        entry.threads = most
        wide = self._open(entry, path)
        latency = self._measure(wide)
        if latency.predict(1) > WIDE_WORTH * alone:
            entry.threads = 1
            return model
        entry.latency = latency
        return wide

    def _open(self, entry: Entry, path: Path) -> Model:
        device = self._settings.device
        model = Model.open(path, target="server", device=device, threads=entry.threads)
        if device == "cuda" and "CUDA" not in model.runtime.provider:
            raise ProviderError(
                f"DEVICE=cuda was asked for, but {model.variant.file} runs on {model.runtime.provider}; set DEVICE=cpu or auto"
            )
        if (model.contract.name, model.contract.version) != (entry.name, entry.version):
            raise BundleError(f"{path}: the contract says {model.contract.name} {model.contract.version}; move it to <name>/<version>")
        return model


def device_taken(model: Model) -> str:
    """Name the device that a model truly runs on."""
    return "cuda" if "CUDA" in model.runtime.provider else "cpu"


def _batching(latency: Latency) -> str:
    """Say what was measured, for the log."""
    alone = f"{latency.predict(1) * 1000:.3g} ms alone"
    if latency.limit == 1:
        return f"batching off: {alone}, and no batch up to {latency.sizes[-1]} makes a sample much quicker"
    return f"batches up to {latency.limit}: {alone}, a sample is {latency.gain:.2g} times quicker among {latency.limit}"


def _present(root: Path) -> list[str]:
    """List the models below a folder."""
    return sorted(path.name for path in root.iterdir() if not path.name.startswith(".") and versions(path)) if root.is_dir() else []


def _order(entry: Entry) -> tuple[str, list[int]]:
    """Sort by name, the oldest version first."""
    return entry.name, [int(part) for part in entry.version.split(".") if part.isdigit()]


def _wanted(settings: Settings) -> list[Entry]:
    """Find what was asked for, the oldest version first; what is missing becomes an entry that says so."""
    root = settings.bundles.absolute()
    entries = {}
    for wanted in settings.models or _present(root):
        name, _, version = wanted.partition("@")
        below = versions(root / name)
        paths = [path for path in below if path.name == version] if version else below[-1:]
        place = root / name / version
        entry = Entry(name, version or "none", None, message=f"{place} holds no bundle; export it there, or mend TANDEM_MODELS")
        if paths:
            entry = Entry(name, paths[0].name, paths[0])
        entries[entry.name, entry.version] = entry
    return sorted(entries.values(), key=_order)
