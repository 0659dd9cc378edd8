"""Sizes and spans as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock import _core

if TYPE_CHECKING:
    from datetime import timedelta

    Span = float | str | timedelta

Size = int | str


def size(value: Size) -> int:
    """Bytes from a number or text.

    >>> size("64MiB"), size(11)
    (67108864, 11)
    """
    return _core.parse_bytes(value) if isinstance(value, str) else int(value)


def span(value: Span) -> float:
    """Seconds from a number, text or timedelta.

    >>> span("250ms"), span(3)
    (0.25, 3.0)
    """
    if isinstance(value, str):
        return _core.parse_span(value)
    if isinstance(value, (int, float)):
        return float(value)
    return value.total_seconds()
