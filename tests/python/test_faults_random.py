"""Random faults on either side of a transfer: nothing hangs, nothing is corrupt, nothing is left: F11 of files.md."""

from __future__ import annotations

import concurrent.futures
import gc
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import pytest
from conftest import Bucket, S3Server, new_bucket
from faults.amounts import FULL, seed
from faults.proxy import Kind
from faults.schedules import Outcome, Transfer, run, schedule

SCHEDULES = 10_000 if FULL else 300
ROUND = 1000
LANES = 6  # most of the time a schedule waits
HANG_SECONDS = 120.0
# What a network and an overloaded server do; and bits that change on their way, past the checks of TCP.
TRANSIENT: dict[Kind, int] = {"cut": 3, "reset": 4, "stall": 1, "trickle": 1, "status": 2}
FLIPS: dict[Kind, int] = {"flip": 8, "reset": 1, "status": 1}


@pytest.fixture
def buckets(s3_servers: dict[str, S3Server]) -> list[Bucket]:
    return [new_bucket(server) for server in s3_servers.values()]


@dataclass
class Sum:
    """Of many outcomes; only what is to be told is kept."""

    met: int = 0  # schedules of which a fault happened
    wrong: list[Outcome] = field(default_factory=list)
    failed: list[Outcome] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)  # bytes, after each round

    def add(self, outcome: Outcome) -> None:
        self.met += outcome.happened > 0
        if outcome.wrong or outcome.seconds > HANG_SECONDS:
            self.wrong.append(outcome)
        if outcome.error:
            self.failed.append(outcome)


def run_all(count: int, kinds: dict[Kind, int], transfers: Sequence[Transfer], buckets: list[Bucket]) -> Sum:
    """By turns on each server."""
    first, total = seed(), Sum()

    def one(number: int) -> Outcome:
        made = schedule(first + number, kinds, transfers)
        return run(made, buckets[made.seed % len(buckets)])

    with concurrent.futures.ThreadPoolExecutor(LANES) as lanes:
        for begin in range(0, count, ROUND):
            for outcome in lanes.map(one, range(begin, min(begin + ROUND, count))):
                total.add(outcome)
            gc.collect()
            total.resident.append(resident_bytes())
    assert not total.wrong, told(total.wrong)
    assert total.met >= count * 0.6, f"only {total.met} schedules meet a fault"
    return total


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def told(outcomes: list[Outcome]) -> str:
    """The seed named makes it the first of the next run, on the same server."""
    lines = (f"{outcome}\n  again: PENSTOCK_TEST_SEED={outcome.schedule.seed}" for outcome in outcomes)
    return "\n".join(lines)


def test_transient_faults_hang_corrupt_and_leave_nothing_and_few_transfers_fail(buckets):
    total = run_all(SCHEDULES, TRANSIENT, get_args(Transfer), buckets)
    assert len(total.failed) <= SCHEDULES // 100, told(total.failed)
    for before, after in zip(total.resident[1:], total.resident[2:], strict=False):
        assert after - before < 5_000_000, f"memory after each {ROUND}: {total.resident}"


def test_flipped_bits_are_found_by_the_callers_digest_or_the_stores_checksum(buckets):
    """A fetch is given the digest: without one nobody knows what the origin meant. Nothing is relayed: a part that
    goes without a checksum ahead of it is guarded by TLS alone, for which the proxy is too early."""
    checking = [bucket for bucket in buckets if bucket.server.name != "moto"]
    held = [name for name in get_args(Transfer) if "relayed" not in name]
    run_all(SCHEDULES // 3, FLIPS, held, checking)
