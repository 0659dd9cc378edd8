"""What went wrong, sorted by what to do next.

::

    Exception
     +-- Error                            the root; facts are attributes
          +-- NotFound        (FileNotFoundError)   create it, or accept that it is not there
          +-- Denied          (PermissionError)     fix credentials or rights
          +-- Refused         (ValueError)          fix the request or the input
          +-- Conflict                              re-read, then decide: someone else won
          +-- Corrupt                               do not trust the bytes
          +-- Busy                                  wait (``retry_after``) and try again
          +-- Lost            (ConnectionError)     reconnect and try again; our own retries are spent
          |    +-- DeadlinePassed (TimeoutError)    the same, because ``deadline=`` was over
          +-- InDoubt                               look before retrying: it may have happened
          +-- Cancelled                             nothing: you asked for it

Decide by class, ``code`` or ``status``, never by the text.

>>> try:
...     penstock.MemoryStore().head("absent")
... except FileNotFoundError as error:
...     print(type(error).__name__, error.kind)
NotFound missing
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "Busy",
    "Cancelled",
    "Conflict",
    "Corrupt",
    "DeadlinePassed",
    "Denied",
    "Error",
    "InDoubt",
    "Lost",
    "NotFound",
    "Refused",
]


class Error(Exception):
    """The root. Secrets are already removed from every attribute, so it may be printed and logged.

    Attributes:
        kind: ``missing denied refused conflict corrupt busy lost in_doubt cancelled``.
        message: The sentence: what, where, what to do.
        side: ``source``, ``sink`` or ``none``: which end of a pipeline failed.
        doing: The step, as a verb phrase.
        subject: What it was done to: a URL without query, ``s3://bucket/key``, a path.
        status: HTTP status, or 0.
        code: The far end's or our own machine-readable code, or "".
        request_id: ``x-amz-request-id``.
        host_id: ``x-amz-id-2``.
        attempts: Tries made, the first included.
        retry_after: Seconds to wait, or None.
        bytes_done: Bytes that had passed.
        quota_exhausted: Whether the retry quota ended the tries.
        upload_id: An upload that may be left open.
        expected: For Corrupt, the value wanted.
        actual: For Corrupt, the value found.
    """

    kind: str = "refused"
    side: str = "none"
    doing: str = ""
    subject: str = ""
    status: int = 0
    code: str = ""
    request_id: str = ""
    host_id: str = ""
    attempts: int = 0
    retry_after: float | None = None
    bytes_done: int = 0
    quota_exhausted: bool = False
    upload_id: str = ""
    expected: str = ""
    actual: str = ""

    def __init__(self, message: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        unknown = facts.keys() - _FACTS
        if unknown:
            raise TypeError(f"{type(self).__name__} has no fact named {', '.join(sorted(unknown))}")
        self.__dict__.update(facts)

    @property
    def cause(self) -> BaseException | None:
        """The first failure under this one; the same as ``__cause__``."""
        return self.__cause__

    @property
    def facts(self) -> dict[str, Any]:
        """The facts that are known, by name."""
        return {name: value for name, value in self.__dict__.items() if name in _FACTS}

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.message, self.facts, self.__cause__)


class NotFound(Error, FileNotFoundError):
    """It is not there: create it, or accept that."""

    kind = "missing"


class Denied(Error, PermissionError):
    """No right to it, or no valid credentials: fix those."""

    kind = "denied"


class Refused(Error, ValueError):
    """The request or the input cannot be right: fix it; retrying does not help."""

    kind = "refused"


class Conflict(Error):
    """Someone else won: re-read, then decide."""

    kind = "conflict"


class Corrupt(Error):
    """The bytes are not what they should be: do not trust them."""

    kind = "corrupt"


class Busy(Error):
    """The far end, or a limit of ours, asks to wait: try again after ``retry_after``."""

    kind = "busy"


class Lost(Error, ConnectionError):
    """The connection failed and our own retries are spent: try again later."""

    kind = "lost"


class DeadlinePassed(Lost, TimeoutError):
    """The ``deadline=`` of the call was over."""

    code = "deadline"


class InDoubt(Error):
    """It may have happened: look at ``subject`` before retrying."""

    kind = "in_doubt"


class Cancelled(Error):
    """Stopped because the caller asked."""

    kind = "cancelled"


_FACTS = frozenset(Error.__annotations__) - {"kind"}
_BY_KIND: dict[str, type[Error]] = {
    cls.kind: cls for cls in (NotFound, Denied, Refused, Conflict, Corrupt, Busy, Lost, InDoubt, Cancelled)
}


def _from_core(kind: str, message: str, facts: dict[str, Any]) -> Error:
    """The instance for a core Error; only what differs from the default is kept."""
    cls = DeadlinePassed if kind == "lost" and facts.get("code") == "deadline" else _BY_KIND[kind]
    return cls(message, **{name: value for name, value in facts.items() if value != getattr(Error, name)})


def _restored(cls: type[Error], message: str, facts: dict[str, Any], cause: BaseException | None) -> Error:
    error = cls(message, **facts)
    error.__cause__ = cause
    return error
