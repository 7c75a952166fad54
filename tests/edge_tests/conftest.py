"""What the tests of edge share: a copy of the released bundle that a test may spoil, and sign again as a forger would."""

import hashlib
import importlib.metadata
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import Model, cli
from tests.edge_tests.pair_parts import Server

UNLISTED = {"SHA256SUMS", "provenance.json", "measurements.json", "report.html"}


@dataclass(frozen=True)
class Copy:
    """A bundle of a test's own. Without `sign`, a change is an accident; with it, only replaying can tell."""

    folder: Path

    def edit(self, name: str, change: Callable[[Any], Any]) -> None:
        """Change a JSON file: `change` alters what it is given, or gives something new."""
        path = self.folder / name
        data = json.loads(path.read_text(encoding="utf-8"))
        changed = change(data)
        path.write_text(json.dumps(data if changed is None else changed), encoding="utf-8")

    def edit_golden(self, change: Callable[[dict[str, np.ndarray]], Any]) -> None:
        """Change the arrays of golden.npz."""
        with np.load(self.folder / "golden.npz") as stored:
            arrays = dict(stored)
        change(arrays)
        np.savez(self.folder / "golden.npz", **arrays)

    def flip(self, name: str, position: int) -> None:
        """Flip one bit of a file."""
        content = bytearray((self.folder / name).read_bytes())
        content[position // 8] ^= 1 << position % 8
        (self.folder / name).write_bytes(content)

    def sign(self) -> None:
        """Make every hash right again, in variants.json and in SHA256SUMS."""

        def update(variants: list[dict[str, Any]]) -> None:
            for variant in variants:
                content = (self.folder / variant["file"]).read_bytes()
                variant.update(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))

        self.edit("variants.json", update)
        names = sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())
        lines = [f"{hashlib.sha256((self.folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names if n not in UNLISTED]
        (self.folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Copy:
    """A copy of the released bundle."""
    return Copy(shutil.copytree(bundle, tmp_path / "bundles" / "mnist_cnn" / "1.0.0"))


@pytest.fixture
def encoded() -> Callable[..., bytes]:
    """Encode a Pillow picture to bytes."""

    def encode(picture: Any, kind: str, **options: Any) -> bytes:
        file = io.BytesIO()
        picture.save(file, kind, **options)
        return file.getvalue()

    return encode


@pytest.fixture
def tandem(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run the command in this process, with edge's own subcommands; give exit code, standard output and standard error."""
    monkeypatch.setattr(importlib.metadata, "entry_points", importlib.metadata.EntryPoints)

    def run(*words: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return run


@pytest.fixture(scope="module")
def model(bundle: Path) -> Iterator[Model]:
    """The released digit classifier."""
    with Model.open(bundle) as model:
        yield model


@pytest.fixture(scope="module")
def digit(model: Model) -> np.ndarray:
    """A digit that it knows."""
    return model.bundle.golden.inputs["image"][0]


@pytest.fixture
def server(model: Model) -> Server:
    """A server of a larger model for the same digits."""
    return Server(replace(model.contract, name="mnist_large", version="2.0.0"))
