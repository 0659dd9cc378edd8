"""An object as a binary file that is read anywhere."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from penstock import display
from penstock.streams import CHUNK_BYTES

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from penstock import _core
    from penstock.objects import ObjectMeta


def place(reader: _core.Reader, offset: int, whence: int) -> int:
    """The place in the object that a seek means."""
    if whence == os.SEEK_CUR:
        offset += reader.tell()
    elif whence == os.SEEK_END:
        offset += reader.meta.bytes
    elif whence != os.SEEK_SET:
        raise ValueError(f"whence is 0, 1 or 2, not {whence}")
    if offset < 0:
        raise ValueError("cannot seek to before the beginning")
    return offset


class ObjectReader(io.RawIOBase):
    """What ObjectStore.open_reader gives: unbuffered, one thread at a time.

    ``read(n)`` gives n bytes, fewer only at the end. ``meta`` is of the version being read.
    """

    def __init__(self, native: _core.Reader) -> None:
        self._native = native
        self.meta: ObjectMeta = native.meta

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        to = place(self._native, offset, whence)
        self._native.seek(to)
        return to

    def tell(self) -> int:
        return self._native.tell()

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return self.readall()
        return self._native.read(size) if size else b""

    def readall(self) -> bytes:
        """All that is left: know how much before you ask (``meta.bytes``)."""
        return b"".join(iter(lambda: self._native.read(CHUNK_BYTES, False), b""))

    def readinto(self, buffer: Buffer) -> int:
        with memoryview(buffer).cast("B") as view:
            chunk = self._native.read(len(view), False) if view else b""
            view[: len(chunk)] = chunk
            return len(chunk)

    def close(self) -> None:
        if not self.closed:
            self._native.close()
        super().close()

    def __repr__(self) -> str:
        return display.line("ObjectReader", key=self.meta.key, bytes=self.meta.bytes)
