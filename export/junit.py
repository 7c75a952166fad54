"""The findings as JUnit XML: a suite for each file on each runtime, a case for each promise."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from edge.errors import ConversionError
from export.gate import Check
from export.report_rows import Findings, Row, rows

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(findings: Findings) -> str:
    """Make the XML.

    A refusal that is of no single file on a runtime (a conversion, a runtime that did not run, the size) is a case of the
    suite that ends the list, so that a refused model never looks as if all had passed. Where nothing was refused, a promise that
    was broken on a runtime that need not keep it, or by a file that was not chosen, counts as skipped and not as a failure.

    Returns:
        A document with the root `testsuites`.
    """
    name = f"{findings.contract.name} {findings.contract.version}"
    suites = [_suite(findings, row) for row in rows(findings)]
    suites += [_refused(findings, *refusal) for refusal in findings.refusals]
    suites.append(_release(findings))
    root = ElementTree.Element("testsuites", {"name": _text(f"tandem export {name}")})
    for attribute in ("tests", "failures", "errors"):
        root.set(attribute, str(sum(int(suite.get(attribute, "0")) for suite in suites)))
    root.extend(suites)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(findings: Findings, row: Row) -> ElementTree.Element:
    broken, tag = sum(not check.passed for check in row.checks), _broken(findings)
    suite = ElementTree.Element(
        "testsuite",
        {
            "name": _text(f"{findings.contract.name} {findings.contract.version}: {row.file} on {row.runtime}"),
            "tests": str(len(row.checks)),
            "failures": str(broken if tag == "failure" else 0),
            "errors": "0",
            "skipped": str(broken if tag == "skipped" else 0),
            "time": f"{row.trial.seconds_per_sample * findings.samples:.3f}",
        },
    )
    for check in row.checks:
        suite.append(_case(f"{findings.contract.name}.{row.file}.{row.runtime}", check, tag))
    return suite


def _broken(findings: Findings) -> str:
    """Give the tag for a broken promise."""
    return "skipped" if findings.problem is None else "failure"


def _refused(findings: Findings, file: str, runtime: str, words: str, required: bool) -> ElementTree.Element:
    """Tell that a runtime could not run a file: a failure where the contract requires it and something was refused, else skipped."""
    required = required and findings.problem is not None
    name = f"{findings.contract.name} {findings.contract.version}: {file} on {runtime}"
    counts = {"failures": str(int(required)), "errors": "0", "skipped": str(int(not required))}
    suite = ElementTree.Element("testsuite", {"name": _text(name), "tests": "1", **counts, "time": "0"})
    classname = _text(f"{findings.contract.name}.{file}.{runtime}")
    case = ElementTree.SubElement(suite, "testcase", {"classname": classname, "name": "runs", "time": "0"})
    attributes = {"message": _text(words), "type": "GateError"} if required else {"message": _text(words)}
    ElementTree.SubElement(case, "failure" if required else "skipped", attributes)
    return suite


def _case(classname: str, check: Check, tag: str) -> ElementTree.Element:
    case = ElementTree.Element("testcase", {"classname": _text(classname), "name": _text(check.name), "time": "0"})
    if not check.passed:
        message = _text(f"{check.name} is {check.measured}, allowed {check.allowed}")
        attributes = {"message": message, "type": "GateError"} if tag == "failure" else {"message": message}
        ElementTree.SubElement(case, tag, attributes).text = message
    return case


def _release(findings: Findings) -> ElementTree.Element:
    """Tell the verdict on the whole: an error where a conversion failed, a failure where the gate refused."""
    problem = findings.problem
    tag = "error" if isinstance(problem, ConversionError) else "failure"
    name = f"{findings.contract.name} {findings.contract.version}"
    counts = {"failures": str(int(problem is not None and tag == "failure")), "errors": str(int(problem is not None and tag == "error"))}
    suite = ElementTree.Element("testsuite", {"name": _text(f"{name}: release"), "tests": "1", **counts, "skipped": "0", "time": "0"})
    case = ElementTree.SubElement(suite, "testcase", {"classname": _text(findings.contract.name), "name": "release", "time": "0"})
    if problem is not None:
        message = _text(str(problem))
        ElementTree.SubElement(case, tag, {"message": message, "type": type(problem).__name__}).text = message
    return suite


def _text(value: str) -> str:
    """Replace what XML 1.0 cannot hold."""
    return _FORBIDDEN.sub("\ufffd", value)
