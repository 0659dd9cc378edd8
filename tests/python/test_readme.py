"""Every example of README.md runs."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from consumer import ROOT, build_consumer, run
from faults.origin import FileOrigin

README = (ROOT / "README.md").read_text()
CONTENT = os.urandom(100_000)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", blocks("python"), ids=lambda text: text.split("\n")[0])
def test_a_python_example_runs(example: str, tmp_path: Path):
    with FileOrigin(CONTENT) as origin:
        local = example.replace("https://example.org/data.csv", origin.file_url)
        local = local.replace("file:///tmp/data.csv", (tmp_path / "data.csv").as_uri())
        done = subprocess.run([sys.executable, "-c", local], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    if "fetch(" in example:
        assert done.stdout == f"{len(CONTENT)} {hashlib.sha256(CONTENT).hexdigest()}\n"
        assert (tmp_path / "data.csv").read_bytes() == CONTENT


def test_the_cpp_example_builds_and_runs(installed: Path, tmp_path: Path):
    (main,) = blocks("cpp")
    program = build_consumer(installed, tmp_path, main)
    with FileOrigin(CONTENT) as origin:
        said = run(program, origin.file_url, tmp_path / "out")
    assert said == f"{len(CONTENT)} {hashlib.sha256(CONTENT).hexdigest()}\n"
    assert (tmp_path / "out/data").read_bytes() == CONTENT


def test_the_examples_are_there():
    assert len(blocks("python")) == 4
    assert "find_package(penstock" in blocks("cmake")[0]


def test_the_scripts_that_the_readme_names_exist():
    for name in re.findall(r"^(scripts/\w+)", README, re.MULTILINE):
        assert os.access(ROOT / name, os.X_OK), name
