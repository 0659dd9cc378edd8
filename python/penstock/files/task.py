"""One file to fetch, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from penstock import _core, display
from penstock.errors import Refused
from penstock.units import span

if TYPE_CHECKING:
    from penstock.units import Size

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
        max_bytes: Ceiling in bytes or as ``"1GiB"``; 5 GiB.
        mode: overwrite or create; ``if_match`` an ETag instead.
        on_exists: ``skip``: an object with this task id, size and digest is success.
        headers: Sent to the origin; their values are secret and never shown.
        deadline: Of the whole task: ``"5m"``, seconds or timedelta.
        allow_unframed: Accept a body whose cut could not be seen.
        verify_headers: Also compare checksums the origin sends.
        relay: Parts straight from the origin where it can be read again: 320 KiB of buffers instead of parts.
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
    max_bytes: Size = MAX_BYTES
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
    relay: bool = False

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


def to_core(task: FileTask) -> dict[str, Any]:
    """The task as the core takes it. What has no right type stays as it is: the core names it in the result."""
    record = {each.name: getattr(task, each.name) for each in fields(task)}
    record["deadline"] = _seconds(task.deadline)
    for name in ("headers", "metadata", "tags"):
        if isinstance(record[name], Mapping):
            record[name] = dict(record[name])
    return record


def _seconds(deadline: Any) -> Any:
    """A span as seconds; what is none stays, and the core says so in the task's result."""
    try:
        return None if deadline is None else span(deadline)
    except (Refused, TypeError, AttributeError):
        return deadline
