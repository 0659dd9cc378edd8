"""One task from a scripted origin, run to its result."""

from __future__ import annotations

from typing import Any

import penstock

from faults.origin import FileOrigin


def task(origin: FileOrigin, **fields: Any) -> penstock.files.FileTask:
    named = {"task_id": "t-1", "job_id": "j-1", "url": origin.file_url, "file_name": "file.bin", "key": "k"}
    return penstock.files.FileTask(**{**named, **fields})


def process(
    origin: FileOrigin, client: penstock.Client, to: Any = None, **fields: Any
) -> penstock.files.FileResult:
    store = penstock.MemoryStore() if to is None else to
    return penstock.files.process(task(origin, **fields), to=store, client=client)
