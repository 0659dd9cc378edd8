"""Sharing tasks out, for workers that each take a list."""

from __future__ import annotations

from heapq import heapify, heapreplace
from typing import TYPE_CHECKING

from penstock.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.files.task import FileTask


def split(tasks: Iterable[FileTask], n: int) -> list[list[FileTask]]:
    """Share tasks out to ``n`` lists of near equal expected bytes.

    A task that does not say its ``expected_bytes`` counts as the mean of those that do. The largest goes first, each to
    the list that has least; the longest list has at most a third more than need be (R. L. Graham, *Bounds on
    multiprocessing timing anomalies*, 1969). Within a list tasks stay in their order.

    >>> tasks = [penstock.files.FileTask(task_id=str(n), job_id="j", url="http://h/a", file_name="a", key=f"k{n}",
    ...     expected_bytes=n) for n in (1, 2, 3, 4, 5, 9)]
    >>> [[task.expected_bytes for task in part] for part in penstock.files.split(tasks, 2)]
    [[3, 9], [1, 2, 4, 5]]
    """
    if n < 1:
        raise Refused(f"n must be at least 1, not {n}")
    every = [*tasks]
    sizes = _sizes(every)
    lists: list[list[int]] = [[] for _ in range(n)]
    least = [(0.0, 0, number) for number in range(n)]  # bytes, tasks, list
    heapify(least)
    for index in sorted(range(len(every)), key=lambda index: -sizes[index]):
        taken, count, number = least[0]
        lists[number].append(index)
        heapreplace(least, (taken + sizes[index], count + 1, number))
    return [[every[index] for index in sorted(chosen)] for chosen in lists]


def _sizes(tasks: list[FileTask]) -> list[float]:
    said = [task.expected_bytes for task in tasks if isinstance(task.expected_bytes, int)]
    mean = sum(said) / len(said) if said else 1.0
    return [float(task.expected_bytes) if isinstance(task.expected_bytes, int) else mean for task in tasks]
