"""Log lines of the core reach the logger ``penstock`` here; imported with the first of them."""

from __future__ import annotations

import logging

# Without any handler logging itself would print warnings on stderr.
logging.getLogger("penstock").addHandler(logging.NullHandler())


def tell(room: str, level: int, line: str) -> None:
    """Log one line of a room."""
    logging.getLogger(f"penstock.{room}").log(level, "%s", line)
