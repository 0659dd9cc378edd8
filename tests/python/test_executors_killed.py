"""A worker killed at any point: every task has a result, what is visible is whole, and nothing hangs."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
from concurrent.futures import BrokenExecutor, Executor
from pathlib import Path

import penstock
import pytest
from executed import pool, tasks_of
from faults.amounts import FULL, seed
from local_origin import Origin, wait_until
from penstock import files
from penstock.testing import fill

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
ROUNDS = 100 if FULL else 4
TASKS, WORKERS = 24, 3
BODY = fill(300_000)


def killing(origin: Origin, after: int, chance: random.Random) -> threading.Thread:
    """Kills one of this process's children once the origin has been asked so often."""

    def kill() -> None:
        assert wait_until(lambda: len(origin.seen) >= after)
        os.kill(chance.choice(multiprocessing.active_children()).pid or 0, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def await_broken(executor: Executor) -> None:
    """A pool that is shut down before it has noticed may wait for ever: who died may have held its queue's lock."""
    try:
        while True:
            executor.submit(int).result()
    except BrokenExecutor:
        return


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_every_task_of_a_killed_worker_has_a_result(method: str, tmp_path: Path) -> None:
    chance = random.Random(seed())
    for number in range(ROUNDS):
        store = penstock.FolderStore(tmp_path / str(number))
        after = chance.randrange(1, TASKS)
        print(f"round {number}: kills after {after} requests")
        with Origin() as origin:
            origin.bodies["/b"] = BODY
            tasks = tasks_of(origin.url("/b"), "", 3 * TASKS)[::3]
            with pool(method, WORKERS) as executor:
                killer = killing(origin, after, chance)
                results = list(files.fetch_many(tasks, store, executor=executor))
                killer.join()
                await_broken(executor)
            assert sorted(int(result.task_id) for result in results) == [3 * n for n in range(TASKS)]
            lost = {result.task_id for result in results if not result.success}
            assert {(r.error_code, r.retryable) for r in results if not r.success} <= {("UNKNOWN", True)}
            assert {store.get(meta.key).bytes() for meta in store.list()} <= {BODY}
            again = [task for task in tasks if task.task_id in lost]
            with pool(method, WORKERS) as executor:
                assert all(result.success for result in files.fetch_many(again, store, executor=executor))
            assert sum(1 for _ in store.list()) == TASKS
