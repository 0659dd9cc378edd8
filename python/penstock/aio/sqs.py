"""Async twins of penstock.sqs: the same names and arguments, awaited.

>>> import asyncio
>>> async def main():
...     queue = penstock.aio.sqs.Queue(queue_url)
...     await queue.send("hello")
...     return [message.body for message in await queue.receive(wait=0)]
>>> asyncio.run(main())
['hello']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock import sqs as sync
from penstock.aio._closing import Closing
from penstock.aio._jobs import done, loop
from penstock.sqs import (
    Attribute,
    BatchReport,
    DeleteReport,
    Message,
    Received,
    Sent,
    all_parts,
    handle,
    parts,
    whole,
)
from penstock.streams import call

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from penstock import _core
    from penstock.sqs import AttributeLike
    from penstock.units import Span

__all__ = ["Attribute", "BatchReport", "DeleteReport", "Message", "Queue", "Received", "Sent"]


class Queue(Closing):
    """Async twin of penstock.sqs.Queue, with its arguments, over a sync one (``sync``).

    A receive holds a worker thread while it waits; there are 256 for all that is awaited.
    """

    def __init__(self, queue_url: str, **config: Any) -> None:
        self.sync = sync.Queue(queue_url, **config)

    @property
    def _native(self) -> _core.Queue:
        return self.sync._native

    @property
    def fifo(self) -> bool:
        """Whether it keeps the order within a group, and drops repeats."""
        return self.sync.fifo

    async def send(
        self,
        body: str,
        *,
        attributes: Mapping[str, AttributeLike] | None = None,
        delay: Span | None = None,
        group_id: str = "",
        dedup_id: str | None = "",
        deadline: Span | None = None,
    ) -> Sent:
        message = Message(
            body, attributes=attributes or {}, delay=delay, group_id=group_id, dedup_id=dedup_id
        )
        on = call(deadline)
        return await done(self._native.send(parts(message), on, loop()), on.stop)

    async def send_many(
        self, messages: Iterable[Message | str], *, deadline: Span | None = None
    ) -> BatchReport:
        on = call(deadline)
        return await done(self._native.send_many(all_parts(messages), on, loop()), on.stop)

    async def receive(
        self,
        *,
        max: int = 10,
        wait: Span = 20,
        visibility: Span | None = None,
        deadline: Span | None = None,
    ) -> list[Received]:
        on = call(deadline)
        asked = None if visibility is None else whole("visibility", visibility)
        return await done(self._native.receive(max, whole("wait", wait), asked, on, loop()), on.stop)

    async def delete(self, message: Received | str, *, deadline: Span | None = None) -> None:
        on = call(deadline)
        await done(self._native.delete(handle(message), on, loop()), on.stop)

    async def delete_many(
        self, messages: Iterable[Received | str], *, deadline: Span | None = None
    ) -> DeleteReport:
        on = call(deadline)
        handles = [handle(message) for message in messages]
        return await done(self._native.delete_many(handles, on, loop()), on.stop)

    async def change_visibility(
        self, message: Received | str, visibility: Span, *, deadline: Span | None = None
    ) -> None:
        on = call(deadline)
        seconds = whole("visibility", visibility)
        await done(self._native.change_visibility(handle(message), seconds, on, loop()), on.stop)

    async def aclose(self) -> None:
        """Nothing to end: connections belong to the client. For symmetry with ``async with``."""

    def __repr__(self) -> str:
        return f"aio.{self.sync!r}"
