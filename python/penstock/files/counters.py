"""What this process did with files, as plain numbers."""

from __future__ import annotations

from typing import Any

from penstock import _core

BUCKETS = _core.FILE_SECONDS
"""Upper edges of penstock_file_seconds."""


def metrics() -> dict[str, Any]:
    """What this process did: counters by name and label, as plain numbers.

    Bytes, retries, resumes, the pool and orphaned uploads are the default client's, whoever asked.

    >>> penstock.files.metrics()["penstock_files_in_flight"]
    0
    """
    seen = _core.file_metrics()
    return {
        "penstock_files_total": {f"{outcome},{kind}": n for (outcome, kind), n in seen["files"].items()},
        "penstock_file_seconds": {
            "buckets": dict(zip((*BUCKETS, float("inf")), seen["seconds"], strict=True)),
            "sum": seen["seconds_sum"],
        },
        "penstock_files_in_flight": seen["in_flight"],
        "penstock_bytes_total": {"in": seen["bytes_in"], "out": seen["bytes_out"]},
        "penstock_retries_total": seen["retries"],
        "penstock_resumes_total": seen["resumes"],
        "penstock_budget_bytes": {"used": seen["budget_used"], "peak": seen["budget_peak"]},
        "penstock_pool": {name: seen[f"pool_{name}"] for name in ("open", "idle", "waiting")},
        "penstock_uploads_orphaned": seen["uploads_orphaned"],
    }
