"""Prove a file on this machine before it may answer: its golden inputs, replayed in a child the first time, then by a kept verdict.

Opening a model goes so:

1. Every file has the hash that the bundle lists (`edge.bundle`), always.
2. A file that has no kept verdict here is replayed in a child process; one that kills its runtime kills the child.
3. The file is loaded here, and the golden sample that moved most is replayed once more, so that a verdict which is wrong
   does not let a wrong model in unseen.

On a server all golden inputs are replayed here at every start. So they are where TANDEM_VERDICTS is `off`, or where no child
can be started; a file that crashes its runtime then ends this process.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Optional

from edge import runtimes, verdicts
from edge.bundle import Bundle
from edge.errors import GateError, ParityError, SetupError
from edge.golden import replay_model
from edge.runtimes import Options, Runtime
from edge.variants import Variant, older
from edge.verdicts import OFF, VARIABLE, Verdict


def load(
    bundle: Bundle, variant: Variant, runtime: str, options: Options, *, alone: bool = False, replay: bool = False
) -> tuple[Runtime, Mapping[str, float]]:
    """Load a file, and prove that it gives its golden answers here.

    Args:
        bundle: The bundle, whose hashes were verified.
        variant: Which of its files.
        runtime: The runtime to load it on.
        options: Threads and device.
        alone: Replay everything in this process and keep nothing, as a server does.
        replay: Pass over a kept verdict.

    Returns:
        The loaded file, and the largest absolute difference of each output from the trainer's answers.

    Raises:
        ParityError: Golden inputs do not give the stored answers.
        GateError: The runtime refuses the file, or dies of it.
        SetupError: The runtime is missing or cannot work here.
    """
    apart = not alone and options.device == "cpu" and os.environ.get(VARIABLE) != OFF
    try:
        proved = _verdict(bundle, variant, runtime, options, replay) if apart else None
        return _loaded(bundle, variant, runtime, options, proved)
    except MemoryError:
        raise SetupError(f"{variant.file}: out of memory on {runtime}; end other programs, or take a smaller file (--variant)") from None
    except GateError as error:
        raise type(error)(f"{error}{_age(variant, runtime)}") from None


def _age(variant: Variant, runtime: str) -> str:
    """Say that a runtime is older than the one that a file was proved on, where it is; that is the likeliest reason."""
    version, least = runtimes.installed().get(runtime, ""), variant.min_runtime.get(runtime, "")
    if not older(version, least):
        return ""
    return f" ({runtime} is {version} here and the file was proved on {least}: install that or a newer release)"


def _loaded(
    bundle: Bundle, variant: Variant, runtime: str, options: Options, proved: Optional[Verdict]
) -> tuple[Runtime, Mapping[str, float]]:
    """Load a file here; replay one sample where it is proved, else all."""
    loaded = runtimes.load(runtime, bundle.file(variant), bundle.contract.main, variant, options)
    where = f"{bundle.contract.name} {bundle.contract.version}, {variant.file} on {runtime} {loaded.version} ({loaded.provider})"
    if proved is not None:
        with contextlib.suppress(ParityError):  # then the verdict is wrong, and the whole replay tells by how much
            replay_model(bundle.golden.only(proved.worst), loaded.run, variant.tolerance, where)
            return loaded, proved.drift
    return loaded, replay_model(bundle.golden, loaded.run, variant.tolerance, where)


def _verdict(bundle: Bundle, variant: Variant, runtime: str, options: Options, replay: bool) -> Optional[Verdict]:
    """Find the verdict that was kept, or have a child reach one; None where neither can be."""
    version = runtimes.installed().get(runtime)
    if version is None:
        return None  # loading says what is missing
    name = verdicts.key(bundle, variant, runtime, version, options)
    kept = verdicts.read(name, bundle, variant) if name and not replay else None
    if kept is not None:
        return kept
    from edge.runtimes import probe  # only here: most openings start no child

    reached = probe.replay(bundle, variant, runtime, version, options)
    if name and reached is not None:
        verdicts.keep(name, reached)
    return reached
