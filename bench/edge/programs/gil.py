"""What share of the time transfers keep the interpreter's lock from a thread that counts; prints JSON.

The thread has one processor for itself and all else another, so that it lacks nothing but the lock. Its rate with
transfers is compared with that without, by turns.

usage: gil.py ORIGIN ENDPOINT BUCKET COUNT SIZE ROUNDS
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time

ORIGIN, ENDPOINT, BUCKET = sys.argv[1:4]
COUNT, SIZE, ROUNDS = map(int, sys.argv[4:])
MINE, OTHERS = sorted(os.sched_getaffinity(0))[:2]
os.sched_setaffinity(0, {OTHERS})  # before penstock has threads: they inherit it

import penstock  # noqa: E402
from penstock.files import FileTask, fetch_many  # noqa: E402

BATCH = 1000
ALONE_SECONDS = 1.0


class Counter:
    """A thread that does nothing but count."""

    def __init__(self) -> None:
        self.count = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        os.sched_setaffinity(threading.get_native_id(), {MINE})
        while True:
            for _ in range(BATCH):
                pass
            self.count += BATCH

    def rate(self, work) -> float:
        count, begun = self.count, time.perf_counter()
        work()
        return (self.count - count) / (time.perf_counter() - begun)


def transfer() -> None:
    """All of them at once; the thread that reads results sleeps in the core meanwhile."""
    tasks = (
        FileTask(task_id=str(n), job_id="j", url=f"{ORIGIN}/bytes/{SIZE}/{n}", file_name="f", key=f"edge-{n}")
        for n in range(COUNT)
    )
    store = penstock.S3Store(BUCKET, endpoint=ENDPOINT, region="us-east-1", provider="versitygw")
    with fetch_many(tasks, store, jobs=COUNT) as results:
        assert sum(result.bytes or 0 for result in results) == COUNT * SIZE


counter = Counter()
transfer()  # warm
shares = []
for _ in range(ROUNDS):
    alone = counter.rate(lambda: time.sleep(ALONE_SECONDS))
    shares.append(1 - counter.rate(transfer) / alone)
print(
    json.dumps(
        {"share": round(statistics.median(shares), 4), "shares": [round(share, 4) for share in shares]}
    )
)
