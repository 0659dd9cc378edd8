"""Async twins of penstock.stores: the same names and arguments, awaited.

>>> import asyncio
>>> async def main():
...     async def chunks():
...         yield b"one "
...         yield b"two"
...     async with penstock.aio.MemoryStore() as store:
...         await store.put("k", chunks())
...         return await (await store.get("k")).bytes()
>>> asyncio.run(main())
b'one two'
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from penstock import stores as sync
from penstock.aio._closing import Closing
from penstock.aio._jobs import done, loop, raising_of, told_call
from penstock.aio.streams import Sink, Source, fed, native_source
from penstock.fields import pairs
from penstock.objects import PostForm, Range, SweepReport, as_tuple
from penstock.progress import reporter
from penstock.stores.object_store import LIST_PAGE, Got, native_store
from penstock.stores.options import customer_key, write_options
from penstock.stores.reader import place
from penstock.stores.s3 import Upload as SyncUpload
from penstock.stores.s3 import as_dict
from penstock.streams import call, is_buffer
from penstock.units import size, span

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from os import PathLike

    from typing_extensions import Self, Unpack

    from penstock import _core
    from penstock.objects import ObjectMeta, Receipt, RemoveReport, UploadState
    from penstock.progress import ProgressLike
    from penstock.stores import StoreProtocol
    from penstock.stores.config import S3Config
    from penstock.units import Size, Span


class GetResult(Got, Source):
    """Async twin of penstock.GetResult."""


class ObjectReader(Source):
    """Async twin of penstock.stores.ObjectReader: read anywhere."""

    _native: _core.Reader

    def __init__(self, native: _core.Reader) -> None:
        self._native, self._feed = native, None
        self.meta: ObjectMeta = native.meta

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Where the next read begins; costs nothing."""
        to = place(self._native, offset, whence)
        self._native.seek(to)
        return to

    async def tell(self) -> int:
        """Where the next read begins."""
        return self._native.tell()


class ObjectStore(Closing):
    """Async twin of penstock.ObjectStore, over a sync one (``sync``)."""

    def __init__(self, store: sync.ObjectStore) -> None:
        self.sync = store

    @classmethod
    def of(cls, user: StoreProtocol) -> ObjectStore:
        """A store over a class of yours; its methods run on a worker thread."""
        return ObjectStore(sync.PythonStore(user))

    @classmethod
    def _over(cls, store: sync.ObjectStore) -> Self:
        made = cls.__new__(cls)
        made.sync = store
        return made

    @property
    def _native(self) -> _core.Store:
        return self.sync._native

    async def head(self, key: str, *, deadline: Span | None = None) -> ObjectMeta:
        on = call(deadline)
        return await done(self._native.head(key, on, loop()), on.stop)

    async def find(self, key: str, *, deadline: Span | None = None) -> ObjectMeta | None:
        on = call(deadline)
        return await done(self._native.find(key, on, loop()), on.stop)

    async def exists(self, key: str, *, deadline: Span | None = None) -> bool:
        on = call(deadline)
        return await done(self._native.exists(key, on, loop()), on.stop)

    async def get(
        self,
        key: str,
        *,
        range: Any = None,
        if_match: str = "",
        version: str = "",
        sse_customer_key: bytes | str | None = None,
        deadline: Span | None = None,
    ) -> GetResult:
        on = call(deadline)
        asked = None if range is None else Range.of(range)
        secret = customer_key(sse_customer_key)
        job = self._native.get(key, as_tuple(asked), if_match, version, secret, on, loop())
        native = await done(job, on.stop)
        result = GetResult._of(native)
        result.range = asked
        return result

    async def get_file(
        self,
        key: str,
        path: str | PathLike[str],
        *,
        lanes: int = 4,
        mode: str = "overwrite",
        if_match: str = "",
        version: str = "",
        sse_customer_key: bytes | str | None = None,
        progress: ProgressLike = None,
        deadline: Span | None = None,
    ) -> Receipt:
        name, secret = os.fspath(path), customer_key(sse_customer_key)
        with reporter(progress, key) as report:
            on, told = told_call(deadline, report)
            with raising_of(told):
                job = self._native.get_file(key, name, if_match, version, secret, mode, lanes, on, loop())
                return await done(job, on.stop)

    async def open_reader(
        self,
        key: str,
        *,
        if_match: str = "",
        version: str = "",
        sse_customer_key: bytes | str | None = None,
        deadline: Span | None = None,
    ) -> ObjectReader:
        on = call(deadline)
        job = self._native.open_reader(key, if_match, version, customer_key(sse_customer_key), on, loop())
        return ObjectReader(await done(job, on.stop))

    async def put(
        self,
        key: str,
        data: Any,
        *,
        progress: ProgressLike = None,
        deadline: Span | None = None,
        **options: Any,
    ) -> Receipt:
        """As penstock.ObjectStore.put; ``data`` may also be an async iterator. Leave a buffer as it is."""
        chosen = write_options(options)
        with reporter(progress, key) as report:
            on, told = told_call(deadline, report)
            if is_buffer(data) and report is None:
                return await done(self._native.put_bytes(key, data, chosen, on, loop()), on.stop)
            source, feed = native_source(data)
            with raising_of(told):
                return await fed(feed, self._native.put_source(key, source, chosen, on, loop()), on.stop)

    async def open_writer(self, key: str, *, deadline: Span | None = None, **options: Any) -> Sink:
        on = call(deadline)
        return Sink(await done(self._native.open_writer(key, write_options(options), on, loop()), on.stop))

    async def list(
        self, prefix: str = "", *, start_after: str = "", deadline: Span | None = None
    ) -> AsyncIterator[ObjectMeta]:
        on = call(deadline)
        listing = await done(self._native.list(prefix, start_after, on, loop()), on.stop)
        while page := await done(listing.page(LIST_PAGE, loop()), on.stop):
            for meta in page:
                yield meta

    async def list_with_delimiter(
        self,
        prefix: str = "",
        *,
        delimiter: str = "/",
        start_after: str = "",
        deadline: Span | None = None,
    ) -> AsyncIterator[ObjectMeta]:
        on = call(deadline)
        job = self._native.list_with_delimiter(prefix, delimiter, start_after, on, loop())
        listing = await done(job, on.stop)
        while page := await done(listing.page(LIST_PAGE, loop()), on.stop):
            for meta in page:
                yield meta

    async def remove(self, key: str, *, if_match: str = "", deadline: Span | None = None) -> None:
        on = call(deadline)
        await done(self._native.remove(key, if_match, on, loop()), on.stop)

    async def remove_many(self, keys: Iterable[str], *, deadline: Span | None = None) -> RemoveReport:
        on = call(deadline)
        return await done(self._native.remove_many([*keys], on, loop()), on.stop)

    async def copy(
        self,
        from_key: str,
        to_key: str,
        *,
        source: ObjectStore | sync.ObjectStore | StoreProtocol | None = None,
        deadline: Span | None = None,
        **options: Any,
    ) -> Receipt:
        on = call(deadline)
        other = source.sync if isinstance(source, ObjectStore) else source
        native = self._native if other is None else native_store(other)
        job = self._native.copy(from_key, to_key, native, write_options(options), on, loop())
        return await done(job, on.stop)

    async def move(
        self, from_key: str, to_key: str, *, deadline: Span | None = None, **options: Any
    ) -> Receipt:
        on = call(deadline)
        return await done(self._native.move(from_key, to_key, write_options(options), on, loop()), on.stop)

    def with_bucket(self, bucket: str) -> Self:
        return self._over(self.sync.with_bucket(bucket))

    def location(self, key: str) -> str:
        return self.sync.location(key)

    async def aclose(self) -> None:
        """Nothing to end: connections belong to the client. For symmetry with ``async with``."""

    def __repr__(self) -> str:
        return f"aio.{self.sync!r}"


class Upload(Sink):
    """Async twin of penstock.stores.Upload."""

    def state(self) -> UploadState | None:
        """What resume_upload() needs, once a part has gone out; None before that."""
        return SyncUpload(self._native).state()


Uploads = list[tuple[str, str]]  # inside ObjectStore the name `list` is its method


class MemoryStore(ObjectStore):
    """Async twin of penstock.MemoryStore."""

    def __init__(self) -> None:
        super().__init__(sync.MemoryStore())


class FolderStore(ObjectStore):
    """Async twin of penstock.FolderStore."""

    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__(sync.FolderStore(path))


class S3Store(ObjectStore):
    """Async twin of penstock.S3Store, with its arguments."""

    sync: sync.S3Store

    def __init__(self, bucket: str, **config: Unpack[S3Config]) -> None:
        super().__init__(sync.S3Store(bucket, **config))

    @classmethod
    def from_env(cls, *, bucket: str | None = None, **config: Unpack[S3Config]) -> Self:
        """As penstock.S3Store.from_env: makes no request, so it is not awaited."""
        return cls._over(sync.S3Store.from_env(bucket=bucket, **config))

    @classmethod
    def from_url(cls, url: str, **config: Unpack[S3Config]) -> Self:
        """As penstock.S3Store.from_url: makes no request, so it is not awaited."""
        return cls._over(sync.S3Store.from_url(url, **config))

    async def presign(
        self,
        method: str,
        key: str,
        *,
        expires: Span = 3600,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        deadline: Span | None = None,
    ) -> str:
        on = call(deadline)
        job = self.sync._native.presign(
            method, key, int(span(expires)), pairs(headers), pairs(query), on, loop()
        )
        return await done(job, on.stop)

    async def presign_post(
        self,
        key_or_prefix: str,
        *,
        expires: Span = 3600,
        min_bytes: Size = 0,
        max_bytes: Size = "5GiB",
        content_type: str = "",
        fields: Mapping[str, str] | None = None,
        deadline: Span | None = None,
    ) -> PostForm:
        on = call(deadline)
        limits = size(min_bytes), size(max_bytes)
        job = self.sync._native.presign_post(
            key_or_prefix, int(span(expires)), *limits, content_type, pairs(fields), on, loop()
        )
        url, signed = await done(job, on.stop)
        return PostForm(url=url, fields=signed)

    async def capabilities(self, *, deadline: Span | None = None) -> dict[str, Any]:
        on = call(deadline)
        return await done(self.sync._native.capabilities(on, loop()), on.stop)

    async def probe(self, *, deadline: Span | None = None) -> dict[str, Any]:
        on = call(deadline)
        return await done(self.sync._native.probe(on, loop()), on.stop)

    async def list_uploads(self, key: str, *, deadline: Span | None = None) -> Uploads:
        """Unfinished uploads of exactly this key: (key, upload id)."""
        on = call(deadline)
        return await done(self.sync._native.list_uploads(key, on, loop()), on.stop)

    async def abort_upload(self, key: str, upload_id: str, *, deadline: Span | None = None) -> None:
        """End an unfinished upload; nothing of it stays."""
        on = call(deadline)
        await done(self.sync._native.abort_upload(key, upload_id, on, loop()), on.stop)

    async def open_writer(self, key: str, *, deadline: Span | None = None, **options: Any) -> Upload:
        on = call(deadline)
        return Upload(await done(self._native.open_writer(key, write_options(options), on, loop()), on.stop))

    async def resume_upload(
        self,
        state: UploadState,
        source: Any,
        *,
        progress: ProgressLike = None,
        deadline: Span | None = None,
        **options: Any,
    ) -> Receipt:
        chosen = write_options(options)
        with reporter(progress, state.key) as report:
            on, told = told_call(deadline, report)
            native, feed = native_source(source)
            with raising_of(told):
                job = self.sync._native.resume_upload(as_dict(state), native, chosen, on, loop())
                return await fed(feed, job, on.stop)

    async def sweep_uploads(
        self,
        prefix: str = "",
        *,
        older_than: Span = 86_400,
        dry_run: bool = True,
        deadline: Span | None = None,
    ) -> SweepReport:
        on = call(deadline)
        job = self.sync._native.sweep_uploads(prefix, float(span(older_than)), dry_run, on, loop())
        return SweepReport._of(*await done(job, on.stop))

    def statistics(self) -> dict[str, Any]:
        return self.sync.statistics()
