"""Whether XNNPACK, the fast kernels of TFLite, is really on: tried in a process of its own, since a wrong build kills its process.

`python -m edge.runtimes.xnnpack RUNTIME [FILE]` loads a file and counts the operators that the delegate has taken. That it is
XNNPACK that took them, the runtime's own log says on standard error. Without a file, two of one operator each are tried: a
runtime can take float files and leave int8 ones to its slower kernels, as tflite-runtime 2.14 does.
"""

from __future__ import annotations

import base64
import importlib
import json
import subprocess
import sys
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional

from edge import child
from edge.errors import EXIT_USAGE
from edge.runtimes import KNOWN
from edge.runtimes.delegation import Delegation, delegation
from edge.variants import RUNTIMES_OF

LOGGED = "XNNPACK delegate"  # in the line that both runtimes write when they create it
TIMEOUT_S = 120  # an emulated processor is slow
NOT_STARTED = 127  # with no words: Python 3.13 starts programs by posix_spawn, which tells so under an emulator what else is an OSError
_LEAST_SHOWN = 80
# One FULLY_CONNECTED of 2 × 2 ones, without a bias, as float32 and as int8 of scale 1: TFLite files of 400 and 544 bytes.
TINY: Mapping[str, str] = {
    "float32": (
        "c-mc%F%H5o3`Kv_2&JN`GIZb&Y_P+`)RBRKfsq>k8^>YfhT+?B+K5I!uI*>X$p*mrH0^)^BO-bPMm#;x1CG?x04=Sfwp0)KRwO-lp)(7-54AoirN(mo+}&%"
        "v#4gm8x>3T7+G9{F?AqqYafE39URSP>ncAFJKiQeid|3WY?QPaCnPB%2=2h`d<56>E*1{G0FwV_<el-|h_kRBMUfx6Qx72ib)b0nTe-=*"
    ),
    "int8": (
        "c-oDTJr2S!4256P2&JNeN-!{V;0Q=`=*EJWm=FU40|R#eHV(tUQ8)niDbI=fBP1kJy(UiV&yG_7*l)H=gfYStIWl;z9WBrTO6qNZgtMjQR2KXP^mP1-ca-6H"
        ")^%+(HfxD4#K_)(I#MU`r>1Rg1mB_Nj{ESru3h+IjMS0D^I+GS)2a<Ue^F<xZATwrE#h%1^O}2J`Ar;pT;RTv`PO4wt#`(#iQcWLx9m89|M-)CQLgRrrE_Cx"
        "fbt8fQg#)38(*R6t=ImVA33gHcj(@z%Ojjr`z6Z{(SRRU"
    ),
}


@dataclass(frozen=True)
class Xnnpack:
    """What was found: `state` is `on`, `off`, `partly`, `unused`, `untried` or `unknown`; `words` say it for people."""

    state: str
    words: str
    files: Mapping[str, Mapping[str, Any]]


def inspect(runtime: str, file: Optional[Path] = None) -> Xnnpack:
    """Find out in a child process whether a runtime runs a file, or files at all, by XNNPACK; what goes wrong is told, not raised."""
    if runtime not in RUNTIMES_OF["tflite"]:
        return Xnnpack("unused", f"not used: {runtime} has kernels of its own", {})
    command = child.module("edge.runtimes.xnnpack", runtime, *([str(file)] if file else []))
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return Xnnpack("unknown", f"not known: {runtime} gave no answer within {TIMEOUT_S} s", {})
    except OSError as error:
        return Xnnpack("untried", f"not known: no process can be started here to try it ({error})", {})
    if not_started(done):
        return Xnnpack("untried", f"not known: no process can be started here to try it (exit code {NOT_STARTED})", {})
    try:
        found = json.loads(done.stdout.strip().splitlines()[-1])
        files = {name: Delegation(**value) for name, value in found.items()}
    except (IndexError, ValueError, TypeError, AttributeError):
        said = (done.stderr.strip().splitlines() or ["no words"])[-1][:_LEAST_SHOWN]
        ended = f"killed by signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        return Xnnpack("unknown", f"not known: {runtime} cannot be tried here ({ended}: {said})", {})
    return judged(files, LOGGED in done.stderr)


def not_started(done: subprocess.CompletedProcess[str]) -> bool:
    """Tell whether a child never came so far as to be Python."""
    return done.returncode == NOT_STARTED and not done.stdout and not done.stderr


def judged(files: Mapping[str, Delegation], logged: bool) -> Xnnpack:
    """Put what was counted into words; operators that something took which does not call itself XNNPACK do not count as its."""
    facts = {name: {**asdict(found), "on": logged and found.delegated > 0 and found.mostly} for name, found in files.items()}
    on = [name for name, fact in facts.items() if fact["on"]]
    if not logged and any(found.delegated for found in files.values()):
        return Xnnpack("unknown", "not known: a delegate took operators and does not say that it is XNNPACK", facts)
    taken = any(found.delegated for found in files.values())
    state = "on" if len(on) == len(files) else "partly" if taken else "off"
    if len(files) == 1:
        return Xnnpack(state, next(iter(files.values())).sentence(), facts)
    parts = {"on": on, "off": [name for name in files if name not in on]}
    return Xnnpack(state, "; ".join(f"{word} for {' and '.join(names)} files" for word, names in parts.items() if names), facts)


def main(argv: list[str]) -> int:
    """Load what is asked for, and write what was counted as one line of JSON."""
    if not 1 <= len(argv) <= 2 or argv[0] not in RUNTIMES_OF["tflite"]:
        sys.stderr.write(f"usage: python -m edge.runtimes.xnnpack {{{','.join(RUNTIMES_OF['tflite'])}}} [FILE]\n")
        return EXIT_USAGE
    interpreter = importlib.import_module(f"{KNOWN[argv[0]].module}.interpreter").Interpreter
    if len(argv) == 2:
        loaded = {Path(argv[1]).name: interpreter(model_path=argv[1])}
    else:
        loaded = {name: interpreter(model_content=zlib.decompress(base64.b85decode(packed))) for name, packed in TINY.items()}
    counted = {}
    for name, one in loaded.items():
        one.allocate_tensors()
        counted[name] = asdict(delegation(one._get_ops_details()))
    sys.stdout.write(json.dumps(counted) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
