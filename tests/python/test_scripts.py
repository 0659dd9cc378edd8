"""What the scripts say when something they need is absent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from consumer import ROOT


def run(*command: str, **more: object) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **more)  # type: ignore[call-overload]
    return done.returncode, done.stdout + done.stderr


def test_install_outside_of_git_says_so_instead_of_finding_nothing_changed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    code, said = run(str(tmp_path / "scripts/install"), env=environment)
    assert code == 1
    assert "needs git" in said
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("system", [[], ["nonsense"]], ids=["none", "unknown"])
def test_bench_names_the_systems_there_are(system: list[str]) -> None:
    code, said = run(str(ROOT / "scripts/bench"), *system)
    assert code == 2
    assert "bundles edge files s3" in said


@pytest.mark.parametrize("system", ["bundles", "files"])
@pytest.mark.parametrize("arguments", [["--server", "minio"], ["--peer", "nonsense"]], ids=["server", "peer"])
def test_bench_says_what_is_not_there(system: str, arguments: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PENSTOCK_TEST_S3"}
    code, said = run(sys.executable, str(ROOT / f"bench/{system}/run.py"), *arguments, env=environment)
    assert code == 2
    assert "Traceback" not in said
    assert "invalid choice" in said


def test_the_closing_lines_name_who_judged_and_who_should_have(tmp_path: Path) -> None:
    named = {
        "PENSTOCK_TEST_S3": "minio=http://127.0.0.1:1",
        "PENSTOCK_TEST_SQS": "moto=http://127.0.0.1:2",
        "PENSTOCK_TEST_REDIS": "redis=redis://127.0.0.1:3",
    }
    tally = str(ROOT / "scripts/lib/tally.py")
    code, said = run(sys.executable, tally, str(tmp_path), env={**os.environ, **named})
    assert code == 1  # there are no reports
    (line,) = [line for line in said.splitlines() if line.startswith("judges: ")]
    ran, _, missing = line.partition("MISSING: ")
    assert [word in ran for word in ("s3 by minio v0", "sqs by moto 5", "redis by redis 7", "botocore")] == [
        True
    ] * 4
    assert [word in missing for word in ("versitygw (needs Go", "elasticmq (needs Java")] == [True] * 2
    assert "minio" not in missing
    assert "moto" not in missing
