"""What must never hang or crash where Python and the core meet, many times over; rounds.py is what is run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from faults.amounts import FULL

PROGRAM = Path(__file__).with_name("rounds.py")
COUNT = 1000 if FULL else 100


@pytest.mark.parametrize("name", ["fork", "forkserver", "spawn", "threads", "closed_loop", "exit"])
def test_nothing_hangs_or_crashes_in(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(PROGRAM), name, str(COUNT)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60 * COUNT,
    )
    assert (done.returncode, done.stdout) == (0, f"done {COUNT}\n"), done.stderr[-6000:]
