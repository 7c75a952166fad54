"""A BERT as a TFLite file on both runtimes: int8 weights with one scale a matrix answer right on both, with many on the new one alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from edge.contract import Metric
from edge.storage import save_npz, write_sums
from export.build import Builder
from export.candidate import Plan
from export.handover import open_handover
from export.parity import LEGACY, interpreters, prepare, runtimes_of
from export.progress import Progress
from export.sandbox import Sandbox
from training import bert_classifier
from training.pretrained.bert import Bert
from training.pretrained.bert_config import BertConfig

pytestmark = pytest.mark.slow
SIZE, LENGTH, COUNT = 200, 24, 40
NEW = "ai-edge-litert"
CONFIG = BertConfig(
    vocab_size=SIZE, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, max_position_embeddings=LENGTH
)


@pytest.fixture(scope="module")
def differences(tmp_path_factory):
    """The largest difference of a logit from the module's own, and the share of equal classes, by recipe and runtime."""
    folder = tmp_path_factory.mktemp("bert") / "1.0.0"
    folder.mkdir()
    torch.manual_seed(0)
    module = bert_classifier.BertClassifier(Bert(CONFIG), 8).eval()
    draw = np.random.default_rng(0)
    ids = draw.integers(1, SIZE, (COUNT, LENGTH)).astype(np.int32)
    for row in ids:
        row[draw.integers(4, LENGTH + 1) :] = 0
    with torch.no_grad():
        answers = module(torch.from_numpy(ids)).numpy()
    made = bert_classifier.promise("tiny_bert", tuple("abcdefgh"), LENGTH)
    tensor = replace(made.main.inputs[0], range=(0.0, SIZE - 1.0))
    made = replace(
        made, graphs=(replace(made.main, inputs=(tensor,)),), preprocess=(), assets={}, metric=Metric("accuracy", "higher", None)
    )
    batch = torch.export.Dim("batch", min=1)
    torch.export.save(torch.export.export(module, (torch.from_numpy(ids[:2]),), dynamic_shapes=({0: batch},)), folder / "program.pt2")
    (folder / "contract.json").write_text(made.dumps())
    save_npz(folder / "calibration.npz", {"input/ids": ids[:8]})
    save_npz(folder / "eval.npz", {"input/ids": ids, "target": answers.argmax(axis=1)})
    save_npz(folder / "golden.npz", {"input/ids": ids[:8], "output/logits": answers[:8]})
    write_sums(folder, ["program.pt2", "contract.json", "calibration.npz", "eval.npz", "golden.npz"])
    handover, work = open_handover(folder), tmp_path_factory.mktemp("work")
    sandbox = Sandbox(work, work / "logs", 300)
    builder, bench = Builder(handover, sandbox, interpreters(), Progress("test", 30)), prepare(handover, sandbox)
    recipes = ("fp32", "dynamic_wi8_afp32", "dynamic_wi8_afp32_per_tensor", "weight_only_wi8_afp32")
    found = {}
    for candidate in builder.make("tflite", [Plan("tflite", recipe, ("device",)) for recipe in recipes])[0]:
        for runtime in runtimes_of(candidate, builder.at_hand):
            (trial,) = builder.attempt(candidate, runtime, bench).trials
            found[candidate.plan.recipe, runtime] = (trial.difference["logits"], trial.agreement)
    return found


@pytest.mark.parametrize("runtime", [NEW, LEGACY])
@pytest.mark.parametrize(
    ("recipe", "bound"),
    [("fp32", 1e-5), ("weight_only_wi8_afp32", 0.02), ("dynamic_wi8_afp32_per_tensor", 0.03)],
    ids=["float", "weights", "dynamic"],
)
def test_both_runtimes_answer_as_the_module(recipe, bound, runtime, differences):
    difference, agreement = differences[recipe, runtime]
    assert difference <= bound
    assert agreement >= (1.0 if recipe == "fp32" else 0.95)


def test_many_scales_a_matrix_are_right_on_the_new_runtime_and_quietly_wrong_on_the_old(differences):
    assert differences["dynamic_wi8_afp32", NEW][1] >= 0.95
    assert differences["dynamic_wi8_afp32", LEGACY][1] < 0.9, "then one scale a matrix is needed no longer"
