"""What the tests of executors run in other processes: importable there."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import penstock
from penstock import _core, files
from penstock.testing import DictStore
from penstock.testing.doubles import DictWriter


def pool(kind: str, workers: int) -> Executor:
    """``thread``, or a start method of processes."""
    if kind == "thread":
        return ThreadPoolExecutor(workers)
    return ProcessPoolExecutor(workers, multiprocessing.get_context(kind))


def tasks_of(good: str, bad: str, count: int, first: int = 0) -> list[files.FileTask]:
    """Of each three the first is as it should be, the second has another URL, the third a wrong digest."""

    def task(n: int) -> files.FileTask:
        named: dict[str, Any] = {"task_id": str(n), "job_id": "j", "file_name": "a", "key": f"k{n:04}"}
        wrong = {"checksum": "sha256:" + "0" * 64} if n % 3 == 2 else {}
        url = bad if n % 3 == 1 and bad else good
        return files.FileTask(url=url, digests=("crc32",), **named, **wrong)

    return [task(n) for n in range(first, first + count)]


class BudgetTeller(DictStore):
    """Refuses every object, and says what Budget its process has."""

    def open_writer(self, key: str, **_: Any) -> DictWriter:
        raise penstock.Refused(f"budget {_core.format_bytes(_core.budget_statistics()['limit'])}")


def arrived_and_called(pickled: bytes, task: files.FileTask) -> files.FileResult:
    """What an executor does with a runner that was sent to it."""
    result: files.FileResult = pickle.loads(pickled)(task)
    return result
