"""Where a release comes from and what was measured on this machine: the part of a bundle that may differ next time."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from export.candidate import Candidate
from export.handover import Handover
from export.parity import Bench

PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime-gpu", "onnxruntime", "litert-torch", "ai-edge-litert", "ai-edge-quantizer", "numpy")


def versions() -> dict[str, str]:
    """Give the versions of the packages that shape a release."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def provenance(handover: Handover, fingerprint: str) -> dict[str, Any]:
    """Give commit, date, versions, licence and what training recorded; `SOURCE_DATE_EPOCH` sets the date."""
    recorded = handover.folder / "training.json"
    training = json.loads(recorded.read_text(encoding="utf-8")) if recorded.exists() else {}
    return {
        "name": handover.contract.name,
        "version": handover.contract.version,
        "date": now().isoformat(),
        "commit": commit(),
        "packages": versions(),
        "licence": handover.contract.licence,
        "source": handover.contract.source,
        "training": training,
        "fingerprint": fingerprint,
    }


def measurements(candidates: list[Candidate], bench: Bench) -> dict[str, Any]:
    """Give what each file did on each runtime of this machine; times hold for this machine alone."""
    return {
        "machine": {"system": platform.system(), "processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()},
        "samples": bench.count,
        "files": [
            {
                "file": candidate.plan.file,
                "operators": list(candidate.operators),
                "trials": [
                    {
                        "runtime": trial.runtime,
                        "version": trial.version,
                        "metric": trial.metric,
                        "metric_loss": trial.drop[0],
                        "metric_loss_interval": trial.drop[1:],
                        "agreement": trial.agreement,
                        "difference": dict(trial.difference),
                        "golden_drift": trial.golden_drift,
                        "latency_ms": trial.seconds_per_sample * 1000,
                    }
                    for trial in candidate.trials
                ],
            }
            for candidate in candidates
        ],
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
