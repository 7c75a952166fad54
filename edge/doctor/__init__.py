"""What keeps a machine from running models, found before a model is: each finding is fine, a warning or a problem with its remedy."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was found, and what to do where it is not as it should be."""

    name: str
    state: str
    found: str
    remedy: str = ""


def fine(name: str, found: str) -> Finding:
    """Make a finding that needs nothing to be done."""
    return Finding(name, OK, found)


def warning(name: str, found: str, remedy: str) -> Finding:
    """Make a finding with which models run, but worse than they could."""
    return Finding(name, WARNING, found, remedy)


def problem(name: str, found: str, remedy: str) -> Finding:
    """Make a finding that keeps models from running."""
    return Finding(name, PROBLEM, found, remedy)
