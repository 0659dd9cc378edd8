"""The notebook of the guides runs, and its stored outputs are those of a run."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import examples
import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient

if TYPE_CHECKING:
    from conftest import Bucket

PAGE = ROOT / "docs/guides/notebook.ipynb"
DIFFERS = re.compile(r"[\d.]+ ([KMG]i)?B/s|(?<=seconds=)[\d.]+|\d{4}-\d\d-\d\dT[\d:.]+Z")
SHOWN = ("text/html", "text/plain")


@pytest.fixture
def ran(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nbformat.NotebookNode:
    """The notebook after a run in a kernel of its own, in the names it is written with."""
    for name in (
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_RUNTIME_DIR",
        "IPYTHONDIR",
    ):  # nothing of whoever runs the tests
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    with examples.names(bucket) as here:
        notebook = nbformat.reads(examples.localized(PAGE.read_text(), here), as_version=4)
        client = NotebookClient(
            notebook,
            timeout=120,
            kernel_name="python3",
            resources={"metadata": {"path": str(tmp_path)}},
            coalesce_streams=True,
            record_timing=False,
        )
        client.execute(env=examples.environment(bucket))
        there = {meant: name for name, meant in here.items()}
    notebook.metadata.language_info = {"name": "python"}
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if output.output_type == "stream":  # a bar fills the line, whatever the rate takes of it
            output.text = re.sub(" +$", "", output.text, flags=re.MULTILINE)
    told = examples.localized(nbformat.writes(notebook), there)
    return nbformat.reads(DIFFERS.sub("…", told), as_version=4)


def outputs(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """What each cell shows: text of streams, the richest form of values."""
    return [[shown(output) for output in cell.outputs] for cell in notebook.cells if cell.cell_type == "code"]


def shown(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text)
    return str(next(output.data[kind] for kind in SHOWN if kind in output.data))


@pytest.fixture
def stored() -> nbformat.NotebookNode:
    return nbformat.read(PAGE, as_version=4)


def test_a_new_run_shows_what_is_stored(
    ran: nbformat.NotebookNode, stored: nbformat.NotebookNode, tmp_path: Path
) -> None:
    new = tmp_path / PAGE.name
    nbformat.write(ran, new)
    assert outputs(ran) == outputs(stored), f"if the new outputs are right, copy {new} over the guide"


def test_the_stored_outputs_are_those_of_the_file(stored: nbformat.NotebookNode) -> None:
    fetched, stages, frame, many, keys, bundle, error = outputs(stored)
    digest = sha256(examples.CONTENT).hexdigest()
    bar, receipt = fetched
    assert "[########################] 603 KiB of 603 KiB" in bar
    for told in ("s3://my-bucket/data.csv", "603 KiB", digest[:12], "published"):
        assert told in receipt
    assert stages == ["True"]
    assert "<td>row 39999</td>" in frame[0]
    assert ">completed<" in many[0]
    assert f"Checksum validation failed. Expected: {'0' * 64}, Actual: {digest}" in many[0]
    assert keys == ["['copy.csv', 'data.csv', 'good.csv']"]
    assert "bundles/custom-notebook/metadata.json" in bundle[0]
    assert error == ["missing s3://my-bucket/absent.csv\n"]


def test_it_names_no_machine(stored: nbformat.NotebookNode) -> None:
    text = PAGE.read_text()
    assert not re.search(r"127\.0\.0\.1|/tmp|/home|/root|\.venv|test-[0-9a-f]{20}", text)
    assert not DIFFERS.search(text)
    assert json.loads(text)["nbformat"] == 4
