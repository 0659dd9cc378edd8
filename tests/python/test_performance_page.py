"""docs/performance.md says what bench/ told: docs/performance/*.json."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "docs/performance"
PAGE = (ROOT / "docs/performance.md").read_text()
NAMES = {
    "floor": "floor",
    "penstock": "**penstock**, from Python",
    "penstock-cpp": "**penstock**, from C++",
    "penstock-relay": "**penstock**, relay",
    "boto3-crt": "boto3 with CRT",
    "obstore": "obstore",
    "boto3-unsigned": "boto3, unsigned payload",
    "boto3-classic": "boto3, as it comes",
    "node": "Node, undici and lib-storage",
}
OBJECTS = {
    "penstock": "**penstock**, threads",
    "penstock-aio": "**penstock**, a loop",
    "obstore": "obstore, threads",
    "obstore-aio": "obstore, a loop",
    "boto3": "boto3",
    "boto3-crt": "boto3 with CRT",
    "aiobotocore": "aiobotocore",
    "s3fs": "s3fs",
}
STREAMS = {"source": "reading", "penstock": "**penstock**", "tempfile-boto3": "temp file and boto3"}


def told(system: str) -> dict[str, dict[str, Any]]:
    results = json.loads((KEPT / f"{system}.json").read_text())["results"]
    return {result["scenario"]: result["peers"] for result in results}


def row(name: str, cells: list[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


@pytest.mark.parametrize("scenarios", [["1x2GiB", "10x512MiB", "2000x64KiB"], ["10x5GiB"]])
def test_the_tables_of_files_have_the_figures_of_the_run(scenarios: list[str]) -> None:
    of = told("files")
    for peer in of[scenarios[0]]:
        figures = [of[scenario][peer] for scenario in scenarios]
        cells = [f"{one['cpu']:.2f} CPU, {one['wall']:.2f} s, {one['rss']:.0f} MiB" for one in figures]
        assert row(NAMES[peer], cells) in PAGE


def test_the_table_of_objects_has_the_figures_of_the_run() -> None:
    results = json.loads((KEPT / "s3.json").read_text())["results"]
    for peer, name in OBJECTS.items():
        cells = []
        for result in results:
            one = result["peers"].get(peer)
            if one is None:
                cells.append("")
                continue
            first = f"{one['wall']:.2f} s"
            if result["scenario"] == "ranged-16KiB":
                first = f"{result['count'] / one['wall']:,.0f} a second"
            failed = f", {one['failed'][0]} failed" if one["failed"] else ""
            cells.append(f"{first}, {one['cpu']:.2f} CPU, {one['rss']:.0f} MiB{failed}")
        assert row(name, cells) in PAGE


def test_the_tables_of_bundles_have_the_figures_of_the_run() -> None:
    of = told("bundles")
    for peer, name in STREAMS.items():
        figures = [of[scenario][peer] for scenario in ("1x1GiB", "1000x64KiB", "gzip-2GiB")]
        assert row(name, [f"{one['cpu']:.2f} CPU, {one['wall']:.2f} s" for one in figures]) in PAGE
        late = [of[scenario][peer]["late_ms"] for scenario in ("100-paced", "100-at-once")]
        assert row(name, [f"{one['p99']:.2f}, {one['max']:.2f}" for one in late]) in PAGE


def test_the_table_of_the_interpreter_has_the_figures_of_the_run() -> None:
    of = json.loads((KEPT / "edge.json").read_text())
    start, late = of["startup"], of["late_ms"]
    figures = [f"{start['import_ms']:.1f} ms", f"{start['store_ms']:.1f} ms"]
    figures += [f"{late[how]['p99']:.2f} ms" for how in ("paced", "at_once")]
    figures.append(f"{100 * of['gil']['share']:.1f} %")
    assert f"| {' | '.join(figures)} |" in PAGE


def test_the_chart_is_drawn_from_the_run() -> None:
    spec = importlib.util.spec_from_file_location("chart", ROOT / "bench/chart.py")
    assert spec is not None
    assert spec.loader is not None
    chart = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(chart)
    drawn = chart.draw(json.loads((KEPT / "files.json").read_text()))
    assert (KEPT / "files.svg").read_text() == drawn
