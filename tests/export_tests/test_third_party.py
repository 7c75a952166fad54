"""The page about models that nobody here wrote is made of its figures, and our modules have the layout of the published weights."""

import json
from pathlib import Path

import pytest
import torch

from scripts.third_party.models import listed, packages
from scripts.third_party.page import page
from training.pretrained.efficientnet_lite0 import EfficientNetLite0
from training.pretrained.mobilenet_v2 import MobileNetV2

DOCS = Path(__file__).resolve().parents[2] / "docs"
FACTS = json.loads((DOCS / "third-party.json").read_text(encoding="utf-8"))


def test_the_page_is_that_of_its_figures():
    assert (DOCS / "third-party.md").read_text(encoding="utf-8") == page(FACTS, [model.name for model in listed()], packages())


def test_every_model_of_the_list_has_its_figures_and_no_name_is_there_twice():
    names = [model.name for model in listed()]
    assert len(set(names)) == len(names)
    assert set(FACTS["models"]) == set(names)


def test_whatever_was_asked_was_answered_as_expected():
    asked = {name: [row[3] for row in model["seen"]] for name, model in FACTS["models"].items() if model["seen"]}
    assert {"imagenet_mobilenet_v2", "imagenet_efficientnet_lite0", "minilm_folder"} <= set(asked)
    assert all(answer == "yes" for answers in asked.values() for answer in answers)


def test_a_refusal_and_a_row_are_written_as_they_are_kept():
    facts = {"models": {"one": {"rows": [["model.onnx", "passed", "here", "0", "1", "1.0"]], "seen": [], "refusal": ""}}, "across": []}
    facts["models"]["two"] = {"rows": [], "seen": [], "refusal": "it is none"}
    written = page(facts, ["two", "one", "three"], [])
    assert "| `one` | model.onnx | passed | here | 0 | 1 | 1.0 |" in written
    assert "| `two` | – | refused | – | – | – | – |" in written
    assert "1 of 2 released." in written
    assert "- `two`: it is none" in written


@pytest.mark.parametrize(
    ("kind", "tensors", "numbers", "name"),
    [(MobileNetV2, 314, 3_504_872, "features.17.conv.2.weight"), (EfficientNetLite0, 296, 4_652_008, "_blocks.15._project_conv.weight")],
)
def test_our_modules_have_the_published_layout(kind, tensors, numbers, name):
    net = kind().eval()
    state = net.state_dict()
    assert (len(state), name in state) == (tensors, True)
    assert sum(parameter.numel() for parameter in net.parameters()) == numbers
    with torch.no_grad():
        assert net(torch.zeros(2, 224, 224, 3, dtype=torch.uint8)).shape == (2, 1000)
