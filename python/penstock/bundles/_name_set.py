"""Which names were seen, of very many."""

from __future__ import annotations

from array import array
from hashlib import sha256

from penstock.errors import Refused

MAX_NAMES = 2**24
"""16 Mi."""


class NameSet:
    """Names, as 64 bits of a digest each in an open table: 11 to 21 bytes a name."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 64))  # 0: free; a power of two of them
        self._used = 0

    def add(self, name: str) -> bool:
        """False: it is there."""
        if 4 * (self._used + 1) > 3 * len(self._slots):
            self._grow()
        wanted = _hash(name)
        at = self._slot(wanted)
        if self._slots[at]:
            return False
        self._slots[at] = wanted
        self._used += 1
        return True

    def __contains__(self, name: str) -> bool:
        return self._slots[self._slot(_hash(name))] != 0

    def _slot(self, wanted: int) -> int:
        """Where it is, or would be."""
        slots, last = self._slots, len(self._slots) - 1
        at = wanted & last
        while slots[at] and slots[at] != wanted:
            at = (at + 1) & last
        return at

    def _grow(self) -> None:
        if self._used >= MAX_NAMES:
            raise Refused(f"the manifest has more than {MAX_NAMES} resources")
        old = self._slots
        self._slots = array("Q", bytes(16 * len(old)))
        for wanted in old:
            if wanted:
                self._slots[self._slot(wanted)] = wanted


def _hash(name: str) -> int:
    # Not Python's own: whoever chooses URLs must not be able to choose slots.
    return int.from_bytes(sha256(name.encode("utf-8", "surrogateescape")).digest()[:8], "big") or 1
