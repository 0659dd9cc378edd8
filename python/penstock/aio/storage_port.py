"""Async twin of penstock.files.StoragePort."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock import stores as sync
from penstock.aio.stores import ObjectStore, S3Store
from penstock.files.storage_port import Buckets, Download, FileMetadata, Uploaded, not_found

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from penstock.files.storage_port import PrefixRule
    from penstock.objects import Receipt, RemoveReport
    from penstock.stores import StoreProtocol
    from penstock.units import Span


class StoragePort:
    """As penstock.files.StoragePort, over an async store, a sync one or a class of yours.

    >>> import asyncio
    >>> async def main():
    ...     port = penstock.aio.files.StoragePort(penstock.aio.MemoryStore(), prefix="exports/")
    ...     return (await port.upload_buffer("reports", "a.csv", b"1,2")).key
    >>> asyncio.run(main())
    'exports/a.csv'
    """

    def __init__(
        self,
        store: ObjectStore | sync.ObjectStore | StoreProtocol,
        *,
        prefix: str = "",
        prefix_rule: PrefixRule = "always",
    ) -> None:
        self._buckets: Buckets[ObjectStore] = Buckets(_awaited(store), prefix, prefix_rule)

    async def upload_buffer(self, bucket: str, key: str, buffer: Any, **options: Any) -> Uploaded:
        return await self._upload(bucket, key, buffer, options)

    async def upload_stream(self, bucket: str, key: str, stream: Any, **options: Any) -> Uploaded:
        """``stream`` may also be an async iterator."""
        return await self._upload(bucket, key, stream, options)

    async def upload_file(self, bucket: str, key: str, path: str | PathLike[str], **options: Any) -> Uploaded:
        return await self._upload(bucket, key, Path(path), options)

    async def download_stream(self, bucket: str, key: str) -> Download:
        return Download._of(await self._buckets[bucket].get(self._buckets.key(key)))

    get_object_stream = download_stream

    async def download_to_file(self, bucket: str, key: str, path: str | PathLike[str]) -> Receipt:
        return await self._buckets[bucket].get_file(self._buckets.key(key), path)

    download_file = download_to_file

    async def head_object(self, bucket: str, key: str) -> FileMetadata | None:
        found = await self._buckets[bucket].find(self._buckets.key(key))
        return None if found is None else FileMetadata._of(found)

    async def get_file_metadata(self, bucket: str, key: str) -> FileMetadata:
        found = await self.head_object(bucket, key)
        if found is None:
            raise not_found(bucket, self._buckets.key(key))
        return found

    async def file_exists(self, bucket: str, key: str) -> bool:
        return await self._buckets[bucket].exists(self._buckets.key(key))

    async def delete_object(self, bucket: str, key: str) -> None:
        await self._buckets[bucket].remove(self._buckets.key(key))

    delete_file = delete_object

    async def delete_objects(self, bucket: str, keys: Iterable[str]) -> RemoveReport:
        return await self._buckets[bucket].remove_many(self._buckets.key(key) for key in keys)

    delete_files = delete_objects

    async def get_presigned_url(self, bucket: str, key: str, expires: Span = 3600) -> str:
        store = self._buckets.presigning(bucket)
        url: str = await store.presign("GET", self._buckets.key(key), expires=expires)
        return url

    get_signed_download_url = get_presigned_url

    async def _upload(self, bucket: str, key: str, data: Any, options: dict[str, Any]) -> Uploaded:
        real = self._buckets.key(key)
        receipt = await self._buckets[bucket].put(real, data, **options)
        return self._buckets.uploaded(receipt, bucket, real)


def _awaited(store: ObjectStore | sync.ObjectStore | StoreProtocol) -> ObjectStore:
    if isinstance(store, ObjectStore):
        return store
    if isinstance(store, sync.S3Store):
        return S3Store._over(store)
    return ObjectStore(store) if isinstance(store, sync.ObjectStore) else ObjectStore.of(store)
