"""Names of modules, figures of noise, and the choice of what to treat, on cases small enough to check by hand."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from export.blame import Repair, Round, Suspect
from export.modules import module_of, paths
from export.repair import cures
from export.spread import Spread, decibels

SEQUENCE = "pkg.Net/torch.nn.modules.container.Sequential_features"
CONV = f"{SEQUENCE}/torch.nn.modules.conv.Conv2d_3;"
RELU = f"{SEQUENCE}/torch.nn.modules.activation.ReLU_4;"


@pytest.mark.parametrize(
    ("operator", "outputs", "constants", "module"),
    [
        ("CONV_2D", [f"{CONV}2"], [], "features.3"),
        ("CONV_2D", [f"{RELU};{CONV}2"], [], "features.3"),
        ("MAX_POOL_2D", [f"{RELU};{CONV}2"], [], "features.4"),
        (
            "FULLY_CONNECTED",
            ["serving_default_output_0_output"],
            ["arith.constant3", "pkg.Net/torch.nn.modules.linear.Linear_fc_out;1"],
            "fc_out",
        ),
        ("ADD", ["pkg.Net/pkg.Block_block;;pkg.Net/pkg.Block_block/torch.nn.modules.linear.Linear_o;"], [], "block"),
        ("CONV_2D", ["test.make.<locals>.Net/test.make.<locals>._Dense_layer1;"], [], "layer1"),
        ("MUL", ["pkg.Net;3"], [], "Net"),
        ("CONV_2D", ["sequential_1/re_lu_1/Relu;sequential_1/stem_1/convolution"], [], "stem_1"),
        ("DEPTHWISE_CONV_2D", ["functional/block/depthwise_1/depthwise1"], [], "block.depthwise_1"),
        ("SOFTMAX", ["StatefulPartitionedCall:0"], [], "StatefulPartitionedCall:0"),
        ("ADD", [], [], "ADD"),
    ],
    ids=[
        "plain",
        "fused",
        "other of the fused",
        "by its weights",
        "residual",
        "local class",
        "root",
        "Keras",
        "Keras nested",
        "no name",
        "nothing",
    ],
)
def test_a_module_is_named_by_the_tensors_of_its_operator(operator, outputs, constants, module):
    assert module_of(operator, outputs, constants, {}) == module


def test_whole_paths_come_from_the_program_where_it_tells(tmp_path):
    stack = "L__self__,,pkg.Net;L__self__blocks.1,blocks.1,pkg.Block;L__self__blocks.1.q,blocks.1.q,torch.nn.modules.linear.Linear"
    graph = {"graph_module": {"graph": {"nodes": [{"metadata": {"nn_module_stack": stack}}, {"metadata": {}}]}}}
    with zipfile.ZipFile(tmp_path / "program.pt2", "w") as archive:
        archive.writestr("program/models/model.json", json.dumps(graph))
    known = paths(tmp_path / "program.pt2")
    name = "pkg.Net/pkg.Block_1/torch.nn.modules.linear.Linear_q"
    assert known == {"pkg.Net/pkg.Block_1": "blocks.1", name: "blocks.1.q"}
    assert module_of("FULLY_CONNECTED", [f"{name};7"], [], known) == "blocks.1.q"


@pytest.mark.parametrize("content", [b"", b"no archive", None], ids=["empty", "not zip", "absent"])
def test_a_program_that_tells_nothing_gives_no_paths(tmp_path, content):
    if content is not None:
        (tmp_path / "model.keras").write_bytes(content)
    assert paths(tmp_path / "model.keras") == {}


def test_noise_counts_channels_alike_so_that_a_huge_one_does_not_hide_the_others(noise):
    exact = noise.normal(size=(500, 4)) * [1e4, 1, 1, 1]
    lost = exact * [1, 0, 0, 0]
    spread = Spread()
    spread.add(exact, lost)
    assert spread.snr_db() > 60, "as a whole it looks as good as new"
    assert spread.cosine() > 0.999
    assert spread.noise() == pytest.approx(0.75, abs=0.01)


def test_noise_is_measured_against_what_varies(noise):
    exact = 100 + noise.normal(size=(500, 1))
    spread = Spread()
    spread.add(exact, exact + noise.normal(size=(500, 1)))
    assert decibels(spread.noise()) == pytest.approx(0, abs=0.5)
    assert spread.snr_db() > 35


def test_steps_of_16_bits_are_promised_only_where_steps_are_the_cause(noise):
    exact = noise.normal(size=(4000, 2))
    rounded, wrong = Spread(), Spread()
    rounded.add(exact, np.round(exact / 0.5) * 0.5)
    wrong.add(exact, exact * 0.5)
    assert rounded.coarse(0.5) == pytest.approx(rounded.noise() / 16384, rel=0.1)
    assert wrong.coarse(0.01) is None
    assert rounded.coarse(0.0) is None


@pytest.mark.parametrize("value", [-np.inf, -3.4e38, np.nan], ids=["infinite", "what kernels make of it", "NaN"])
def test_a_lost_infinity_is_seen(value):
    spread = Spread()
    spread.add(np.array([[1.0, value]]), np.array([[1.0, value]]))
    assert (spread.infinite, spread.lost_infinite) == (True, False)
    spread.add(np.array([[1.0, value]]), np.array([[1.0, -4.6]]))
    assert spread.lost_infinite
    assert np.isfinite(spread.noise())


CONV_A = Suspect("a", "CONV_2D", "a", "a", "int8", ("pool",), True, 0.5, False, False, 40.0, 1.0, 1.0, 0.1)
POOL = replace(CONV_A, module="p", operator="MAX_POOL_2D", scope="pool", tensor="pool", readers=("b",), added=0.0)
CONV_B = replace(CONV_A, module="b", scope="b", tensor="b", readers=("c",), added=0.01, coarse=1e-6)
CONV_C = replace(CONV_A, module="c", scope="c", tensor="c", readers=(), added=0.001, coarse=None)
ALL = (CONV_A, CONV_B, CONV_C, POOL)


def chosen(suspects, treated=None):
    return {scope: treatment for scope, (_, treatment) in cures(suspects, treated or {}).items()}


def test_what_reads_a_spoiled_tensor_is_treated_with_it():
    assert chosen(ALL) == {"a": "float", "pool": "float", "b": "float"}


def test_int16_is_tried_where_finer_steps_are_enough_and_float_after_it():
    assert chosen((CONV_B, CONV_C)) == {"b": "int16", "c": "int16"}
    assert chosen((CONV_B, CONV_C), {"b": (CONV_B, "int16"), "c": (CONV_C, "int16")}) == {"b": "float", "c": "float"}


def test_what_is_float_already_is_not_treated_again_and_quiet_operators_never():
    assert chosen(ALL, {s.scope: (s, "float") for s in (CONV_A, POOL, CONV_B)}) == {"c": "float"}
    assert chosen([replace(CONV_A, added=1e-7)]) == {}
    assert chosen([]) == {}


def test_a_lost_infinity_is_treated_before_the_worst_noise():
    mask = replace(CONV_C, scope="mask", tensor="mask", infinite=True, unbounded=True, added=0.0, readers=("sum",))
    total = replace(CONV_C, scope="sum", tensor="sum", unbounded=True, added=0.0, readers=("c",))
    assert chosen((mask, CONV_A, CONV_B, CONV_C, POOL, total)) == {"mask": "float", "sum": "float", "c": "float"}


def test_the_words_name_three_at_most_and_what_was_tried():
    more = replace(CONV_A, module="d", added=0.2)
    failed = Round(((CONV_A, "float"),), 10, {}, "still wrong")
    words = Repair((CONV_A, more, CONV_B, CONV_C), (), (failed,), 20, {}, False).words
    assert words.startswith(
        "worst operators by the noise they add: a (CONV_2D, 3.0 dB), d (CONV_2D, 7.0 dB), b (CONV_2D, 20.0 dB); 1 repair tried in vain; "
    )
    assert "weight_only_wi8_afp32" in words
    assert "c (" not in words


def test_the_words_name_what_a_runtime_cannot_run():
    words = Repair((CONV_A,), (replace(CONV_A, module="up", operator="TRANSPOSE_CONV"),), (), 20, {}, False).words
    assert words.startswith("the runtime cannot run up (TRANSPOSE_CONV); ")


def test_the_story_tells_what_the_repair_cost():
    done = Round(((CONV_A, "float"),), 30, {"ai-edge-litert": 0.5}, "")
    repair = Repair(ALL, (), (done,), 20, {"ai-edge-litert": 0.25}, True)
    assert repair.story == "mended in 1 round: a (CONV_2D) in float; it cost 20 → 30 bytes, 0.25 → 0.5 ms on ai-edge-litert"
    assert [row["module"] for row in repair.rows("f")] == ["a", "b", "c"]
