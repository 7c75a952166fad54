"""Write docs/serving-faults.md from the cases: `python scripts/serving_faults.py`."""

from __future__ import annotations

import argparse
from pathlib import Path

from refused import SECTIONS

PAGE = Path(__file__).parents[1] / "docs" / "serving-faults.md"
HEAD = """# Faults of callers

What may be wrong with a request, and the answer: its status, its reason (a label of `tandem_errors_total`), and words from it.
The page is written by `python scripts/serving_faults.py` from the cases that `tests/serving_tests/test_refused_live.py` sends,
each of them, to one running `tandem serve` with keys, a rate, an admin port and small limits. {count} faults:
"""
TAIL = """
Where the reason is empty, the HTTP parser answers, before there is a request: such bytes are nobody's, and are not counted.
Three answers need a state that the running server is not brought into; `tests/serving_tests/test_limits.py` and
`test_failures_inside.py` hold them: 429 `queue_full` where too many requests wait for a model, 503 `draining` where the server
stops, and 500 `internal`, whose cause stands in the log alone. 499 `disconnected` is counted, and nobody reads it.
"""


def render() -> str:
    """Give the page."""
    lines = [HEAD.format(count=sum(map(len, SECTIONS.values())))]
    for title, cases in SECTIONS.items():
        lines += [f"## {title}\n", "| fault | status | reason | words |", "| --- | --: | --- | --- |"]
        lines += [f"| {case.fault} | {case.code} | {f'`{case.reason}`' if case.reason else ''} | {case.words} |" for case in cases]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n" + TAIL


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    PAGE.write_text(render(), encoding="utf-8")
    print(f"wrote {PAGE.name}")
