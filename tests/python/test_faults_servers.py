"""A server that stands still or is killed under ten uploads: each ends, as it says, and nothing is half visible."""

from __future__ import annotations

import concurrent.futures
import os
import random
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import judges
import penstock
import pytest
from conftest import Bucket, S3Server, new_bucket
from faults.amounts import FULL, seed
from faults.mortal import MortalServer
from faults.proxy import Fault, Proxy

ROUNDS = 20 if FULL else 2
UPLOADS = 10
MIB = 2**20
STILL_SECONDS = 3.0  # over the first-byte clock of parts, under that of a Complete
CLOCKS = {"connect": "5s", "first_byte": "2s", "stall_window": "2s"}
FORMER = b"what was there before"
SMALL, LARGE = os.urandom(100_000), os.urandom(5 * MIB + 100_000)
TYPED = (penstock.Lost, penstock.Busy, penstock.InDoubt)


@pytest.fixture
def mortal(s3_server: S3Server, tmp_path: Path) -> Iterator[MortalServer]:
    """One of our own of each kind in turn."""
    with MortalServer(judges.KINDS[s3_server.name], tmp_path) as server:
        yield server


def upload(store: penstock.S3Store, number: int, path: Path) -> penstock.Receipt | penstock.Error:
    """In turn one PUT, parts that are held, and parts that are not."""
    try:
        if number % 3 == 2:
            return store.put(f"k{number}", path, relay=True)
        return store.put(f"k{number}", SMALL if number % 3 else LARGE)
    except penstock.Error as error:
        return error


def ten_uploads(bucket: Bucket, path: Path, fault: Fault) -> list[penstock.Receipt | penstock.Error]:
    with Proxy(bucket.server.url, [fault]) as proxy, penstock.Client(**CLOCKS) as client:
        options = {**bucket.options, "endpoint": proxy.url, "provider": bucket.server.name}
        store = penstock.S3Store(**options, part_bytes="5MiB", client=client)
        with concurrent.futures.ThreadPoolExecutor(UPLOADS) as lanes:
            ends = [*lanes.map(lambda number: upload(store, number, path), range(UPLOADS))]
        client.drain(deadline="60s")
        assert proxy.happened == [fault]
    return ends


def sent(number: int) -> bytes:
    return (LARGE, SMALL, SMALL * 4)[number % 3]


def assert_as_said(bucket: Bucket, ends: list[Any], former: bool) -> None:
    before = {FORMER} if former else {None}
    for number, end in enumerate(ends):
        key = f"k{number}"
        there = bucket.body(key) if bucket.keys(key) else None
        if isinstance(end, penstock.Receipt):
            allowed = {sent(number)}
        else:
            assert isinstance(end, TYPED), repr(end)
            allowed = {sent(number), *before} if isinstance(end, penstock.InDoubt) else before
        assert there in allowed, f"{key}: {end!r}, there are {there and len(there)} bytes"


def fault_of(choice: random.Random, do: Any) -> Fault:
    """Somewhere in the traffic of one of the first connections."""
    within = choice.choice([1000, len(SMALL)])  # the least that goes over one
    return Fault(choice.randrange(4), "up", choice.randrange(within), "call", do=do)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_ten_uploads_end_as_they_say_when_the_server_is(how, mortal, s3_server, tmp_path):
    first, told = seed(), Counter[str]()
    path = tmp_path / "f"
    path.write_bytes(sent(2))

    def fall() -> None:
        nonlocal recovery
        mortal.kill() if how == "killed" else mortal.stand_still()
        again = mortal.start if how == "killed" else mortal.go_on
        recovery = threading.Timer(0 if how == "killed" else STILL_SECONDS, again)
        recovery.start()

    recovery = threading.Timer(0, fall)

    for number in range(ROUNDS):
        choice = random.Random(first + number)
        bucket = new_bucket(S3Server(s3_server.name, mortal.url))
        if former := choice.random() < 0.5:
            for key in range(UPLOADS):
                bucket.server.judge.put_object(Bucket=bucket.name, Key=f"k{key}", Body=FORMER)
        ends = ten_uploads(bucket, path, fault_of(choice, fall))
        recovery.join()
        told.update(type(end).__name__ for end in ends)
        assert_as_said(bucket, ends, former)
    print(told)


def test_what_uploads_a_dead_server_was_left_with_are_swept(mortal, s3_server, tmp_path):
    bucket = new_bucket(S3Server(s3_server.name, mortal.url))
    begun = penstock.S3Store(**bucket.options).open_writer("k", part_bytes="5MiB")
    begun.write(LARGE)
    mortal.kill()
    begun.abort()
    penstock.Client.default().drain()
    mortal.start()
    store = penstock.S3Store(**bucket.options)
    found = store.sweep_uploads("k", older_than=0, dry_run=False)
    assert (len(found.uploads), found.aborted) == (1, 1)
    assert bucket.open_uploads("k") == []
    assert bucket.keys() == []
