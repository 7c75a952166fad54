"""The guide to the Raspberry Pi as programs: its parts are found and are run as they stand, and what it promises is held."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))  # where scripts/emulated_pi.py has what it imports

from pi import guide, guide_command
from pi.systems import SYSTEMS

from edge.errors import GateError, SetupError

PARTS = ["setup", "setup-32", "download", "download-32", "offline", "offline-32", "install", "service", "restart", "rollback"]


@pytest.mark.parametrize("name", PARTS)
def test_the_guide_has_the_parts_that_are_run(name):
    assert guide.block(name).strip()
    done = subprocess.run(["bash", "-n", "-c", guide.block(name)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_guide_is_run_as_it_stands():
    steps = guide.steps(SYSTEMS["trixie"], "mnist_cnn")
    assert list(steps) == ["setup", "bundle", "service", "newer", "back", "damaged", "offline"]
    for step, block in (("setup", "setup"), ("offline", "offline"), ("bundle", "install"), ("service", "service"), ("back", "rollback")):
        assert guide.block(block) in steps[step]
    assert "--python-version 3.13 --abi cp313" in guide.download(SYSTEMS["trixie"])
    assert "armv7l" in guide.download(SYSTEMS["bookworm-32"])
    with pytest.raises(SetupError, match="0 blocks are called 'nothing', expected one"):
        guide.block("nothing")


@pytest.mark.slow  # it needs systemd-analyze, which a machine that only builds may lack
def test_the_guides_unit_is_one(tmp_path):
    unit = tmp_path / "tandem.service"
    python = shutil.which("true")
    unit.write_text(guide.block("unit").replace("/opt/tandem/venv/bin/python", python))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "tandem" in line]) == (0, [])
    unit.write_text(guide.block("unit").replace("/opt/tandem/venv/bin/python", "/no/such/program"))
    assert subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True).returncode


ENDED = [f"== {name} ends: 0" for name in ("setup", "damaged")]
ANSWERS = ["1.0.0 7", "1.1.0 7", "1.0.0 7"]
STATES = [f"service: {state}, started again 0 times" for state in ("inactive, 0", "inactive, 0", "inactive, 0", "failed, 7")]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        pytest.param([*STATES, "== damaged begins", *ANSWERS, *ENDED], "", id="right"),
        pytest.param(["== setup begins", "no pip", "== setup ends: 1"], "'setup' ended with 1; it said: no pip", id="a part failed"),
        pytest.param([*STATES, "== damaged begins", *ANSWERS, ENDED[0]], "'damaged' ended with nothing", id="a part did not end"),
        pytest.param([*STATES[:3], "== damaged begins", *ANSWERS, *ENDED], "the service ended", id="it did not fail"),
        pytest.param([*STATES, "== damaged begins", "1.0.0 7", *ENDED], "and answered", id="it answered less"),
        pytest.param(
            [*STATES[:3], STATES[3].replace("0 times", "2 times"), "== damaged begins", *ANSWERS, *ENDED], "was started again", id="again"
        ),
    ],
)
def test_what_the_guide_promises_is_held(lines, words):
    if not words:
        guide_command.check(lines, ["setup", "damaged"])
        return
    with pytest.raises(GateError, match=words):
        guide_command.check(lines, ["setup", "damaged"])
