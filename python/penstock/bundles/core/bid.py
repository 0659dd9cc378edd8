"""A bundle's id, in the order of making."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import total_ordering

from penstock import _core
from penstock.bundles._log import get_logger
from penstock.bundles.exceptions import ValidationError

logger = get_logger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@total_ordering
class BID:
    """A bundle's id: milliseconds, a counter and 64 random bits, so that later ones sort later.

    Args:
        value: 8-4-4-4-12 hexadecimal digits, or a text of up to 200 bytes that begins ``test-`` or ``custom-``;
            kept as it is. None: the process's next one.
    Raises:
        ValidationError: It is neither.

    >>> from penstock.bundles.core import BID
    >>> BID.generate() < BID.generate()
    True
    >>> BID("test-1")
    BID('test-1')
    """

    def __init__(self, value: str | None = None) -> None:
        if value is None:
            value = _core.new_bid()
        elif not isinstance(value, str) or not _core.is_bid(_utf8(value)):
            raise ValidationError("Invalid BID format", "bid")
        self._value = value

    @classmethod
    def generate(cls) -> BID:
        """The process's next one."""
        return cls()

    @property
    def value(self) -> str:
        """The text."""
        return self._value

    @property
    def time(self) -> datetime | None:
        """When it was made, to 10 ms; None if its text does not say."""
        since = _core.bid_time(_utf8(self._value))
        return None if since is None else _EPOCH + timedelta(milliseconds=since)

    def __str__(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return f"BID('{self._value}')"

    def __hash__(self) -> int:
        return hash(self._value)

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, BID) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._value < other._value if isinstance(other, BID) else NotImplemented


def _utf8(text: str) -> bytes:
    """What is no UTF-8 passes, for the core to refuse."""
    return text.encode("utf-8", "surrogatepass")
