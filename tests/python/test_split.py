"""files.split(): every task in one list, and lists of near equal bytes."""

from __future__ import annotations

import penstock
import pytest
from executed import tasks_of
from penstock import files


def expecting(*sizes: int | None) -> list[files.FileTask]:
    tasks = tasks_of("http://h/a", "http://h/a", len(sizes))
    given = zip(tasks, sizes, strict=True)
    return [files.FileTask.from_dict({**t.to_dict(), "expected_bytes": size}) for t, size in given]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 200])
def test_a_split_is_near_equal_and_has_every_task_once(n: int) -> None:
    tasks = expecting(*(k * k % 1009 for k in range(100)), *[None] * 10)
    lists = files.split(tasks, n)
    assert len(lists) == n
    assert sorted(int(t.task_id) for part in lists for t in part) == list(range(110))
    assert all([int(t.task_id) for t in part] == sorted(int(t.task_id) for t in part) for part in lists)
    known = [t.expected_bytes for t in tasks if t.expected_bytes is not None]
    mean = sum(known) / len(known)
    loads = [sum(mean if t.expected_bytes is None else t.expected_bytes for t in part) for part in lists]
    assert max(loads) - min(loads) <= max(known)


def test_tasks_of_unknown_size_are_shared_out_evenly() -> None:
    assert [len(part) for part in files.split(expecting(*[None] * 7), 3)] == [3, 2, 2]
    assert [len(part) for part in files.split(expecting(0, 0, 0, 0), 2)] == [2, 2]
    with pytest.raises(penstock.Refused, match="n must be"):
        files.split([], 0)
