"""The facts that come back: what an object is, what a write did, how far a transfer is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock import display

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from penstock.errors import Error


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectMeta:
    """What a store knows of an object.

    Attributes:
        key: The name, without the store's prefix.
        bytes: Size of the whole object, also when a range was read.
        etag: Opaque, quotes kept; the validator for ``if_match=``.
        modified: Seconds since 1970, or None. ``last_modified`` is the same as an aware datetime.
        metadata: User metadata, names in lower case.
        digests: Checksums of the whole object, algorithm name to hex.
        is_prefix: Of list_with_delimiter: no object, but all keys that begin with ``key``.
    """

    key: str
    bytes: int
    etag: str = ""
    version_id: str = ""
    modified: float | None = None
    content_type: str = ""
    content_encoding: str = ""
    content_disposition: str = ""
    cache_control: str = ""
    storage_class: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    is_prefix: bool = False

    @property
    def last_modified(self) -> datetime | None:
        """When it was written, in UTC."""
        if self.modified is None:
            return None
        from datetime import datetime, timezone

        return datetime.fromtimestamp(self.modified, timezone.utc)

    def __repr__(self) -> str:
        return display.line("ObjectMeta", key=self.key, bytes=self.bytes, etag=self.etag)

    def _repr_html_(self) -> str:
        return display.table([("key", self.key), ("size", display.size(self.bytes)), ("etag", self.etag)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What is now visible, where, and what it cost.

    Attributes:
        bytes: Size in bytes.
        key: The real one, the store's prefix included.
        location: ``s3://bucket/key``, ``file:///path``, ``memory:key``.
        digests: Algorithm name to lower-case hex.
        seconds: From the first byte to the publishing answer.
        attempts: Of the publishing request.
        mode: ``put``, ``multipart``, ``relay``, ``folder``, ``memory``, ...; ``mode_reason`` says why.
    """

    bytes: int
    key: str = ""
    bucket: str = ""
    location: str = ""
    etag: str = ""
    version_id: str = ""
    content_type: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    attempts: int = 1
    resumes: int = 0
    restarts: int = 0
    mode: str = ""
    mode_reason: str = ""

    @property
    def sha256(self) -> str | None:
        """The SHA-256 in hex, if it was computed."""
        return self.digests.get("sha256")

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.bytes / self.seconds if self.seconds > 0 else 0.0

    def __repr__(self) -> str:
        return display.line(
            "Receipt", bytes=self.bytes, location=self.location, seconds=round(self.seconds, 3)
        )

    def _repr_html_(self) -> str:
        rows: list[display.Row] = [
            ("location", self.location),
            ("size", display.size(self.bytes)),
            ("rate", display.rate(self.rate)),
            *((name, display.short(digest)) for name, digest in self.digests.items()),
            ("state", display.state("published")),
        ]
        return display.table(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveReport:
    """What ``remove_many`` did.

    Attributes:
        removed: How many are gone.
        errors: The others, key to Error.
    """

    removed: int
    errors: Mapping[str, Error] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadState:
    """What must be known of an unfinished upload to go on with it: pickle it, or write ``asdict`` as JSON.

    ``S3Store.open_writer(...).state()`` gives it; for an upload of another program bucket, key and upload_id
    are enough. It holds no secrets.

    Attributes:
        key: The real one, the store's prefix included.
        token: What settles a lost answer; empty if the upload is another program's.
        mode: overwrite or create; with ``if_match`` the condition under which it will be published.
        part_bytes: Of its parts; 0: as those that are there.
        checksum: The algorithm declared when it began, where the server does not list it.
        begun: Seconds since 1970.
    """

    bucket: str
    key: str
    upload_id: str
    token: str = ""
    mode: str = "overwrite"
    if_match: str = ""
    part_bytes: int = 0
    length: int | None = None
    length_hint: int | None = None
    checksum: str = ""
    begun: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenUpload:
    """An unfinished upload; ``begun`` in seconds since 1970."""

    key: str
    upload_id: str
    begun: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PostForm:
    """A form for an upload by POST to ``url``: ``fields`` in their order, then the file as the field ``file``.

    Whoever has it can upload until it expires, so its repr shows no field.
    """

    url: str
    fields: Mapping[str, str]

    def __repr__(self) -> str:
        return display.line("PostForm", url=self.url, fields=sorted(self.fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What ``sweep_uploads`` found and did.

    Attributes:
        uploads: The stale ones.
        aborted: How many of them are gone.
        errors: The others, upload id to Error.
    """

    uploads: tuple[OpenUpload, ...]
    aborted: int = 0
    errors: Mapping[str, Error] = field(default_factory=dict)

    @classmethod
    def _of(
        cls, uploads: Iterable[tuple[str, str, float | None]], aborted: int, errors: Mapping[str, Error]
    ) -> SweepReport:
        found = (OpenUpload(key=key, upload_id=id_, begun=begun) for key, id_, begun in uploads)
        return cls(uploads=tuple(found), aborted=aborted, errors=errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a transfer is; ``progress=`` callables receive one at most ten times a second.

    Attributes:
        state: ``pending downloading verifying publishing completed failed cancelled``.
        bytes_done: Bytes so far; falls only at a restart.
        bytes_total: Bytes in all, if known.
        rate: Bytes a second since the start.
        eta: Seconds left, if the total is known.
        task_id: Of a FileTask.
    """

    state: str
    bytes_done: int
    bytes_total: int | None = None
    attempt: int = 1
    resumes: int = 0
    rate: float = 0.0
    eta: float | None = None
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """A part of an object: first and last byte, both included, or the last ``suffix`` bytes."""

    first: int | None = None
    last: int | None = None
    suffix: int | None = None

    @classmethod
    def of(cls, value: Any) -> Range:
        """From a Range, ``slice(0, 10)``, a ``(first, last)`` pair, or ``-n``: the last n bytes."""
        if isinstance(value, cls):
            return value
        if isinstance(value, slice):
            return cls._of_slice(value)
        if isinstance(value, int):
            return cls(suffix=-value) if value < 0 else cls(first=value)
        first, last = value
        return cls(first=first, last=last)

    @classmethod
    def _of_slice(cls, value: slice) -> Range:
        start, stop = value.start or 0, value.stop
        if value.step not in (None, 1):
            raise ValueError("a range has no step")
        if start < 0 and stop is None:
            return cls(suffix=-start)
        if start < 0 or (stop is not None and stop <= start):
            raise ValueError(f"not a range of bytes: {value}")
        return cls(first=start, last=None if stop is None else stop - 1)


def as_tuple(asked: Range | None) -> tuple[int | None, int | None, int | None] | None:
    """A range as the core takes it."""
    return None if asked is None else (asked.first, asked.last, asked.suffix)
