"""Many transfers whose source and destination are one host: what waits for memory must not hold up what frees it."""

from __future__ import annotations

import os

import penstock
from conftest import Bucket
from penstock import files

COUNT, BYTES = 60, 1_000_000


def test_more_transfers_than_there_is_memory_for_all_end(bucket: Bucket) -> None:
    client = penstock.Client(slot_wait="20s")
    store = penstock.S3Store(**bucket.options, client=client)
    body = os.urandom(BYTES)
    store.put("from", body)
    url = store.presign("GET", "from")
    tasks = [
        files.FileTask(task_id=str(n), job_id="j", url=url, file_name="f", key=f"to-{n}")
        for n in range(COUNT)
    ]
    results = list(files.fetch_many(tasks, store, jobs=COUNT, budget="12MiB", client=client))
    assert [result.error_message for result in results if not result.success] == []
    assert len(results) == COUNT
    assert bucket.body(f"to-{COUNT - 1}") == body
