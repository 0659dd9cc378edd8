"""The batch of aio.files.fetch_many() with an executor: its ends wake the loop, and no thread waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from functools import partial
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
        self._asking: asyncio.Task[FileTask] | None = None
        on_end = partial(_wake, asyncio.get_running_loop(), self._ends)
        self._submitted = Submitted(executor, runner, workers, ordered, on_end, tell)

    def next(self, on: asyncio.AbstractEventLoop) -> asyncio.Future[FileResult | None]:
        """The next result; None: there are no more."""
        return on.create_task(self._next())

    def cancel(self) -> None:
        """Stop what runs and take no more tasks. On the loop."""
        self._submitted.cancel()
        if self._asking is not None:
            self._asking.cancel()
        self._ends.put_nowait(None)

    async def _next(self) -> FileResult | None:
        with self._submitted.one_reader():
            try:
                number = await self._wait()
            except BaseException:
                self.cancel()
                raise
            return None if number is None else self._submitted.take(number)

    async def _wait(self) -> int | None:
        submitted = self._submitted
        while True:
            while submitted.wants_task():
                await self._submit_next()
            if (number := submitted.due()) is not None:
                return number
            if not submitted.is_waited_for():
                submitted.finish()
                return None
            if (number := await self._ends.get()) is not None:
                submitted.end(number)

    async def _submit_next(self) -> None:
        self._asking = asyncio.ensure_future(_asked(self._tasks))
        try:
            self._submitted.submit(await self._asking)
        except StopAsyncIteration:
            self._submitted.no_more()
        except asyncio.CancelledError:
            if self._submitted.wants_task():
                raise  # not by cancel()
        except Exception as error:
            self._submitted.no_more(error)

    def __del__(self) -> None:
        if "_submitted" in self.__dict__:
            self._submitted.cancel()


async def _asked(tasks: AsyncIterator[FileTask]) -> FileTask:
    return await anext(tasks)


def _wake(loop: asyncio.AbstractEventLoop, ends: asyncio.Queue[int | None], number: int) -> None:
    try:
        loop.call_soon_threadsafe(ends.put_nowait, number)
    except RuntimeError:
        if not loop.is_closed():
            raise


async def _one_by_one(tasks: Iterable[FileTask]) -> AsyncIterator[FileTask]:
    for task in tasks:
        yield task
