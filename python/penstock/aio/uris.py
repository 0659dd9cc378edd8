"""Async twins of penstock.uris: the same names and arguments, awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock import uris as sync
from penstock.aio.stores import FolderStore, ObjectStore, S3Store
from penstock.stores import S3Store as SyncS3Store

if TYPE_CHECKING:
    from penstock.aio.stores import GetResult
    from penstock.objects import Receipt


def store_at(uri: str, **config: Any) -> tuple[ObjectStore, str]:
    """Async twin of penstock.store_at: makes no request, so it is not awaited.

    >>> store, key = penstock.aio.store_at("s3://bucket/a/b")
    >>> key, store.location(key)
    ('a/b', 's3://bucket/a/b')
    """
    store, key = sync.store_at(uri, **config)
    twin = S3Store if isinstance(store, SyncS3Store) else FolderStore
    return twin._over(store), key


async def put(uri: str, data: Any, *, config: dict[str, Any] | None = None, **options: Any) -> Receipt:
    """Async twin of penstock.put.

    >>> import asyncio
    >>> asyncio.run(penstock.aio.put(folder.as_uri() + "/b.csv", b"a,b")).bytes
    3
    """
    store, key = store_at(uri, **(config or {}))
    return await store.put(key, data, **options)


async def get(uri: str, *, config: dict[str, Any] | None = None, **options: Any) -> GetResult:
    """Async twin of penstock.get."""
    store, key = store_at(uri, **(config or {}))
    return await store.get(key, **options)
