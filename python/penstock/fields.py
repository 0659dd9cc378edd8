"""HTTP fields: pairs, since a name may repeat, and dicts, since people write those."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Fields = Mapping[str, str] | Iterable[tuple[str, str]] | None


def pairs(fields: Mapping[str, str] | Iterable[tuple[str, str]] | None) -> list[tuple[str, str]]:
    """Fields of a dict, or pairs where a name repeats."""
    if fields is None:
        return []
    items = fields.items() if hasattr(fields, "items") else fields
    return [(str(name), str(value)) for name, value in items]


def joined(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Fields as a dict; values of a repeated name joined by a comma, as RFC 9110 allows."""
    out: dict[str, str] = {}
    for name, value in fields:
        out[name] = f"{out[name]},{value}" if name in out else value
    return out
