"""Async twins of penstock.streams: the same names, awaited.

A source is an async iterator of ``bytes`` and an async context manager. An async iterator given as data writes
into a bounded pipe from the loop: while there is room nothing waits, then it is simply not asked for more.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from penstock import _core
from penstock import streams as sync
from penstock.aio._closing import Closing
from penstock.aio._jobs import done, loop
from penstock.errors import Cancelled
from penstock.streams import CHUNK_BYTES, Chunk
from penstock.units import size

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from os import PathLike
    from types import TracebackType

    from typing_extensions import Buffer, Self

    from penstock.objects import Receipt
    from penstock.units import Size, Span

Value = TypeVar("Value")

PIPE_BYTES = 256 * 1024
"""What an async iterator may be ahead of its reader."""


AT_HAND_BYTES = 64 * 1024
"""With so much at hand, or all that is left, a read of an iteration takes it on the loop, up to what it asked for: to
hear of it from a worker costs as much as copying 256 KiB."""


class Feed:
    """Moves an async iterator into a pipe, as a task of the loop that first reads the other end."""

    _asked_at: float | None = None
    _why: Exception | None = None

    def __init__(self, chunks: Any) -> None:
        self._chunks = chunks
        self.call = sync.call()
        self._task: asyncio.Task[None] | None = None
        self._writer, self.source = _core.pipe(PIPE_BYTES, self.call)

    def start(self) -> None:
        """Begin, once."""
        if self._task is None:
            self._task = loop().create_task(self._run())

    def waits_since(self) -> float | None:
        """The loop's time at which the iterator was asked for what it has not given; None while it is not asked."""
        return self._asked_at

    def fail(self, why: Exception) -> None:
        """End as if the iterator had raised ``why``."""
        if self._task is not None and self._why is None:
            self._why = why
            self._task.cancel()

    async def stop(self) -> None:
        """The reader wants no more."""
        if self._task is None or self._task.done():
            return
        self._task.cancel()
        await asyncio.wait([self._task])

    async def raise_failure(self, otherwise: BaseException) -> None:
        """Raise what the iterator raised: the pipe could only say that its writer failed."""
        if self._task is None:
            return
        await asyncio.wait([self._task], timeout=1)
        if self._task.done() and not self._task.cancelled() and (error := self._task.exception()) is not None:
            raise error from otherwise

    async def _run(self) -> None:
        now = loop().time
        try:
            self._asked_at = now()
            async for chunk in self._chunks:
                self._asked_at = None
                await self._write(chunk)
                self._asked_at = now()
            self._writer.finish()
        except Cancelled:
            pass  # the reader is gone, and its own end says why
        except BaseException as error:
            self._writer.abort(f"the async iterator raised {type(error).__name__}")
            if self._why is not None:
                raise self._why from error
            raise
        finally:
            self._asked_at = None

    async def _write(self, chunk: Buffer) -> None:
        if isinstance(chunk, str):
            raise TypeError("the async iterator gave str: give bytes")
        with memoryview(chunk) as view:
            total, at = view.nbytes, 0
            while at < total:
                at += self._writer.try_write(chunk, at)
                if at < total:
                    await self._writer.room(min(total - at, PIPE_BYTES // 2), loop())


class LentFeed(Feed):
    """The feed of something larger, which starts and stops it: a member of an archive ends, the archive goes on."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.call = feed.call

    def start(self) -> None:
        """It has been started."""

    def waits_since(self) -> float | None:
        return self._feed.waits_since()

    def fail(self, why: Exception) -> None:
        self._feed.fail(why)

    async def stop(self) -> None:
        """Not by this one."""

    async def raise_failure(self, otherwise: BaseException) -> None:
        await self._feed.raise_failure(otherwise)


class Source(sync.Positioned, Closing):
    """Async twin of penstock.Source; ``data`` may also be an async iterator of buffers."""

    def __init__(self, data: Any) -> None:
        self._native, self._feed = native_source(data)

    @classmethod
    def _of(cls, native: _core.Source, feed: Feed | None = None) -> Self:
        made = cls.__new__(cls)
        made._native, made._feed = native, feed
        return made

    async def read(self, n: int) -> Chunk:
        """``n`` bytes, fewer only at the end, ``b""`` there."""
        if n < 0:
            raise ValueError("read(n) takes a limit; bytes(limit=) reads all up to one")
        return await self._read(n, full=True) if n else b""

    async def bytes(self, limit: Size = "64MiB") -> Chunk:
        """All that is left, up to ``limit``; Refused, code ``too_large``, if there is more."""
        if self._native.held:
            return self._native.read_all(size(limit))  # no read waits
        return await self._fed(lambda: self._native.read_all(size(limit), loop()))

    async def rewind(self) -> None:
        """Back to the mark: the same bytes again."""
        await done(self._native.rewind(loop()), self._native.stop)

    async def aclose(self) -> None:
        """Close what is underneath; digests and counts stay."""
        self._native.stop()
        if self._feed is not None:
            await self._feed.stop()
        self._native.close()

    async def _read(self, n: int, *, full: bool) -> Chunk:
        least, ready = n if full else min(n, AT_HAND_BYTES), self._native.ready
        # A full read over all that is left has to see the end, where a stream may yet be found corrupt.
        if ready and (ready >= least or (not full and ready == self._native.remaining)):
            await asyncio.sleep(0)  # the others' turn; a read that is cancelled here has taken nothing
            if chunk := self._native.read_ready(n, min(least, ready)):
                return chunk
        return await self._fed(lambda: self._native.read(n, full, loop()))

    async def _fed(self, begin: Callable[[], asyncio.Future[Chunk]]) -> Chunk:
        if self._feed is not None:
            self._feed.start()
        try:
            return await done(begin(), self._native.stop)
        except Exception as error:
            if self._feed is not None:
                await self._feed.raise_failure(error)
            raise

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        if chunk := await self._read(CHUNK_BYTES, full=False):
            return chunk
        raise StopAsyncIteration


class Limit(Source):
    """Async twin of penstock.Limit."""

    def __init__(self, data: Any, max_bytes: Size) -> None:
        inner, self._feed = native_source(data)
        self._native = _core.limit_stage(inner, size(max_bytes))


class Count(Source):
    """Async twin of penstock.Count."""

    def __init__(self, data: Any) -> None:
        inner, self._feed = native_source(data)
        self._native = _core.count_stage(inner)

    @property
    def count(self) -> int:
        """Bytes that have passed."""
        return self._native.count()


class Hash(Source):
    """Async twin of penstock.Hash."""

    def __init__(self, data: Any, algorithms: Iterable[str]) -> None:
        inner, self._feed = native_source(data)
        self._native = _core.hash_stage(inner, list(algorithms))

    @property
    def digests(self) -> dict[str, str]:
        """Of what has passed so far: algorithm name to lower-case hex."""
        return self._native.digests()


class Sha256(Hash):
    """Async twin of penstock.Sha256."""

    def __init__(self, data: Any) -> None:
        super().__init__(data, ("sha256",))

    def hexdigest(self) -> str:
        """64 hex digits of what has passed so far."""
        return self.digests["sha256"]


class Tee(Source):
    """Async twin of penstock.Tee; ``sink`` may be sync or async."""

    def __init__(self, data: Any, sink: Sink | sync.Sink) -> None:
        inner, self._feed = native_source(data)
        self._native = _core.tee_stage(inner, sink._native)


class FileSource(Source):
    """Async twin of penstock.FileSource."""

    def __init__(self, path: str | PathLike[str], *, deadline: Span | None = None) -> None:
        self._native, self._feed = sync.FileSource(path, deadline=deadline)._native, None


class Finishing:
    """Async twin of penstock.streams.Finishing."""

    receipt: Receipt | None = None
    _native: _core.Sink | _core.ZipWriter

    async def finish(self) -> Receipt:
        """Make all of it visible at once."""
        self.receipt = await done(self._native.finish(loop()), self._native.stop)
        return self.receipt

    async def abort(self, why: str = "aborted by the caller") -> None:
        """Nothing becomes visible. Safe to repeat."""
        self._native.abort(why)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            await self.abort(f"left by {kind.__name__}")
        elif not self._native.ended:
            await self.finish()


class Sink(Finishing):
    """Async twin of penstock.Sink."""

    _native: _core.Sink

    def __init__(self, native: _core.Sink) -> None:
        self._native = native

    async def write(self, data: Buffer) -> None:
        """All of ``data``, or an error. Do not change the buffer meanwhile."""
        await done(self._native.write(data, loop()), self._native.stop)

    async def write_from(self, data: Any) -> int:
        """All that is left of a source; how many bytes that was."""
        source, feed = native_source(data)
        return await fed(feed, self._native.write_from(source, loop()), self._native.stop)


class FileSink(Sink):
    """Async twin of penstock.FileSink."""

    def __init__(
        self, path: str | PathLike[str], *, mode: str = "overwrite", deadline: Span | None = None
    ) -> None:
        super().__init__(sync.FileSink(path, mode=mode, deadline=deadline)._native)


async def pump(source: Any, sink: Sink) -> Receipt:
    """Source to sink, then finish()."""
    try:
        await sink.write_from(source)
    except BaseException as error:
        await sink.abort(f"left by {type(error).__name__}")
        raise
    return await sink.finish()


async def fed(feed: Feed | None, job: asyncio.Future[Value], stop: Callable[[], object]) -> Value:
    """The outcome of a job whose source may be fed by the loop."""
    if feed is None:
        return await done(job, stop)
    feed.start()

    def stop_both() -> None:
        stop()
        feed.call.stop()

    try:
        return await done(job, stop_both)
    except Exception as error:
        await feed.raise_failure(error)
        raise
    finally:
        await feed.stop()


def native_source(data: Any) -> tuple[_core.Source, Feed | None]:
    """As penstock.streams.native_source; an async iterator comes with the feed that must be started."""
    if isinstance(data, Source):
        return data._native, data._feed
    if hasattr(data, "__aiter__"):
        feed = Feed(aiter(data))
        return feed.source, feed
    return sync.native_source(data), None
