"""What fsspec is told of an object or a folder, and how keys become a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.objects import ObjectMeta

    Entry = dict[str, Any]


def file(path: str, meta: ObjectMeta) -> Entry:
    """An object. ``mtime`` is for pyarrow, the capitals are those of S3 and s3fs."""
    return {
        "name": path,
        "size": meta.bytes,
        "type": "file",
        "ETag": meta.etag,
        "LastModified": meta.last_modified,
        "StorageClass": meta.storage_class or "STANDARD",
        "mtime": meta.modified,
    }


def directory(path: str) -> Entry:
    """What keys have in common up to a slash."""
    return {"name": path, "size": 0, "type": "directory", "StorageClass": "DIRECTORY"}


def parents(key: str) -> Iterator[str]:
    """The folders a key lies in, the nearest first.

    >>> from penstock.fsspec.entries import parents
    >>> list(parents("a/b/c")), list(parents("/b"))
    (['a/b', 'a'], [''])
    """
    at = key.rfind("/")
    while at >= 0:
        yield key[:at]
        at = key.rfind("/", 0, at)


def below(path: str) -> str:
    """What the keys under a path begin with."""
    return f"{path}/" if path else ""
