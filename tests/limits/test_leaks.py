"""A process that goes on does not grow: memory, descriptors and threads over a thousand transfers of every kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from byte_sink import byte_sink

COUNT = 10_000 if os.environ.get("PENSTOCK_TEST_FULL") == "1" else 1000
DRIFT_BYTES_PER_THOUSAND = 5_000_000
IDLE_CONNECTIONS = (
    10  # kept for the next request; a turn has from 4 to 9 open at once, and there are 20 turns
)
TRANSFERS = """
import asyncio, gc, itertools, json, os, pathlib, sys, time
from concurrent.futures import ThreadPoolExecutor
import penstock
from penstock import _core, aio, files

url, count = sys.argv[1], int(sys.argv[2])
keys = {"access_key_id": "k", "secret_access_key": "s"}
given = {"endpoint": url, "region": "us-east-1", "provider": "versitygw", **keys}
store, awaited = penstock.S3Store("leaks", **given), aio.S3Store("leaks", **given)
numbers = itertools.count()
SMALL = 65536


def tasks(amount, **more):
    for number in itertools.islice(numbers, amount):
        named = {"task_id": str(number), "job_id": "j", "file_name": "f", "key": f"k{number % 10}"}
        yield files.FileTask(url=f"{url}/bytes/{SMALL}/{number}", **named, **more)


async def on_a_loop(amount):
    await asyncio.gather(*(aio.files.process(task, awaited) for task in tasks(amount)))
    reading = [asyncio.ensure_future(aio.files.process(task, awaited)) for task in tasks(amount)]
    await asyncio.sleep(0)
    for each in reading:
        each.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    async for result in aio.files.fetch_many(tasks(amount), awaited, jobs=4):
        assert result.success, result.error_message
    await awaited.put("k", chunks())


async def chunks():
    for _ in range(4):
        yield bytes(SMALL)


def turn():
    "Fifty transfers."
    for task in tasks(5):
        assert files.process(task, store).success
    for task in tasks(5, checksum="sha256:" + "0" * 64):
        assert files.process(task, store).error_code == "VALIDATION_FAILED"
    results = list(files.fetch_many(tasks(10), store, jobs=4))
    with ThreadPoolExecutor(4) as executor:
        results += files.fetch_many(tasks(10), store, executor=executor)
    assert all(result.success for result in results)
    with files.fetch_many(tasks(100), store, jobs=4) as cut_short:
        next(cut_short)
    asyncio.run(on_a_loop(5))
    store.put("k", (bytes(SMALL) for _ in range(4)))


def seen():
    gc.collect()
    status = pathlib.Path("/proc/self/status").read_text()
    resident = int(status.partition("VmRSS:")[2].split()[0]) * 1024
    return {
        "resident": resident - _core.budget_statistics()["used"],  # pages that are kept for the next transfer
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
    }


def settled(at_most):
    "Idle threads end after 5 s."
    end = time.monotonic() + 60
    while time.monotonic() < end:
        now = seen()
        if now["threads"] <= at_most["threads"]:
            return now
        time.sleep(0.1)
    return seen()


for _ in range(10):
    turn()
before = seen()
for _ in range(count // 50):
    turn()
print(json.dumps({"before": before, "after": settled(before)}))
"""


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with byte_sink(tmp_path_factory.mktemp("sink")) as url:
        yield url


def test_a_thousand_transfers_leave_memory_descriptors_and_threads_as_they_were(sink: str):
    command = [sys.executable, "-c", TRANSFERS, sink, str(COUNT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr[-4000:]
    seen = json.loads(done.stdout)
    print(seen)
    before, after = seen["before"], seen["after"]
    assert after["descriptors"] < before["descriptors"] + IDLE_CONNECTIONS
    assert after["threads"] <= before["threads"]
    assert after["resident"] - before["resident"] < DRIFT_BYTES_PER_THOUSAND * COUNT / 1000
