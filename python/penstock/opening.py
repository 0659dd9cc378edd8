"""``penstock.open``: an object as a file of Python's, to read and seek in, or to write whole or not at all."""

from __future__ import annotations

import io
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from penstock.errors import Refused
from penstock.uris import store_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import BinaryIO, Literal, TextIO, overload

    from typing_extensions import Buffer

    from penstock.objects import Receipt
    from penstock.streams import Sink

    Mode = Literal["rb", "wb", "xb", "rt", "wt", "xt"]

MODES = ("rb", "wb", "xb", "rt", "wt", "xt")
BUFFER_BYTES = 256 * 1024


class EndsOnce(io.IOBase):
    """A file that aborts when an exception leaves its block, and when it is dropped unclosed."""

    __slots__ = ()

    @abstractmethod
    def abort(self, why: str = "aborted by the caller") -> None:
        """Nothing becomes visible."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort(f"left by {kind.__name__}")

    def __del__(self) -> None:
        if not self.closed:
            self.abort("the file was dropped unclosed")


class ObjectWriter(EndsOnce, io.RawIOBase):
    """A binary file over a Sink: close() publishes, a write that fails or an exception that leaves its block aborts.

    One that is dropped unclosed aborts too: what nobody finished is not visible. ``receipt`` is there once it is
    closed.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    @property
    def receipt(self) -> Receipt | None:
        """What finish() said."""
        return self._sink.receipt

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        if self.closed:
            raise ValueError("write to a closed file")
        try:
            self._sink.write(data)
        except BaseException:
            self.abort("a write failed")
            raise
        with memoryview(data) as view:
            return view.nbytes

    def abort(self, why: str = "aborted by the caller") -> None:
        """Nothing becomes visible."""
        self._sink.abort(why)
        super().close()

    def close(self) -> None:
        if self.closed:
            return
        try:
            self._sink.finish()
        finally:
            super().close()


class TextWriter(EndsOnce, io.TextIOWrapper):
    """Text over an ObjectWriter, which ends in the same ways."""

    def __init__(self, writer: ObjectWriter, encoding: str, errors: str | None, newline: str | None) -> None:
        self._writer = writer
        buffered = io.BufferedWriter(writer, BUFFER_BYTES)
        super().__init__(buffered, encoding, errors, newline)

    @property
    def receipt(self) -> Receipt | None:
        """What finish() said."""
        return self._writer.receipt

    def abort(self, why: str = "aborted by the caller") -> None:
        """Nothing becomes visible."""
        self._writer.abort(why)

    @property
    def closed(self) -> bool:
        return self._writer.closed


if TYPE_CHECKING:

    @overload
    def open(
        uri: str, mode: Literal["rb"] = "rb", *, config: Mapping[str, Any] | None = None, **options: Any
    ) -> BinaryIO: ...
    @overload
    def open(
        uri: str, mode: Literal["wb", "xb"], *, config: Mapping[str, Any] | None = None, **options: Any
    ) -> ObjectWriter: ...
    @overload
    def open(
        uri: str,
        mode: Literal["rt"],
        *,
        encoding: str = "utf-8",
        errors: str | None = None,
        newline: str | None = None,
        config: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> TextIO: ...
    @overload
    def open(
        uri: str,
        mode: Literal["wt", "xt"],
        *,
        encoding: str = "utf-8",
        errors: str | None = None,
        newline: str | None = None,
        config: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> TextWriter: ...


def open(
    uri: str,
    mode: Mode = "rb",
    *,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    config: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Open the object a URI names as a file.

    What is written appears whole when the file is closed. An exception that leaves the block aborts, and so does
    dropping the file unclosed: then nothing is visible, and what was there before stays.

    Args:
        uri: ``s3://bucket/key``, ``file:///path`` or ``memory://bucket/key``, as for store_at(). Not http:
            fetch() brings that into a store.
        mode: ``rb`` and ``rt`` read, and seek by reopening; ``wb`` and ``wt`` replace; ``xb`` and ``xt`` create:
            Conflict if something is there.
        encoding: Of text, utf-8 if not given; ``errors`` and ``newline`` as for the builtin.
        errors: See ``encoding``.
        newline: See ``encoding``.
        config: Arguments of S3Store.
        options: As for ObjectStore.open_reader or open_writer.
    Raises:
        NotFound: There is nothing to read.
        Refused: Another mode or scheme.
    Memory:
        256 KiB of buffer, besides what a reader or a writer of the store takes.

    >>> uri = folder.as_uri() + "/notes.txt"
    >>> with penstock.open(uri, "wt") as file:
    ...     _ = file.write("one\\ntwo\\n")
    >>> with penstock.open(uri, "rt") as file:
    ...     file.read().split()
    ['one', 'two']
    """
    if mode not in MODES:
        raise Refused(f"mode is one of {', '.join(MODES)}, not {mode!r}")
    if mode[1] == "b" and (encoding, errors, newline) != (None, None, None):
        raise Refused("encoding, errors and newline are for text: open with rt, wt or xt")
    store, key = store_at(uri, **(config or {}))
    text: dict[str, Any] = {"encoding": encoding or "utf-8", "errors": errors, "newline": newline}
    if mode[0] == "r":
        reader = io.BufferedReader(store.open_reader(key, **options), BUFFER_BYTES)
        return reader if mode == "rb" else io.TextIOWrapper(reader, **text)
    if mode[0] == "x":
        options = {**options, "mode": "create"}
    writer = ObjectWriter(store.open_writer(key, **options))
    return writer if mode[1] == "b" else TextWriter(writer, **text)
