"""Compressed streams and archives, read in one pass and within limits.

>>> import gzip
>>> penstock.Gunzip(gzip.compress(b"hello")).bytes()
b'hello'
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

from penstock import _core, display
from penstock.errors import Refused
from penstock.streams import Source, native_source
from penstock.units import size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from penstock.units import Size

    EntryType = Literal["file", "folder", "link", "other"]


__all__ = ["Archive", "Entry", "Gunzip", "Limits", "Tar"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What compressed bytes may become; beyond it they are Refused, code ``too_large``.

    Attributes:
        total_bytes: Of one stream or archive, inflated.
        entry_bytes: Of one member of an archive.
        ratio: Bytes out for each byte in, once ``ratio_from`` bytes are out; 0: any.
        ratio_from: A small file of zeros is no attack.
        entries: Members of an archive.
        name_bytes: Of a member's name.
    """

    total_bytes: Size = "64GiB"
    entry_bytes: Size = "32GiB"
    ratio: int = 250
    ratio_from: Size = "64MiB"
    entries: int = 100_000
    name_bytes: Size = 1024


def to_core(limits: Limits | None) -> dict[str, int]:
    """The limits in bytes."""
    given = {} if limits is None else {name: size(value) for name, value in asdict(limits).items()}
    for name, value in given.items():
        if not 0 <= value < 2**63:
            raise Refused(f"Limits.{name} is {value}: give 0 to 2**63 - 1")
    return given


class Gunzip(Source):
    """Inflates gzip, every member of it.

    Args:
        data: Anything source-like.
        limits: What it may become.
        ignore_trailing: Drop what follows the last member and is none; zeros pass in any case.
    Raises:
        Corrupt: While reading: damaged, or cut (code ``truncated``), or with bytes after its end (``trailing``).
        Refused: While reading: beyond the limits.
    Memory:
        About 100 KiB, twice while there is a mark.
    Source:
        RFC 1952.
    """

    def __init__(self, data: Any, *, limits: Limits | None = None, ignore_trailing: bool = False) -> None:
        self._native = _core.gunzip_stage(native_source(data), to_core(limits), ignore_trailing)


class Entry(Source):
    """A member of an archive: what the archive says of it, and its bytes until the next one is asked for.

    Attributes:
        name: Safe to join to a folder: not absolute, no ``..``, no backslash, no drive.
        type: ``file folder link other``; only a file has bytes.
        size: Bytes, if the archive says so beforehand.
        modified: In UTC, if the archive says so.
        link_to: Of a link, as written: trust it with nothing.
    """

    name: str
    type: EntryType
    size: int | None
    modified: datetime | None
    link_to: str

    def __repr__(self) -> str:
        return display.line("Entry", name=self.name, type=self.type, size=self.size)


class Archive:
    """An archive, read once from front to back: an iterator of :class:`Entry`, and a context manager."""

    _native: _core.Archive

    def close(self) -> None:
        """Close what is underneath."""
        self._native.close()

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        found = self._native.next()
        if found is None:
            raise StopIteration
        entry = Entry._of(found[-1])
        describe(entry, found)
        return entry

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Tar(Archive):
    """A tar: ustar, GNU and pax.

    Args:
        data: Anything source-like; ``Gunzip(data)`` for a ``.tar.gz``.
        limits: What it may hold.
    Raises:
        Corrupt: While iterating or reading: damaged, or cut (code ``truncated``).
        Refused: While iterating: beyond the limits, a name that leads out of a folder (``unsafe_name``), a sparse
            file (``unsupported``).
    Memory:
        About 100 KiB; names and pax headers up to 64 KiB each.
    Source:
        POSIX.1-2001 pax, GNU tar manual, "Basic Tar Format".

    >>> import io, tarfile
    >>> made = io.BytesIO()
    >>> with tarfile.open(fileobj=made, mode="w") as tar:
    ...     member = tarfile.TarInfo("a.txt"); member.size = 3
    ...     tar.addfile(member, io.BytesIO(b"abc"))
    >>> [(entry.name, entry.bytes()) for entry in penstock.codecs.Tar(made.getvalue())]
    [('a.txt', b'abc')]
    """

    def __init__(self, data: Any, *, limits: Limits | None = None) -> None:
        self._native = _core.tar_reader(native_source(data), to_core(limits))


def describe(entry: Any, found: _core._Entry) -> None:
    """Give an entry, of either kind, what the archive says of it."""
    entry.name, entry.type, entry.size, modified, entry.link_to, _ = found
    entry.modified = None if modified is None else datetime.fromtimestamp(modified, timezone.utc)
