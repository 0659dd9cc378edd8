"""Log lines of the core reach the logger ``penstock`` here; imported with the first of them."""

from __future__ import annotations

import json
import logging

# Without any handler logging itself would print warnings on stderr.
logging.getLogger("penstock").addHandler(logging.NullHandler())


def tell(room: str, level: int, line: str) -> None:
    """Log one line of a room. What comes from ``room#EVENT`` is an event: the line is an object of its fields."""
    room, _, event = room.partition("#")
    if not event:
        logging.getLogger(f"penstock.{room}").log(level, "%s", line)
        return
    from penstock.bundles._log import get_logger  # which imports this

    get_logger(f"penstock.{room}").warning(event, **json.loads(line))
