"""Old and new: a bundle of an older format is migrated step by step, one of a newer edge is refused by name."""

import copy as copying
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge
from edge import Model, bundle, contract, migrations, variants
from edge.bundle import open_bundle
from edge.contract import SCHEMA
from edge.errors import BundleError, ContractError
from edge.migrations import FIRST, MIGRATIONS, Documents, migrate

CORPUS = Path(__file__).parent / "corpus"
STORED = CORPUS / "format_1" / "logic_gates_xor" / "1.0.0"


@pytest.mark.parametrize("number", range(FIRST, SCHEMA + 1))
def test_stored_bundles_of_every_format_answer(number: int) -> None:
    """A format that was released once is opened for ever; these were exported by the version of their time."""
    folders = sorted((CORPUS / f"format_{number}").glob("*/*"))
    assert folders, f"a bundle of format {number} must be stored before the format may change"
    for folder in folders:
        assert json.loads((folder / "contract.json").read_text(encoding="utf-8"))["schema"] == number
        opened = Model.open(folder)
        assert opened.contract.schema == SCHEMA
        assert len(opened.predict({"wires": np.array([0, 1], np.float32)}).outputs["truth"]) in (1, 6)


def test_there_is_a_step_from_every_older_format() -> None:
    assert sorted(MIGRATIONS) == list(range(FIRST, SCHEMA))


def wrap_metric(documents: Documents) -> Documents:
    """From a metric that is a bare name: what a step from format 1 to 2 might be."""
    told = documents["contract.json"]
    return {**documents, "contract.json": {**told, "metric": {"name": told["metric"], "direction": "lower", "floor": None}}}


def add_tolerance(documents: Documents) -> Documents:
    """From variants without a tolerance of their own, from 2 to 3; a contract may come without variants."""
    bound = documents["contract.json"]["tolerance"]["tflite"]
    files = documents.get("variants.json")
    return documents if files is None else {**documents, "variants.json": [{"tolerance": 1000 * bound, **file} for file in files]}


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later edge, which reads format 3 and has a step from each before."""
    for module in (contract, variants):
        monkeypatch.setattr(module, "SCHEMA", 3)
    monkeypatch.setattr(migrations, "MIGRATIONS", {1: wrap_metric, 2: add_tolerance})


@pytest.fixture
def older(tmp_path: Path, edited: Callable[..., None]) -> Path:
    """The stored bundle as that edge's first format would have been."""
    folder = shutil.copytree(STORED, tmp_path / "logic_gates_xor" / "1.0.0")
    edited(folder, "contract.json", lambda told: told.update(metric="mae"))
    edited(folder, "variants.json", lambda files: [file.pop("tolerance") for file in files])
    return folder


@pytest.fixture
def edited() -> Callable[..., None]:
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
    from planting.device_files import edited

    return lambda folder, name, change: edited(name, change)(folder)


def test_older_bundle_is_migrated_over_two_steps(chain: None, older: Path) -> None:
    with Model.open(older, variant="static_wi8_ai8") as model:
        assert (model.contract.schema, model.contract.metric.name, model.contract.metric.direction) == (3, "mae", "lower")
        assert model.variant.tolerance == pytest.approx(1000 * model.contract.tolerance.tflite)
        assert 0 <= model.drift["truth"] <= model.variant.tolerance
    stored = json.loads((older / "contract.json").read_text(encoding="utf-8"))
    assert (stored["schema"], stored["metric"]) == (1, "mae"), "the files themselves stay as they were released"


def test_bundle_of_the_middle_goes_the_rest_of_the_way(chain: None, older: Path, edited: Callable[..., None]) -> None:
    metric = {"name": "mae", "direction": "lower", "floor": 0.5}
    edited(older, "contract.json", lambda told: told.update(schema=2, metric=metric))
    assert open_bundle(older).contract.metric.floor == 0.5
    assert open_bundle(older).variants[0].tolerance > 0


def test_hand_over_of_an_older_format_is_read(chain: None, older: Path) -> None:
    assert contract.load(older / "contract.json").metric.name == "mae"


def test_without_its_step_the_older_bundle_is_refused(older: Path) -> None:
    with pytest.raises(ContractError, match="metric is 'mae', expected an object"):
        open_bundle(older)


def test_migration_changes_nothing_that_it_is_given(chain: None, older: Path) -> None:
    documents = {name: json.loads((older / name).read_text(encoding="utf-8")) for name in ("contract.json", "variants.json")}
    before = copying.deepcopy(documents)
    assert migrate(documents, 3)["contract.json"]["schema"] == 3
    assert documents == before
    assert migrate(migrate(documents, 2), 3) == migrate(documents, 3)
    assert migrate(documents, 1) is documents


@pytest.mark.parametrize("number", [0, -1])
def test_number_that_was_never_written_is_refused(number: int) -> None:
    with pytest.raises(ContractError, match=f"schema is {number}, expected 1 to {SCHEMA}; export the model again"):
        contract.loads(json.dumps({"schema": number}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"schema": 2, "min_edge": "9.1.0", "novelty": 1}, "install tandem-edge 9.1.0 or newer", id="format"),
        pytest.param({"min_edge": "9.1.0", "novelty": 1}, f"it needs tandem-edge 9.1.0 or newer, this is {edge.__version__}", id="field"),
        pytest.param({"min_edge": "9.1.0", "task": 7}, "it needs tandem-edge 9.1.0 or newer", id="value"),
        pytest.param({"min_edge": "9.1.0"}, "logic_gates_xor 1.0.0 needs tandem-edge 9.1.0 or newer", id="version alone"),
        pytest.param({"min_edge": edge.__version__, "novelty": 1}, "novelty is not a known field", id="a field that is none"),
        pytest.param({"min_edge": "soon", "novelty": 1}, "novelty is not a known field", id="no version"),
    ],
)
def test_newer_bundle_is_refused_by_name(tmp_path: Path, edited: Callable[..., None], change: dict[str, Any], said: str) -> None:
    folder = shutil.copytree(STORED, tmp_path / "logic_gates_xor" / "1.0.0")
    edited(folder, "contract.json", lambda told: told.update(change))
    with pytest.raises(BundleError) as refusal:
        open_bundle(folder)
    assert said in str(refusal.value)


def test_bundle_for_this_edge_opens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, edited: Callable[..., None]) -> None:
    folder = shutil.copytree(STORED, tmp_path / "logic_gates_xor" / "1.0.0")
    edited(folder, "contract.json", lambda told: told.update(min_edge="9.1.0"))
    for module in (bundle, contract):
        monkeypatch.setattr(module, "__version__", "9.1.0")
    assert open_bundle(folder).contract.min_edge == "9.1.0"
