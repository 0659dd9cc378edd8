"""The files of a FileSystem: one reads blocks through a cache of fsspec's, one streams into an upload."""

from __future__ import annotations

import errno
import io
import logging
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from fsspec.spec import AbstractBufferedFile
from fsspec.transaction import Transaction

from penstock.errors import Conflict, Refused
from penstock.opening import EndsOnce, ObjectWriter, TextWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from typing_extensions import Buffer

    from penstock.fsspec.system import FileSystem
    from penstock.objects import Receipt
    from penstock.stores import ObjectStore
    from penstock.streams import Sink

log = logging.getLogger("penstock.fsspec")


class ReadFile(AbstractBufferedFile):
    """An object to read and seek in. All reads are of one version: a replaced object is Conflict, code ``changed``.

    Memory: what the cache keeps; ``readahead``, unless ``cache_type`` says otherwise, keeps one read and one block.
    """

    DEFAULT_BLOCK_SIZE = 5 * 2**20

    def __init__(
        self,
        fs: FileSystem,
        path: str,
        mode: str = "rb",
        *,
        size: int | None = None,
        etag: str | None = None,
        **options: Any,
    ) -> None:
        self._store, self._key = fs.place(path)
        if size is None or etag is None:
            meta = self._store.head(self._key)
            if etag not in (None, meta.etag):
                where = self._store.location(self._key)
                raise Conflict(f"{where} is another version by now", code="changed", subject=where)
            size, etag = meta.bytes, meta.etag
        # What AbstractBufferedFile is given beyond its own names is pickled, and given again on arrival.
        super().__init__(fs, path, mode, size=size, etag=etag, **options)

    def _fetch_range(self, start: int, end: int) -> bytes:
        return read_range(self._store, self._key, start, end, if_match=self.kwargs["etag"])


def read_range(store: ObjectStore, key: str, start: int, end: int, *, if_match: str = "") -> bytes:
    """Bytes ``start`` to ``end``, fewer where the object ends."""
    if start >= end:
        return b""
    try:
        with store.get(key, range=slice(start, end), if_match=if_match) as body:
            return body.read(end - start + 1)  # one more than there is: what was read is compared at the end
    except Refused as error:
        return beyond_the_end(error)


def beyond_the_end(error: Refused) -> bytes:
    """Nothing, if that is what the error is about: a slice that begins past the end is empty in Python."""
    if error.code == "range" or error.status == 416:
        return b""
    raise error


class WriteFile(ObjectWriter):
    """An object being written: close() publishes, an exception that leaves its block aborts, and so does dropping it.

    close() while an exception is handled that came after the file was opened also aborts, for fsspec.open() and
    pandas close their files on the way out of an exception too. commit() publishes in any case.
    In a transaction close() publishes nothing; the end of the transaction does, or discards.

    Memory: parts in flight x part size, and in a transaction what one upload holds for each file until its end.
    """

    def __init__(self, fs: FileSystem, path: str, mode: str, sink: Sink, autocommit: bool = True) -> None:
        super().__init__(sink)
        self.fs, self.path, self.mode, self.autocommit = fs, path, mode, autocommit
        self._bytes = 0
        self._handled = sys.exc_info()[1]
        self._ended = False

    def write(self, data: Buffer) -> int:
        if self._ended and not self.closed:  # the last words of a codec
            with memoryview(data) as view:
                return view.nbytes
        written = super().write(data)
        self._bytes += written
        return written

    def tell(self) -> int:
        """Bytes written so far."""
        return self._bytes

    def commit(self) -> None:
        """Publish, whatever else is going on."""
        if self._ended:
            return
        self._ended = True
        with exclusive(self.mode == "xb", self.path):
            super().close()
            if self._sink.receipt is None:  # closed before, in a transaction
                self._sink.finish()

    def discard(self) -> None:
        """Nothing becomes visible."""
        self.abort("discarded")

    def give_up(self, why: str) -> None:
        """Nothing becomes visible; what is written until abort() goes nowhere."""
        self._ended = True
        self._sink.abort(why)

    def abort(self, why: str = "aborted by the caller") -> None:
        self._ended = True
        super().abort(why)

    def close(self) -> None:
        if self.closed:
            return
        if why := on_the_way_out(self._handled, self.path):
            self.abort(why)
        elif self.autocommit:
            self.commit()
        else:
            io.RawIOBase.close(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort(f"left by {kind.__name__}")
        elif self.autocommit:
            self.commit()
        else:
            self.close()

    def __repr__(self) -> str:
        return f"WriteFile({self.path!r}, {self.mode!r})"


class CompressedFile(EndsOnce, io.RawIOBase):
    """A codec over a WriteFile: both end together, and in the same ways."""

    def __init__(self, codec: Any, target: WriteFile) -> None:
        self._codec, self._target = codec, target
        self._handled = sys.exc_info()[1]

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        with memoryview(data) as view:
            self._codec.write(view)
            return view.nbytes

    def close(self) -> None:
        if self.closed:
            return
        if why := on_the_way_out(self._handled, self._target.path):
            self.abort(why)
        else:
            self._end(self._target.close)

    def commit(self) -> None:
        """Publish, whatever else is going on."""
        if not self.closed:
            self._end(self._target.commit)

    def _end(self, target: Callable[[], None]) -> None:
        try:
            self._codec.close()
            target()
        except BaseException:
            self._target.abort("its codec failed")
            raise
        finally:
            super().close()

    @property
    def receipt(self) -> Receipt | None:
        """What finish() said."""
        return self._target.receipt

    def abort(self, why: str = "aborted by the caller") -> None:
        """Nothing becomes visible."""
        self._target.give_up(why)
        with suppress(Exception):
            self._codec.close()
        self._target.abort(why)
        super().close()


class TextFile(TextWriter):
    """Text over a file of this module, which ends in the same ways."""

    def __init__(
        self,
        target: WriteFile | CompressedFile,
        encoding: str = "utf-8",
        errors: str | None = None,
        newline: str | None = None,
    ) -> None:
        super().__init__(cast("ObjectWriter", target), encoding, errors, newline)

    def commit(self) -> None:
        """Publish, whatever else is going on."""
        self.flush()
        cast("WriteFile", self._writer).commit()


class Published(Transaction):
    """What was closed is published at the end; if anything was not, nothing is: half of it may be held elsewhere."""

    def complete(self, commit: bool = True) -> None:
        unclosed = [file.path for file in self.files if not file.closed] if commit else []
        super().complete(commit and not unclosed)
        if unclosed:
            raise Refused(f"not closed at the end of the transaction, so nothing is published: {unclosed[0]}")


def codec_of(path: str, compression: str | None) -> Any:
    """The class that compresses, by its name or the path's; None for none. ValueError for an unknown one."""
    from fsspec.compression import compr
    from fsspec.core import get_compression

    name = None if compression is None else get_compression(path, compression)
    return None if name is None else compr[name]


def on_the_way_out(handled: BaseException | None, path: str) -> str:
    """Why a file that is closed now is not published, and a line in the log; "" if it is."""
    error = raised_since(handled)
    if error is None or isinstance(error, (StopIteration, StopAsyncIteration)):  # the end of what was written
        return ""
    why = f"closed while {type(error).__name__} is handled"
    log.warning("%s is not published: %s", path, why)
    return why


def raised_since(handled: BaseException | None) -> BaseException | None:
    """The exception that is being handled, unless it was on its way before ``handled``, or is that."""
    now = sys.exc_info()[1]
    while handled is not None and handled is not now:
        handled = handled.__context__
    return None if handled is now else now


@contextmanager
def exclusive(create: bool, path: str) -> Iterator[None]:
    """A Conflict of what was to be created is FileExistsError, as fsspec wants it."""
    try:
        yield
    except Conflict as error:
        if create:
            raise FileExistsError(errno.EEXIST, "something is there already", path) from error
        raise
