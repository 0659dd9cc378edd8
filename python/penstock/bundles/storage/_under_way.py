"""Calls that run now, for whoever must wait until none does."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class UnderWay:
    """Its length is how many there are. Who waits may be of another loop than they are."""

    def __init__(self) -> None:
        self._calls: dict[Future[None], asyncio.Task[Any] | None] = {}

    def __len__(self) -> int:
        return len(self._calls)

    @contextmanager
    def one(self) -> Iterator[None]:
        """One more, to the end of the block."""
        call: Future[None] = Future()
        self._calls[call] = asyncio.current_task()
        try:
            yield
        finally:
            del self._calls[call]
            call.set_result(None)

    async def ended(self) -> None:
        """Once all have, but for those of the task that asks, which would wait for itself."""
        while others := self._of_others():
            await asyncio.shield(asyncio.wrap_future(others[0]))

    def _of_others(self) -> list[Future[None]]:
        asking = asyncio.current_task()
        return [call for call, task in list(self._calls.items()) if task is not asking]
