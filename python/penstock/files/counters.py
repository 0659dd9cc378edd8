"""What this process did with files, as plain numbers."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from penstock import _core

if TYPE_CHECKING:
    from penstock.files.result import FileResult

BUCKETS = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
"""Upper edges of penstock_file_seconds."""


class _Counters:
    """Counters since the process began; results end on any thread."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.files: dict[tuple[str, str], int] = {}
        self.seconds: list[int] = [0] * (len(BUCKETS) + 1)
        self.seconds_sum = 0.0


_counters = _Counters()


def count(result: FileResult) -> None:
    """Count one more file that ended."""
    outcome = (result.state, result.error_kind or "")
    took = result.duration_ms / 1000
    with _counters.lock:
        _counters.files[outcome] = _counters.files.get(outcome, 0) + 1
        _counters.seconds_sum += took
        _counters.seconds[sum(took > edge for edge in BUCKETS)] += 1


def metrics() -> dict[str, Any]:
    """What this process did: counters by name and label, as plain numbers.

    >>> "penstock_files_total" in penstock.files.metrics()
    True
    """
    seen = _core.default_client().statistics()
    budget = _core.budget_statistics()
    hosts = seen["hosts"].values()
    with _counters.lock:
        files = {f"{outcome},{kind}": n for (outcome, kind), n in _counters.files.items()}
        seconds = {
            "buckets": dict(zip((*BUCKETS, float("inf")), _counters.seconds, strict=True)),
            "sum": _counters.seconds_sum,
        }
    return {
        "penstock_files_total": files,
        "penstock_file_seconds": seconds,
        "penstock_bytes_total": {"in": seen["bytes_in"], "out": seen["bytes_out"]},
        "penstock_retries_total": seen["retries_by_class"],
        "penstock_resumes_total": seen["resumes"],
        "penstock_budget_bytes": {"used": budget["used"], "peak": budget["peak"]},
        "penstock_pool": {name: sum(host[name] for host in hosts) for name in ("open", "idle", "waiting")},
        "penstock_uploads_orphaned": seen["uploads_orphaned"],
    }
