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
from penstock.streams import Finishing, Sink, Source, native_source
from penstock.units import size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from penstock.units import Size

    EntryType = Literal["file", "folder", "link", "other"]


__all__ = ["Archive", "Entry", "Gunzip", "Limits", "Tar", "Zip", "ZipWriter"]


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
        spool_bytes: Of a zip that can only be read from its end, on disk in ``$TMPDIR``.
    """

    total_bytes: Size = "64GiB"
    entry_bytes: Size = "32GiB"
    ratio: int = 250
    ratio_from: Size = "64MiB"
    entries: int = 100_000
    name_bytes: Size = 1024
    spool_bytes: Size = "4GiB"


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


class Zip(Archive):
    """A zip, read from front to back: stored and deflated members, zip64.

    What stands before and behind each member, its bytes and the directory at the end must all agree. So an archive is
    known to be whole only when the iteration ends; until then keep what was read out of sight.

    Args:
        data: Anything source-like.
        limits: What it may hold.
    Raises:
        Corrupt: While iterating or reading: damaged, contradicting itself, cut (code ``truncated``), with bytes after
            its end (``trailing``).
        Refused: While iterating: beyond the limits, a name that leads out of a folder (``unsafe_name``), encryption or
            a method other than deflate (``unsupported``).
    Memory:
        About 200 KiB and 64 bytes a member, 80 once spooled: a stored member whose length stands only behind it, as
        zipfile writes to a pipe, takes the archive from there on to disk, up to ``limits.spool_bytes``.
    Source:
        PKWARE APPNOTE 6.3; Info-ZIP's extra field for times.

    >>> import io, zipfile
    >>> made = io.BytesIO()
    >>> with zipfile.ZipFile(made, "w") as archive:
    ...     archive.writestr("a.txt", b"abc")
    >>> [(entry.name, entry.bytes()) for entry in penstock.codecs.Zip(made.getvalue())]
    [('a.txt', b'abc')]
    """

    def __init__(self, data: Any, *, limits: Limits | None = None) -> None:
        self._native = _core.zip_reader(native_source(data), to_core(limits))

    @property
    def special(self) -> list[int]:
        """Numbers, from 0, of the entries that are links or devices; only the directory says so, at the end.

        Each was given as a file, of what such a thing holds: a link's is where it leads.

        Raises:
            RuntimeError: The iteration has not ended.
        """
        return self._native.special


class ZipWriter(Finishing):
    """A zip, written from front to back to a sink, which is finished or aborted with it.

    Args:
        to: A sink: :class:`penstock.FileSink`, a store's ``open_writer()``.
        level: Of deflate, 0 to 9.
    Raises:
        Refused: A level out of range.
    Memory:
        Up to 8 MiB of a packed member; a larger one has its sizes behind it and passes through. Of the directory
        1 MiB, the rest is on disk in ``$TMPDIR``.

    >>> store = penstock.MemoryStore()
    >>> with penstock.codecs.ZipWriter(store.open_writer("a.zip")) as archive:
    ...     archive.add("a.txt", b"abc")
    3
    >>> [entry.name for entry in penstock.codecs.Zip(store.get("a.zip"))]
    ['a.txt']
    """

    _native: _core.ZipWriter

    def __init__(self, to: Sink, *, level: int = 6) -> None:
        self._native = _core.zip_writer(to._native, level)

    def add(self, name: str, data: Any, *, modified: datetime | None = None) -> int:
        """A member of all that is left of a source; how many bytes that was.

        What the source raises leaves the member out, unless more than 8 MiB of it are written: then the zip is aborted.

        Args:
            name: Unique, and safe as an entry's is.
            data: Anything source-like.
            modified: With a time zone; without one it is this machine's. None: 1980-01-01, so that equal members make
                equal zips.
        Raises:
            Refused: A name that leads out of a folder or is a folder's (``unsafe_name``), a time no clock holds.
            RuntimeError: The zip is finished or aborted.
        """
        return self._native.add(name, timestamp(modified), native_source(data))


def timestamp(modified: datetime | None) -> float | None:
    """Seconds of Unix time."""
    return None if modified is None else modified.timestamp()


def describe(entry: Any, found: _core._Entry) -> None:
    """Give an entry, of either kind, what the archive says of it."""
    entry.name, entry.type, entry.size, modified, entry.link_to, _ = found
    entry.modified = None if modified is None else datetime.fromtimestamp(modified, timezone.utc)
