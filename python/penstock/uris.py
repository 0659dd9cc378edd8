"""Where an object is, as one text: ``s3://bucket/key``, ``file:///path``, ``memory://bucket/key``."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from penstock import _core
from penstock.errors import Refused
from penstock.stores import FolderStore, MemoryStore, S3Store
from penstock.stores.s3 import bucket_and_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Unpack

    from penstock.objects import Receipt
    from penstock.stores import GetResult, ObjectStore
    from penstock.stores.config import S3Config


def store_at(uri: str, **config: Unpack[S3Config]) -> tuple[ObjectStore, str]:
    """The store and the key a URI names.

    Args:
        uri: ``s3://bucket/key``: the key is raw, ``%`` and ``?`` are characters. ``file:///path``:
            percent-encoded. ``memory://bucket/key``: in this process, as long as it lives.
        config: Arguments of S3Store, as S3Config has them.
    Raises:
        Refused: Another scheme, or no key.

    >>> store, key = penstock.store_at("s3://bucket/a/b")
    >>> key, store.location(key)
    ('a/b', 's3://bucket/a/b')
    """
    scheme, _, rest = uri.partition("://")
    if scheme == "s3":
        bucket, key = bucket_and_key(uri)
        return S3Store(bucket, **config), key
    if scheme == "file":
        folder, _, name = file_path(uri).rpartition("/")
        return FolderStore(folder or "/"), name
    if scheme == "memory":
        bucket, _, key = rest.partition("/")
        return _memory().with_bucket(bucket), key
    raise Refused(f"not an s3://, file:// or memory:// URI: {_core.redact_url(uri)}")


@cache
def _memory() -> MemoryStore:
    return MemoryStore()


def file_path(uri: str) -> str:
    """The path a ``file:`` URI names.

    >>> from penstock.uris import file_path
    >>> file_path("file:///tmp/a%20b/")
    '/tmp/a b/'
    """
    from urllib.parse import unquote

    host, _, path = uri.removeprefix("file://").partition("/")
    if host not in {"", "localhost"}:
        raise Refused(f"file URI of another host: {_core.redact_url(uri)}; write file:///path")
    return f"/{unquote(path)}"


def put(uri: str, data: Any, *, config: Mapping[str, Any] | None = None, **options: Any) -> Receipt:
    """Write the object a URI names; options as for ObjectStore.put, ``config`` as for S3Store.

    >>> penstock.put(folder.as_uri() + "/b.csv", b"a,b").bytes
    3
    """
    store, key = store_at(uri, **(config or {}))
    return store.put(key, data, **options)


def get(uri: str, *, config: Mapping[str, Any] | None = None, **options: Any) -> GetResult:
    """Open the object a URI names; options as for ObjectStore.get, ``config`` as for S3Store."""
    store, key = store_at(uri, **(config or {}))
    return store.get(key, **options)
