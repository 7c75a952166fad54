"""What goes wrong in a program and what converters and runtimes make of it."""

from __future__ import annotations

import math

from planting import handovers
from planting.data_faults import GATE
from planting.fault import Fault, Site

CONVERSION = "export, when it converts"


def _mean_std(site: Site) -> None:
    parts = handovers.colours(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    folder = site.hand_over("colours")
    parts.save(folder / "program.pt2")
    handovers.sign(folder)


def _another_program(site: Site) -> None:
    other, folder = site.hand_over("opposite"), site.hand_over("colours")
    (folder / "program.pt2").write_bytes((other / "program.pt2").read_bytes())
    handovers.sign(folder)


def _exploding(site: Site) -> None:
    site.rewrite(handovers.waves(spoil=lambda net: net.explode(1e4)))


def _infinite_mask(site: Site) -> None:
    site.rewrite(handovers.masked(fill=-math.inf))


def _transposed(site: Site) -> None:
    site.edit(site.hand_over("sensor") / "contract.json", lambda data: data.update(recipes=["dynamic_wi8_afp32"]))


def _dynamic(site: Site) -> None:
    runtimes = ["ai-edge-litert", "tflite-runtime"]
    site.edit(site.hand_over("dynamic") / "contract.json", lambda data: data.update(requires_runtimes=runtimes))


def _too_new(site: Site) -> None:
    site.rewrite(handovers.waves(gather=True))


def _flex(site: Site) -> None:
    site.rewrite(handovers.keras(operator="erf"))


def _budget(site: Site) -> None:
    site.edit(site.hand_over("waves") / "contract.json", lambda data: data.update(budget={"size_bytes": 2000}))


def _truncated_program(site: Site) -> None:
    path = site.hand_over("colours") / "program.pt2"
    path.write_bytes(path.read_bytes()[:900])
    handovers.sign(path.parent)


HAND_OVER, CONTRACT = "hand-over, program.pt2", "hand-over, contract.json"
WAVES, UNMENDED = ("waves",), " --no-repair"
FAULTS: tuple[Fault, ...] = (
    Fault(
        "mean-std", ("colours",), "mean and deviation in the module changed after the golden answers were recorded", HAND_OVER,
        _mean_std, "tandem export colours", GATE, 4, "gives golden output",
    ),
    Fault(
        "another-program", ("colours", "opposite"), "the program of another model with the same shapes", HAND_OVER,
        _another_program, "tandem export colours", GATE, 4, "gives golden output",
    ),
    Fault(
        "cut-program", ("colours",), "a program that was copied in part, and signed so", HAND_OVER,
        _truncated_program, "tandem export colours", CONVERSION, 3, "not a whole .pt2 program",
    ),
    Fault(
        "exploding-channel", WAVES, "one channel 10,000 times the others; repair is switched off", HAND_OVER,
        _exploding, f"tandem export waves{UNMENDED}", GATE, 4, "worst operators by the noise they add: features.0",
        "tandem export waves",
    ),
    Fault(
        "exploding-channel-mended", WAVES, "the same with repair: the file is mended and says how", HAND_OVER,
        _exploding, "tandem export waves; cat bundles/waves/1.0.0/report.md", GATE, 0, "mended in", mended=True,
    ),
    Fault(
        "infinite-mask", ("masked",), "attention masked by -inf, quantized to int8; repair is switched off", HAND_OVER,
        _infinite_mask, f"tandem export masked{UNMENDED}", GATE, 4, "infinities lost", "tandem export masked",
    ),
    Fault(
        "transposed-convolution", ("sensor",), "a transposed convolution with dynamic ranges, for a runtime without that kernel",
        CONTRACT, _transposed, f"tandem export sensor{UNMENDED}", GATE, 4, "TRANSPOSE_CONV", "tandem export sensor",
    ),
    Fault(
        "dynamic-on-old-runtime", ("dynamic",), "dynamic ranges for tflite-runtime 2.14, which loads the file and answers wrongly",
        CONTRACT, _dynamic, f"tandem export dynamic{UNMENDED}", GATE, 4, "tflite-runtime 2.14", "tandem export dynamic",
    ),
    Fault(
        "operator-too-new", WAVES, "an operator version that the oldest required runtime does not have", HAND_OVER,
        _too_new, "tandem export waves", GATE, 4, "GATHER_ND version 5",
    ),
    Fault(
        "flex-operator", ("keras",), "a layer that TFLite has no operator of its own for", "hand-over, model.keras",
        _flex, "tandem export keras", CONVERSION, 3, "files with others are not released",
    ),
    Fault(
        "over-budget", WAVES, "the device's file is larger than its budget", CONTRACT,
        _budget, "tandem export waves", GATE, 5, "size is",
    ),
)  # fmt: skip
