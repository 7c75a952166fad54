"""A program: put a source package from pip's own index into the current folder as a file, without building it.

`pip download` runs a source package's build code to learn what it depends on. This finds the file the way pip does –
its index, proxies, certificates and credentials are those of pip's settings – and stops there. It uses inner parts of
pip, which may change: then it says so, and the file can be put into the cache by hand.

    python sdist.py NAME VERSION
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

_PIECE = 1 << 16


def main(words: Sequence[str]) -> int:
    """Fetch `NAME VERSION` and give 0, or say on standard error why not and give 1."""
    name, version = words
    try:
        command = import_module("pip._internal.commands").create_command("download", isolated=False)
        errors = import_module("pip._internal.exceptions").PipError
        network = import_module("pip._vendor.requests.exceptions").RequestException
    except (ImportError, AttributeError, KeyError, TypeError) as error:
        return _refuse(f"this pip does not give its index to others ({error})")
    try:
        return _fetch(command, name, version)
    except (ImportError, AttributeError, TypeError) as error:
        return _refuse(f"this pip does not give its index to others ({error})")
    except (errors, network, OSError) as error:
        return _refuse(str(error))


def _fetch(command: Any, name: str, version: str) -> int:
    with command.main_context():
        options, _ = command.parse_args(["--no-binary=:all:", "--no-cache-dir", "--retries=2", "--timeout=30", name])
        session = command.get_default_session(options)
        finder = command._build_package_finder(options, session)
        found = finder.find_all_candidates(name)
        links = [candidate.link for candidate in found if str(candidate.version) == version and not candidate.link.is_wheel]
        if not links:
            versions = ", ".join(sorted({str(candidate.version) for candidate in found})) or "none"
            return _refuse(f"{name}=={version} not found as a source package; versions to be had: {versions}")
        with session.get(links[0].url_without_fragment, headers={"Accept-Encoding": "identity"}, stream=True) as answer:
            answer.raise_for_status()
            with Path(Path(links[0].filename).name).open("wb") as file:
                while piece := answer.raw.read(_PIECE):
                    file.write(piece)
    return 0


def _refuse(reason: str) -> int:
    sys.stderr.write(f"ERROR: {reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
