"""Async twins of penstock.uris: the same names and arguments, awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock import uris as sync
from penstock.aio.stores import FolderStore, ObjectStore, S3Store
from penstock.errors import Refused
from penstock.stores import FolderStore as SyncFolderStore
from penstock.stores import S3Store as SyncS3Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal, overload

    from typing_extensions import Unpack

    from penstock.aio.stores import GetResult, ObjectReader
    from penstock.aio.streams import Sink
    from penstock.objects import Receipt
    from penstock.stores import ObjectStore as SyncObjectStore
    from penstock.stores.config import S3Config


def store_at(uri: str, **config: Unpack[S3Config]) -> tuple[ObjectStore, str]:
    """Async twin of penstock.store_at: makes no request, so it is not awaited.

    >>> store, key = penstock.aio.store_at("s3://bucket/a/b")
    >>> key, store.location(key)
    ('a/b', 's3://bucket/a/b')
    """
    store, key = sync.store_at(uri, **config)
    return _twin(store)._over(store), key


def _twin(store: SyncObjectStore) -> type[ObjectStore]:
    if isinstance(store, SyncS3Store):
        return S3Store
    return FolderStore if isinstance(store, SyncFolderStore) else ObjectStore


if TYPE_CHECKING:

    @overload
    async def open(
        uri: str, mode: Literal["rb"] = "rb", *, config: Mapping[str, Any] | None = None, **options: Any
    ) -> ObjectReader: ...
    @overload
    async def open(
        uri: str, mode: Literal["wb", "xb"], *, config: Mapping[str, Any] | None = None, **options: Any
    ) -> Sink: ...


async def open(
    uri: str,
    mode: Literal["rb", "wb", "xb"] = "rb",
    *,
    config: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Async twin of penstock.open, for bytes: ``async with await penstock.aio.open(uri, "wb") as file``.

    >>> import asyncio
    >>> async def main():
    ...     async with await penstock.aio.open("memory://doc/k", "wb") as file:
    ...         await file.write(b"bytes")
    ...     async with await penstock.aio.open("memory://doc/k") as file:
    ...         return await file.read(100)
    >>> asyncio.run(main())
    b'bytes'
    """
    if mode not in ("rb", "wb", "xb"):
        raise Refused(f"mode is one of rb, wb, xb, not {mode!r}")
    store, key = store_at(uri, **(config or {}))
    if mode == "rb":
        return await store.open_reader(key, **options)
    if mode == "xb":
        options = {**options, "mode": "create"}
    return await store.open_writer(key, **options)


async def put(uri: str, data: Any, *, config: Mapping[str, Any] | None = None, **options: Any) -> Receipt:
    """Async twin of penstock.put.

    >>> import asyncio
    >>> asyncio.run(penstock.aio.put(folder.as_uri() + "/b.csv", b"a,b")).bytes
    3
    """
    store, key = store_at(uri, **(config or {}))
    return await store.put(key, data, **options)


async def get(uri: str, *, config: Mapping[str, Any] | None = None, **options: Any) -> GetResult:
    """Async twin of penstock.get."""
    store, key = store_at(uri, **(config or {}))
    return await store.get(key, **options)
