"""PyTorch programs and classes from elsewhere: what is loaded, and what could run code and is refused."""

import json
import shutil

import numpy as np
import pytest

from edge.errors import ConversionError
from edge.storage import load_npz, save_npz
from tests.export_tests import foreign_models as models
from tests.export_tests.foreign_models import LINEAR


class TestModules:
    """A class of the user's own, by import path."""

    @pytest.fixture
    def net(self, tmp_path):
        import torch

        (tmp_path / "mynet.py").write_text(
            "import torch\n\n\nclass Net(torch.nn.Linear):\n    def __init__(self):\n        super().__init__(6, 3)\n\n\n"
            "class Choosy(Net):\n    def forward(self, x):\n        return super().forward(x if x.sum() > 0 else -x)\n"
        )
        state = {"weight": torch.from_numpy(models.WEIGHT.T.copy()), "bias": torch.zeros(3)}
        torch.save(state, tmp_path / "w.pt")
        torch.save(torch.nn.Linear(6, 3), tmp_path / "whole.pt")
        return tmp_path

    def take(self, net, source, weights):
        from edge.contract import loads
        from export.convert import _run

        (net / "contract.json").write_text(loads(json.dumps(LINEAR)).dumps())
        request = {"source": source, "contract_file": str(net / "contract.json"), "output": str(net / "o.pt2"), "weights": weights}
        return _run("take_module", request)

    def test_its_weights_are_loaded_and_any_batch_is_answered(self, net, monkeypatch):
        monkeypatch.chdir(net)
        report, code = self.take(net, "mynet:Net", "w.pt")
        assert code == 0, report
        from export.reference import run

        save_npz(net / "in.npz", {"input/x": models.rows(7)})
        run(str(net / "o.pt2"), str(net / "contract.json"), str(net / "in.npz"), str(net / "out.npz"))
        np.testing.assert_allclose(load_npz(net / "out.npz")["output/y"], models.rows(7) @ models.WEIGHT, atol=1e-5)

    @pytest.mark.parametrize(
        ("source", "weights", "fragment"),
        [
            ("mynet:Net", "whole.pt", "holds more than tensors"),
            ("mynet:Choosy", "", "what it computes decides which code runs next"),
            ("mynet:Nothing", "", "cannot be made"),
            ("json:JSONDecoder", "", "expected a torch.nn.Module"),
        ],
    )
    def test_what_cannot_be_exported_is_told(self, net, monkeypatch, source, weights, fragment):
        monkeypatch.chdir(net)
        report, code = self.take(net, source, weights)
        assert code == 3
        assert fragment in report["error"]


def test_programs_that_could_run_code_are_refused_before_torch_sees_them(tiny_original, tmp_path):
    import zipfile

    from export.pt2_program import examine

    examine(tiny_original / "program.pt2")
    harmful = [
        ("model.json", '"expr_str": "Symbol', "\"expr_str\": \"__import__('os').system('true') + Symbol"),
        ("model.json", "torch.ops.aten.linear.default", "torch.hub.load"),
        ("model_weights_config.json", '"use_pickle": false', '"use_pickle": true'),
    ]
    for member, old, new in harmful:
        target = tmp_path / f"{len(new)}.pt2"
        with zipfile.ZipFile(tiny_original / "program.pt2") as source, zipfile.ZipFile(target, "w") as archive:
            for name in source.namelist():
                content = source.read(name).decode("latin-1")
                archive.writestr(name, (content.replace(old, new) if name.endswith(member) else content).encode("latin-1"))
        with pytest.raises(ConversionError, match="what could run code is not loaded"):
            examine(target)
    shutil.copy(tiny_original / "golden.npz", tmp_path / "none.pt2")
    with pytest.raises(ConversionError, match="no program of torch.export inside"):
        examine(tmp_path / "none.pt2")
