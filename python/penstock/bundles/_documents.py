"""A bundle's manifest and the document that readers trust, read within limits; see docs/formats/bundles.md."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from penstock import display
from penstock.errors import Corrupt, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from penstock.bundles._places import Place

MAX_LINE_BYTES = 2**20
MAX_DOCUMENT_BYTES = 16 * 2**20

_KEYS_BEGIN, _KEYS_END = b'  "uploaded_keys": [', b"  ]"


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """One resource, as it was completed.

    Attributes:
        url: Where it came from.
        name: Within the bundle; None for one that was skipped.
        content_type: As the origin said.
        status_code: Of the response.
        bytes: How many; None if it is not stored.
        sha256: 64 hex digits; None if it is not stored.
        failed: The kind of error its adding ended by, or "".
        skipped: Why it is not stored on purpose, or "".
        member_of: The name of the zip that it is in, or "".
        members: Of a zip of resources: how many are in it; else None.
        written: The line, all of it.
    """

    url: str
    name: str | None
    content_type: str | None
    status_code: int | None
    bytes: int | None
    sha256: str | None
    failed: str
    skipped: str
    member_of: str
    members: int | None
    written: dict[str, Any] = field(repr=False, hash=False)


def lines_of(source: Iterable[Any], most: int, where: str) -> Iterator[bytes]:
    """Lines without their ends. The last one must have one too."""
    ahead = b""
    for chunk in source:
        *whole, ahead = (ahead + bytes(chunk)).split(b"\n")
        if len(ahead) > most or any(len(line) > most for line in whole):
            raise Corrupt(f"{where} has a line of more than {most} bytes", subject=where)
        yield from whole
    if ahead:
        raise Corrupt(f"{where} ends within a line", subject=where, code="truncated")


def parse_line(text: bytes, where: str, place: Place) -> ManifestLine:
    """One line of a manifest."""
    line = _object(text, where)
    name = optional(line, "name", str, where)
    if name is not None:
        check_name(name, where, place)
    parsed = ManifestLine(
        url=required(line, "url", str, where),
        name=name,
        content_type=optional(line, "content_type", str, where),
        status_code=optional(line, "status_code", int, where),
        bytes=optional(line, "size", int, where),
        sha256=optional(line, "sha256", str, where),
        failed=optional(line, "failed", str, where) or "",
        skipped=optional(line, "skipped", str, where) or "",
        member_of=optional(line, "member_of", str, where) or "",
        members=optional(line, "members", int, where),
        written=line,
    )
    facts = (parsed.name, parsed.bytes, parsed.sha256)
    if not (parsed.failed or parsed.skipped) and None in facts:
        raise Corrupt(f"{where} has no name, size or sha256", subject=where)
    if (parsed.failed or parsed.skipped) and (parsed.bytes, parsed.sha256) != (None, None):
        raise Corrupt(f"{where} says that it is stored and that it is not", subject=where)
    return parsed


def check_name(name: str, where: str, place: Place) -> None:
    """One plain part of a path or key, and none of the bundle's documents."""
    if name in (".", "..") or "/" in name or "\0" in name or not place.takes(name):
        raise Refused(
            f"{display.printable(where)} has the name {display.printable(name)!r}, which no resource may have",
            code="name",
        )


def read_document(place: Place) -> dict[str, Any]:
    """What readers trust, without the keys of the resources, which may be many."""
    where = place.store.location(place.document)
    with place.store.get(place.document) as source:
        text = b"".join(_without_keys(lines_of(chain(source, (b"\n",)), MAX_DOCUMENT_BYTES, where), where))
    document = _object(text, where)
    document.pop("uploaded_keys", None)
    return document


def _without_keys(lines: Iterator[bytes], where: str) -> Iterator[bytes]:
    total, within = 0, False
    for line in lines:
        within = within and not line.startswith(_KEYS_END)
        if within:
            continue
        within = line == _KEYS_BEGIN
        total += len(line)
        if total > MAX_DOCUMENT_BYTES:
            raise Corrupt(f"{where} has more than {MAX_DOCUMENT_BYTES} bytes", subject=where)
        yield line


def uploaded_keys(place: Place) -> Iterator[str] | None:
    """The keys of the resources as the marker has them; None where there is no marker, or none of ours."""
    if not place.has_marker:
        return None
    lines = lines_of(place.store.get(place.document), MAX_LINE_BYTES, place.document)
    for line in lines:
        if line == _KEYS_BEGIN:
            return _keys(lines, place.document)
        if line.startswith(b'  "uploaded_keys": []'):
            return iter(())
        if line.startswith(b'  "meta"'):
            break
    return None


def _keys(lines: Iterator[bytes], where: str) -> Iterator[str]:
    for line in lines:
        if line.startswith(_KEYS_END):
            return
        try:
            yield str(json.loads(line.strip().rstrip(b",")))
        except ValueError as error:
            raise Corrupt(f"{where} has a key that is no text", subject=where) from error


def _object(text: bytes, where: str) -> dict[str, Any]:
    """JSON, or what Python prints for a dict, as an older format has it."""
    try:
        read = ast.literal_eval(text.decode()) if text.startswith(b"{'") else json.loads(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise Corrupt(f"{where} is no JSON", subject=where) from error
    if not isinstance(read, dict):
        raise Corrupt(f"{where} is no JSON object", subject=where)
    return read


def required(read: dict[str, Any], name: str, kind: type, where: str) -> Any:
    """A field that must be there."""
    found = optional(read, name, kind, where)
    if found is None:
        raise Corrupt(f"{where} has no {name}", subject=where)
    return found


def optional(read: dict[str, Any], name: str, kind: type, where: str) -> Any:
    """A field, or None."""
    found = read.get(name)
    if found is None or (isinstance(found, kind) and not isinstance(found, bool)):
        return found
    raise Corrupt(f"{where} has a {name} that is no {kind.__name__}", subject=where)
