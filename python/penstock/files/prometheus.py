"""What this process did with files, for Prometheus; needs the extra ``penstock[serve]``.

>>> from prometheus_client import CollectorRegistry, generate_latest
>>> registry = CollectorRegistry()
>>> registry.register(penstock.files.prometheus.Collector())
>>> print(generate_latest(registry).decode())
# HELP penstock_files_total Files by how they ended...

Alarms worth having: resident memory above half of its limit; a file that takes more than 5 min; more than 5 % of
files failing; any wait for a connection of more than 10 s.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from penstock import _core
from penstock.files.counters import BUCKETS

try:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "penstock.files.prometheus needs prometheus-client: pip install 'penstock[serve]'", name=error.name
    ) from error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.core import Metric


class Collector:
    """Reads the counters when it is asked, so it costs nothing in between. Register it once a process."""

    def collect(self) -> Iterator[Metric]:
        """Every metric of :func:`penstock.files.metrics`."""
        seen = _core.file_metrics()
        files = CounterMetricFamily("penstock_files", "Files by how they ended", labels=["outcome", "kind"])
        for (outcome, kind), count in seen["files"].items():
            files.add_metric([outcome, kind], count)
        yield files
        yield _seconds(seen["seconds"], seen["seconds_sum"])
        yield GaugeMetricFamily("penstock_files_in_flight", "Files under way", value=seen["in_flight"])
        moved = {"in": seen["bytes_in"], "out": seen["bytes_out"]}
        yield _counter("penstock_bytes", "Bytes of bodies, by direction", "direction", moved)
        yield _counter("penstock_retries", "Requests tried again, by class", "class", seen["retries"])
        yield CounterMetricFamily("penstock_resumes", "Bodies continued after a break", value=seen["resumes"])
        budget = {"used": seen["budget_used"], "peak": seen["budget_peak"]}
        yield _gauge("penstock_budget_bytes", "Memory taken from the Budget", "which", budget)
        pool = {name: seen[f"pool_{name}"] for name in ("open", "idle", "waiting")}
        yield _gauge("penstock_pool", "Connections, and requests that wait for one", "state", pool)
        orphaned = seen["uploads_orphaned"]
        yield GaugeMetricFamily(
            "penstock_uploads_orphaned", "Uploads that could not be ended", value=orphaned
        )


def _seconds(counts: list[int], total: float) -> Metric:
    family = HistogramMetricFamily("penstock_file_seconds", "What a file took")
    edges = [*(str(edge) for edge in BUCKETS), "+Inf"]
    family.add_metric([], list(zip(edges, accumulate(counts), strict=True)), total)
    return family


def _counter(name: str, what: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, what, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def _gauge(name: str, what: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, what, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
