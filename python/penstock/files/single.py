"""One file: a URL becomes an object, or a task becomes its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock import _core
from penstock.client import native_client
from penstock.errors import Refused
from penstock.files.task import MAX_BYTES, FileTask, to_core
from penstock.progress import reporter
from penstock.stores import native_store
from penstock.streams import call
from penstock.units import size
from penstock.uris import store_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.client import ClientLike
    from penstock.files.result import FileResult
    from penstock.objects import Receipt
    from penstock.progress import ProgressLike
    from penstock.stores import ObjectStore, StoreProtocol
    from penstock.units import Size, Span


def fetch(
    url: str,
    to: str | ObjectStore | StoreProtocol,
    *,
    key: str | None = None,
    sha256: str | None = None,
    checksum: str | None = None,
    max_bytes: Size = MAX_BYTES,
    expected_bytes: int | None = None,
    relay: bool = False,
    progress: ProgressLike = None,
    deadline: Span | None = None,
    guard: str | None = None,
    client: ClientLike | None = None,
    config: Mapping[str, Any] | None = None,
    **task: Any,
) -> Receipt:
    """Stream one URL into an object, verified before it becomes visible.

    Args:
        url: http or https; redirects are followed, credentials never cross hosts.
        to: ``s3://bucket/key``, ``file:///path``, or a store with ``key=``.
        key: The object's name when ``to`` is a store.
        sha256: Expected digest, 64 hex digits, compared before the object is published.
        checksum: Expected digest as ``algorithm:value``, hex or base64.
        max_bytes: Ceiling on the body, in bytes or as ``"5GiB"``.
        expected_bytes: Exact size; another one is Corrupt.
        relay: To S3: send parts straight from the origin, holding none, if it has a length, a strong ETag and
            ranges; the receipt's ``mode`` and ``mode_reason`` say what became of it.
        progress: True for a bar on stderr, or a callable that receives a Progress.
        deadline: Of the whole call.
        guard: ``public`` refuses to connect to private, loopback and link-local addresses.
        client: A penstock.Client for the download; else the process's.
        config: Arguments of S3Store when ``to`` is an s3 URI.
        task: Further fields of FileTask: ``mode``, ``content_type``, ``headers``, ``digests``, ...
    Returns:
        Receipt: ``bytes`` (int), ``sha256`` (64 hex digits), ``etag``, ``seconds`` (float), ``attempts``
            (int).
    Raises:
        Corrupt: The digest or length differs; nothing is visible at ``to``.
        Refused: Over ``max_bytes`` (code ``too_large``), or an argument that cannot be right.
        InDoubt: The publishing answer was lost; ``error.subject`` names what to look at.
    Memory:
        At most 1 MiB, and on S3 parts in flight x part size (4 x 8 MiB), whatever the size of the body; 320 KiB
        in all with ``relay=True``.
    Source:
        RFC 9110 section 14 (ranges), S3 multipart upload.

    >>> receipt = penstock.fetch(server.url("/a.csv"), folder.as_uri() + "/copy.csv")
    >>> receipt.bytes
    11
    """
    store, made = fetch_task(
        url,
        to,
        key,
        sha256,
        checksum,
        max_bytes=size(max_bytes),
        expected_bytes=expected_bytes,
        relay=relay,
        config=config,
        **task,
    )
    with reporter(progress, made.key) as report:
        on = call(deadline, report)
        return _core.fetch(to_core(made), native_store(store), on, native_client(client), guard)


def fetch_task(
    url: str,
    to: str | ObjectStore | StoreProtocol,
    key: str | None,
    sha256: str | None,
    checksum: str | None,
    *,
    config: Mapping[str, Any] | None = None,
    **task: Any,
) -> tuple[ObjectStore | StoreProtocol, FileTask]:
    """The store and the task that the arguments of fetch() mean."""
    if isinstance(to, str):
        if key is not None:
            raise TypeError("key= goes with a store; a URI names its key itself")
        store, key = store_at(to, **(config or {}))
        if not key:
            raise Refused(f"{to} names a folder: give the object's name too")
    else:
        store = to  # type: ignore[assignment]
        if not key:
            raise TypeError("a store needs key=")
    if sha256 is not None:
        if checksum is not None:
            raise TypeError("give sha256= or checksum=, not both")
        task["checksum"], task["checksum_algorithm"] = sha256, "sha256"
    elif checksum is not None:
        task["checksum"] = checksum
    task.setdefault("digests", ("sha256",))
    return store, FileTask(task_id="", job_id="", url=url, file_name="", key=key, **task)


def process(
    task: FileTask,
    to: ObjectStore | StoreProtocol,
    *,
    progress: ProgressLike = None,
    guard: str | None = None,
    client: ClientLike | None = None,
) -> FileResult:
    """Run one task and return its record; never raises for what happens to the transfer.

    Ctrl-C and exceptions of your own progress callable do come through.
    """
    with reporter(progress, task.task_id) as report:
        return _core.process(
            to_core(task), native_store(to), call(None, report), native_client(client), guard
        )
