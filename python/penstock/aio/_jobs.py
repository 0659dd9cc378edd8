"""Awaiting native jobs: cancelling the task stops the job, and waits for the word that it stopped."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.streams import call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock import _core
    from penstock.units import Span

Value = TypeVar("Value")

STOPS_WITHIN = 1.0
"""Seconds a cancelled task waits for its job, which stops within 0.2; user code in it may not."""


async def done(future: asyncio.Future[Value], stop: Callable[[], object]) -> Value:
    """The job's outcome. A cancelled task stops the job; what that then says is the ``__cause__``."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError as cancelled:
        stop()
        await asyncio.wait([future], timeout=STOPS_WITHIN)
        if future.done() and not future.cancelled():
            raise cancelled from future.exception()
        raise


async def answered(future: asyncio.Future[Value], stop: Callable[[], object] = lambda: None) -> Value:
    """As done(), but the job's answer is waited for however long it takes and however often the task is cancelled.

    For steps that must not be begun again while one of them runs.
    """
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
            stop()
    if cancelled is not None:
        raise cancelled from future.exception()
    return future.result()


def retrieve(task: asyncio.Future[Any]) -> None:
    """A done-callback, for a task whose error is nobody's business or told otherwise."""
    if not task.cancelled():
        task.exception()


def loop() -> asyncio.AbstractEventLoop:
    """The running loop: where native futures are made."""
    return asyncio.get_running_loop()


class Told:
    """Progress that the transfer's thread reports and the loop tells; what is raised stops the transfer."""

    def __init__(self, tell: Callable[[Any], object]) -> None:
        self._tell = tell
        self._loop = loop()
        self.call: _core.Call | None = None
        self.raised: BaseException | None = None

    def __call__(self, progress: Any) -> None:
        self._loop.call_soon_threadsafe(self._on_loop, progress)

    def _on_loop(self, progress: Any) -> None:
        if self.raised is not None:
            return
        try:
            self._tell(progress)
        except BaseException as error:
            self.raised = error
            if self.call is not None:
                self.call.stop()


def told_call(
    deadline: Span | None, report: Callable[[Any], object] | None
) -> tuple[_core.Call, Told | None]:
    """A call whose progress is told on the loop."""
    if report is None:
        return call(deadline), None
    told = Told(report)
    told.call = call(deadline, told)
    return told.call, told


@contextmanager
def raising_of(told: Told | None) -> Iterator[None]:
    """Raises what the progress callable raised in place of the error that stopping for it became."""
    try:
        yield
    except Exception as error:
        if told is not None and told.raised is not None:
            raise told.raised from error
        raise
