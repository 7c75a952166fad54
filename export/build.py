"""Make the files of a release and try each on every runtime; two children side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edge.errors import UsageError
from edge.storage import save_npz
from edge.variants import RUNTIMES_OF
from export.candidate import Candidate, Plan, physical, plans
from export.handover import Handover
from export.parity import Bench, attempt, prepare, runtimes_of
from export.progress import Progress
from export.sandbox import Sandbox

JOBS = 2


@dataclass(frozen=True)
class Builder:
    """Everything that the steps of one export share."""

    handover: Handover
    sandbox: Sandbox
    at_hand: Mapping[str, str]
    progress: Progress

    def convert(self, plan: Plan, source: Candidate | None = None) -> Candidate:
        """Make one file; a quantized one from its float `source`."""
        request = {"contract_file": str(self.handover.folder / "contract.json"), "output": str(self.sandbox.folder / plan.file)}
        if source is not None:
            step, title = "quantize", f"quantize by {plan.recipe}"
            request |= {"model": str(source.path), "recipe": plan.recipe, "samples": str(self._calibration)}
        elif plan.format == "tflite":
            step, title = "tflite", "convert to TFLite"
            request |= {"program": str(self.handover.program), "samples": str(self._calibration)}
        else:
            step, title = "onnx", "convert to ONNX"
            request |= {"program": str(self.handover.program)}
        with self.progress.step(title):
            report = self.sandbox.convert(step, request)
        return Candidate(plan, Path(request["output"]), physical(report), tuple(report["operators"]))

    def reference(self) -> Bench:
        """Let the trainer's program answer all samples."""
        with self.progress.step("the trainer's answers"):
            return prepare(self.handover, self.sandbox)

    def tflite(self, wanted: list[Plan]) -> list[Candidate]:
        """Make the float TFLite file, then the quantized ones from it."""
        if not wanted:
            return []
        save_npz(self._calibration, {f"input/{name}": array for name, array in self.handover.calibration.items()})
        base = self.convert(Plan("tflite", "fp32", ()))
        return [self.convert(plan, base) if plan.quantized else replace(base, plan=plan) for plan in wanted]

    def attempt(self, candidate: Candidate, runtime: str, bench: Bench) -> Candidate:
        """Try one file on one runtime; give it with that trial alone."""
        with self.progress.step(f"{candidate.plan.file} on {runtime}"):
            trial = attempt(candidate, runtime, self.at_hand[runtime], self.handover, bench, self.sandbox)
        return replace(candidate, trials=(trial,))

    @property
    def _calibration(self) -> Path:
        return self.sandbox.folder / "calibration.npz"


def build(
    handover: Handover, sandbox: Sandbox, at_hand: Mapping[str, str], only: str | None = None, jobs: int = JOBS
) -> tuple[list[Candidate], Bench]:
    """Convert, quantize and try everything that the contract asks for.

    Args:
        handover: What training handed over.
        sandbox: Where children run.
        at_hand: The Python of each runtime on this machine.
        only: Make only the files of this format or recipe.
        jobs: How many children run at once.

    Returns:
        The candidates in the contract's order with their trials, and the samples that they answered.

    Raises:
        ConversionError: A converter failed.
        GateError: A runtime refuses a file.
        SetupError: A tool is missing.
        UsageError: `only` names nothing that the contract asks for.
    """
    wanted = chosen(plans(handover.contract), only)
    trials = sum(1 for plan in wanted for runtime in RUNTIMES_OF[plan.format] if runtime in at_hand)
    progress = Progress(f"export {handover.contract.name}", 1 + len(wanted) + trials)
    builder = Builder(handover, sandbox, at_hand, progress)
    small = [plan for plan in wanted if plan.format == "tflite"]
    large = [plan for plan in wanted if plan.format == "onnx"]
    with _workers(progress, sandbox, jobs) as pool:
        devices, reference = pool.submit(builder.tflite, small), pool.submit(builder.reference)
        servers = [pool.submit(builder.convert, plan) for plan in large]
        made = [server.result() for server in servers] + devices.result()
        bench = reference.result()
        tried = [pool.submit(builder.attempt, c, runtime, bench) for c in made for runtime in runtimes_of(c, at_hand)]
        alone = [future.result() for future in tried]
    return [replace(c, trials=tuple(t for one in alone if one.plan == c.plan for t in one.trials)) for c in made], bench


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
