"""The model card of a bundle, with the sections of Hugging Face's: from the contract, what training recorded, what was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jinja2

from edge.contract import Tensor
from export.provenance import machine, training
from export.report_rows import Findings, rows

TASKS = {
    "text-classification",
    "image-classification",
    "object-detection",
    "tabular-classification",
    "tabular-regression",
    "text-generation",
    "sentence-similarity",
    "fill-mask",
}


def render(findings: Findings) -> str:
    """Make the card: front matter in YAML, then Markdown. Nothing in it is estimated; what was not measured is left out."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("export"),
        autoescape=jinja2.select_autoescape(),  # it leaves a name that ends in .md.j2 alone: `plain` escapes what stands in Markdown
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = plain
    contract, recorded = findings.contract, training(findings.handover)
    return environment.get_template("card.md.j2").render(
        front=front_matter(findings, recorded),
        contract=contract,
        findings=findings,
        rows=rows(findings),
        inputs=[_tensor(tensor) for tensor in contract.main.inputs],
        outputs=[_tensor(tensor) for tensor in contract.main.outputs],
        data=_mapping(recorded.get("data")),
        settings=_mapping(recorded.get("settings")),
        recorded=recorded,
        quantized=[v for v in findings.released if v.recipe != "fp32"],
        machine=machine(),
    )


def front_matter(findings: Findings, recorded: Mapping[str, Any]) -> str:
    """Make the YAML block that model hubs read; strings are written as JSON, which YAML contains."""
    contract = findings.contract
    data = _mapping(recorded.get("data"))
    tags = ["tandem", contract.task, *sorted({variant.format for variant in findings.released})]
    lines = [f"license: {_quoted(contract.licence.lower() or 'unknown')}", "library_name: tandem", f"tags: {_quoted(tags)}"]
    if contract.task in TASKS:
        lines.append(f"pipeline_tag: {contract.task}")
    if data.get("name"):
        lines.append(f"datasets: {_quoted([data['name']])}")
    if contract.parity_only:
        return "\n".join(lines)
    lines += [f"metrics: {_quoted([contract.metric.name])}", "model-index:", f"- name: {contract.name}", "  results:"]
    for variant in findings.released:
        if variant.metric is not None:
            lines += _result(findings, variant.metric, variant.file, str(data.get("name") or contract.source or contract.name))
    return "\n".join(lines)


def plain(text: object) -> str:
    """Keep a text from contract or record on one line and from being read as Markdown or HTML."""
    return str(text).replace("\n", " ").replace("\\", "\\\\").replace("<", "&lt;").replace("|", "\\|").replace("`", "\\`").strip()


def _result(findings: Findings, value: float, file: str, data: str) -> list[str]:
    contract = findings.contract
    return [
        "  - task:",
        f"      type: {_quoted(contract.task)}",
        "    dataset:",
        f"      name: {_quoted(data)}",
        f"      type: {_quoted(data)}",
        f"      split: {_quoted(contract.metric.split)}",
        "    metrics:",
        f"    - type: {_quoted(contract.metric.name)}",
        f"      value: {value:.6g}",
        f"      name: {_quoted(f'{contract.metric.name} of {file}, worst runtime')}",
    ]


def _tensor(tensor: Tensor) -> str:
    meaning = f": {plain(tensor.meaning)}" if tensor.meaning else ""
    between = f", {tensor.range[0]:g} to {tensor.range[1]:g}" if tensor.range else ""
    return f"`{plain(tensor.name)}` {tensor.dtype} ({', '.join(map(str, tensor.shape))}) {plain(tensor.layout)}{between}{meaning}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
