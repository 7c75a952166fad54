"""Command lines of child processes: this interpreter with this process's own search path.

`python -m` and `python -c` put the folder that they are started in before everything else. A file there that is called like a module,
such as `json.py` or `edge.py`, would then be run in its place, and whoever unpacked it there decides what it does.
"""

from __future__ import annotations

import sys
from pathlib import Path

_START = "import sys; n = 2 + int(sys.argv[1]); sys.path[:], sys.argv[1:] = sys.argv[2:n], sys.argv[n:]"
_MODULE = "import runpy; runpy.run_module({!r}, run_name='__main__', alter_sys=True)"


def program(code: str, *words: str) -> list[str]:
    """Give the command that runs a few statements in a line; `words` are its arguments, from `sys.argv[1]` on."""
    places = [str(Path(place).resolve()) for place in sys.path]
    return [sys.executable, "-c", f"{_START}; {code}", str(len(places)), *places, *words]


def module(name: str, *words: str) -> list[str]:
    """Give the command that runs a module as `python -m` would."""
    return program(_MODULE.format(name), *words)
