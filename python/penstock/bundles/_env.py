"""Variables of the environment."""

from __future__ import annotations

import os

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


def truth(name: str, default: bool = False) -> bool:
    """True for true, 1, yes, on; False for false, 0, no, off; else the default."""
    said = os.environ.get(name, "").lower()
    return said in _TRUE if said in _TRUE | _FALSE else default
