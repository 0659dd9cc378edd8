"""Resources unpacked on their way into a bundle."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from penstock import _core
from penstock.aio._jobs import done, loop
from penstock.aio.streams import LentFeed, native_source
from penstock.bundles import _profile
from penstock.bundles._log import get_logger
from penstock.bundles.exceptions import BundleNotFound
from penstock.bundles.storage import _streams
from penstock.bundles.storage._errors import storing
from penstock.bundles.storage.decorators._base import DecoratedContext, StorageDecorator, open_group
from penstock.bundles.storage.factory import _get_env_bool
from penstock.codecs import to_core
from penstock.errors import Error

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from penstock.aio.streams import Feed
    from penstock.bundles.core import BundleRef, FetcherRecipe
    from penstock.codecs import Limits

logger = get_logger(__name__)

__all__ = ["UnzipResourceBundleStorageContext", "UnzipResourceDecorator"]

_KEEP_ZIP = "OC_STORAGE_UNZIP_KEEP_ZIP"


class UnzipResourceDecorator(StorageDecorator):
    """What is compressed is stored as what it was, an archive as its members.

    The first bytes of a resource decide, with what it says it is: gzip is inflated whatever it is called; a tar
    or zip that says so, or says nothing, gives a resource for each file in it, ``https://h/x.zip?id=1`` for
    example ``https://h/x.zip/a/b.csv?id=1``. Documents (xlsx, epub, jar) and archives within archives stay
    whole. Of our storages an archive's members are stored all or none; of others, as far as they can.

    Args:
        base_storage: Ours, or any object with ``start_bundle``.
        keep_zip: What says it is a zip stays whole. None: ``OC_STORAGE_UNZIP_KEEP_ZIP``, else whether the profile is
            ``fetcher``.
        ignore_trailing: What follows gzip and is none is dropped, not Corrupt.
        limits: What compressed bytes may become.
    Memory:
        About 200 KiB an add under way, and 64 bytes a member of a zip.
    """

    def __init__(
        self,
        base_storage: Any,
        *,
        keep_zip: bool | None = None,
        ignore_trailing: bool = False,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(base_storage)
        self.keep_zip = _keeps_zip() if keep_zip is None else keep_zip
        self.ignore_trailing = ignore_trailing
        self.limits = limits
        to_core(limits)  # a wrong one is Refused here

    async def start_bundle(
        self, bundle_ref: BundleRef, recipe: FetcherRecipe
    ) -> UnzipResourceBundleStorageContext:
        """An open bundle under the id of ``bundle_ref``."""
        base = await self.base_storage.start_bundle(bundle_ref, recipe)
        made: UnzipResourceBundleStorageContext = self._opened(UnzipResourceBundleStorageContext(base, self))
        return made

    def _unpacker(self, body: _core.Source, resource: dict[str, Any]) -> _core.Unpacker:
        return _core.unpacker(body, resource, self.keep_zip, self.ignore_trailing, to_core(self.limits))


class UnzipResourceBundleStorageContext(DecoratedContext):
    """An open bundle whose resources are unpacked.

    Args:
        base_context: The bundle they are stored in.
        decorator: The UnzipResourceDecorator that says how.
    """

    decorator: UnzipResourceDecorator

    def __init__(self, base_context: Any, decorator: UnzipResourceDecorator) -> None:
        super().__init__(base_context, decorator)
        self._bodies: set[_Body] = set()

    async def add_resource(
        self, url: str, content_type: str | None, status_code: int, stream: AsyncIterable[bytes]
    ) -> None:
        """Store what ``stream`` turns out to be.

        Raises:
            BundleNotFound: The bundle is not open any more.
            Corrupt: It is damaged or cut short; nothing of it stays.
            Refused: It is encrypted, has a name that leads out of a folder, or is beyond the limits.
        """
        if self._completes:
            raise BundleNotFound()
        with self._adds.one():
            body = _Body(self, url, content_type, status_code, stream)
            self._bodies.add(body)
            try:
                await body.store(self.base_context)
            except BaseException:
                await body.stop()
                raise
            finally:
                self._bodies.discard(body)

    async def open_group(self) -> Any:
        """For resources that stay or go together, as they are: they are not unpacked."""
        return await open_group(self.base_context)

    async def complete(self, metadata: dict[str, Any]) -> None:
        """As the storage's, once all adds have ended."""
        with self._completes.one():
            await self._adds.ended()
            await self.base_context.complete(metadata)

    async def abort(self, why: str = "") -> None:
        """As the storage's; adds that it does not know of yet are stopped too."""
        for body in self._bodies:
            body.halt()
        await super().abort(why)


class _Body:
    """One resource on its way through the unpacker."""

    def __init__(
        self,
        context: UnzipResourceBundleStorageContext,
        url: str,
        content_type: str | None,
        status_code: int,
        stream: Any,
    ) -> None:
        self._told = (url, content_type, status_code)
        self._status_code = status_code
        decorator = context.decorator
        self._idle_timeout = decorator._idle_timeout
        self._source, self._feed = native_source(stream)
        self._unpacker = decorator._unpacker(
            self._source, {"url": url, "content_type": content_type, "status_code": status_code}
        )

    async def store(self, base: Any) -> None:
        with _streams.until_silent(self._feed, self._idle_timeout, self._told[0]):
            await self._store(base)

    async def _store(self, base: Any) -> None:
        if self._feed is not None:
            self._feed.start()
        try:
            is_archive = await self._job(self._unpacker.is_archive(loop()))
        except BaseException as error:
            await self._note(base, error)
            raise
        if not is_archive:
            found = await self._next()
            assert found is not None
            await base.add_resource(found[0], found[1], self._status_code, self._stream(found))
        elif (group := await open_group(base)) is None:
            await self._store_members(base, None)
        else:
            await self._store_in(group)

    async def _store_in(self, group: Any) -> None:
        try:
            await self._store_members(group, group)
            await group.keep()
        except BaseException as error:
            await _left_out(group, self._told, error)
            raise

    async def _store_members(self, to: Any, group: Any) -> None:
        while (found := await self._next()) is not None:
            url, content_type, _, _, skipped, _ = found
            if not skipped:
                await to.add_resource(url, content_type, self._status_code, self._stream(found))
            elif group is not None:
                group.skip(url, content_type, self._status_code, skipped)
        if group is not None:
            for number in self._unpacker.withdrawn:
                group.withdraw(number, "link or device")

    async def _note(self, base: Any, error: BaseException) -> None:
        """A line in the manifest, of what failed before the storage knew of it; none if that is over too."""
        with contextlib.suppress(Exception):
            if (group := await open_group(base)) is not None:
                await _left_out(group, self._told, error)

    async def _next(self) -> _core._Unpacked | None:
        found: _core._Unpacked | None = await self._job(self._unpacker.next(loop()))
        return found

    async def _job(self, job: Any) -> Any:
        try:
            with storing("unzip"):
                return await done(job, self._source.stop)
        except Exception as error:
            if self._feed is not None:
                await self._feed.raise_failure(error)
            raise

    def _stream(self, found: _core._Unpacked) -> _streams.Unpacked:
        feed: Feed | None = None if self._feed is None else LentFeed(self._feed)
        stream = _streams.Unpacked._of(found[5], feed)
        stream.derived_from, stream.mismatch = found[2], found[3]
        return stream

    def halt(self) -> None:
        """Whoever reads it is told to stop."""
        self._source.stop()

    async def stop(self) -> None:
        self.halt()
        if self._feed is not None:
            await self._feed.stop()


async def _left_out(group: Any, told: tuple[str, str | None, int], error: BaseException) -> None:
    """All of a group goes but a line that says why, unless it was kept; what fails of that hides no error."""
    with contextlib.suppress(Exception):
        if not getattr(group, "kept", False):
            group.fail(*told, _kind(error))
    with contextlib.suppress(Exception):
        await group.abort()


def _keeps_zip() -> bool:
    return _get_env_bool(_KEEP_ZIP, default=_profile.current() == "fetcher")


def _kind(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return error.kind if isinstance(error, Error) else "error"
