"""Async twin of penstock.Client: the same pool, whose waits are awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock import client as sync
from penstock.aio._closing import Closing
from penstock.aio._jobs import done, loop
from penstock.streams import call

if TYPE_CHECKING:
    from penstock import _core
    from penstock.units import Span


class Client(Closing):
    """Async twin of penstock.Client, with its arguments, over a sync one (``sync``).

    >>> import asyncio
    >>> async def main():
    ...     async with penstock.aio.Client(first_byte="5s") as client:
    ...         store = penstock.aio.S3Store("bucket", client=client)
    ...         return store.statistics()["uploads_open"]
    >>> asyncio.run(main())
    0
    """

    def __init__(self, **options: Any) -> None:
        self.sync = sync.Client(**options)

    @classmethod
    def default(cls) -> Client:
        """The process's own: what everything uses that is given none."""
        made = cls.__new__(cls)
        made.sync = sync.Client.default()
        return made

    @property
    def _native(self) -> _core.Client:
        return self.sync._native

    def statistics(self) -> dict[str, Any]:
        """Connections by host, retries by class, bytes, memory, uploads, as plain numbers."""
        return self.sync.statistics()

    async def drain(self, *, deadline: Span | None = "30s") -> None:
        """Wait for what goes on in the background: aborts, settling."""
        on = call(deadline)
        await done(self._native.drain(on, loop()), on.stop)

    async def aclose(self) -> None:
        """Refuse new work, give pending aborts up to 10 s, join the thread."""
        await self._native.close(loop())

    def __repr__(self) -> str:
        return f"aio.{self.sync!r}"
