"""docs/faults.md: every fault, who catches it, by which message, and the command that plants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planting.fault import Fault, Finding

LONGEST = 260
HEAD = """# Deliberate faults

What a person, a tool or a machine may do wrong on the way from training to a device, planted on purpose, and what becomes
of it. Every row was made by planting the fault into a copy of a healthy model and running the real command on it:

```text
python scripts/faults.py --list
python scripts/faults.py {example}
python scripts/faults.py --all --markdown
```

The second plants one fault and shows the command, its message and its exit code; the third writes this page. Each command
was also run where nothing was planted, and ended with 0. The healthy models are written by rule in a second each: their
last layers are solved or drawn, none is trained. Exit codes are explained in [pipelines](pipelines.md).
"""
TAIL = """
## Not in the tables

- **One scale per channel in a transposed convolution** once gave invalid or wrong files. With today's quantizer static int8
  is right on both runtimes, and the recipes ask for one scale there all the same. What still fails is the same layer with
  ranges measured at run time (`transposed-convolution`); without `--no-repair` that one is mended too, see
  [blame and repair](export-blame.md).
- **Flex or custom operators in a TFLite file** are refused by name, whoever made it; tests prove that on files made by
  hand. The table's `flex-operator` does not come so far: the converter is told to write none and refuses the layer.
- **A scaler fitted on test data, or training on the test split**, cannot be seen in a hand-over: every figure looks right.
"""


def render(sections: Mapping[str, Sequence[Fault]], found: Mapping[str, Finding]) -> str:
    """Make the page.

    Args:
        sections: The faults by the title of their section.
        found: What each command did, by the fault's name.
    """
    parts = [HEAD.format(example=next(iter(sections.values()))[0].name)]
    for title, faults in sections.items():
        parts.append(
            f"\n## {title}\n\n| fault | what went wrong | planted in | caught by | exit code | message |\n|---|---|---|---|--:|---|\n"
        )
        parts += [_row(fault, found[fault.name]) for fault in faults]
    parts.append("\n## The commands\n\n```text\n")
    width = max(len(fault.name) for faults in sections.values() for fault in faults)
    parts += [f"{fault.name:<{width}}  {one_line(fault)}\n" for faults in sections.values() for fault in faults]
    return "".join([*parts, "```\n", TAIL])


def short(message: str, said: str = "", longest: int = LONGEST) -> str:
    """Cut a message to what tells: its beginning, and, where that does not hold it, the part around `said`."""
    plain = message.removeprefix("tandem: ")
    if len(plain) <= longest:
        return plain
    place = plain.find(said) if said else 0
    start = 0 if place < longest - len(said) else max(0, place - 60)
    cut = plain[start : start + longest].rpartition(" ")[0]
    return (f"… {cut.partition(' ')[2]}" if start else cut) + " …"


def _row(fault: Fault, finding: Finding) -> str:
    code = f"{finding.code}, mended" if fault.mended else str(finding.code)
    message = short(finding.message, fault.said).replace("|", "\\|").replace("`", "'")
    return f"| `{fault.name}` | {fault.wrong} | {fault.planted} | {fault.catcher} | {code} | {message} |\n"


def one_line(fault: Fault) -> str:
    """Give the command in one line."""
    return " ".join(fault.command.split()) if "\n" not in fault.command else "the server's loader: serving.registry.Registry(…).load()"
