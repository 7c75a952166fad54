"""TensorFlow's files from elsewhere: a SavedModel as a folder and packed, hostile archives, and a TFLite file with an open batch."""

import gzip
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import open_bundle
from edge.cli import main
from edge.errors import ConversionError
from edge.model import Model
from tests.export_tests.foreign_models import rows

CORPUS = Path(__file__).parent / "corpus"
pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow has dozens


@pytest.fixture
def packed(tmp_path):
    """A SavedModel of two dense layers, six numbers to three, as a hand-over holds it."""
    path = tmp_path / "saved_model.zip"
    path.write_bytes(gzip.decompress((CORPUS / "seed.saved_model.zip.gz").read_bytes()))
    return path


@pytest.fixture
def folder(packed, tmp_path):
    """The same as TensorFlow writes it."""
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / "dense_net")
    return tmp_path / "dense_net"


@pytest.fixture
def bring(in_process, tmp_path, capfd, monkeypatch):
    """Write a first contract, fill it in and export for devices; give the exit code and what was said."""
    monkeypatch.chdir(tmp_path)
    np.savez("samples.npz", rows())

    def run(program):
        code = main(["contract", "init", str(program), "--name=dense_net"])
        if code == 0:
            content = json.loads(Path("contract.json").read_text())
            content |= {"task": "any", "licence": "MIT", "source": "by rule", "recipes": "auto"}
            content.pop("labels")
            Path("contract.json").write_text(json.dumps(content))
            code = main(["export", "--program", str(program), "--contract=contract.json", "--samples=samples.npz"])
        return code, "".join(capfd.readouterr())

    return run


def test_a_folder_becomes_a_bundle_for_devices(bring, folder, tmp_path):
    code, said = bring(folder)
    assert code == 0, said
    assert (tmp_path / "runs" / "dense_net" / "1.0.0" / "saved_model.zip").is_file()
    bundle = open_bundle(tmp_path / "bundles" / "dense_net")
    assert {variant.targets for variant in bundle.variants} == {("device",)}
    (output,) = bundle.contract.main.outputs
    answer = Model.open(bundle.folder, target="device").run({"x": rows(4)})[output.name]
    assert answer.shape == (4, 3)


def test_a_tflite_file_with_an_open_batch_is_released_as_it_is(bring, tmp_path):
    program = tmp_path / "net.tflite"
    program.write_bytes(gzip.decompress((CORPUS / "seed.given.tflite.gz").read_bytes()))
    code, said = bring(program)
    assert code == 0, said
    model = Model.open(tmp_path / "bundles" / "dense_net", target="device")
    assert model.run({"x": rows(5)})[model.contract.main.outputs[0].name].shape == (5, 3)


@pytest.mark.parametrize("change", ["link", "link to a folder", "no graph", "damaged", "empty"])
def test_a_folder_that_is_no_plain_saved_model_is_refused_in_words(bring, folder, tmp_path, change):
    graph = folder / "saved_model.pb"
    if change == "link":
        (folder / "assets_link").symlink_to("/etc/hostname")
    elif change == "link to a folder":
        shutil.move(folder / "variables", tmp_path / "elsewhere")
        (folder / "variables").symlink_to(tmp_path / "elsewhere")
    elif change == "no graph":
        graph.unlink()
    elif change == "damaged":
        graph.write_bytes(b"\xff" * 40)
    else:
        graph.write_bytes(b"")
    code, said = bring(folder)
    fragment = {"no graph": "no saved_model.pb", "damaged": "is damaged", "empty": "no signature 'serving_default'"}.get(
        change, "is a link"
    )
    assert (code, fragment in said, "Traceback" in said) == (3, True, False), said


def trick(source, target, kind):
    """Write an archive that tries to reach outside, or to fill the disk."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
        if kind == "parent":
            new.writestr("../evil", "evil")
        elif kind == "root":
            new.writestr("/tmp/evil", "evil")
        elif kind == "link":
            info = zipfile.ZipInfo("variables/variables.index")
            info.external_attr = 0o120777 << 16
            new.writestr(info, "/etc/hostname")
        elif kind == "bomb":
            new.writestr("assets/zeros", bytes(3 << 20))


@pytest.mark.parametrize(
    ("kind", "fragment"),
    [
        ("parent", "with names that lead outside"),
        ("root", "with names that lead outside"),
        ("link", "is there twice"),
        ("bomb", "too large"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_archive_writes_nothing_outside(packed, tmp_path, monkeypatch, kind, fragment):
    from export import from_saved_model

    monkeypatch.setattr(from_saved_model, "MAX_BYTES", 2 << 20)

    target = tmp_path / "hostile.zip"
    trick(packed, target, kind)
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(ConversionError, match=fragment), from_saved_model.unpacked(str(target)):
        pass
    assert {path.name for path in tmp_path.iterdir()} == before
    assert not Path("/tmp/evil").exists()
