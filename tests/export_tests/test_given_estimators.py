"""skops and XGBoost files from elsewhere: a first contract, the gate, a bundle that answers; hostile ones are refused in one line."""

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
import xgboost
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge.cli import main
from edge.model import Model

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(skl2onnx|onnxmltools|onnx).*")
ROWS, CLASSES = load_iris(return_X_y=True)
ROWS = ROWS.astype(np.float32)


def estimator():
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, CLASSES)


def booster():
    return xgboost.XGBClassifier(n_estimators=5).fit(ROWS, CLASSES)


def save(path):
    """Write a healthy file of the suffix that the path has."""
    if path.suffix == ".skops":
        skops.io.dump(estimator(), path)
    else:
        booster().get_booster().save_model(path)


@pytest.fixture
def bring(in_process, tmp_path, capfd, monkeypatch):
    """Write a first contract, fill it in and export; give the exit code and what was said."""
    monkeypatch.chdir(tmp_path)
    np.savez("samples.npz", ROWS[::3])
    np.savez("eval.npz", features=ROWS, target=CLASSES)

    def run(file):
        code = main(["contract", "init", file, "--name=irises"])
        if code == 0:
            content = json.loads(Path("contract.json").read_text())
            content |= {"licence": "MIT", "source": "scikit-learn's irises", "labels": ["setosa", "versicolor", "virginica"]}
            content["metric"]["floor"] = 0.9
            Path("contract.json").write_text(json.dumps(content))
            assert main(["contract", "check", file, "contract.json"]) == 0
            code = main(["export", "--program", file, "--contract=contract.json", "--samples=samples.npz", "--eval=eval.npz"])
        return code, "".join(capfd.readouterr())

    return run


@pytest.mark.parametrize(("file", "make"), [("irises.skops", estimator), ("irises.json", booster)], ids=["skops", "xgboost"])
def test_a_file_goes_from_its_first_contract_to_a_bundle_that_answers(bring, file, make):
    save(Path(file))
    code, said = bring(file)
    assert code == 0, said
    assert "parity only" not in said
    got = Model.open(Path("bundles/irises"), target="server").run({"features": ROWS[:20]})["logits"]
    np.testing.assert_allclose(np.exp(got), make().predict_proba(ROWS[:20]), atol=1e-5)


@pytest.mark.parametrize("file", ["irises.skops", "irises.json"])
def test_the_first_contract_knows_columns_classes_and_target(bring, file):
    save(Path(file))
    assert main(["contract", "init", file]) == 0
    content = json.loads(Path("contract.json").read_text())
    (graph,) = content["graphs"]
    assert (graph["inputs"][0]["shape"], graph["outputs"][0]["shape"]) == (["batch", 4], ["batch", 3])
    assert (content["task"], content["targets"]) == ("tabular-classification", ["server"])


def untrusted():
    """A skops file whose type is one that would run a command."""
    source, made = zipfile.ZipFile(io.BytesIO(skops.io.dumps(LogisticRegression().fit(ROWS, CLASSES)))), io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for member in source.namelist():
            content = source.read(member)
            if member == "schema.json":
                content = json.dumps({**json.loads(content), "__module__": "os", "__class__": "system"}).encode()
            archive.writestr(member, content)
    return made.getvalue()


class Evil:
    """What unpickling would create a file by."""

    def __reduce__(self):
        return Path.touch, (Path("touched"),)


HOSTILE = [
    ("an untrusted type", "net.skops", untrusted, "os.system, which is not trusted and not loaded"),
    ("a pickle renamed", "net.skops", lambda: pickle.dumps(Evil()), "not a whole skops file"),
    ("an empty archive", "net.skops", lambda: b"PK\x05\x06" + bytes(18), "not a whole skops file"),
    ("a truncated JSON", "net.json", lambda: Path("whole.json").read_bytes()[:-40], "not a booster in XGBoost's JSON format"),
    ("another JSON", "net.json", lambda: b'{"a": 1}', "not a booster in XGBoost's JSON format"),
    ("a pickle renamed to JSON", "net.json", lambda: pickle.dumps(Evil()), "not a booster in XGBoost's JSON format"),
]


@pytest.mark.parametrize(("file", "content", "fragment"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_a_hostile_file_is_refused_by_both_commands(bring, file, content, fragment):
    save(Path("whole.json"))
    Path(file).write_bytes(content())
    code, said = bring(file)
    assert (code, fragment in said, "Traceback" in said) == (3, True, False), said
    save(Path("whole" + Path(file).suffix))
    assert main(["contract", "init", "whole" + Path(file).suffix]) == 0
    content = json.loads(Path("contract.json").read_text())
    Path("contract.json").write_text(json.dumps({**content, "licence": "MIT", "source": "x", "labels": ["a", "b", "c"]}))
    assert main(["export", "--program", file, "--contract=contract.json", "--samples=samples.npz"]) == 3
    assert not Path("touched").exists()
    assert not Path("runs/net/1.0.0").exists()
