"""The page about models that nobody here wrote, made of the figures that are kept beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.data.packages import Package

HEAD = """# Models that nobody here wrote

Written by `make export-thirdparty`, out of the figures in `third-party.json` beside it. Each model is fetched from a pinned
package, gets its contract from its own file, as `tandem contract init` does, and random inputs (photographs and sentences
where it is made for such), and goes through the gate **for parity only**: every released file answers as the given one
does, without optimisations. The difference is the largest over all outputs and samples, on this machine.
A file that holds integers or half precision is judged by agreement; none of the others is allowed more than the bound.
`python scripts/thirdparty.py --only NAME…` does some of them again.

| model | file | verdict | runtime | largest difference | allowed | agreement |
|---|---|---|---|--:|--:|--:|"""
SEEN = """## What they answer

The released files, asked as an application would ask them, with what the contract says before and after the graph:
photographs for the nets of ImageNet, whose classes are called by their numbers (281, 282 and 285 are cats, 967 is
espresso), and pairs of sentences for the encoder.

| model | file | asked | answer | as expected |
|---|---|---|---|---|"""
ACROSS = """## One model in several formats

The same inputs, each file answered by its own framework; outputs that have one shape are matched where they are closest.

| one | other | largest difference |
|---|---|--:|"""


def page(facts: Mapping[str, Any], names: Sequence[str], packages: Sequence[Package]) -> str:
    """Write the page.

    Args:
        facts: `models` by name, each with `rows` (file, verdict, runtime, difference, allowed, agreement), `seen` (file, asked,
            answer, as expected) and `refusal`; and `across` (one, other, largest difference).
        names: The models, in the order of the page; those without facts are left out.
        packages: Where they come from.
    """
    known = {name: facts["models"][name] for name in names if name in facts["models"]}
    lines = [HEAD]
    for name, model in known.items():
        lines += [_row(f"`{name}`", *row) for row in model["rows"] or [("–", "refused", *"––––")]]
    passed = sum(not model["refusal"] for model in known.values())
    lines += ["", f"{passed} of {len(known)} released.", "", "## Refused, and why", ""]
    lines += [f"- `{name}`: {model['refusal']}" for name, model in known.items() if model["refusal"]] or ["None."]
    lines += ["", SEEN, *(_row(f"`{name}`", *row) for name, model in known.items() for row in model.get("seen", ()))]
    lines += ["", ACROSS, *(_row(f"`{one}`", f"`{other}`", worst) for one, other, worst in facts["across"])]
    lines += ["", "## Packages", "", *(f"- {package}, SHA-256 `{package.sha256}`" for package in packages)]
    return "\n".join([*lines, "- the `onnx` wheel that is installed"]) + "\n"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
