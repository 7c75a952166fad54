"""Modules of every shape that people bring: each is released and answers, or is refused in words; docs/bring-your-own.md says the same."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.cli import main
from edge.model import Model
from edge.storage import save_npz
from tests.export_tests import brought_modules as brought
from tests.export_tests.brought_modules import CASES, RELEASED

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "bring-your-own.md"
# What CI does, on servers, by a class or by way of a file; `make ci-full` does all of them, on devices too.
QUICK = {
    "class": ("several", "dictionary", "given", "state", "input", "branch", "cond"),
    "pt2": ("dictionary", "buffer", "state"),
}
pytestmark = pytest.mark.filterwarnings("ignore")  # torch's exporters have dozens


@pytest.fixture
def bring(in_process, tmp_path, capfd, monkeypatch):
    """Export a case by its class, or by a file that was exported before; give the exit code and what was said."""
    monkeypatch.chdir(tmp_path)

    def run(case, road, targets):
        content, program = case.contract(targets), f"{brought.__name__}:{case.module.__name__}"
        torch.manual_seed(0)
        if road == "pt2":
            program = "net.pt2"
            try:
                torch.export.save(exported(case), program)
            except RuntimeError as error:
                return 3, f"choose by torch.where: torch itself refuses it ({type(error).__name__})"
            code = main(["contract", "init", program, "--out=first.json"])
            if code:
                return code, "".join(capfd.readouterr())
            content["graphs"] = json.loads(Path("first.json").read_text())["graphs"]
        names = [tensor["name"] for tensor in content["graphs"][0]["inputs"]]
        save_npz(Path("samples.npz"), dict(zip(names, case.inputs.values(), strict=True)))
        Path("contract.json").write_text(json.dumps(content))
        code = main(["export", "--program", program, "--contract=contract.json", "--samples=samples.npz"])
        return code, "".join(capfd.readouterr())

    return run


def exported(case):
    """What a person would write before `torch.export.save`."""
    batch = torch.export.Dim("batch", min=1)
    feeds = {name: torch.from_numpy(array[:2].copy()) for name, array in case.inputs.items()}
    shapes = {name: {0: batch, **{i: torch.export.Dim(axis, min=1) for (n, i), axis in case.opened.items() if n == name}} for name in feeds}
    module = case.module().eval()
    if case.module is brought.Dictionaries:
        return torch.export.export(module, (feeds,), dynamic_shapes=(shapes,))
    return torch.export.export(module, (), feeds, dynamic_shapes=shapes)


def cases():
    """Every case on servers and on devices, by its class and by a file; what takes long is for `make ci-full`."""
    for name, case in CASES.items():
        for road in ("class", "pt2"):
            for target in ("server", "device"):
                marks = [] if target == "server" and name in QUICK[road] else [pytest.mark.slow]
                yield pytest.param(case, road, target, id=f"{name}-{road}-{target}", marks=marks)


@pytest.mark.parametrize(("case", "road", "target"), list(cases()))
def test_a_module_of_any_shape_is_released_or_refused_in_words(bring, case, road, target):
    verdict = getattr(case, target)
    code, said = bring(case, road, (target,))
    if verdict != RELEASED:
        assert (code, verdict in said) == (3, True), said
        assert not Path("bundles/brought/1.0.0").exists()
        return
    assert code == 0, said
    promise = json.loads(Path("contract.json").read_text())["graphs"][0]
    model = Model.open(Path("bundles/brought"), target=target)
    rows = [array[:3] for array in case.inputs.values()]
    got = model.run({tensor["name"]: array for tensor, array in zip(promise["inputs"], rows, strict=True)})
    assert [array.shape[1:] for array in got.values()] == list(case.outputs.values())
    np.testing.assert_allclose(next(iter(got.values())), expected(case), atol=1e-4)


def expected(case):
    """The module's own first answer to three samples."""
    torch.manual_seed(0)
    feeds = {name: torch.from_numpy(array[:3].copy()) for name, array in case.inputs.items()}
    module = case.module().eval()
    with torch.no_grad():
        answer = module(feeds) if case.module is brought.Dictionaries else module(**feeds)
    first = answer if isinstance(answer, torch.Tensor) else next(iter(answer.values() if isinstance(answer, dict) else answer))
    return first.numpy()


def test_an_open_length_is_answered_at_any_length(bring):
    assert bring(CASES["length"], "class", ("server",))[0] == 0
    model = Model.open(Path("bundles/brought"), target="server")
    for length in (1, 3, 30):
        assert model.run({"ids": np.zeros((2, length), np.int64)})["scores"].shape == (2, 3)


def test_an_axis_of_any_size_is_refused_for_devices_before_anything_is_converted(bring):
    code, said = bring(CASES["length"], "class", ("server", "device"))
    assert code == 3
    assert "input 'ids' is ['batch', 'length'], but files for device (TFLite) have one size" in said


@pytest.mark.parametrize("name", CASES)
def test_the_guide_says_what_becomes_of_each(name):
    assert CASES[name].row in GUIDE.read_text(encoding="utf-8")
