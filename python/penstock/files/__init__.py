"""A URL becomes a verified object: download, limit, hash and upload in one pass, compare, then publish.

>>> task = penstock.files.FileTask(
...     task_id="t1", job_id="j1", url=server.url("/a.csv"), file_name="a.csv", key="a"
... )
>>> store = penstock.MemoryStore()
>>> result = penstock.files.process(task, to=store)
>>> result.success, result.bytes
(True, 11)
"""

from penstock.files.counters import BUCKETS, metrics
from penstock.files.many import fetch_many
from penstock.files.result import FileResult, Results, results_html
from penstock.files.single import fetch, process
from penstock.files.splitting import split
from penstock.files.storage_port import Download, FileMetadata, StoragePort, Uploaded
from penstock.files.task import MAX_BYTES, FileTask

__all__ = [
    "BUCKETS",
    "MAX_BYTES",
    "Download",
    "FileMetadata",
    "FileResult",
    "FileTask",
    "Results",
    "StoragePort",
    "Uploaded",
    "fetch",
    "fetch_many",
    "metrics",
    "process",
    "results_html",
    "split",
]
