"""What people read: links lead somewhere, every page is found from the README, lists on the pages are those of the code, help is told."""

import argparse
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from edge import cli, steps
from edge.contract import Contract
from serving.safety import VARIABLES as SAFETY
from serving.settings import VARIABLES
from training.data import catalogue

ROOT = Path(__file__).resolve().parent.parent
# Parts of generated pages, with the folder that their links start from.
PARTS = {"benchmarks/serving/profile.md": "docs", "scripts/planting/device_page.md": "docs"}
PAGES = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "edge/*.md", "benchmarks/**/*.md", "scripts/**/*.md")
    for path in ROOT.glob(pattern)
)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r'\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"')


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def links(page: str) -> list[tuple[str, str]]:
    """Return (path from the repository's root, anchor) of each local link; outside of code, in which nothing is a link."""
    folder = ROOT / PARTS[page] if page in PARTS else (ROOT / page).parent
    found = []
    for pair in LINK.findall(CODE.sub("", text_of(page))):
        target, _, anchor = "".join(pair).partition("#")
        if "://" not in target:
            whole = (folder / target).resolve() if target else ROOT / page
            found.append((whole.relative_to(ROOT).as_posix(), anchor))
    return found


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.*?) *$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def broken(page: str) -> list[str]:
    """Return the links of a page whose file, or whose heading in it, is not there."""
    return [
        f"{path}#{anchor}"
        for path, anchor in links(page)
        if not (ROOT / path).exists() or (anchor and anchor not in anchors(text_of(path)))
    ]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page: str) -> None:
    assert not broken(page)


def test_a_heading_becomes_its_anchor() -> None:
    assert anchors("# A\n## From `x`, as [told](a.md): twice\n```sh\n# no heading\n```\n") == {"a", "from-x-as-told-twice"}


def test_every_page_is_found_from_the_readme() -> None:
    found, ahead = {"README.md"}, ["README.md"]
    while ahead:
        new = {path for path, _ in links(ahead.pop()) if path.endswith(".md")} - found
        found |= new
        ahead += new
    assert not sorted(set(PAGES) - found - set(PARTS))


def test_both_languages_link_to_the_same_places() -> None:
    each = {("README.md", ""), ("README.zh-TW.md", "")}
    assert set(links("README.md")) - each == set(links("README.zh-TW.md")) - each


def rows(page: str) -> dict[str, str]:
    """Return the rows of a page's tables by each `name` in their first cell."""
    return {name: row for row in re.findall(r"^\| `.*", text_of(page), re.MULTILINE) for name in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.mark.parametrize("table", [steps.PREPROCESS, steps.OPTIONS, steps.POSTPROCESS], ids=["preprocess", "options", "postprocess"])
def test_the_contracts_page_tells_every_step_and_parameter(table: steps.Table) -> None:
    told = rows("docs/contract.md")
    for name, (function, _) in table.items():
        parameters = [one.name for one in inspect.signature(function).parameters.values() if one.kind is one.KEYWORD_ONLY]
        assert not [parameter for parameter in parameters if f"`{parameter}`" not in told[name]], name


def test_the_contracts_page_tells_every_field() -> None:
    assert {field.name for field in fields(Contract)} <= set(rows("docs/contract.md"))


def test_the_page_about_serving_tells_every_variable() -> None:
    assert {*VARIABLES.values(), *SAFETY.values()} <= set(rows("docs/serving.md"))


def test_the_page_about_data_tells_every_set() -> None:
    assert set(catalogue.names()) <= set(rows("docs/data.md"))


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser and those of all its actions."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action.choices.values():
                yield from parsers(choice)


@pytest.mark.parametrize("name", sorted(cli.commands()))
def test_help_tells_what_each_command_and_option_is_for(name: str) -> None:
    module = importlib.import_module(cli.commands()[name])
    command = argparse.ArgumentParser(prog=name, description=module.HELP)
    module.add_arguments(command)
    for parser in parsers(command):
        assert parser.description, parser.prog
        assert not [action.dest for action in parser._actions if not action.help and not action.choices], parser.prog


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "scripts").glob("*.py")))
def test_a_script_takes_help_for_help(script: str) -> None:
    text = text_of(f"scripts/{script}")
    assert "__main__" not in text or "ArgumentParser(" in text
