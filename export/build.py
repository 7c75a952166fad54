"""Make the files of a release and try each on every runtime; two children side by side."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.errors import ConversionError, GateError, UsageError
from edge.storage import save_npz
from edge.variants import RUNTIMES_OF, Format
from export import choose, operators, programs
from export.candidate import Candidate, Plan, made, plans
from export.handover import Handover
from export.parity import Bench, attempt, prepare, runtimes_of
from export.progress import Progress
from export.recipes import Override
from export.repair import mend_all
from export.sandbox import Sandbox

JOBS = 2
FORMATS: tuple[Format, ...] = ("onnx", "tflite")


@dataclass(frozen=True)
class Builder:
    """Everything that the steps of one export share."""

    handover: Handover
    sandbox: Sandbox
    at_hand: Mapping[str, str]
    progress: Progress

    def convert(self, plan: Plan, source: Candidate | None = None, overrides: tuple[Override, ...] = ()) -> Candidate:
        """Make one file; a quantized one from its float `source`, some operators otherwise than its recipe does."""
        request: dict[str, Any] = {
            "contract_file": str(self.handover.folder / "contract.json"),
            "output": str(self.sandbox.folder / plan.file),
        }
        if source is not None:
            step, title = "quantize" if plan.format == "tflite" else "quantize_onnx", f"quantize {plan.format} by {plan.recipe}"
            request |= {"model": str(source.path), "recipe": plan.recipe, "samples": str(self.calibration)}
            if overrides:
                request["overrides"] = [override.to_json() for override in overrides]
        elif plan.format == "tflite":
            step, title = "tflite", "convert to TFLite"
            request |= {"program": str(self.handover.program), "samples": str(self.calibration)}
        else:
            step, title = "onnx", "convert to ONNX"
            request |= {"program": str(self.handover.program)}
        with self.progress.step(title):
            report = self._run(step, request)
        return made(plan, Path(request["output"]), report)

    def _run(self, step: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run a step; where the quantizer of files fails, quantize straight from a program whose kind can do so."""
        try:
            return self.sandbox.convert(step, request)
        except ConversionError as error:
            if step != "quantize" or "overrides" in request or "quantize_program" not in programs.of(self.handover.program.name).steps:
                raise
            again = {key: value for key, value in request.items() if key != "model"} | {"program": str(self.handover.program)}
            try:
                return self.sandbox.convert("quantize_program", again)
            except ConversionError as second:
                raise ConversionError(f"{error}; {second}") from None

    def reference(self) -> Bench:
        """Let the trainer's program answer all samples."""
        with self.progress.step("the trainer's answers"):
            return prepare(self.handover, self.sandbox)

    def tflite(self, wanted: list[Plan]) -> list[Candidate]:
        """Make the float TFLite file, then the quantized ones from it."""
        return self.make("tflite", wanted)[0]

    def make(self, format: Format, wanted: list[Plan]) -> tuple[list[Candidate], dict[Plan, str]]:
        """Make the float file of a format, then the others from it.

        Returns:
            The files, and the plans without one of their own with the reason: where the contract leaves the choice open, a
            recipe that fails is left out, and so is one that makes the same file as another.
        """
        if not wanted:
            return [], {}
        self.save_calibration()
        base = self.convert(Plan(format, "fp32", ()))
        found, left = list[Candidate](), dict[Plan, str]()
        for plan in wanted:
            try:
                found.append(self.convert(plan, base) if plan.derived else self._as(plan, base))
            except (ConversionError, GateError) as error:
                if not choose.is_open(self.handover.contract, plan):
                    raise
                left[plan] = str(error)
        left |= choose.alike([c for c in found if choose.is_open(self.handover.contract, c.plan)])
        return [c for c in found if c.plan not in left], left

    def _as(self, plan: Plan, base: Candidate) -> Candidate:
        """Give the converted file the name that the plan has for it."""
        path = self.sandbox.folder / plan.file
        if path != base.path:
            shutil.copyfile(base.path, path)
        return replace(base, plan=plan, path=path)

    def save_calibration(self) -> None:
        """Write the samples that no figure is measured on, once."""
        if not self.calibration.exists():
            save_npz(self.calibration, {f"input/{name}": array for name, array in self.handover.calibration.items()})

    def attempt(self, candidate: Candidate, runtime: str, bench: Bench) -> Candidate:
        """Try one file on one runtime; give it with that trial alone, or with the refusal.

        Raises:
            GateError: A runtime that the contract requires refuses a float file.
        """
        with self.progress.step(f"{candidate.plan.file} on {runtime}"):
            try:
                trial = attempt(candidate, runtime, self.at_hand[runtime], self.handover, bench, self.sandbox)
            except GateError as error:
                reason = "; ".join([str(error), *operators.newer(candidate.versions, runtime)])
                if not candidate.plan.quantized and runtime in self.handover.contract.requires_runtimes:
                    raise GateError(reason) from None
                return replace(candidate, refused={runtime: reason})
        return replace(candidate, trials=(trial,))

    @property
    def calibration(self) -> Path:
        """The samples that no figure is measured on, for the children."""
        return self.sandbox.folder / "calibration.npz"


@dataclass(frozen=True)
class Built:
    """What an export made: every file with its trials, the samples that they answered, and recipes without a file, with why."""

    candidates: list[Candidate]
    bench: Bench
    left: Mapping[Plan, str]


def build(
    handover: Handover, sandbox: Sandbox, at_hand: Mapping[str, str], only: str | None = None, jobs: int = JOBS, repair: bool = True
) -> Built:
    """Convert, quantize and try everything that the contract asks for.

    Args:
        handover: What training handed over.
        sandbox: Where children run.
        at_hand: The Python of each runtime on this machine.
        only: Make only the files of this format or recipe.
        jobs: How many children run at once.
        repair: Whether quantized files that fail are mended where that is possible.

    Returns:
        The candidates in the contract's order with their trials, the samples that they answered, and what has no file.

    Raises:
        ConversionError: A converter failed.
        GateError: A runtime refuses a float file.
        SetupError: A tool is missing.
        UsageError: `only` names nothing that the contract asks for.
    """
    programs.require(programs.of(handover.program.name), handover.contract)
    wanted = chosen(plans(handover.contract), only)
    trials = sum(1 for plan in wanted for runtime in RUNTIMES_OF[plan.format] if runtime in at_hand)
    progress = Progress(f"export {handover.contract.name}", 1 + len(wanted) + trials)
    builder = Builder(handover, sandbox, at_hand, progress)
    with _workers(progress, sandbox, jobs) as pool:
        builder.save_calibration()
        making = [pool.submit(builder.make, format, [p for p in wanted if p.format == format]) for format in FORMATS]
        reference = pool.submit(builder.reference)
        files = [candidate for future in making for candidate in future.result()[0]]
        left = {plan: reason for future in making for plan, reason in future.result()[1].items()}
        bench = reference.result()
        tried = [pool.submit(builder.attempt, c, runtime, bench) for c in files for runtime in runtimes_of(c, at_hand)]
        found = [_joined(c, [one for future in tried if (one := future.result()).plan == c.plan]) for c in files]
        return Built(mend_all(builder, found, bench, repair), bench, left)


def _joined(candidate: Candidate, alone: list[Candidate]) -> Candidate:
    """Put together what a file did on each runtime."""
    refused = {runtime: words for one in alone for runtime, words in one.refused.items()}
    return replace(candidate, trials=tuple(trial for one in alone for trial in one.trials), refused=refused)


def chosen(wanted: list[Plan], only: str | None) -> list[Plan]:
    """Choose the files of one format, one recipe or one name; all where `only` is None.

    Raises:
        UsageError: There is no such file among them.
    """
    found = [plan for plan in wanted if only in (None, plan.format, plan.recipe, plan.label, plan.file)]
    if not found:
        names = dict.fromkeys(name for plan in wanted for name in (plan.format, plan.recipe))
        raise UsageError(f"--only {only}: the contract asks for no such format or recipe; there are {', '.join(names)}")
    return found


@contextmanager
def _workers(progress: Progress, sandbox: Sandbox, jobs: int) -> Iterator[ThreadPoolExecutor]:
    """Give a pool; after an error or an interruption children are ended and nothing that waits is started."""
    pool = ThreadPoolExecutor(jobs)
    try:
        yield pool
    except BaseException:
        sandbox.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        progress.close()
