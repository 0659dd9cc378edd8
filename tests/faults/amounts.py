"""How much a test does, and by what chance: PENSTOCK_TEST_FULL=1: all of it; PENSTOCK_TEST_SEED repeats a run."""

from __future__ import annotations

import os
import random

import pytest

FULL = os.environ.get("PENSTOCK_TEST_FULL") == "1"
FULL_SIZE = pytest.mark.skipif(
    not FULL, reason="takes minutes, and up to 16 GiB of memory and disk: set PENSTOCK_TEST_FULL=1"
)


def seed() -> int:
    """That of PENSTOCK_TEST_SEED, else a new one; printed, so that a failure tells it."""
    chosen = int(os.environ.get("PENSTOCK_TEST_SEED") or random.randrange(2**32))
    print(f"PENSTOCK_TEST_SEED={chosen}")
    return chosen
