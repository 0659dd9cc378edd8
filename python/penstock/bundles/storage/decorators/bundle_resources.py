"""All resources of a bundle as one zip."""

from __future__ import annotations

import asyncio
import os
import weakref
from typing import TYPE_CHECKING, Any, Literal

from penstock import _core
from penstock.aio._jobs import done, loop, retrieve
from penstock.aio.streams import Feed
from penstock.bundles._log import get_logger
from penstock.bundles.exceptions import BundleNotFound
from penstock.bundles.storage import _streams
from penstock.bundles.storage._errors import storing
from penstock.bundles.storage.decorators._base import DecoratedContext, StorageDecorator
from penstock.errors import Lost
from penstock.streams import call

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from penstock.bundles.core import BundleRef, FetcherRecipe

logger = get_logger(__name__)

__all__ = ["BundleResourcesDecorator", "BundleResourcesStorageContext"]

_STORAGE_TYPE = "bundle.zip"
_READER_GONE = "reader_gone"


class BundleResourcesDecorator(StorageDecorator):
    """All resources become members of one resource, ``bundle.zip``, which is streamed while they come.

    Members of up to 8 MiB packed are written whole, larger ones as they come, one at a time. One that fails is
    left out; one that fails while it is being written takes the bundle with it, and complete() is Refused. Of
    our storages the manifest has a line for each member, and they are what is counted.

    Args:
        base_storage: Ours, or any object with ``start_bundle``.
        spool_dir: Where the zip's directory grows, and where members wait that cannot be written yet, up to 4
            GiB; None: ``$TMPDIR``.
    Memory:
        640 KiB an add under way, and up to 8 MiB of what it packed, out of the process's budget.
    """

    def __init__(self, base_storage: Any, *, spool_dir: str | os.PathLike[str] | None = None) -> None:
        super().__init__(base_storage)
        self.spool_dir = spool_dir

    async def start_bundle(
        self, bundle_ref: BundleRef, recipe: FetcherRecipe
    ) -> BundleResourcesStorageContext:
        """An open bundle under the id of ``bundle_ref``. One that is idle gives way, though its zip is under way."""
        bid = str(bundle_ref.bid)
        for context in self._own():
            if isinstance(context, BundleResourcesStorageContext) and context._bid == bid:
                await context._make_way()
        base = await self.base_storage.start_bundle(bundle_ref, recipe)
        made: BundleResourcesStorageContext = self._opened(BundleResourcesStorageContext(base, self, bid))
        return made


class _ZipFeed(Feed):
    """Nothing feeds a zip but its adds; stopping this stops who reads it."""

    def __init__(self, on: _core.Call) -> None:
        self.call = on

    def start(self) -> None:
        """It is."""

    async def stop(self) -> None:
        """By its own end."""

    async def raise_failure(self, otherwise: BaseException) -> None:
        """The zip says why by itself."""


class BundleResourcesStorageContext(DecoratedContext):
    """An open bundle of one zip.

    Args:
        base_context: The bundle it is stored in.
        decorator: The BundleResourcesDecorator.
        bid: Of the bundle.
    """

    decorator: BundleResourcesDecorator

    def __init__(self, base_context: Any, decorator: BundleResourcesDecorator, bid: str) -> None:
        super().__init__(base_context, decorator)
        self._bid = bid
        self._container_url = _core.bundle_zip_url(bid)
        self._call = call()
        spool_dir = decorator.spool_dir
        self._zip = _core.bundle_zip("" if spool_dir is None else os.fspath(spool_dir), self._call)
        self._carrying: asyncio.Task[None] | None = None
        self._completing = asyncio.Lock()
        self._closed = self._aborted = False
        self._ended: Literal["completed", "failed"] | None = None
        weakref.finalize(self, self._zip.abort, "the bundle was dropped unfinished").atexit = False

    @property
    def state(self) -> str:
        """``open adding completing completed failed abandoned``."""
        if self._aborted or getattr(self.base_context, "state", None) == "abandoned":
            return "abandoned"
        if self._completes:
            return "completing"
        return self._ended or ("adding" if self._adds else "open")

    async def add_resource(
        self, url: str, content_type: str | None, status_code: int, stream: AsyncIterable[bytes]
    ) -> None:
        """Make ``stream`` a member, under a name made of ``url``. In parallel with others.

        Raises:
            BundleNotFound: The bundle is not open any more.
            Refused: Another member failed while it was being written.
            Exception: Of the stream, as it came, and of the storage; one of penstock's as the StorageFailure of
                its kind.
        """
        self._begin()
        with self._adds.one():
            try:
                resource = {"url": url, "content_type": content_type, "status_code": status_code}
                idle_timeout = self.decorator._idle_timeout
                await _streams.add(self._zip, resource, stream, _STORAGE_TYPE, idle_timeout)
            except Lost as error:
                await self._raise_for_reader(error)
                raise

    async def open_group(self) -> _streams.Group:
        """For resources that stay or go together; they wait on disk."""
        self._begin()
        return _streams.Group(self._zip.open_group(), _STORAGE_TYPE, self.decorator._idle_timeout)

    async def complete(self, metadata: dict[str, Any]) -> None:
        """As the storage's, once the zip is whole.

        Raises:
            Refused: A member failed while it was being written (code ``bundle_incomplete``).
        """
        with self._completes.one():
            async with self._completing:
                if self._aborted:
                    raise BundleNotFound(_STORAGE_TYPE)
                try:
                    await self._complete(metadata)
                except BaseException:
                    self._ended = "failed"
                    raise
                self._ended = "completed"

    async def _complete(self, metadata: dict[str, Any]) -> None:
        self._carry()
        self._closed = True
        await self._adds.ended()
        assert self._carrying is not None
        try:
            with storing(_STORAGE_TYPE):
                await done(self._zip.finish(loop()), lambda: None)
        except Lost as error:
            await self._raise_for_reader(error)
            raise
        await asyncio.shield(self._carrying)
        await self.base_context.complete(metadata)

    async def abort(self, why: str = "") -> None:
        """Stop the adds under way; nothing becomes visible. No effect once the bundle is published."""
        if self._ended == "completed":
            return
        self._closed = self._aborted = True
        await asyncio.to_thread(self._zip.abort, why or "aborted")
        if self._carrying is not None:
            await asyncio.wait([self._carrying])
        await super().abort(why)
        published = ("completing", "completed", "failed")
        self._aborted = getattr(self.base_context, "state", None) not in published

    async def _make_way(self) -> None:
        if self.state in ("open", "failed"):
            await self.abort("another bundle of the same BID was started")

    def _begin(self) -> None:
        if self._closed:
            raise BundleNotFound(_STORAGE_TYPE)
        self._carry()

    def _carry(self) -> None:
        """The zip is on its way from the first add on."""
        if self._carrying is None:
            self._carrying = asyncio.create_task(_carry(self.base_context, self._zip, self._bid, self._call))
            self._carrying.add_done_callback(retrieve)

    async def _raise_for_reader(self, error: Lost) -> None:
        """If it was the storage that stopped reading: raise why."""
        if error.code == _READER_GONE and self._carrying is not None:
            await asyncio.wait([self._carrying], timeout=1)
            if self._carrying.done() and not self._carrying.cancelled():
                failure = self._carrying.exception()
                if failure is not None:
                    raise failure from error


async def _carry(base_context: Any, zipped: _core.BundleZip, bid: str, on: _core.Call) -> None:
    stream = _streams.Zipped._of(zipped.source, _ZipFeed(on))
    stream.zip = zipped
    try:
        await base_context.add_resource(_core.bundle_zip_url(bid), "application/zip", 200, stream)
    finally:
        zipped.reader_failed("the storage stopped reading bundle.zip")
