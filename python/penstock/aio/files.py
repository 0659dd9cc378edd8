"""Async twins of penstock.files: the same names and arguments, awaited."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import AsyncIterable, AsyncIterator
from typing import TYPE_CHECKING, Any

from penstock import _core
from penstock.aio._executors import ExecutorBatch
from penstock.aio._jobs import done, loop, raising_of, told_call
from penstock.aio.storage_port import StoragePort
from penstock.client import native_client
from penstock.files import MAX_BYTES, FileResult, FileTask
from penstock.files.many import native_batch, refuse_unused, runner_of, teller_of
from penstock.files.single import fetch_task
from penstock.files.task import to_core
from penstock.progress import reporter
from penstock.stores import native_store
from penstock.units import size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from penstock.client import ClientLike
    from penstock.files.executors import ExecutorLike
    from penstock.objects import Receipt
    from penstock.progress import ProgressLike
    from penstock.units import Size, Span

__all__ = ["FileResult", "FileTask", "StoragePort", "fetch", "fetch_many", "process"]


async def fetch(
    url: str,
    to: Any,
    *,
    key: str | None = None,
    sha256: str | None = None,
    checksum: str | None = None,
    max_bytes: Size = MAX_BYTES,
    expected_bytes: int | None = None,
    relay: bool = False,
    progress: ProgressLike = None,
    deadline: Span | None = None,
    guard: str | None = None,
    client: ClientLike | None = None,
    config: Mapping[str, Any] | None = None,
    **task: Any,
) -> Receipt:
    """As penstock.fetch."""
    store, made = fetch_task(
        url,
        to,
        key,
        sha256,
        checksum,
        max_bytes=size(max_bytes),
        expected_bytes=expected_bytes,
        relay=relay,
        config=config,
        **task,
    )
    with reporter(progress, made.key) as report:
        on, told = told_call(deadline, report)
        job = _core.fetch(to_core(made), native_store(store), on, native_client(client), guard, loop())
        with raising_of(told):
            return await done(job, on.stop)


async def process(
    task: FileTask,
    to: Any,
    *,
    progress: ProgressLike = None,
    guard: str | None = None,
    client: ClientLike | None = None,
) -> FileResult:
    """As penstock.files.process."""
    with reporter(progress, task.task_id) as report:
        on, told = told_call(None, report)
        job = _core.process(to_core(task), native_store(to), on, native_client(client), guard, loop())
        result = await done(job, on.stop)
    if told is not None and told.raised is not None:
        raise told.raised
    return result


class fetch_many(AsyncIterator[FileResult]):
    """As penstock.files.fetch_many; ``tasks`` may also be an async iterable.

    With an executor tasks are taken and submitted on the loop: what has to wait for its tasks is an async iterable.
    """

    def __init__(
        self,
        tasks: Iterable[FileTask] | AsyncIterable[FileTask],
        to: Any,
        *,
        jobs: int | None = None,
        ordered: bool = False,
        budget: Size | None = None,
        progress: ProgressLike = None,
        guard: str | None = None,
        client: ClientLike | None = None,
        executor: ExecutorLike | None = None,
        budget_per_worker: Size | None = None,
    ) -> None:
        self._batch: _core.Batch | ExecutorBatch
        self._waits: _TasksOfLoop | None = None
        if executor is None:
            refuse_unused(budget_per_worker=budget_per_worker)
            if isinstance(tasks, AsyncIterable):
                tasks = self._waits = _TasksOfLoop(tasks)
            self._batch = native_batch(tasks, to, jobs, ordered, budget, progress, guard, client)
        else:
            refuse_unused(budget=budget)
            runner = runner_of(to, guard, client, budget_per_worker)
            self._batch = ExecutorBatch(tasks, executor, runner, jobs, ordered, teller_of(progress))
        self._over = False

    async def __anext__(self) -> FileResult:
        result = None if self._over else await done(self._batch.next(loop()), self._cancel)
        if result is None:
            self._over = True
            raise StopAsyncIteration
        return result

    async def aclose(self) -> None:
        """Cancel what runs and take no more tasks."""
        self._over = True
        self._cancel()

    def _cancel(self) -> None:
        self._batch.cancel()
        if self._waits is not None:
            self._waits.close()


class _TasksOfLoop:
    """The loop's tasks, one at a time, for the worker that takes them; it waits until there is one, or for close()."""

    def __init__(self, tasks: AsyncIterable[FileTask]) -> None:
        self._tasks = aiter(tasks)
        self._loop = loop()
        self._asked: concurrent.futures.Future[FileTask | None] | None = None
        self._closed = False

    def close(self) -> None:
        """There are no more. On the loop."""
        self._closed = True
        if self._asked is not None:
            self._asked.cancel()

    def __iter__(self) -> _TasksOfLoop:
        return self

    def __next__(self) -> FileTask:
        self._asked = asyncio.run_coroutine_threadsafe(self._following(), self._loop)
        if self._closed:  # perhaps before there was anything to cancel
            self._asked.cancel()
        try:
            task = self._asked.result()
        except concurrent.futures.CancelledError:
            if not self._closed:
                raise
            task = None
        if task is None:
            raise StopIteration
        return task

    async def _following(self) -> FileTask | None:
        return await anext(self._tasks, None)
