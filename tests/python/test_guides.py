"""What the guides show runs, and what they name is there."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from conftest import ROOT

GUIDE = (ROOT / "docs/guides/migrating-fetchers.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
SOURCE = "".join(path.read_text() for path in (ROOT / "python/penstock/bundles").rglob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=["line", "program"])
def test_an_example_runs(example: str) -> None:
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "1\n" if "main()" in example else ""), done.stderr


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bOC_\w+", GUIDE))))
def test_a_variable_is_read(name: str) -> None:
    assert name in SOURCE


def test_every_variable_of_storages_is_told() -> None:
    read = set(re.findall(r"\bOC_[A-Z0-9_]*[A-Z0-9]\b", SOURCE))
    assert read - set(re.findall(r"\bOC_\w+", GUIDE)) == set()


def test_files_that_are_named_exist() -> None:
    for name in re.findall(r"`(docs/[\w./-]+)`", GUIDE):
        assert (ROOT / name).is_file(), name
