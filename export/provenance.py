"""Where a release comes from and what was measured on this machine: the part of a bundle that may differ next time."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from export.candidate import Candidate, Trial
from export.handover import Handover
from export.report_rows import Findings

PACKAGES = (
    *("torch", "onnx", "onnxscript", "onnxruntime-gpu", "onnxruntime", "litert-torch", "litert-converter"),
    *("ai-edge-litert", "ai-edge-quantizer", "tensorflow", "tensorflow-cpu", "keras"),
    *("scikit-learn", "xgboost", "xgboost-cpu", "skops", "skl2onnx", "onnxmltools", "numpy"),
)


def versions() -> dict[str, str]:
    """Give the versions of the packages that shape a release."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def provenance(handover: Handover, fingerprint: str, key: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Give commit, date, versions, licence, what training recorded and what the release was made from; see `now` for the date."""
    return {
        "name": handover.contract.name,
        "version": handover.contract.version,
        "date": now().isoformat(),
        "commit": commit(),
        "packages": versions(),
        "licence": handover.contract.licence,
        "source": handover.contract.source,
        "training": training(handover),
        "given": _recorded(handover, "given.json"),
        "proof": "parity only" if handover.contract.parity_only else handover.contract.metric.name,
        "fingerprint": fingerprint,
        "key": key,
    }


def training(handover: Handover) -> dict[str, Any]:
    """Read what training recorded, or nothing where a model came without a record."""
    return _recorded(handover, "training.json")


def _recorded(handover: Handover, name: str) -> dict[str, Any]:
    try:
        recorded = json.loads((handover.folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return recorded if isinstance(recorded, dict) else {}


def measurements(findings: Findings) -> dict[str, Any]:
    """Give what each file did on each runtime of this machine; times and memory hold for this machine alone."""
    return {
        "machine": machine(),
        "samples": findings.samples,
        "files": [_file(candidate) for candidate in findings.candidates],
        "drift_by_tensor": [dict(row) for row in findings.blame],
        "notes": list(findings.notes),
        "choices": [dataclasses.asdict(choice) for choice in findings.choices],
    }


def machine() -> dict[str, Any]:
    """Name the machine that exported."""
    return {"system": platform.system(), "processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()}


def _file(candidate: Candidate) -> dict[str, Any]:
    return {
        "file": candidate.plan.file,
        "size_bytes": candidate.path.stat().st_size,
        "operators": list(candidate.operators),
        "notes": list(candidate.notes),
        "refused": dict(candidate.refused),
        "trials": [_trial(trial) for trial in candidate.trials],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "runtime": trial.runtime,
        "version": trial.version,
        "metric": trial.metric,
        "metric_loss": trial.loss,
        "metric_loss_interval": None if trial.drop is None else list(trial.drop[1:]),
        "agreement": trial.agreement,
        "difference": dict(trial.difference),
        "golden_drift": trial.golden_drift,
        "latency_ms": trial.seconds_per_sample * 1000,
        "latency_p95_ms": None if trial.seconds_p95 is None else trial.seconds_p95 * 1000,
        "peak_rss_bytes": trial.peak_rss_bytes,
    }


def now() -> datetime:
    """Give the time of the release in UTC, or that of `SOURCE_DATE_EPOCH`."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC).replace(microsecond=0)


def commit() -> str | None:
    """Give the commit of the working directory, or None outside a repository."""
    try:
        run = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip()


def processor() -> str:
    """Give the processor's name where the system tells it."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8", errors="replace").splitlines() if facts.exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor() or platform.machine()
    )
