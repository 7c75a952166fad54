"""A bill of materials in CycloneDX 1.6: the model with its card, its files with their hashes, the packages that made it."""

from __future__ import annotations

import importlib.metadata
import json
import re
import uuid
from importlib.metadata import PackageMetadata
from pathlib import Path
from typing import Any

from edge import __version__
from edge.contract import Tensor
from edge.storage import SUMS, read_sums, sha256_file
from export.provenance import now, training, versions
from export.report_rows import Findings

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "tandem:bundle")
MAX_LICENCE = 100  # some packages put the whole text where its name belongs


def document(folder: Path, findings: Findings) -> dict[str, Any]:
    """Make the document for a bundle that lies in `folder` with its SHA256SUMS.

    The serial number follows from the content, so the same release has the same one; the time is that of
    `SOURCE_DATE_EPOCH` where it is set.

    Source: CycloneDX Specification 1.6 (ECMA-424).
    """
    model, components = _model(folder, findings), [*_files(folder), *_packages()]
    serial = uuid.uuid5(NAMESPACE, json.dumps([model, components], sort_keys=True))
    tool = {"type": "application", "name": "tandem", "version": __version__}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lifecycles": [{"phase": "build"}],
            "tools": {"components": [tool]},
            "component": model,
        },
        "components": components,
        "dependencies": [{"ref": model["bom-ref"], "dependsOn": [component["bom-ref"] for component in components]}],
    }


def licences(metadata: PackageMetadata) -> list[dict[str, Any]]:
    """Read a package's licence: its SPDX expression, else a short name, else what its classifiers say."""
    expression = _field(metadata, "License-Expression")
    if expression:
        return [{"expression": expression}]
    name = _field(metadata, "License").strip()
    if not name or "\n" in name or len(name) > MAX_LICENCE:
        classifiers = [c.split(" :: ")[-1] for c in metadata.get_all("Classifier") or [] if c.startswith("License :: ")]
        name = next((c for c in classifiers if c != "OSI Approved"), "")
    return [{"license": {"name": name}}] if name else []


def _field(metadata: PackageMetadata, name: str) -> str:
    return str(metadata[name]) if name in metadata else ""


def _model(folder: Path, findings: Findings) -> dict[str, Any]:
    contract = findings.contract
    component: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": f"model:{contract.name}@{contract.version}",
        "name": contract.name,
        "version": contract.version,
        "description": contract.description or contract.task,
        "hashes": [_sha256(sha256_file(folder / SUMS))],
    }
    if contract.licence:
        component["licenses"] = [{"license": {"name": contract.licence}}]
    return {**component, "modelCard": _card(findings)}


def _card(findings: Findings) -> dict[str, Any]:
    contract = findings.contract
    parameters: dict[str, Any] = {
        "task": contract.task,
        "inputs": [{"format": _format(tensor)} for tensor in contract.main.inputs],
        "outputs": [{"format": _format(tensor)} for tensor in contract.main.outputs],
    }
    data = training(findings.handover).get("data")
    if isinstance(data, dict) and data.get("name"):
        dataset = {"type": "dataset", "name": str(data["name"])}
        parameters["datasets"] = [{**dataset, "description": contract.source} if contract.source else dataset]
    return {"modelParameters": parameters, "quantitativeAnalysis": {"performanceMetrics": _metrics(findings)}}


def _metrics(findings: Findings) -> list[dict[str, Any]]:
    """Give the metric of each file on each runtime, with its interval where it has one."""
    found = []
    for candidate in findings.candidates:
        for trial in candidate.trials:
            if trial.metric is None:
                continue
            measured: dict[str, Any] = {
                "type": findings.contract.metric.name,
                "value": f"{trial.metric:.6g}",
                "slice": f"{findings.contract.metric.split}: {candidate.plan.file} on {trial.runtime} {trial.version}",
            }
            sure = trial.interval
            if sure is not None:
                measured["confidenceInterval"] = {"lowerBound": f"{sure[0]:.6g}", "upperBound": f"{sure[1]:.6g}"}
            found.append(measured)
    return found


def _format(tensor: Tensor) -> str:
    return f"{tensor.name}: {tensor.dtype} ({', '.join(map(str, tensor.shape))}) {tensor.layout}"


def _files(folder: Path) -> list[dict[str, Any]]:
    return [
        {"type": "file", "bom-ref": f"file:{name}", "name": name, "hashes": [_sha256(digest)]}
        for name, digest in sorted(read_sums(folder).items())
    ]


def _packages() -> list[dict[str, Any]]:
    """List the packages that shaped the release; none of them is part of it, so their scope is `excluded`."""
    found = []
    for name, version in versions().items():
        purl = f"pkg:pypi/{re.sub('[-_.]+', '-', name).lower()}@{version.replace('+', '%2B')}"
        package: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "scope": "excluded", "purl": purl}
        known = licences(importlib.metadata.metadata(name))
        found.append({**package, "licenses": known} if known else package)
    return found


def _sha256(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}
