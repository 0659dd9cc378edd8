"""What is asked for, and what came."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from penstock.bundles._log import get_logger
from penstock.bundles.exceptions import ValidationError

logger = get_logger(__name__)

MIN_HTTP_STATUS = 100
MAX_HTTP_STATUS = 599

Url = str


@dataclass
class RequestMeta:
    """A request to make.

    Attributes:
        url: Of what is wanted.
        depth: Steps from where the run began.
        referer: The URL that led here.
        headers: To send.
        flags: The caller's.
    Raises:
        ValidationError: ``field`` names the one that is wrong.
    """

    url: Url
    depth: int = 0
    referer: Url | None = None
    headers: dict[str, str] = field(default_factory=dict)
    flags: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_text("url", self.url)
        if not isinstance(self.depth, int) or self.depth < 0:
            raise ValidationError("depth must be a non-negative integer", "depth")
        _check_text_or_none("referer", self.referer)
        _check_dictionary("headers", self.headers)
        _check_dictionary("flags", self.flags)


@dataclass
class ResourceMeta:
    """A resource that came.

    Attributes:
        url: Where from.
        status: Of HTTP.
        content_type: As the origin says.
        headers: Of the answer.
        note: For people.
    Raises:
        ValidationError: ``field`` names the one that is wrong.
    """

    url: Url
    status: int | None = None
    content_type: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    note: str | None = None

    def __post_init__(self) -> None:
        _check_text("url", self.url)
        if self.status is not None and not _is_status(self.status):
            raise ValidationError("status must be a valid HTTP status code (100-599) or None", "status")
        _check_text_or_none("content_type", self.content_type)
        _check_dictionary("headers", self.headers)
        _check_text_or_none("note", self.note)


def _is_status(value: object) -> bool:
    return isinstance(value, int) and MIN_HTTP_STATUS <= value <= MAX_HTTP_STATUS


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _check_text(name: str, value: object) -> None:
    if not _is_text(value):
        raise ValidationError(f"{name} must be a non-empty string", name)


def _check_text_or_none(name: str, value: object) -> None:
    if value is not None and not _is_text(value):
        raise ValidationError(f"{name} must be a non-empty string or None", name)


def _check_dictionary(name: str, value: object) -> None:
    if not isinstance(value, dict):
        raise ValidationError(f"{name} must be a dictionary", name)
