"""What relayed transfers need: ten at once within 48 MiB of the whole process, and 320 KiB of buffers each.

PENSTOCK_TEST_FULL=1 has ten files of 5 GiB, else of 512 MiB, with the same ceilings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest
from byte_sink import byte_sink

KIB, MIB = 2**10, 2**20
SIZE = (5 * 1024 if os.environ.get("PENSTOCK_TEST_FULL") == "1" else 512) * MIB
COUNT = 10
RELAYED = """
import json, pathlib, sys
import penstock

url, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
store = penstock.S3Store(
    "limits", endpoint=url, region="us-east-1", provider="versitygw", access_key_id="k", secret_access_key="s"
)
tasks = (
    penstock.files.FileTask(
        url=f"{url}/bytes/{size}/{n}", key=f"relayed{n}", file_name="f", task_id="t", job_id="j",
        digests=["sha256"], relay=True, max_bytes="5GiB"
    )
    for n in range(count)
)
modes = []
for result in penstock.files.fetch_many(tasks, to=store, jobs=count):
    assert result.success, result.error_message
    assert result.bytes == size
    modes.append(result.mode)
status = pathlib.Path("/proc/self/status").read_text()
peak = int(status.partition("VmHWM:")[2].split()[0])
print(json.dumps({"modes": modes, "peak": peak * 1024, **store.statistics()}))
"""


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with byte_sink(tmp_path_factory.mktemp("sink")) as url:
        yield url


def test_ten_relayed_files_at_once_stay_within_48_mib(sink: str):
    command = [sys.executable, "-c", RELAYED, sink, str(COUNT), str(SIZE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-4000:]
    seen = json.loads(done.stdout)
    with urllib.request.urlopen(f"{sink}/_taken") as answer:
        taken = json.load(answer)
    assert [taken[f"limits/relayed{n}"] for n in range(COUNT)] == [SIZE] * COUNT
    assert seen["modes"] == ["relay"] * COUNT
    assert seen["buffers_peak"] <= COUNT * 320 * KIB
    assert seen["peak"] <= 48 * MIB
