"""How facts look on one line and in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock import _core

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Cell = str | tuple[str, str]
    Row = tuple[str, Cell]

_COLOURS = {
    "published": "#1a7f37",
    "completed": "#1a7f37",
    "skipped": "#1a7f37",
    "failed": "#b42318",
    "in doubt": "#b54708",
}


def line(kind: str, /, **fields: object) -> str:
    """``Kind(a=1, b='x')``, long values cut: fits a line."""
    shown = (f"{key}={_cut(repr(value))}" for key, value in fields.items() if value not in ("", None))
    return f"{kind}({', '.join(shown)})"


def redacted(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields fit to be shown: URLs without userinfo and query."""
    return {
        name: _core.redact_url(value) if isinstance(value, str) and "://" in value else value
        for name, value in fields.items()
    }


def printable(text: str) -> str:
    """Without what a terminal would obey.

    >>> from penstock.display import printable
    >>> printable("a\\x1b[2J")
    'a\\\\x1b[2J'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def size(count: int) -> str:
    """``1.5 GiB``."""
    return _core.format_bytes(count)


def rate(bytes_per_second: float) -> str:
    """``1.5 GiB/s``."""
    return f"{size(int(bytes_per_second))}/s"


def short(digest: str) -> str:
    """The ends of a digest."""
    return digest if len(digest) <= 20 else f"{digest[:12]}…{digest[-4:]}"


def state(word: str) -> tuple[str, str]:
    """A word and its colour."""
    return word, _COLOURS.get(word, "#475467")


def table(rows: Iterable[Row]) -> str:
    """Two columns, name and value."""
    body = "".join(
        f"<tr><th style='text-align:left'>{_escape(name)}</th>{_cell(value)}</tr>" for name, value in rows
    )
    return f"<table>{body}</table>"


def grid(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table with a head row."""
    top = "".join(f"<th>{_escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _cell(value: Cell) -> str:
    if isinstance(value, tuple):
        word, colour = value
        return f"<td style='color:{colour}'>{_escape(word)}</td>"
    return f"<td>{_escape(value)}</td>"


def _escape(text: str) -> str:
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#x27;")):
        text = text.replace(char, entity)
    return text


def _cut(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
