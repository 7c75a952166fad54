"""The guide to the Raspberry Pi: its commands for moving bundles in and out do what it says, and it names what exists."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edge
from edge import Model, cli
from edge.errors import EXIT_BAD_INPUT

ROOT = Path(__file__).resolve().parents[2]
STORED = Path(__file__).parent / "corpus" / "format_1" / "logic_gates_xor" / "1.0.0"
GUIDE = (ROOT / "docs" / "raspberry-pi.md").read_text(encoding="utf-8")
sys.path.insert(0, str(ROOT / "scripts"))

from planting.device_files import edited, flipped  # noqa: E402


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """The guide's folder, with the command where the guide has it."""
    command = tmp_path / "venv" / "bin" / "tandem"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m edge "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    (tmp_path / "bundles").mkdir()
    (tmp_path / "incoming").mkdir()
    return tmp_path


def run(device: Path, block: str, version: str) -> int:
    """Run a block of the guide as it stands there, in another folder."""
    (commands,) = re.findall(rf"^```bash {block}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    environment = {**os.environ, "MODEL": "logic_gates_xor", "VERSION": version}
    words = ["bash", "-e", "-c", commands.replace("/opt/tandem", str(device))]
    return subprocess.run(words, env=environment, capture_output=True, check=False).returncode


def come_in(device: Path, version: str) -> Path:
    """Copy a version to where the guide has it copied."""
    folder = shutil.copytree(STORED, device / "incoming" / version)
    edited("contract.json", lambda told: told.update(version=version))(folder)
    return folder


def test_newer_version_and_back(device: Path) -> None:
    for version in ("1.0.0", "1.1.0"):
        come_in(device, version)
        assert run(device, "install", version) == 0
        with Model.open(device / "bundles" / "logic_gates_xor") as model:
            assert model.contract.version == version
    assert list((device / "incoming").iterdir()) == []
    assert run(device, "rollback", "1.1.0") == 0
    assert Model.open(device / "bundles" / "logic_gates_xor").contract.version == "1.0.0"
    come_in(device, "1.1.0")
    assert run(device, "install", "1.1.0") == 0, "the mended version takes the name again"


def test_damaged_version_does_not_come_in(device: Path) -> None:
    come_in(device, "1.0.0")
    assert run(device, "install", "1.0.0") == 0
    flipped("model.onnx", 0.5)(come_in(device, "1.1.0"))
    assert run(device, "install", "1.1.0") == EXIT_BAD_INPUT
    assert Model.open(device / "bundles" / "logic_gates_xor").contract.version == "1.0.0"


def test_guide_names_what_exists() -> None:
    extras = set(re.findall(r"\[([a-z,-]+)\]\"", GUIDE))
    project = (ROOT / "edge" / "pyproject.toml").read_text(encoding="utf-8")
    for extra in {name for group in extras for name in group.split(",")}:
        assert f"\n{extra} = [" in project, extra
    assert set(re.findall(r"tandem_edge-([\d.]+)-py3", GUIDE)) == {edge.__version__}
    commands = {*re.findall(r"bin/tandem (\w+)", GUIDE), *re.findall(r"`tandem (\w+)", GUIDE)}
    assert commands <= set(cli.commands()), commands
    for page in re.findall(r"\]\(([\w-]+\.md)\)", GUIDE):
        assert (ROOT / "docs" / page).exists(), page
    assert json.loads((STORED / "contract.json").read_text(encoding="utf-8"))["version"] == "1.0.0"
