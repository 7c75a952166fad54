"""`tandem doctor`: what is fine on this machine, what is not, and what to do about it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from edge.calls import check_url
from edge.doctor import OK, PROBLEM, WARNING, Finding, cuda, hardware, server, software
from edge.errors import EXIT_ENVIRONMENT

HELP = "examine this machine: Python, runtimes, processor, memory, disk, clock, heat, a server, a GPU; and say what to do"
_SHOWN = {OK: "OK     ", WARNING: "warning", PROBLEM: "PROBLEM"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--server", metavar="URL", help="see whether this server can be reached, such as https://models.example:3000")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def run(args: argparse.Namespace) -> int:
    """Examine and report; the exit code is 6 where something keeps models from running, else 0.

    Raises:
        UsageError: The server's address is none.
    """
    if args.server is not None:
        check_url(args.server)
    findings = [*software.examine(), *hardware.examine()]
    if cuda.is_server():
        findings += cuda.examine()
    if args.server is not None:
        findings += server.examine(args.server)
    usable = all(finding.state != PROBLEM for finding in findings)
    if args.json:
        print(json.dumps({"usable": usable, "findings": [asdict(finding) for finding in findings]}, ensure_ascii=False))
    else:
        print("\n".join(lines(findings)))
    return 0 if usable else EXIT_ENVIRONMENT


def lines(findings: Sequence[Finding]) -> list[str]:
    """Tell findings to people: one line each, and one more for what to do."""
    width = max(len(finding.name) for finding in findings)
    told = []
    for finding in findings:
        told.append(f"{_SHOWN[finding.state]}  {finding.name:<{width}}  {finding.found}")
        if finding.remedy:
            told.append(f"{'':7}  {'':<{width}}  -> {finding.remedy}")
    count = {state: sum(finding.state == state for finding in findings) for state in _SHOWN}
    verdict = "models can run here" if not count[PROBLEM] else "models cannot run here as it is"
    told.append(f"{verdict}: {count[OK]} fine, {count[WARNING]} warning(s), {count[PROBLEM]} problem(s)")
    return told
