"""What became of a file, as a record and as a row of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from penstock import display

if TYPE_CHECKING:
    from collections.abc import Iterable

    from penstock.objects import Receipt


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """What became of a task. On failure ``key`` and ``bytes`` are None and the error fields say why.

    Attributes:
        error_code: DOWNLOAD_FAILED, VALIDATION_FAILED, UPLOAD_FAILED, TIMEOUT, CANCELLED, UNKNOWN.
        retryable: Whether running the task again may help.
        mode: How it was written, as in a Receipt; ``skipped`` if it was there. ``mode_reason`` says why.
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
    mode_reason: str | None = None

    @classmethod
    def _from_core(cls, told: dict[str, Any]) -> FileResult:
        receipt: Receipt | None = told.pop("receipt")
        for name in ("error_message", "error_code", "error_kind"):
            told[name] = told[name] or None
        if receipt is not None:
            texts = ("bucket", "version_id", "etag", "location", "content_type", "mode", "mode_reason")
            told.update({name: getattr(receipt, name) or None for name in texts})
            told.update(
                {name: getattr(receipt, name) for name in ("digests", "attempts", "resumes", "restarts")}
            )
        return cls(**told)

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
        """completed, skipped, failed, or in doubt: look whether it happened."""
        if self.skipped:
            return "skipped"
        if self.error_kind == "in_doubt":
            return "in doubt"
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
