"""A fetch killed anywhere and asked for again with on_exists="skip" leaves one right object: F17 of files.md."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import penstock
import pytest
from faults.amounts import FULL, seed
from faults.origin import FileOrigin
from faults.proxy import Direction, Fault, Proxy

POINTS = 200 if FULL else 30  # on each server
PATIENCE_SECONDS = 60.0
MIB = 2**20
CONTENT = os.urandom(6 * MIB)
FORMER = b"what was there before"
HEAD_BYTES = 3000


class Fetcher:
    """The program; one fetch at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pids: queue.Queue[int] = queue.Queue()

    def fetch(self, store: dict[str, Any], task: dict[str, Any]) -> dict[str, Any] | None:
        """Its result, None if it was killed."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps({"store": store, "task": task}), file=self._process.stdin, flush=True)
        self.pids.put(int(self._process.stdout.readline()))
        result: dict[str, Any] | None = json.loads(self._process.stdout.readline())
        self.pids = queue.Queue()
        return result

    def kill(self) -> None:
        """The one that is running, or about to."""
        os.kill(self.pids.get(timeout=PATIENCE_SECONDS), signal.SIGKILL)


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    program = [sys.executable, str(Path(__file__).with_name("killed_fetch.py"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Fetcher(process)
        assert process.stdin
        process.stdin.close()
        assert process.wait(PATIENCE_SECONDS) == 0


def point(choice: random.Random, size: int) -> tuple[int, Direction, int]:
    """Connection, direction and byte: anywhere in the body, and as often in the heads and the answers."""
    way: Direction = choice.choice(["up", "up", "down"])
    if way == "down":
        return 0, way, choice.randrange(HEAD_BYTES)
    begin = choice.choice([0, 0, size])
    connection = choice.choice([0, 0, 0, 1]) if size > 5 * MIB else 0
    return (
        connection,
        way,
        begin + choice.randrange(HEAD_BYTES if begin else choice.choice([HEAD_BYTES, size])),
    )


def test_a_fetch_killed_anywhere_and_asked_for_again_leaves_one_right_object(bucket, fetcher):
    first = seed()
    killed = skipped = 0
    keys = [f"k{number}" for number in range(POINTS)]
    for number, key in enumerate(keys):
        choice = random.Random(first + number)
        relay = choice.random() < 0.5
        content = CONTENT[
            : choice.randrange(300_000, 600_000) if relay else choice.randrange(5 * MIB, 6 * MIB)
        ]
        where = point(choice, len(content))
        line = f"PENSTOCK_TEST_SEED={first + number}: {where} of {len(content)} bytes, relay={relay}"
        if former := choice.random() < 0.3:
            bucket.server.judge.put_object(Bucket=bucket.name, Key=key, Body=FORMER)
        with FileOrigin(content) as origin:
            kill = Fault(*where, "call", do=fetcher.kill)
            task = {
                **{
                    "task_id": f"t{number}",
                    "job_id": "j",
                    "url": origin.file_url,
                    "file_name": "f",
                    "key": key,
                },
                **{"checksum": f"sha256:{hashlib.sha256(content).hexdigest()}", "on_exists": "skip"},
                "relay": relay,
            }
            with Proxy(bucket.server.url, [kill]) as proxy:
                store = {**bucket.options, "endpoint": proxy.url, "part_bytes": 5 * MIB}
                if fetcher.fetch(store, task) is None:
                    killed += 1
                    assert proxy.happened == [kill], line
            left = bucket.body(key) if bucket.keys(key) else None
            assert left in (content, FORMER if former else None), line
            again = fetcher.fetch({**bucket.options, "part_bytes": 5 * MIB}, task)
        assert again, line
        assert again["success"], f"{line}: {again['error']}"
        assert again["skipped"] == (left == content), line
        skipped += again["skipped"]
        assert bucket.body(key) == content, line
    assert bucket.keys() == sorted(keys)
    print(f"{killed} of {POINTS} were killed, {skipped} had published before")
    assert killed >= POINTS // 2
    sweep(bucket, keys)


def sweep(bucket: Any, keys: list[str]) -> None:
    """Of each key by itself: MinIO lists uploads for nothing else."""
    store = penstock.S3Store(**bucket.options)
    left = [key for key in keys if bucket.open_uploads(key)]
    assert left, "no kill left an upload, so nothing is shown"
    for key in left:
        store.sweep_uploads(key, older_than=0, dry_run=False)
    assert [key for key in keys if bucket.open_uploads(key)] == []
