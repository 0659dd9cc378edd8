"""Sources, stages and sinks: ``Source -> stages -> Sink``, then one ``finish()``.

A source is an iterator of ``bytes`` and a context manager. A stage wraps anything source-like and is a source;
reading the last one pulls the bytes through all of them.

>>> with penstock.Sha256(penstock.Limit(b"hello world", "1KiB")) as hashed:
...     body = b"".join(hashed)
>>> body, hashed.hexdigest()[:16]
(b'hello world', 'b94d27b9934d3e08')
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock import _core
from penstock.units import size, span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike
    from types import TracebackType

    from typing_extensions import Buffer, Self

    from penstock.objects import Receipt
    from penstock.units import Size, Span

Chunk = bytes  # inside Source the name `bytes` is its method

CHUNK_BYTES = 256 * 1024
"""What one step of an iteration asks for."""

TAKEN = "a C-contiguous buffer, a Path, a binary file, an iterator of buffers or a source"


class Positioned:
    """What a source knows of its own place, asked without waiting."""

    _native: _core.Source

    @property
    def remaining(self) -> int | None:
        """Bytes still to come, or None."""
        return self._native.remaining

    @property
    def rewindable(self) -> bool:
        """Whether mark() and rewind() work."""
        return self._native.rewindable

    def mark(self) -> None:
        """Remember this place; replaces the last mark."""
        self._native.mark()


class Source(Positioned):
    """Where bytes come from. Wraps whatever is source-like; see :data:`TAKEN`.

    Iterating gives ``bytes`` of up to 256 KiB as they come; ``read(n)`` gives exactly n until the end.
    Leaving the ``with`` block closes what is underneath. One thread at a time.
    """

    def __init__(self, data: Any) -> None:
        self._native = native_source(data)

    @classmethod
    def _of(cls, native: _core.Source) -> Self:
        made = cls.__new__(cls)
        made._native = native
        return made

    def read(self, n: int) -> Chunk:
        """``n`` bytes, fewer only at the end, ``b""`` there."""
        if n < 0:
            raise ValueError("read(n) takes a limit; bytes(limit=) reads all up to one")
        return self._native.read(n) if n else b""

    def bytes(self, limit: Size = "64MiB") -> Chunk:
        """All that is left, up to ``limit``.

        Raises:
            Refused: There is more than ``limit``; code ``too_large``.
        """
        return self._native.read_all(size(limit))

    def rewind(self) -> None:
        """Back to the mark: the same bytes again."""
        self._native.rewind()

    def close(self) -> None:
        """Close what is underneath; digests and counts stay."""
        self._native.close()

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        chunk = self._native.read(CHUNK_BYTES, full=False)
        if not chunk:
            raise StopIteration
        return chunk

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Limit(Source):
    """Passes at most ``max_bytes``; one more is Refused, code ``too_large``.

    >>> penstock.Limit(b"abc", 2).read(3)
    Traceback (most recent call last):
    ...
    penstock.errors.Refused: ...
    """

    def __init__(self, data: Any, max_bytes: Size) -> None:
        self._native = _core.limit_stage(native_source(data), size(max_bytes))


class Count(Source):
    """Counts what passes.

    >>> counted = penstock.Count([b"ab", b"c"])
    >>> _ = counted.bytes(); counted.count
    3
    """

    def __init__(self, data: Any) -> None:
        self._native = _core.count_stage(native_source(data))

    @property
    def count(self) -> int:
        """Bytes that have passed."""
        return self._native.count()


class Hash(Source):
    """Hashes what passes, each byte once per algorithm.

    Args:
        data: Anything source-like.
        algorithms: Names: ``sha256 sha512 sha1 md5 crc32 crc32c crc64nvme``.

    >>> hashed = penstock.Hash(b"123456789", ["crc32c", "md5"])
    >>> _ = hashed.bytes(); hashed.digests["crc32c"]
    'e3069283'
    """

    def __init__(self, data: Any, algorithms: Iterable[str]) -> None:
        self._native = _core.hash_stage(native_source(data), list(algorithms))

    @property
    def digests(self) -> dict[str, str]:
        """Of what has passed so far: algorithm name to lower-case hex."""
        return self._native.digests()


class Sha256(Hash):
    """Hash with SHA-256 alone."""

    def __init__(self, data: Any) -> None:
        super().__init__(data, ("sha256",))

    def hexdigest(self) -> str:
        """64 hex digits of what has passed so far."""
        return self.digests["sha256"]


class Tee(Source):
    """Also writes what passes to ``sink``, which the caller finishes or aborts."""

    def __init__(self, data: Any, sink: Sink) -> None:
        self._native = _core.tee_stage(native_source(data), sink._native)


class FileSource(Source):
    """A file by its path. Rewindable; one that changes while it is read is an error, never a short read."""

    def __init__(self, path: str | PathLike[str], *, deadline: Span | None = None) -> None:
        self._native = _file_source(path, call(deadline))


class Finishing:
    """What is written and then ends by ``finish()`` or ``abort()``.

    As a context manager it finishes when the block is left normally (``receipt`` then holds what finish()
    returned) and aborts when an exception leaves it. One that is dropped unfinished aborts. Nothing is
    visible before finish() returns.
    """

    receipt: Receipt | None = None
    _native: _core.Sink | _core.ZipWriter

    def finish(self) -> Receipt:
        """Make all of it visible at once.

        Raises:
            InDoubt: It may have happened; look before retrying.
        """
        self.receipt = self._native.finish()
        return self.receipt

    def abort(self, why: str = "aborted by the caller") -> None:
        """Nothing becomes visible. Safe to repeat."""
        self._native.abort(why)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort(f"left by {kind.__name__}")
        elif not self._native.ended:
            self.finish()


class Sink(Finishing):
    """Where bytes come to rest: ``write()`` as often as needed, then ``finish()`` or ``abort()``."""

    _native: _core.Sink

    def __init__(self, native: _core.Sink) -> None:
        self._native = native

    def write(self, data: Buffer) -> None:
        """All of ``data``, or an error. Waits while the far end is slow; that wait is the backpressure."""
        self._native.write(data)

    def write_from(self, data: Any) -> int:
        """All that is left of a source; how many bytes that was."""
        return self._native.write_from(native_source(data))


class FileSink(Sink):
    """A file that is hidden while it is written and appears whole.

    Args:
        path: Its folder must exist.
        mode: ``overwrite``, or ``create``: Conflict if something is there.
    """

    def __init__(
        self, path: str | PathLike[str], *, mode: str = "overwrite", deadline: Span | None = None
    ) -> None:
        from os import fspath

        super().__init__(_core.file_sink(fspath(path), mode, call(deadline)))


def pump(source: Any, sink: Sink) -> Receipt:
    """Source to sink, then finish(): the sentence every system is."""
    try:
        sink.write_from(source)
    except BaseException as error:
        sink.abort(f"left by {type(error).__name__}")
        raise
    return sink.finish()


def native_source(data: Any) -> _core.Source:
    """What the core reads for ``data``; TypeError for ``str`` and whatever is not source-like."""
    if isinstance(data, Source):
        return data._native
    if isinstance(data, str):
        raise TypeError("str is neither bytes nor a path: give text.encode(), or pathlib.Path(name)")
    if is_buffer(data):
        return _core.buffer_source(data)
    if hasattr(data, "__fspath__"):
        return _file_source(data, _core.Call())
    if hasattr(data, "readinto") or hasattr(data, "read"):
        if hasattr(data, "encoding") and hasattr(data, "newlines"):
            raise TypeError("the file is in text mode: open it with 'rb'")
        return _core.reader_source(data)
    if hasattr(data, "__iter__"):
        return _core.iterator_source(iter(data))
    raise TypeError(f"not source-like: {type(data).__name__}; give {TAKEN}")


def is_buffer(data: Any) -> bool:
    """Whether ``data`` lends its memory."""
    try:
        memoryview(data).release()
    except TypeError:
        return False
    return True


def call(deadline: Span | None = None, progress: Any = None) -> _core.Call:
    """What one call carries: its deadline and whom to tell how far it is."""
    return _core.Call(None if deadline is None else span(deadline), progress)


def _file_source(path: str | PathLike[str], on: _core.Call) -> _core.Source:
    from os import fspath

    return _core.file_source(fspath(path), on)
