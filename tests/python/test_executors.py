"""fetch_many() by an executor: the same results from threads, from processes and from Dask, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import gc
import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import penstock
import pytest
from conftest import Bucket
from distributed import Client as DaskClient
from distributed import LocalCluster
from executed import BudgetTeller, arrived_and_called, pool, tasks_of
from local_origin import Origin, wait_until
from penstock import aio, files
from penstock.files.runner import Runner

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
KINDS = ["thread", "fork", "spawn", "forkserver", "dask"]
PROCESSES = ["fork", "spawn", "forkserver"]
TOLD = (
    "task_id",
    "success",
    "key",
    "bytes",
    "digests",
    "error_message",
    "error_code",
    "retryable",
    "skipped",
)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as made:
        yield made


@pytest.fixture(scope="module")
def dask() -> Iterator[DaskClient]:
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with LocalCluster(**options) as cluster, DaskClient(cluster) as client:
        yield client


@pytest.fixture
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "dask":
        yield request.getfixturevalue("dask").get_executor()
        return
    with pool(request.param, 2) as made:
        yield made


def told(result: files.FileResult) -> dict[str, Any]:
    return {name: getattr(result, name) for name in TOLD}


@pytest.mark.parametrize("executor", KINDS, indirect=True)
def test_every_executor_has_the_results_of_none(executor: Executor, origin: Origin, tmp_path: Path) -> None:
    tasks = tasks_of(origin.url("/a.csv"), origin.url("/none"), 12)
    alone = files.fetch_many(tasks, penstock.FolderStore(tmp_path / "alone"), ordered=True)
    store = penstock.FolderStore(tmp_path / "there")
    with files.fetch_many(tasks, store, ordered=True, executor=executor) as results:
        assert [told(result) for result in results] == [told(result) for result in alone]
    assert [meta.key for meta in store.list()] == sorted(task.key for task in tasks[::3])


@pytest.mark.parametrize("executor", KINDS, indirect=True)
def test_every_executor_has_the_results_of_none_on_a_loop(
    executor: Executor, origin: Origin, tmp_path: Path
) -> None:
    tasks = tasks_of(origin.url("/a.csv"), origin.url("/none"), 12)
    alone = files.fetch_many(tasks, penstock.FolderStore(tmp_path / "alone"), ordered=True)

    async def one_by_one() -> Any:
        for task in tasks:
            yield task

    async def main() -> list[dict[str, Any]]:
        store = aio.FolderStore(tmp_path / "there")
        many = aio.files.fetch_many(one_by_one(), store, ordered=True, executor=executor)
        return [told(result) async for result in many]

    assert asyncio.run(main()) == [told(result) for result in alone]


@pytest.mark.parametrize("executor", ["spawn", "dask"], indirect=True)
def test_a_worker_makes_the_store_from_its_arguments(
    executor: Executor, origin: Origin, bucket: Bucket
) -> None:
    store = penstock.S3Store(prefix="in/", client=penstock.Client(first_byte="20s"), **bucket.options)
    tasks = tasks_of(origin.url("/a.csv"), origin.url("/a.csv"), 9)[::3]
    results = list(files.fetch_many(tasks, store, executor=executor))
    assert [result.error_message for result in results] == [None] * 3
    assert {result.key for result in results} == {f"in/{task.key}" for task in tasks}
    assert {bucket.body(f"in/{task.key}") for task in tasks} == {origin.bodies["/a.csv"]}


def test_keys_that_were_found_do_not_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDCANARY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    runner = Runner(penstock.S3Store("bucket"))
    data = pickle.dumps(runner)
    runner.cancel()
    runner.forget()
    assert b"canary" not in data.lower()


@pytest.mark.parametrize("executor", PROCESSES, indirect=True)
def test_a_store_that_cannot_travel_is_a_type_error(executor: Executor, origin: Origin) -> None:
    with pytest.raises(TypeError, match="MemoryStore lives in this process only"):
        list(
            files.fetch_many(tasks_of(origin.url("/a.csv"), "", 3), penstock.MemoryStore(), executor=executor)
        )
    assert origin.seen == []


def test_threads_share_a_store_in_memory(origin: Origin) -> None:
    store = penstock.MemoryStore()
    with ThreadPoolExecutor(2) as executor:
        results = files.fetch_many(
            tasks_of(origin.url("/a.csv"), origin.url("/a.csv"), 3), store, executor=executor
        )
        assert sum(result.success for result in results) == 2
    assert sum(1 for _ in store.list()) == 2


@pytest.mark.parametrize("executor", PROCESSES, indirect=True)
def test_each_worker_process_has_the_budget_it_was_given(executor: Executor, origin: Origin) -> None:
    tasks = tasks_of(origin.url("/a.csv"), "", 1)
    for budget in ("24 MiB", "12 MiB"):
        (result,) = files.fetch_many(tasks, BudgetTeller(), executor=executor, budget_per_worker=budget)
        assert f"budget {budget}" in (result.error_message or "")


def test_a_budget_that_would_have_no_effect_is_refused() -> None:
    with ThreadPoolExecutor(1) as executor, pytest.raises(penstock.Refused, match="budget_per_worker="):
        files.fetch_many([], penstock.MemoryStore(), executor=executor, budget="1MiB")
    with pytest.raises(penstock.Refused, match="without an executor"):
        files.fetch_many([], penstock.MemoryStore(), budget_per_worker="1MiB")


def test_tasks_are_taken_at_most_twice_the_workers_ahead(origin: Origin) -> None:
    taken = itertools.count()

    def endless() -> Iterator[files.FileTask]:
        for number in taken:
            yield tasks_of(origin.url("/a.csv"), "", 1, first=3 * number)[0]

    with (
        ThreadPoolExecutor(3) as executor,
        files.fetch_many(endless(), penstock.MemoryStore(), executor=executor) as results,
    ):
        assert all(next(results).success for _ in range(10))
        assert next(taken) <= 10 + 2 * 3


@pytest.mark.parametrize("executor", ["thread", *PROCESSES], indirect=True)
def test_closing_ends_what_workers_run_and_leaves_nothing(
    executor: Executor, origin: Origin, tmp_path: Path
) -> None:
    store = penstock.FolderStore(tmp_path)
    results = files.fetch_many(tasks_of(origin.url("/stall"), "", 6), store, executor=executor)
    waiting = threading.Thread(target=lambda: list(results))
    waiting.start()
    assert origin.stalled.wait(60)
    results.close()
    waiting.join(60)
    executor.shutdown()  # returns once its workers have: the origin would have them wait for 60 s
    assert not origin.waited_out.is_set()
    assert list(results) == []
    assert list(store.list()) == []
    assert not waiting.is_alive()


@pytest.mark.parametrize("executor", ["thread", "spawn"], indirect=True)
def test_cancelling_the_task_that_reads_ends_what_workers_run(
    executor: Executor, origin: Origin, tmp_path: Path
) -> None:
    store = aio.FolderStore(tmp_path)

    async def main() -> None:
        many = aio.files.fetch_many(tasks_of(origin.url("/stall"), "", 6), store, executor=executor)
        reading = asyncio.ensure_future(anext(many))
        await asyncio.to_thread(origin.stalled.wait, 60)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.to_thread(executor.shutdown)

    asyncio.run(main())
    assert not origin.waited_out.is_set()


def one_and_then_stalled(origin: Origin) -> list[files.FileTask]:
    return tasks_of(origin.url("/a.csv"), "", 1) + tasks_of(origin.url("/stall"), "", 6, first=3)


def test_a_batch_that_nobody_reads_any_more_is_cancelled(origin: Origin) -> None:
    with ThreadPoolExecutor(1) as executor:
        results = files.fetch_many(one_and_then_stalled(origin), penstock.MemoryStore(), executor=executor)
        assert next(results).success
        assert origin.stalled.wait(60)
        del results
    assert not origin.waited_out.is_set()


def test_a_batch_that_nobody_reads_any_more_on_a_loop_is_cancelled(origin: Origin) -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            tasks, store = one_and_then_stalled(origin), aio.MemoryStore()
            async for result in aio.files.fetch_many(tasks, store, executor=executor):
                assert result.success
                await asyncio.to_thread(origin.stalled.wait, 60)
                break
            gc.collect()

    asyncio.run(main())
    assert not origin.waited_out.is_set()


INTERRUPTED = """
import os, signal, sys, threading
from concurrent.futures import ThreadPoolExecutor
import penstock
from executed import tasks_of
from local_origin import Origin

with Origin() as origin:
    def interrupt():
        origin.stalled.wait(60)
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=interrupt).start()
    try:
        with ThreadPoolExecutor(2) as executor:
            tasks = tasks_of(origin.url("/stall"), "", 6)
            list(penstock.files.fetch_many(tasks, penstock.MemoryStore(), executor=executor))
    except KeyboardInterrupt:
        print("interrupted", origin.waited_out.is_set())
"""


def test_ctrl_c_ends_what_workers_run() -> None:
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1]), *sys.path])
    command = [sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": path}
    )
    assert (done.returncode, done.stdout) == (0, "interrupted False\n"), done.stderr[-3000:]


def succeeded(task: files.FileTask) -> files.FileResult:
    return files.FileResult(success=True, task_id=str(task.task_id), job_id=str(task.job_id))


class Instant(Executor):
    """Every task has succeeded when it has been submitted."""

    def submit(self, _: Any, task: Any, **__: Any) -> Any:  # type: ignore[override]
        future: Future[Any] = Future()
        future.set_result(succeeded(task))
        return future


def test_a_batch_may_be_closed_by_another_thread_at_any_moment() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    raised: list[BaseException] = []

    def read(results: files.fetch_many, begun: threading.Event) -> None:
        try:
            for _ in results:
                begun.set()
        except BaseException as error:
            raised.append(error)

    try:
        for number in range(300):
            tasks = tasks_of("http://127.0.0.1:9/", "", 200)
            results = files.fetch_many(
                tasks, penstock.MemoryStore(), executor=Instant(), ordered=number % 2 == 0
            )
            begun = threading.Event()
            reader = threading.Thread(target=read, args=(results, begun))
            reader.start()
            begun.wait(60)
            results.close()
            reader.join(60)
            assert not reader.is_alive()
    finally:
        sys.setswitchinterval(before)
    assert raised == []


def test_two_readers_at_once_are_told_so_and_nothing_is_lost(origin: Origin) -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            tasks = tasks_of(origin.url("/a.csv"), "", 1) + tasks_of(origin.url("/a.csv"), "", 1, first=3)
            many = aio.files.fetch_many(tasks, aio.MemoryStore(), executor=executor)
            both = await asyncio.gather(anext(many), anext(many), return_exceptions=True)
            refused = [one for one in both if isinstance(one, RuntimeError)]
            assert [str(one) for one in refused] == ["this batch is being used by another thread or task"]
            rest = [result async for result in many]
            given = [one for one in both if isinstance(one, files.FileResult)]
            assert sorted(result.task_id for result in [*given, *rest]) == ["0", "3"]

    asyncio.run(main())


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor(1)], ids=["none", "threads"])
@pytest.mark.parametrize("end", ["aclose", "cancel"])
def test_a_reader_whose_tasks_wait_can_be_ended(executor: Any, end: str) -> None:
    async def never(asked: asyncio.Event) -> Any:
        asked.set()
        await asyncio.Event().wait()
        yield

    async def main() -> None:
        asked = asyncio.Event()
        many = aio.files.fetch_many(never(asked), aio.MemoryStore(), executor=executor)
        reading = asyncio.ensure_future(anext(many, None))
        await asyncio.wait_for(asked.wait(), 60)
        if end == "cancel":
            reading.cancel()
        else:
            await many.aclose()
        (outcome,) = await asyncio.wait_for(asyncio.gather(reading, return_exceptions=True), 60)
        assert isinstance(outcome, asyncio.CancelledError) if end == "cancel" else outcome is None
        assert await asyncio.wait_for(anext(many, None), 60) is None

    asyncio.run(main())


class Unmakeable:
    """A store that no other process can make."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("not a store",)


def test_a_store_that_a_worker_cannot_make_is_the_result_of_each_task_and_breaks_no_pool() -> None:
    runner = Runner(penstock.MemoryStore())
    runner._spec = Unmakeable(), None, None  # type: ignore[assignment]
    data = pickle.dumps(runner)
    runner.cancel()
    runner.forget()
    with pool("spawn", 1) as executor:
        (task,) = tasks_of("http://127.0.0.1:9/", "", 1)
        for _ in range(2):
            error = executor.submit(arrived_and_called, data, task).exception()
            assert isinstance(error, RuntimeError)
            assert "ValueError: invalid literal for int() with base 10: 'not a store'" in str(error)


def test_telling_that_raises_loses_no_result() -> None:
    told: list[str] = []

    def tell(progress: penstock.Progress) -> None:
        told.append(progress.task_id)
        raise LookupError(progress.task_id)

    tasks = tasks_of("http://127.0.0.1:9/", "", 3)
    results = files.fetch_many(tasks, penstock.MemoryStore(), executor=Instant(), progress=tell)
    given = []
    for _ in tasks:
        with pytest.raises(LookupError):
            next(results)
        given.append(next(results).task_id)
    assert given == told == ["0", "1", "2"]
    assert list(results) == []


WATCHING = """
import sys, threading
from penstock.files.cancellation import CancellationFile, on_cancel

mine, cancelled = CancellationFile(), threading.Event()
print(mine.path, flush=True)
on_cancel(sys.stdin.readline().strip(), cancelled.set)
sys.stdin.readline()
mine.cancel()
cancelled.wait(60)
print(cancelled.is_set())
mine.remove()
"""


def test_two_processes_may_each_watch_the_batch_of_the_other() -> None:
    both = [
        subprocess.Popen(
            [sys.executable, "-c", WATCHING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        for _ in range(2)
    ]
    paths = [one.stdout.readline() for one in both if one.stdout]
    for one, path in zip(both, reversed(paths), strict=True):
        assert one.stdin
        one.stdin.write(path)
    for one in both:
        assert one.stdin
        one.stdin.write("cancel\n")
    assert [one.communicate(timeout=120)[0] for one in both] == ["True\n"] * 2


class Failing(Executor):
    """Its futures fail; after the second task it is broken."""

    def __init__(self, error: BaseException, broken_after: int = 100) -> None:
        self.error, self.left = error, broken_after

    def submit(self, *_: Any, **__: Any) -> Any:
        if self.left == 0:
            raise self.error
        self.left -= 1
        future: Future[Any] = Future()
        future.set_exception(self.error)
        return future


def test_a_future_that_fails_is_a_result_worth_another_try() -> None:
    for error, message in ((RuntimeError("worker gone"), "worker gone"), (KeyError(), "Unknown error")):
        tasks = tasks_of("http://127.0.0.1:9/", "", 3)
        results = list(files.fetch_many(tasks, penstock.MemoryStore(), executor=Failing(error)))
        assert [result.task_id for result in results] == [task.task_id for task in tasks]
        assert {(r.success, r.error_code, r.retryable, r.error_message) for r in results} == {
            (False, "UNKNOWN", True, message)
        }


@pytest.mark.parametrize("ordered", [True, False])
def test_a_broken_executor_gives_every_task_a_result(ordered: bool) -> None:
    from concurrent.futures import BrokenExecutor

    tasks = tasks_of("http://127.0.0.1:9/", "", 50)
    executor = Failing(BrokenExecutor("broken"), broken_after=2)
    results = list(files.fetch_many(tasks, penstock.MemoryStore(), executor=executor, ordered=ordered))
    assert sorted(result.task_id for result in results) == sorted(task.task_id for task in tasks)


def test_an_executor_that_is_shut_down_is_an_error_after_the_results_before_it(origin: Origin) -> None:
    executor = ThreadPoolExecutor(1)

    def tasks() -> Iterator[files.FileTask]:
        yield from tasks_of(origin.url("/a.csv"), "", 1)
        executor.shutdown()
        yield from tasks_of(origin.url("/a.csv"), "", 1)

    results = files.fetch_many(tasks(), penstock.MemoryStore(), executor=executor)
    assert next(results).success
    with pytest.raises(RuntimeError, match="after shutdown"):
        next(results)
    assert list(results) == []


def test_progress_is_told_once_a_file(origin: Origin) -> None:
    seen: list[penstock.Progress] = []
    with ThreadPoolExecutor(2) as executor:
        tasks = tasks_of(origin.url("/a.csv"), origin.url("/none"), 3)
        list(files.fetch_many(tasks, penstock.MemoryStore(), executor=executor, progress=seen.append))
    assert sorted((p.task_id, p.state, p.bytes_done) for p in seen) == [
        ("0", "completed", 11),
        ("1", "failed", 0),
        ("2", "failed", 0),
    ]


@pytest.mark.parametrize("method", PROCESSES)
def test_process_and_tasks_pickle(method: str, origin: Origin, tmp_path: Path) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as executor:
        (task,) = tasks_of(origin.url("/a.csv"), "", 1)
        result = executor.submit(files.process, task, penstock.FolderStore(tmp_path)).result(60)
    assert (result.success, result.bytes) == (True, 11)


def test_nothing_of_a_batch_stays_behind(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with pool("spawn", 1) as executor:
        list(
            files.fetch_many(
                tasks_of(origin.url("/a.csv"), "", 3), penstock.FolderStore(tmp_path), executor=executor
            )
        )
    assert wait_until(lambda: not list((tmp_path / "tmp").iterdir()))
