"""A URL becomes a verified object: download, limit, hash and upload in one pass, compare, then publish.

>>> task = penstock.files.FileTask(
...     task_id="t1", job_id="j1", url=server.url("/a.csv"), file_name="a.csv", key="a"
... )
>>> store = penstock.MemoryStore()
>>> result = penstock.files.process(task, to=store)
>>> result.success, result.bytes
(True, 11)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from penstock import _core, display
from penstock.errors import Refused
from penstock.progress import Rated, reporter
from penstock.stores import native_store
from penstock.streams import call
from penstock.units import size, span
from penstock.uris import store_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock.client import Client
    from penstock.objects import Progress, Receipt
    from penstock.stores import ObjectStore, ProgressLike, StoreProtocol
    from penstock.units import Size, Span

MAX_BYTES = 5 * 2**30
"""The default ceiling of one file."""

_EXISTING = {
    "task_id": "taskId",
    "job_id": "jobId",
    "url": "downloadUrl",
    "file_name": "fileName",
    "key": "s3OutputKey",
    "bucket": "s3Bucket",
    "expected_bytes": "expectedFileSize",
    "checksum": "checksum",
    "checksum_algorithm": "checksumAlgorithm",
}
_OURS = {theirs: ours for ours, theirs in _EXISTING.items()}


@dataclass(frozen=True, kw_only=True)
class FileTask:
    """One file to fetch. Plain data without credentials: it pickles and travels.

    Attributes:
        task_id: 1 to 255 printable characters, as job_id.
        url: http or https, with a host, without userinfo.
        file_name: Metadata only, never a path.
        key: Where it goes in the store.
        bucket: None: the store's own.
        expected_bytes: Another size is an error, nothing visible.
        checksum: Hex or base64, perhaps ``sha256:...``; compared before anything is visible.
        checksum_algorithm: Needed unless the checksum carries it.
        digests: More algorithms to compute for the result.
        max_bytes: Ceiling in bytes, 5 GiB.
        mode: overwrite or create; ``if_match`` an ETag instead.
        on_exists: ``skip``: an object with this task id, size and digest is success.
        headers: Sent to the origin; their values are secret and never shown.
        deadline: Of the whole task: ``"5m"``, seconds or timedelta.
        allow_unframed: Accept a body whose cut could not be seen.
        verify_headers: Also compare checksums the origin sends.
    """

    task_id: str
    job_id: str
    url: str
    file_name: str
    key: str
    bucket: str | None = None
    expected_bytes: int | None = None
    checksum: str | None = None
    checksum_algorithm: str | None = None
    digests: tuple[str, ...] = ()
    max_bytes: int = MAX_BYTES
    mode: str = "overwrite"
    if_match: str | None = None
    on_exists: str | None = None
    storage_class: str | None = None
    sse: str | None = None
    kms_key_id: str | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    deadline: Any = None
    allow_unframed: bool = False
    verify_headers: bool = False
    max_redirects: int = 10

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> FileTask:
        """A task from a record in either spelling (``task_id`` or ``taskId``); other names are Refused.

        >>> penstock.files.FileTask.from_dict({"taskId": "t", "jobId": "j", "downloadUrl": "http://h/a",
        ...     "fileName": "a", "s3OutputKey": "k"}).key
        'k'
        """
        named = {_OURS.get(name, name): value for name, value in record.items()}
        if len(named) != len(record):
            raise Refused("task record names a field in both spellings")
        known = {each.name: each for each in fields(cls)}
        if unknown := named.keys() - known.keys():
            raise Refused(f"task record has no field named {', '.join(sorted(unknown))}")
        needed = {
            name
            for name, each in known.items()
            if each.default is MISSING and each.default_factory is MISSING
        }
        if absent := needed - named.keys():
            raise Refused(f"task record lacks {', '.join(sorted(absent))}")
        return cls(**named)

    def to_dict(self, *, existing: bool = False, headers: bool = False) -> dict[str, Any]:
        """The record; ``existing=True`` in the old spelling. Header values only if asked for."""
        out = {
            each.name: value
            for each in fields(self)
            if (value := getattr(self, each.name)) not in (None, (), {})
            and (headers or each.name != "headers")
        }
        return {_EXISTING.get(name, name): value for name, value in out.items()} if existing else out

    def validate(self) -> None:
        """Raise Refused naming the field that cannot be right; no I/O."""
        _core.validate_task(to_core(self))

    def __repr__(self) -> str:
        return display.line(
            "FileTask", task_id=self.task_id, url=_core.redact_url(self.url), key=self.key, bucket=self.bucket
        )


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """What became of a task. On failure ``key`` and ``bytes`` are None and the error fields say why.

    Attributes:
        error_code: DOWNLOAD_FAILED, VALIDATION_FAILED, UPLOAD_FAILED, TIMEOUT, CANCELLED, UNKNOWN.
        retryable: Whether running the task again may help.
        receipt: On success, the writer's.
    """

    success: bool
    task_id: str
    job_id: str
    key: str | None = None
    bytes: int | None = None
    duration_ms: int = 0
    error_message: str | None = None
    error_code: str | None = None
    error_kind: str | None = None
    retryable: bool = False
    skipped: bool = False
    bucket: str | None = None
    version_id: str | None = None
    etag: str | None = None
    location: str | None = None
    content_type: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    attempts: int = 0
    resumes: int = 0
    restarts: int = 0
    mode: str | None = None

    @classmethod
    def _from_core(cls, told: dict[str, Any]) -> FileResult:
        receipt: Receipt | None = told.pop("receipt")
        for name in ("error_message", "error_code", "error_kind"):
            told[name] = told[name] or None
        if receipt is not None:
            texts = ("bucket", "version_id", "etag", "location", "content_type", "mode")
            told.update({name: getattr(receipt, name) or None for name in texts})
            told.update(
                {name: getattr(receipt, name) for name in ("digests", "attempts", "resumes", "restarts")}
            )
        result = cls(**told)
        _metrics.count(result)
        return result

    def to_dict(self, *, existing: bool = False) -> dict[str, Any]:
        """The record without what is absent; ``existing=True`` has only the old names."""
        if existing:
            old = {
                "success": self.success,
                "taskId": self.task_id,
                "jobId": self.job_id,
                "s3Key": self.key,
                "fileSize": self.bytes,
                "processingDurationMs": self.duration_ms,
                "errorMessage": self.error_message,
            }
            return {name: value for name, value in old.items() if value is not None}
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in named.items() if value not in (None, {})}

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return (self.bytes or 0) * 1000 / self.duration_ms if self.duration_ms else 0.0

    @property
    def state(self) -> str:
        """completed, skipped or failed."""
        if self.skipped:
            return "skipped"
        return "completed" if self.success else "failed"

    def __repr__(self) -> str:
        return display.line(
            "FileResult",
            state=self.state,
            task_id=self.task_id,
            key=self.key,
            bytes=self.bytes,
            error_message=self.error_message,
        )

    def _repr_html_(self) -> str:
        return results_html([self])


class Results(list[FileResult]):
    """A list of results that a notebook shows as one table."""

    def _repr_html_(self) -> str:
        return results_html(self)


def results_html(results: Iterable[FileResult]) -> str:
    """One row a result: key, size, rate, digest, state in colour and in words."""
    head = ("task", "key", "size", "rate", "digest", "state", "why")
    return display.grid(head, [_row(result) for result in results])


def _row(result: FileResult) -> tuple[str | tuple[str, str], ...]:
    digest = next(iter(result.digests.values()), "")
    amount = display.size(result.bytes) if result.bytes is not None else ""
    rate = display.rate(result.rate) if result.success else ""
    return (
        result.task_id,
        result.key or "",
        amount,
        rate,
        display.short(digest),
        display.state(result.state),
        result.error_message or "",
    )


class _Metrics:
    """Counters since the process began."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], int] = {}
        self.seconds: list[int] = [0] * (len(BUCKETS) + 1)
        self.seconds_sum = 0.0

    def count(self, result: FileResult) -> None:
        outcome = (result.state, result.error_kind or "")
        self.files[outcome] = self.files.get(outcome, 0) + 1
        took = result.duration_ms / 1000
        self.seconds_sum += took
        self.seconds[sum(took > edge for edge in BUCKETS)] += 1


BUCKETS = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
"""Upper edges of penstock_file_seconds."""
_metrics = _Metrics()


def metrics() -> dict[str, Any]:
    """What this process did: counters by name and label, as plain numbers.

    >>> "penstock_files_total" in penstock.files.metrics()
    True
    """
    seen = _core.default_client().statistics()
    budget = _core.budget_statistics()
    hosts = seen["hosts"].values()
    return {
        "penstock_files_total": {f"{outcome},{kind}": n for (outcome, kind), n in _metrics.files.items()},
        "penstock_file_seconds": {
            "buckets": dict(zip((*BUCKETS, float("inf")), _metrics.seconds, strict=True)),
            "sum": _metrics.seconds_sum,
        },
        "penstock_bytes_total": {"in": seen["bytes_in"], "out": seen["bytes_out"]},
        "penstock_retries_total": seen["retries_by_class"],
        "penstock_resumes_total": seen["resumes"],
        "penstock_budget_bytes": {"used": budget["used"], "peak": budget["peak"]},
        "penstock_pool": {name: sum(host[name] for host in hosts) for name in ("open", "idle", "waiting")},
        "penstock_uploads_orphaned": seen["uploads_orphaned"],
    }


def fetch(
    url: str,
    to: str | ObjectStore | StoreProtocol,
    *,
    key: str | None = None,
    sha256: str | None = None,
    checksum: str | None = None,
    max_bytes: Size = MAX_BYTES,
    expected_bytes: int | None = None,
    progress: ProgressLike = None,
    deadline: Span | None = None,
    guard: str | None = None,
    client: Client | None = None,
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
        256 KiB, and on S3 parts in flight x part size (4 x 8 MiB), whatever the size of the body.
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
    client: Client | None = None,
) -> FileResult:
    """Run one task and return its record; never raises for what happens to the transfer.

    Ctrl-C and exceptions of your own progress callable do come through.
    """
    with reporter(progress, task.task_id) as report:
        return _core.process(
            to_core(task), native_store(to), call(None, report), native_client(client), guard
        )


class fetch_many(Iterator[FileResult]):
    """Run many tasks; iterate their results as they complete.

    Args:
        tasks: FileTasks, perhaps without end: at most 2 x jobs are taken ahead.
        to: The store; a task's ``bucket`` goes to ``with_bucket``.
        jobs: Transfers at once, 1 to 256.
        ordered: Results in the order of the tasks.
        budget: Memory for all transfers together; else the process's Budget.
        progress: A callable that receives a Progress with its ``task_id``, or True for a line a file.
        guard: As for fetch().
        client: As for fetch().
    One task's failure is its result and touches no other. Leaving the block, or close(), cancels the rest
    within
    200 ms; nothing of them becomes visible.

    >>> tasks = [penstock.files.FileTask(task_id=str(n), job_id="j", url=server.url("/a.csv"), file_name="a",
    ...     key=f"k{n}") for n in range(3)]
    >>> with penstock.files.fetch_many(tasks, penstock.MemoryStore(), jobs=2) as results:
    ...     sorted(result.task_id for result in results)
    ['0', '1', '2']
    """

    def __init__(
        self,
        tasks: Iterable[FileTask],
        to: ObjectStore | StoreProtocol,
        *,
        jobs: int = 16,
        ordered: bool = False,
        budget: Size | None = None,
        progress: ProgressLike = None,
        guard: str | None = None,
        client: Client | None = None,
    ) -> None:
        self._batch = batch(tasks, to, jobs, ordered, budget, progress, guard, client)
        self._over = False

    def __next__(self) -> FileResult:
        result = None if self._over else self._batch.next()
        if result is None:
            self._over = True
            raise StopIteration
        return result

    def close(self) -> None:
        """Cancel what runs and take no more tasks."""
        self._over = True
        self._batch.cancel()

    def __enter__(self) -> fetch_many:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def batch(
    tasks: Iterable[FileTask],
    to: ObjectStore | StoreProtocol,
    jobs: int,
    ordered: bool,
    budget: Size | None,
    progress: ProgressLike,
    guard: str | None,
    client: Client | None,
) -> _core.Batch:
    """The native batch for the arguments of fetch_many()."""
    limit = None if budget is None else size(budget)
    records = (to_core(task) for task in tasks)
    return _core.Batch(
        records,
        native_store(to),
        jobs,
        ordered,
        limit,
        _progress_of(progress),
        native_client(client),
        guard,
        call(),
    )


def _progress_of(progress: ProgressLike) -> Callable[[str], Rated] | None:
    if progress is None or progress is False:
        return None
    tell = _print_ends if progress is True else progress
    return lambda task_id: Rated(tell, task_id)


def _print_ends(progress: Progress) -> None:
    if progress.state in {"completed", "failed", "cancelled"}:
        import sys

        print(f"{progress.task_id}: {progress.state}, {display.size(progress.bytes_done)}", file=sys.stderr)


def to_core(task: FileTask) -> dict[str, Any]:
    """The task as the core takes it."""
    record = {each.name: getattr(task, each.name) for each in fields(task)}
    record["digests"] = list(task.digests)
    record["deadline"] = None if task.deadline is None else span(task.deadline)
    record["on_exists"] = task.on_exists or ""
    record["headers"], record["metadata"], record["tags"] = (
        dict(task.headers),
        dict(task.metadata),
        dict(task.tags),
    )
    return record


def native_client(client: Client | None) -> _core.Client | None:
    """The core's client behind ours."""
    return None if client is None else client._native
