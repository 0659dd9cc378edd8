"""What the guides show runs, and what they name is there."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import examples
import pytest
from conftest import ROOT
from consumer import build_consumer, run
from examples import CONTENT, blocks
from faults.origin import FileOrigin

if TYPE_CHECKING:
    from conftest import Bucket

GUIDES = sorted((ROOT / "docs/guides").glob("*.md"))
FETCHERS = (ROOT / "docs/guides/migrating-fetchers.md").read_text()
SOURCE = "".join(path.read_text() for path in (ROOT / "python/penstock/bundles").rglob("*.py"))
ROWS = b"id,name\n" + b"".join(b"%d,row %d\n" % (n, n) for n in range(1000))

EXAMPLES = {
    f"{guide.stem}-{number}": text for guide in GUIDES for number, text in enumerate(blocks(guide, "python"))
}
PRINTS = {
    "asyncio-0": rf"{20 * len(CONTENT)}\n",
    "asyncio-1": f"{len(ROWS)} {sha256(ROWS).hexdigest()[:8]}\n",
    "fsspec-0": "",
    "fsspec-1": "",
    "fsspec-2": "",
    "many-files-0": r"20 done, again: \[\]\n",
    "many-files-1": r"\['a'\]\n\['b', 'c'\]\n",
    "many-files-2": r"exports/report\.csv 8\n",
    "migrating-fetchers-0": "",
    "migrating-fetchers-1": r"1\n",
    "objects-0": r"2026/\narchive/\nb'1,Ada'\n",
    "scripts-0": rf"{len(CONTENT)} \S+/incoming/data\.csv\n",
    "scripts-1": r"try again: \[\]\n",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(name: str, bucket: Bucket, tmp_path: Path):
    printed = examples.run(EXAMPLES[name], bucket, tmp_path)
    assert re.fullmatch(PRINTS[name], printed), printed


def test_the_cpp_example_builds_and_runs(installed: Path, tmp_path: Path):
    (main,) = blocks(ROOT / "docs/guides/cpp.md", "cpp")
    program = build_consumer(installed, tmp_path, main)
    with FileOrigin(CONTENT) as origin:
        said = run(program, origin.file_url, tmp_path / "out")
    assert said == sha256(CONTENT).hexdigest() + "\n"
    assert (tmp_path / "out/data").read_bytes() == CONTENT


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bOC_\w+", FETCHERS))))
def test_a_variable_is_read(name: str) -> None:
    assert name in SOURCE


def test_every_variable_of_storages_is_told() -> None:
    read = set(re.findall(r"\bOC_[A-Z0-9_]*[A-Z0-9]\b", SOURCE))
    assert read - set(re.findall(r"\bOC_\w+", FETCHERS)) == set()
