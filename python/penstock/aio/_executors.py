"""The batch of aio.files.fetch_many() with an executor: its ends wake the loop, and no thread waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import TYPE_CHECKING

from penstock.files.executors import Submitted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock.files.executors import ExecutorLike
    from penstock.files.result import FileResult
    from penstock.files.runner import Runner
    from penstock.files.task import FileTask


class ExecutorBatch:
    """As penstock.files.executors.ExecutorBatch, on a loop."""

    def __init__(
        self,
        tasks: Iterable[FileTask] | AsyncIterable[FileTask],
        executor: ExecutorLike,
        runner: Runner,
        workers: int | None,
        ordered: bool,
        tell: Callable[[FileResult], object],
    ) -> None:
        self._tasks = aiter(tasks if isinstance(tasks, AsyncIterable) else _one_by_one(tasks))
        self._ends: asyncio.Queue[int | None] = asyncio.Queue()
        self._submitted = Submitted(executor, runner, workers, ordered, self._on_end)
        self._loop = asyncio.get_running_loop()
        self._tell = tell
        self._all_taken = False
        self._raised: BaseException | None = None

    def next(self, on: asyncio.AbstractEventLoop) -> asyncio.Future[FileResult | None]:
        """The next result; None: there are no more."""
        return on.create_task(self._next())

    async def _next(self) -> FileResult | None:
        while True:
            await self._submit_ahead()
            if (result := self._submitted.take()) is not None:
                self._tell(result)
                return result
            if self._submitted.empty or (number := await self._ends.get()) is None:
                break
            try:
                self._submitted.end(number)
            except BaseException:
                self.cancel()
                raise
        self.cancel()
        if self._raised is not None:
            raise self._raised
        return None

    def cancel(self) -> None:
        """Stop what runs and take no more tasks."""
        self._all_taken = True
        self._submitted.cancel()
        self._ends.put_nowait(None)

    async def _submit_ahead(self) -> None:
        while not self._all_taken and self._submitted.has_room():
            try:
                task = await anext(self._tasks)
                if not self._all_taken:  # cancelled meanwhile
                    self._submitted.submit(task)
            except StopAsyncIteration:
                self._all_taken = True
            except Exception as error:
                self._all_taken, self._raised = True, error

    def _on_end(self, number: int) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ends.put_nowait, number)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def __del__(self) -> None:
        if "_submitted" in self.__dict__:
            self._submitted.cancel()


async def _one_by_one(tasks: Iterable[FileTask]) -> AsyncIterator[FileTask]:
    for task in tasks:
        yield task
