"""The async twins: the same names as in penstock, awaited.

Native work runs on worker threads and completes futures of the running loop, one wake-up a batch. Cancelling a
task stops its job within 200 ms; if publishing had begun, the CancelledError's ``__cause__`` is InDoubt.
"""

from penstock.aio import bundles, codecs, files, sqs
from penstock.aio.client import Client
from penstock.aio.codecs import Gunzip
from penstock.aio.files import fetch
from penstock.aio.stores import FolderStore, GetResult, MemoryStore, ObjectStore, S3Store
from penstock.aio.streams import Count, FileSink, FileSource, Hash, Limit, Sha256, Sink, Source, Tee, pump
from penstock.aio.uris import get, open, put, store_at

__all__ = [
    "Client",
    "Count",
    "FileSink",
    "FileSource",
    "FolderStore",
    "GetResult",
    "Gunzip",
    "Hash",
    "Limit",
    "MemoryStore",
    "ObjectStore",
    "S3Store",
    "Sha256",
    "Sink",
    "Source",
    "Tee",
    "bundles",
    "codecs",
    "fetch",
    "files",
    "get",
    "open",
    "pump",
    "put",
    "sqs",
    "store_at",
]
