"""Async twins of penstock.codecs: the same names, awaited.

>>> import asyncio, gzip
>>> asyncio.run(penstock.aio.Gunzip(gzip.compress(b"hello")).bytes())
b'hello'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock import _core
from penstock.aio._closing import Closing
from penstock.aio._jobs import done, loop
from penstock.aio.streams import Feed, Finishing, LentFeed, Sink, Source, fed, native_source
from penstock.codecs import Limits, describe, timestamp, to_core

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from penstock.codecs import EntryType

__all__ = ["Archive", "Entry", "Gunzip", "Limits", "Tar", "Zip", "ZipWriter"]


class Gunzip(Source):
    """Async twin of penstock.Gunzip."""

    def __init__(self, data: Any, *, limits: Limits | None = None, ignore_trailing: bool = False) -> None:
        inner, self._feed = native_source(data)
        self._native = _core.gunzip_stage(inner, to_core(limits), ignore_trailing)


class Entry(Source):
    """Async twin of penstock.codecs.Entry."""

    name: str
    type: EntryType
    size: int | None
    modified: datetime | None
    link_to: str

    async def aclose(self) -> None:
        """Read no more of this one; the archive goes on."""
        self._native.close()


class Archive(Closing):
    """Async twin of penstock.codecs.Archive."""

    _native: _core.Archive
    _source: _core.Source
    _feed: Feed | None

    async def aclose(self) -> None:
        """Close what is underneath."""
        self._source.stop()
        if self._feed is not None:
            await self._feed.stop()
        self._native.close()

    def __aiter__(self) -> AsyncIterator[Entry]:
        return self

    async def __anext__(self) -> Entry:
        if self._feed is not None:
            self._feed.start()
        try:
            found = await done(self._native.next(loop()), self._source.stop)
        except Exception as error:
            if self._feed is not None:
                await self._feed.raise_failure(error)
            raise
        if found is None:
            raise StopAsyncIteration
        entry = Entry._of(found[-1], None if self._feed is None else LentFeed(self._feed))
        describe(entry, found)
        return entry


class Tar(Archive):
    """Async twin of penstock.codecs.Tar."""

    def __init__(self, data: Any, *, limits: Limits | None = None) -> None:
        self._source, self._feed = native_source(data)
        self._native = _core.tar_reader(self._source, to_core(limits))


class Zip(Archive):
    """Async twin of penstock.codecs.Zip."""

    def __init__(self, data: Any, *, limits: Limits | None = None) -> None:
        self._source, self._feed = native_source(data)
        self._native = _core.zip_reader(self._source, to_core(limits))

    @property
    def special(self) -> list[int]:
        """Numbers, from 0, of the entries that are links or devices; only the directory says so, at the end."""
        return self._native.special


class ZipWriter(Finishing):
    """Async twin of penstock.codecs.ZipWriter."""

    _native: _core.ZipWriter

    def __init__(self, to: Sink, *, level: int = 6) -> None:
        self._native = _core.zip_writer(to._native, level)

    async def add(self, name: str, data: Any, *, modified: datetime | None = None) -> int:
        """A member of all that is left of a source; how many bytes that was."""
        source, feed = native_source(data)
        job = self._native.add(name, timestamp(modified), source, loop())
        return await fed(feed, job, self._native.stop)
