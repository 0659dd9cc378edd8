"""penstock: bytes as streams, in constant memory: a URL becomes a verified object in one pass.

>>> receipt = penstock.fetch(server.url("/a.csv"), folder.as_uri() + "/a.csv")
>>> receipt.bytes
11
"""

from __future__ import annotations

import atexit as _atexit
import os as _os
from typing import TYPE_CHECKING, Any

from penstock import _core
from penstock.client import AddressPolicy, Client
from penstock.errors import (
    Busy,
    Cancelled,
    Conflict,
    Corrupt,
    DeadlinePassed,
    Denied,
    Error,
    InDoubt,
    Lost,
    NotFound,
    Refused,
)
from penstock.stores import FolderStore, GetResult, MemoryStore, ObjectStore, S3Store, StoreProtocol
from penstock.streams import Count, FileSink, FileSource, Hash, Limit, Sha256, Sink, Source, Tee, pump
from penstock.uris import get, put, store_at

if TYPE_CHECKING:
    from penstock import aio, aws, bundles, codecs, files, sqs, testing
    from penstock.codecs import Gunzip
    from penstock.files import fetch
    from penstock.objects import (
        ObjectMeta,
        OpenUpload,
        PostForm,
        Progress,
        Range,
        Receipt,
        RemoveReport,
        SweepReport,
        UploadState,
    )
    from penstock.opening import open
    from penstock.stores.config import S3Config

__version__: str = _core.__version__

__all__ = [
    "AddressPolicy",
    "Busy",
    "Cancelled",
    "Client",
    "Conflict",
    "Corrupt",
    "Count",
    "DeadlinePassed",
    "Denied",
    "Error",
    "FileSink",
    "FileSource",
    "FolderStore",
    "GetResult",
    "Gunzip",
    "Hash",
    "InDoubt",
    "Limit",
    "Lost",
    "MemoryStore",
    "NotFound",
    "ObjectMeta",
    "ObjectStore",
    "OpenUpload",
    "PostForm",
    "Progress",
    "Range",
    "Receipt",
    "Refused",
    "RemoveReport",
    "S3Config",
    "S3Store",
    "Sha256",
    "Sink",
    "Source",
    "StoreProtocol",
    "SweepReport",
    "Tee",
    "UploadState",
    "aio",
    "aws",
    "bundles",
    "codecs",
    "fetch",
    "files",
    "get",
    "open",
    "pump",
    "put",
    "set_budget",
    "sqs",
    "store_at",
    "testing",
]

# Loaded when first asked for: `dataclasses` alone costs as much as all that is loaded at once.
_LATE_MODULES = frozenset({"aio", "aws", "bundles", "codecs", "files", "fsspec", "sqs", "testing"})
_LATE_NAMES = {
    "Gunzip": "codecs",
    "open": "opening",
    "fetch": "files",
    "S3Config": "stores.config",
    **dict.fromkeys(
        (
            "ObjectMeta",
            "OpenUpload",
            "PostForm",
            "Progress",
            "Range",
            "Receipt",
            "RemoveReport",
            "SweepReport",
            "UploadState",
        ),
        "objects",
    ),
}


def set_budget(limit: int | str) -> None:
    """Set the process's ceiling on memory that grows with data (96 MiB); for what is opened from now on.

    ``PENSTOCK_BUDGET`` sets it from outside, such as ``256MiB``.
    """
    from penstock.units import size

    _core.set_budget(size(limit))


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _LATE_MODULES:
        return import_module(f"penstock.{name}")
    if module := _LATE_NAMES.get(name):
        found = getattr(import_module(f"penstock.{module}"), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'penstock' has no attribute {name!r}")


_atexit.register(_core._shutdown)
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_core._after_fork_in_child)
