"""Bytes on their way into a bundle of the core: streams of resources, groups of them, bundles of one."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from penstock import _core
from penstock import streams as sync
from penstock.aio import _group_of_one
from penstock.aio._jobs import answered, loop, retrieve
from penstock.aio.streams import Source, fed, native_source
from penstock.bundles.core import BID, BundleRef, FetcherRecipe
from penstock.bundles.exceptions import ValidationError
from penstock.bundles.storage._errors import storing
from penstock.errors import Lost, Refused

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from typing_extensions import Buffer

    from penstock.aio._group_of_one import GroupOfOne
    from penstock.aio.streams import Feed
    from penstock.bundles.storage.bundle_storage_context import BundleStorageContext

_AHEAD_BYTES = 1 << 20


async def add(
    to: _core.Bundle | _core.BundleGroup | _core.BundleZip | GroupOfOne,
    resource: dict[str, Any],
    stream: Any,
    storage_type: str,
    idle_timeout: float | None,
) -> tuple[str, str, int, str]:
    """All of ``stream``; (name, location, bytes, sha256)."""
    source, feed = native_source(stream)
    if isinstance(stream, Unpacked):
        resource |= {"derived_from": stream.derived_from, "mismatch": stream.mismatch}
    on = sync.call()
    with storing(storage_type), until_silent(feed, idle_timeout, resource["url"]):
        if isinstance(stream, Zipped) and isinstance(to, _core.Bundle):
            job = _core.add_bundle_zip(to, resource, stream.zip, on, loop())
        else:
            job = to.add(resource, source, on, loop())
        return await fed(feed, job, on.stop)


async def add_or_nothing(
    bundle: _core.Bundle, resource: dict[str, Any], stream: Any, storage_type: str, idle_timeout: float | None
) -> tuple[str, str, int, str]:
    """As add(), but nothing of it stays if the task is cancelled; of a zip the members are the bundle's already."""
    if isinstance(stream, Zipped):
        return await add(bundle, resource, stream, storage_type, idle_timeout)
    with storing(storage_type):
        return await _group_of_one.add_or_nothing(
            bundle, resource, lambda group: add(group, resource, stream, storage_type, idle_timeout)
        )


class Unpacked(Source):
    """What a resource turned out to be, or a member of it."""

    derived_from: _core._DerivedFrom | None = None
    mismatch = False


class Zipped(Source):
    """A zip of resources, whose lines a bundle of the core takes over."""

    zip: _core.BundleZip


@contextmanager
def until_silent(feed: Feed | None, seconds: float | None, url: str) -> Iterator[None]:
    """In the block a feed is Lost once its iterator gave nothing for so long. While it is not asked, no time goes by.

    What the core reads by itself has no feed, and clocks of its own.
    """
    watch = None if feed is None or seconds is None else _Watch(feed, seconds, url)
    try:
        yield
    finally:
        if watch is not None:
            watch.close()


class _Watch:
    """One timer a stream.

    asyncio.wait_for() would make a task a chunk, and before Python 3.12 may lose a cancellation.
    """

    def __init__(self, feed: Feed, seconds: float, url: str) -> None:
        self._feed, self._seconds, self._url = feed, seconds, url
        self._loop = loop()
        self._begun = self._loop.time()
        self._timer = self._loop.call_later(seconds, self._look)

    def close(self) -> None:
        """No more waits."""
        self._timer.cancel()

    def _look(self) -> None:
        since, now = self._feed.waits_since(), self._loop.time()
        left = self._seconds if since is None else max(since, self._begun) + self._seconds - now
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
            return
        self._feed.fail(
            Lost(
                f"the stream of a resource gave nothing for {self._seconds:g} s",
                code="stalled",
                subject=self._url.partition("?")[0],
            )
        )


class Group:
    """Resources of one bundle that stay or go together."""

    def __init__(self, native: _core.BundleGroup, storage_type: str, idle_timeout: float | None) -> None:
        self.kept = False
        self._native = native
        self._storage_type = storage_type
        self._idle_timeout = idle_timeout

    async def add_resource(
        self,
        url: str,
        content_type: str | None,
        status_code: int,
        stream: Any,
        *,
        derived_from: tuple[str, int | None, str] | None = None,
        mismatch: bool = False,
    ) -> None:
        """As BundleStorageContext.add_resource."""
        resource = {
            "url": url,
            "content_type": content_type,
            "status_code": status_code,
            "derived_from": derived_from,
            "mismatch": mismatch,
        }
        await add(self._native, resource, stream, self._storage_type, self._idle_timeout)

    def skip(self, url: str, content_type: str | None, status_code: int, why: str) -> None:
        """A line in the manifest for what is not stored."""
        self._native.skip({"url": url, "content_type": content_type, "status_code": status_code}, why)

    def fail(self, url: str, content_type: str | None, status_code: int, kind: str) -> None:
        """A line in the manifest for what failed."""
        self._native.fail({"url": url, "content_type": content_type, "status_code": status_code}, kind)

    def withdraw(self, number: int, why: str) -> None:
        """What the add of that number stored, from 0, is skipped after all."""
        self._native.withdraw(number, why)

    async def keep(self) -> None:
        """All of them stay."""
        on = sync.call()
        with storing(self._storage_type):
            job = self._native.keep(on, loop())
            try:
                await answered(job, on.stop)
            finally:
                self.kept = job.exception() is None
        await self.abort()

    async def abort(self) -> None:
        """Those that are not kept go."""
        await asyncio.to_thread(self._native.close)


class NativeStream:
    """A bundle of one resource, written piece by piece; see :class:`BundleStream`."""

    def __init__(self, context: BundleStorageContext, metadata: dict[str, Any]) -> None:
        self._context = context
        self._metadata = metadata
        self._call = sync.call()
        self._writer, source = _core.pipe(_AHEAD_BYTES, self._call)
        self._ended = False
        url = context.bundle_ref.primary_url
        self._stored_url: str = getattr(context, "_container_url", url)  # of what the storage is given
        self._adding = asyncio.create_task(
            context.add_resource(url, metadata.get("content_type"), 200, Source._of(source))
        )
        self._adding.add_done_callback(retrieve)

    def get_bundle_ref(self) -> BundleRef:
        """The bundle it is."""
        return self._context.bundle_ref

    def get_metadata(self) -> dict[str, Any]:
        """What it was opened with."""
        return self._metadata

    async def write(self, data: Buffer) -> None:
        """All of ``data``; waits while 1 MiB is ahead of the storage."""
        if self._ended:
            raise Refused("write after the end of a bundle stream")
        with memoryview(data) as view:
            total, at = view.nbytes, 0
            while at < total:
                if self._adding.done():
                    await self._adding  # raises why
                at += self._writer.try_write(data, at)
                if at < total and self._adding.done():
                    raise Lost("the storage took only a part of a bundle stream", code="reader_gone")
                if at < total:
                    await self._room(min(total - at, _AHEAD_BYTES // 2))

    async def _room(self, at_least: int) -> None:
        """Until there is some, or the storage reads no more."""
        room = self._writer.room(at_least, loop())
        try:
            await asyncio.wait({room, self._adding}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._call.stop()  # nobody knows how much of the piece was taken
            raise

    async def close(self) -> None:
        """Complete the bundle. Repeatable."""
        if not self._ended:
            self._ended = True
            self._writer.finish()
        await asyncio.shield(self._adding)
        await self._context.complete(self._metadata)

    async def abort(self, why: str = "") -> None:
        """Nothing becomes visible. Repeatable."""
        if self._ended and self._context.state in ("completed", "abandoned"):
            return
        self._ended = True
        self._writer.abort(why or "aborted")
        await self._context.abort(why)
        await asyncio.wait([self._adding])

    async def __aenter__(self) -> NativeStream:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is None:
            await self.close()
        else:
            await self.abort(f"left by {kind.__name__}")


class Opening:
    """``await storage.open_bundle(..)`` or ``async with storage.open_bundle(..)``."""

    def __init__(self, storage: Any, made: type[NativeStream], ref: BundleRef, recipe: FetcherRecipe) -> None:
        self._storage, self._made, self._ref, self._recipe = storage, made, ref, recipe
        self._stream: NativeStream | None = None

    def __await__(self) -> Generator[Any, None, NativeStream]:
        return self._open().__await__()

    async def _open(self) -> NativeStream:
        context = await self._storage.start_bundle(self._ref, self._recipe)
        self._stream = self._made(context, self._ref.meta)
        return self._stream

    async def __aenter__(self) -> NativeStream:
        return await self._open()

    async def __aexit__(self, *left: Any) -> None:
        if self._stream is not None:
            await self._stream.__aexit__(*left)


def open_stream(storage: Any, made: type[NativeStream], bundle_id: str, metadata: dict[str, Any]) -> Opening:
    """What open_bundle returns."""
    try:
        bid = BID(bundle_id)
    except ValidationError:
        bid = BID(f"custom-{bundle_id}")
    ref = BundleRef(metadata.get("url") or f"bundle:///{bundle_id}", 1, bid, meta=metadata)
    return Opening(storage, made, ref, FetcherRecipe(metadata.get("recipe_id") or "default"))
