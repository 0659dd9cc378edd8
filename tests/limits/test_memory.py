"""Ceilings of memory, read from the kernel's high-water mark of a process that does nothing else.

The far end is the benchmarks' byte sink: a server of its own process that drops what it is sent, so neither a
server's memory nor its disk is measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest
from byte_sink import byte_sink
from faults.amounts import FULL

MIB = 2**20
FETCH_MANY = """
import pathlib, sys
import penstock

url, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
store = penstock.S3Store(
    "limits", endpoint=url, region="us-east-1", provider="versitygw", access_key_id="k", secret_access_key="s"
)
tasks = (
    penstock.files.FileTask(
        url=f"{url}/bytes/{size}/{n}", key=f"k{n}", file_name="f", task_id="t", job_id="j", digests=["sha256"]
    )
    for n in range(count)
)
for result in penstock.files.fetch_many(tasks, to=store, jobs=count):
    assert result.success, result.error_message
    assert result.bytes == size
status = pathlib.Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with byte_sink(tmp_path_factory.mktemp("sink")) as url:
        yield url


def peak_mib(url: str, count: int, size: int) -> float:
    command = [sys.executable, "-c", FETCH_MANY, url, str(count), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-4000:]
    return int(done.stdout.split()[-1]) / 1024


def test_ten_files_of_512_mib_at_once_stay_within_160_mib(sink: str):
    peak = peak_mib(sink, 10, 512 * MIB)
    with urllib.request.urlopen(f"{sink}/_taken") as answer:
        taken = json.load(answer)
    assert [taken[f"limits/k{n}"] for n in range(10)] == [512 * MIB] * 10
    assert peak <= 160


MANY_TASKS = """
import pathlib, sys
import penstock

count = int(sys.argv[1])
client = penstock.Client(max_attempts=1)


def tasks():
    # Half of them end before any contact, half are refused by the machine: nobody listens at port 1.
    for n in range(count):
        limits = {"expected_bytes": 2, "max_bytes": 1} if n % 2 else {}
        yield penstock.files.FileTask(
            url="http://127.0.0.1:1/a", key=f"k{n}", file_name="f", task_id=f"t{n}", job_id="j", **limits
        )


def resident_kib():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


ended = begin = 0
for result in penstock.files.fetch_many(tasks(), to=penstock.MemoryStore(), jobs=16, client=client):
    assert not result.success
    ended += 1
    if ended == count // 5:
        begin = resident_kib()
assert ended == count
print(resident_kib() - begin)
"""


def test_memory_is_flat_over_many_tasks_of_a_generator():
    count = 1_000_000 if FULL else 10_000
    command = [sys.executable, "-c", MANY_TASKS, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=7200 if FULL else 900)
    assert done.returncode == 0, done.stderr[-4000:]
    # 8,000 further tasks: half a KiB kept of each would be 4 MiB; of 800,000 it would be 400.
    assert int(done.stdout) <= 2048


def test_the_peak_does_not_grow_with_the_length(sink: str):
    short, long = peak_mib(sink, 1, 256 * MIB), peak_mib(sink, 1, 1024 * MIB)
    assert long <= short * 1.05 + 2
