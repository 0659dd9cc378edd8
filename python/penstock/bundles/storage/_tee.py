"""One stream for several readers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

from penstock.aio.streams import Source
from penstock.errors import Busy, Cancelled
from penstock.units import size, span

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.units import Size, Span


def tee(
    stream: Any, n: int, *, buffer_bytes: Size = 2**20, stall_timeout: Span = 300
) -> tuple[AsyncIterator[bytes], ...]:
    """``n`` async iterators that each give all of ``stream``.

    The slowest sets the pace; one that is closed (``aclose()``) or dropped leaves. What the stream raises
    reaches all of them, behind what came before.

    Args:
        stream: An async iterator of ``bytes``, or anything source-like. It is closed by the last reader that
            is closed or comes to its end; readers that are dropped only let go of it.
        n: How many.
        buffer_bytes: How far the fastest may be ahead of the slowest.
        stall_timeout: A reader that takes nothing for so long while another waits for it fails all of them.
    Raises:
        Busy: While iterating: a reader stalled (code ``stalled``).
    Memory:
        ``buffer_bytes``, or one chunk of the stream if that is larger.

    >>> import asyncio
    >>> from penstock.bundles.storage import tee
    >>> async def all_of(chunks):
    ...     return b"".join([chunk async for chunk in chunks])
    >>> async def run():
    ...     return await asyncio.gather(*map(all_of, tee([b"a", b"b"], 2)))
    >>> asyncio.run(run())
    [b'ab', b'ab']
    """
    if n < 1:
        raise ValueError(f"tee needs at least one reader, not {n}")
    shared = _Shared(stream, size(buffer_bytes), span(stall_timeout))
    return tuple(_Reader(shared) for _ in range(n))


class _Shared:
    """The chunks that not all readers have taken, and the one task that asks the stream for more."""

    def __init__(self, stream: Any, buffer_bytes: int, stall_seconds: float) -> None:
        self._chunks = aiter(stream if hasattr(stream, "__aiter__") else Source(stream))
        self._buffer_bytes = buffer_bytes
        self._stall_seconds = stall_seconds
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._first = 0  # the number of the oldest chunk that is held
        self._largest = 0
        self._at: dict[int, int] = {}  # of each reader: the number of the chunk it takes next
        self._pull: asyncio.Task[None] | None = None
        self._end: BaseException | None = None
        self._changed = asyncio.Event()

    @property
    def held_bytes(self) -> int:
        """What is held now."""
        return self._held_bytes

    def join(self, reader: int) -> None:
        self._at[reader] = self._first

    def leave(self, reader: int) -> bool:
        """Whether it was the last."""
        if self._at.pop(reader, None) is None:
            return False
        self._drop_taken()
        self._tell()
        return not self._at

    async def next(self, reader: int) -> bytes:
        while True:
            if reader not in self._at:
                raise StopAsyncIteration  # it was closed while it waited
            if isinstance(self._end, Busy):
                raise self._end
            place = self._at[reader] - self._first
            if place < len(self._held):
                return self._take(reader, place)
            if self._end is not None:
                raise self._end
            if self._pull is None and self._has_room():
                self._pull = asyncio.create_task(self._pull_one())
            await self._wait()

    def _take(self, reader: int, place: int) -> bytes:
        chunk = self._held[place]
        self._at[reader] += 1
        self._drop_taken()
        self._tell()
        return chunk

    def _drop_taken(self) -> None:
        oldest = min(self._at.values(), default=self._first + len(self._held))
        while self._first < oldest:
            self._held_bytes -= len(self._held.popleft())
            self._first += 1

    def _has_room(self) -> bool:
        """For a chunk as large as any so far; for any if nothing is held."""
        return not self._held or self._held_bytes + self._largest <= self._buffer_bytes

    async def _pull_one(self) -> None:
        """In a task of its own: a reader that is cancelled must not end the stream for the others."""
        try:
            chunk = await anext(self._chunks)
            while not chunk:
                chunk = await anext(self._chunks)
        except StopAsyncIteration as end:
            self._end = end
        except asyncio.CancelledError:
            self._end = Cancelled("the stream was cancelled")
        except BaseException as error:
            self._end = error
        else:
            self._held.append(chunk)
            self._held_bytes += len(chunk)
            self._largest = max(self._largest, len(chunk))
            self._drop_taken()  # nobody may be left
        self._pull = None
        self._tell()

    async def _wait(self) -> None:
        """Until anything changed. Only waiting for another reader has an end."""
        changed = self._changed
        if self._pull is not None:
            await changed.wait()
            return
        try:
            await asyncio.wait_for(changed.wait(), self._stall_seconds)
        except asyncio.TimeoutError:
            self._end = Busy(
                f"a reader of the stream took nothing for {self._stall_seconds:g} s", code="stalled"
            )
            self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def aclose(self) -> None:
        if self._pull is not None:
            self._pull.cancel()
            await asyncio.wait([self._pull])
        close = getattr(self._chunks, "aclose", None)
        if close is not None:
            await close()


class _Reader:
    """One of the readers."""

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self._left = False
        shared.join(id(self))

    def __aiter__(self) -> _Reader:
        return self

    async def __anext__(self) -> bytes:
        if self._left:
            raise StopAsyncIteration
        try:
            return await self._shared.next(id(self))
        except StopAsyncIteration:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """It wants no more."""
        self._left = True
        if self._shared.leave(id(self)):
            await self._shared.aclose()

    def __del__(self) -> None:
        if not self._left:
            with contextlib.suppress(Exception):
                self._shared.leave(id(self))
