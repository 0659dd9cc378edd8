"""A store under the names of storage services that take the bucket with every call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

from penstock.errors import NotFound, Refused
from penstock.stores import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from typing_extensions import Self

    from penstock.objects import ObjectMeta, Receipt, RemoveReport
    from penstock.stores import StoreProtocol
    from penstock.units import Span

PrefixRule = Literal["always", "unless_present"]


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """What is now there; ``key`` is the real one, the port's prefix included."""

    key: str
    bucket: str
    location: str
    etag: str | None = None
    version_id: str | None = None

    @classmethod
    def _of(cls, receipt: Receipt, bucket: str, key: str, location: str) -> Self:
        return cls(
            key=key,
            bucket=bucket,
            location=location,
            etag=receipt.etag or None,
            version_id=receipt.version_id or None,
        )


@dataclass(frozen=True, kw_only=True)
class FileMetadata:
    """What is known of an object; ``size`` in bytes."""

    size: int
    content_type: str | None = None
    etag: str | None = None

    @classmethod
    def _of(cls, meta: ObjectMeta) -> Self:
        return cls(size=meta.bytes, content_type=meta.content_type or None, etag=meta.etag or None)


@dataclass(frozen=True, kw_only=True)
class Download:
    """An object being read: ``stream`` is a GetResult, async in the async twin."""

    stream: Any
    content_length: int
    content_type: str | None = None
    etag: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def _of(cls, stream: Any) -> Self:
        meta = stream.meta
        return cls(
            stream=stream,
            content_length=meta.bytes,
            content_type=meta.content_type or None,
            etag=meta.etag or None,
            metadata=meta.metadata,
        )


class _Store(Protocol):
    def with_bucket(self, bucket: str) -> Self: ...
    def location(self, key: str) -> str: ...


Store = TypeVar("Store", bound=_Store)


class Buckets(Generic[Store]):
    """The stores of the buckets that were asked for, and what a key is called there."""

    def __init__(self, store: Store, prefix: str, prefix_rule: PrefixRule) -> None:
        if prefix_rule not in {"always", "unless_present"}:
            raise Refused(f"prefix_rule must be 'always' or 'unless_present', not {prefix_rule!r}")
        self._store, self._prefix = store, prefix
        self._unless_present = prefix_rule == "unless_present"
        self._opened: dict[str, Store] = {}

    def __getitem__(self, bucket: str) -> Store:
        if bucket not in self._opened:
            self._opened[bucket] = self._store.with_bucket(bucket)
        return self._opened[bucket]

    def key(self, key: str) -> str:
        """The real one."""
        there = self._unless_present and key.startswith(self._prefix)
        return key if there else self._prefix + key

    def uploaded(self, receipt: Receipt, bucket: str, key: str) -> Uploaded:
        """What an upload tells."""
        return Uploaded._of(receipt, bucket, key, self[bucket].location(key))

    def presigning(self, bucket: str) -> Any:
        """The bucket's store, if it can make URLs."""
        store = self[bucket]
        if not hasattr(store, "presign"):
            raise Refused(f"{type(self._store).__name__} makes no URLs; S3Store does")
        return store


def not_found(bucket: str, key: str) -> NotFound:
    """What get_file_metadata() raises."""
    return NotFound(f"File not found: {bucket}/{key}", subject=f"{bucket}/{key}")


class StoragePort:
    """Any store under the names that services have for one: the bucket first, then the key.

    Args:
        store: Its ``with_bucket`` gives the buckets: of S3 others with the same client and credentials, without the
            store's own prefix; of a folder subfolders. A class of yours needs that method.
        prefix: Of every key.
        prefix_rule: ``always`` joins the two; ``unless_present`` leaves keys that begin with the prefix as they are,
            so that a key which came back from here names the same object.

    ``upload_file`` and so on take the options of ObjectStore.put. Names that mean the same are both there.

    >>> port = penstock.files.StoragePort(penstock.MemoryStore(), prefix="exports/", prefix_rule="unless_present")
    >>> port.upload_buffer("reports", "a.csv", b"1,2", content_type="text/csv").key
    'exports/a.csv'
    >>> port.head_object("reports", "exports/a.csv")
    FileMetadata(size=3, content_type='text/csv', etag=...)
    """

    def __init__(
        self, store: ObjectStore | StoreProtocol, *, prefix: str = "", prefix_rule: PrefixRule = "always"
    ) -> None:
        made = store if isinstance(store, ObjectStore) else ObjectStore.of(store)
        self._buckets: Buckets[ObjectStore] = Buckets(made, prefix, prefix_rule)

    def upload_buffer(self, bucket: str, key: str, buffer: Any, **options: Any) -> Uploaded:
        """Bytes become an object."""
        return self._upload(bucket, key, buffer, options)

    def upload_stream(self, bucket: str, key: str, stream: Any, **options: Any) -> Uploaded:
        """Whatever ObjectStore.put takes becomes an object, of unknown length or not."""
        return self._upload(bucket, key, stream, options)

    def upload_file(self, bucket: str, key: str, path: str | PathLike[str], **options: Any) -> Uploaded:
        """A file becomes an object."""
        return self._upload(bucket, key, Path(path), options)

    def download_stream(self, bucket: str, key: str) -> Download:
        """Open an object; NotFound if it is absent."""
        return Download._of(self._buckets[bucket].get(self._buckets.key(key)))

    get_object_stream = download_stream

    def download_to_file(self, bucket: str, key: str, path: str | PathLike[str]) -> Receipt:
        """The object as a file, which is hidden until it is whole, compared and on the disk."""
        return self._buckets[bucket].get_file(self._buckets.key(key), path)

    download_file = download_to_file

    def head_object(self, bucket: str, key: str) -> FileMetadata | None:
        """What is known of it, or None. No right to look is Denied."""
        found = self._buckets[bucket].find(self._buckets.key(key))
        return None if found is None else FileMetadata._of(found)

    def get_file_metadata(self, bucket: str, key: str) -> FileMetadata:
        """As head_object, but absence is NotFound: ``File not found: {bucket}/{key}``, with the real key."""
        found = self.head_object(bucket, key)
        if found is None:
            raise not_found(bucket, self._buckets.key(key))
        return found

    def file_exists(self, bucket: str, key: str) -> bool:
        """Whether it is there. No right to look is Denied, not False."""
        return self._buckets[bucket].exists(self._buckets.key(key))

    def delete_object(self, bucket: str, key: str) -> None:
        """Remove it; absence is success."""
        self._buckets[bucket].remove(self._buckets.key(key))

    delete_file = delete_object

    def delete_objects(self, bucket: str, keys: Iterable[str]) -> RemoveReport:
        """Remove many, 1,000 a request; what went wrong is in the report's ``errors``, by real key."""
        return self._buckets[bucket].remove_many(self._buckets.key(key) for key in keys)

    delete_files = delete_objects

    def get_presigned_url(self, bucket: str, key: str, expires: Span = 3600) -> str:
        """A URL that anybody may GET for a while; of S3 only."""
        url: str = self._buckets.presigning(bucket).presign("GET", self._buckets.key(key), expires=expires)
        return url

    get_signed_download_url = get_presigned_url

    def _upload(self, bucket: str, key: str, data: Any, options: dict[str, Any]) -> Uploaded:
        real = self._buckets.key(key)
        return self._buckets.uploaded(self._buckets[bucket].put(real, data, **options), bucket, real)
