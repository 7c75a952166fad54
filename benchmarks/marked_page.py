"""A page that people write, with a place between two marks that a benchmark writes."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

MARKS = ("<!-- figures: begin -->\n", "<!-- figures: end -->")


def page_of(description: str | None) -> Path | None:
    """Read the command line, which has `--page` and nothing else; give the page, None where none is to be written."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="put the figures between the marks of this page")
    found: Path | None = parser.parse_args().page
    return found


def show(text: str, page: Path | None) -> None:
    """Print figures, and put them in the place of those on a page."""
    print(text, end="")
    if page is not None:
        begin, end = map(re.escape, MARKS)
        before = page.read_text(encoding="utf-8")
        page.write_text(re.sub(f"({begin}).*?({end})", lambda hit: hit[1] + text + hit[2], before, flags=re.DOTALL), encoding="utf-8")
