"""What a model takes, gives and promises: the one description that every stage reads.

A contract is data only. It is written by a recipe (or by hand for a model from elsewhere), travels inside
the bundle as `contract.json`, and round-trips through JSON without loss. Its dtypes and layouts are the
logical ones: what callers, golden files and the wire use.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Optional, Union

from edge import __version__
from edge.errors import ContractError
from edge.migrations import migrate
from edge.schema import decode, encode, json_schema, read_json, refuse

SCHEMA = 1
MAX_CONTRACT_BYTES = 4 << 20
PARITY_ONLY = "parity_only"  # in the place of a metric's name: nothing says which answers are right, so none was measured

DType = Literal["uint8", "int8", "int32", "int64", "float32", "bool"]
Target = Literal["server", "device", "browser"]
Direction = Literal["higher", "lower"]

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_VERSION = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


@dataclass(frozen=True)
class Tensor:
    """One logical input or output; a string in `shape` names a dynamic axis, `batch` first."""

    name: str
    dtype: DType
    shape: tuple[Union[int, str], ...]
    layout: str
    range: Optional[tuple[float, float]] = None
    meaning: str = ""

    def __post_init__(self) -> None:
        """Refuse an empty name, a shape without the batch axis, a size below one or an empty range."""
        if not self.name:
            raise refuse("name", self.name, "a name")
        if not self.shape or self.shape[0] != "batch":
            raise refuse("shape", list(self.shape), "a list that starts with 'batch'")
        if any(isinstance(axis, int) and axis < 1 for axis in self.shape):
            raise refuse("shape", list(self.shape), "sizes of at least 1")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise refuse("range", list(self.range), "[low, high] with low < high")

    @property
    def row_shape(self) -> tuple[int | str, ...]:
        """The shape of one sample, without the batch axis."""
        return self.shape[1:]

    def takes_row(self, shape: tuple[int, ...]) -> bool:
        """Tell whether one sample may have this shape, in which a named axis may have any size."""
        return len(shape) == len(self.row_shape) and all(isinstance(n, str) or n == m for n, m in zip(self.row_shape, shape))

    def takes_batch(self, shape: tuple[int, ...]) -> bool:
        """Tell whether some samples, (N, …), may have this shape."""
        return len(shape) > 0 and self.takes_row(shape[1:])


@dataclass(frozen=True)
class Graph:
    """One callable function of the model: named inputs to named outputs."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        """Refuse a graph without inputs or outputs, or with two tensors of one name."""
        for side, tensors in (("inputs", self.inputs), ("outputs", self.outputs)):
            names = [t.name for t in tensors]
            if not names or len(set(names)) != len(names):
                raise refuse(side, names, "one tensor or more, each with its own name")


@dataclass(frozen=True, init=False)
class Step:
    """One named step of pre- or postprocessing and its parameters: `Step("resize", height=28, width=28)`."""

    name: str
    parameters: Mapping[str, Any]

    def __init__(self, name: str, /, **parameters: Any) -> None:
        """Keep the name and the parameters; `edge.steps` checks both when a pipeline is built."""
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "parameters", dict(parameters))

    @classmethod
    def from_json(cls, value: Any, path: str) -> Step:
        """Read `{"step": name, parameter: value, …}`."""
        if not isinstance(value, dict) or not isinstance(value.get("step"), str):
            raise refuse(path, value, 'an object with "step": "<name>"')
        if any(isinstance(item, float) and not math.isfinite(item) for item in value.values()):
            raise refuse(path, value, "finite numbers")
        return cls(value["step"], **{key: item for key, item in value.items() if key != "step"})

    def to_json(self) -> dict[str, Any]:
        """Give the form that `from_json` reads."""
        return {"step": self.name, **self.parameters}

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """Describe the form that `from_json` reads."""
        return {"type": "object", "properties": {"step": {"type": "string"}}, "required": ["step"]}


@dataclass(frozen=True)
class Metric:
    """The figure that decides, where it is measured, and the worst value that may be released.

    Its name is `parity_only` where no right answers are known: then files are only held against the model's own answers.
    """

    name: str
    direction: Direction
    floor: Optional[float]
    split: str = "test"


@dataclass(frozen=True)
class Tolerance:
    """How far a released file may move from the trainer's answers.

    `onnx` and `tflite` bound the largest absolute output difference of the float files; `agreement` is the least
    share of equal top-1 answers; `metric_drop` the largest loss of the metric. The last two hold for every file.
    """

    onnx: float = 1e-4
    tflite: float = 1e-3
    agreement: float = 0.99
    metric_drop: float = 0.01

    def __post_init__(self) -> None:
        """Refuse negative bounds and an agreement outside 0 to 1."""
        for name in ("onnx", "tflite", "metric_drop"):
            if getattr(self, name) < 0:
                raise refuse(name, getattr(self, name), "0 or more")
        if not 0 <= self.agreement <= 1:
            raise refuse("agreement", self.agreement, "a share from 0 to 1")


@dataclass(frozen=True)
class Budget:
    """What a file may cost: bytes on disk, resident bytes, and p95 latency in ms by device."""

    size_bytes: Optional[int] = None
    rss_bytes: Optional[int] = None
    latency_p95_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Confidence:
    """Softmax temperature fitted on validation data; below `offload_below` a device may ask its companion."""

    temperature: float = 1.0
    offload_below: Optional[float] = None

    def __post_init__(self) -> None:
        """Refuse a temperature that is not positive."""
        if self.temperature <= 0:
            raise refuse("temperature", self.temperature, "a number above 0")


@dataclass(frozen=True)
class Contract:
    """The whole promise of one model version. `docs/contract.md` explains each field."""

    schema: int
    name: str
    version: str
    task: str
    graphs: tuple[Graph, ...]
    metric: Metric
    description: str = ""
    preprocess: tuple[Step, ...] = ()
    postprocess: tuple[Step, ...] = ()
    labels: tuple[str, ...] = ()
    assets: Mapping[str, str] = field(default_factory=dict)
    targets: tuple[Target, ...] = ("server", "device")
    recipes: Union[Literal["auto"], tuple[str, ...]] = "auto"
    requires_runtimes: tuple[str, ...] = ("onnxruntime", "ai-edge-litert")
    tolerance: Tolerance = field(default_factory=Tolerance)
    budget: Budget = field(default_factory=Budget)
    confidence: Confidence = field(default_factory=Confidence)
    companion: Optional[str] = None
    min_edge: str = "0.1.0"
    licence: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse names, versions, labels and asset paths that no later stage could use."""
        if self.schema != SCHEMA:
            raise refuse("schema", self.schema, f"{SCHEMA}, the only one that this edge version reads")
        if not _NAME.fullmatch(self.name):
            raise refuse("name", self.name, "lower-case words joined by '_', such as mnist_cnn")
        for key in ("version", "min_edge"):
            if not _VERSION.fullmatch(getattr(self, key)):
                raise refuse(key, getattr(self, key), "a semantic version such as 1.0.0")
        if not self.graphs:
            raise refuse("graphs", [], "one graph or more")
        if len(set(self.labels)) != len(self.labels):
            raise refuse("labels", list(self.labels), "labels that differ from one another")
        for name, path in self.assets.items():
            if not _FILE.fullmatch(path):
                raise refuse(f"assets.{name}", path, "a relative path of plain names, without '..'")

    @property
    def parity_only(self) -> bool:
        """Whether files are proved against the model's own answers alone, for want of right ones."""
        return self.metric.name == PARITY_ONLY

    @property
    def main(self) -> Graph:
        """The graph that answers a request: the one named `main`, else the first."""
        return next((graph for graph in self.graphs if graph.name == "main"), self.graphs[0])

    def to_json(self) -> dict[str, Any]:
        """Give the whole contract as JSON data."""
        return {name: encode(getattr(self, name)) for name in self.__dataclass_fields__}

    def dumps(self) -> str:
        """Give the text of `contract.json`: stable order, indented, newline at the end."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"


def loads(text: str | bytes, where: str = "contract.json") -> Contract:
    """Read a contract from JSON text.

    Raises:
        ContractError: The text is not JSON, too large, of a newer schema, or a field is wrong; the message names it.
    """
    if len(text) > MAX_CONTRACT_BYTES:
        raise ContractError(f"{where}: {len(text)} bytes, expected at most {MAX_CONTRACT_BYTES}")
    data = read_json(text, where)
    if isinstance(data, dict) and isinstance(data.get("schema"), int) and data["schema"] > SCHEMA:
        raise ContractError(
            f"{where}: schema {data['schema']} is newer than {SCHEMA}, the newest that this edge version reads; "
            f"install tandem-edge {data.get('min_edge', 'of the version that exported it')} or newer"
        )
    try:
        return decode(Contract, migrate({"contract.json": data}, SCHEMA)["contract.json"])
    except ContractError as error:
        raise ContractError(f"{where}: {_of_a_newer_edge(data) or error}") from None


def _of_a_newer_edge(data: Any) -> str:
    """Say that a contract is for a newer edge than this one, whose fields this one cannot know; empty where it is not."""
    least = data.get("min_edge") if isinstance(data, dict) else None
    if not isinstance(least, str) or not _VERSION.fullmatch(least) or numbers(least) <= numbers(__version__):
        return ""
    return f"it needs tandem-edge {least} or newer, this is {__version__}; install a newer tandem-edge"


def numbers(version: str) -> tuple[int, ...]:
    """Give a semantic version as numbers, which compare as versions do."""
    return tuple(int(part) for part in version.split("."))


def load(path: Path) -> Contract:
    """Read `contract.json` from a file; see `loads`."""
    try:
        return loads(path.read_bytes(), str(path))
    except OSError as error:
        raise ContractError(f"{path}: cannot be read ({error.strerror})") from None


def schema() -> dict[str, Any]:
    """Return the JSON Schema that `edge/contract.schema.json` holds."""
    return json_schema(Contract)
