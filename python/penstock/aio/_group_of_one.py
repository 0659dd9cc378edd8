"""One add to a bundle of the core, of which a task that is cancelled leaves nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.streams import call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock import _core

T = TypeVar("T")


async def add_or_nothing(
    bundle: _core.Bundle, resource: dict[str, Any], add: Callable[[GroupOfOne], Awaitable[T]]
) -> T:
    """What ``add`` returns. A job may have ended well before its task hears of that and is cancelled instead: so what
    it stored is a group of one, kept by the task itself with no wait in between, and else withdrawn."""
    group = GroupOfOne(bundle.open_group())
    try:
        added = await add(group)
        group.keep()
        return added
    except BaseException:
        await group.withdraw(resource)
        raise


class GroupOfOne:
    """What one add stores."""

    def __init__(self, native: _core.BundleGroup) -> None:
        self._native = native
        self._job: asyncio.Future[Any] | None = None

    def add(self, *arguments: Any) -> asyncio.Future[Any]:
        """As that of the bundle."""
        self._job = self._native.add(*arguments)
        return self._job

    def keep(self) -> None:
        """A line of a manifest that is written at once."""
        self._native.keep(call(), None)
        self._native.close()

    async def withdraw(self, resource: dict[str, Any]) -> None:
        """In a worker, for bytes go; once its job has ended, which is not waited for if it does not soon."""
        job = self._job
        if job is None or job.done():
            if job is not None and not job.cancelled() and job.exception() is None:
                self._native.fail(resource, "cancelled")
            await asyncio.shield(asyncio.to_thread(self._native.close))
            return
        job.add_done_callback(self._withdraw_late)

    def _withdraw_late(self, job: asyncio.Future[Any]) -> None:
        if not job.cancelled():
            job.exception()  # nobody else asks for it
        job.get_loop().run_in_executor(None, self._native.close)
