"""A gzip of ratio 3 and any length, in the time a copy takes: a deflated mebibyte, repeated.

One member. No repetition reaches back into another, so a reader inflates each as if it were new.

    python bench/servers/gzipped.py MEBIBYTES FILE      prints the SHA-256 of what is in it
"""

from __future__ import annotations

import hashlib
import random
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

MIB = 2**20
_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
_LAST_BLOCK = b"\x03\x00"


def plain() -> bytes:
    """The mebibyte: lines of a table."""
    chosen = random.Random(5)
    words = [f"{chosen.getrandbits(40):x}" for _ in range(500)]
    lines = (
        f"{number:08d},{chosen.choice(words)},{chosen.choice(words)},{chosen.random():.9f}\n"
        for number in range(MIB // 24)
    )
    return "".join(lines).encode()[:MIB]


def pieces(mebibytes: int) -> Iterator[bytes]:
    """The gzip of so many of them, front to back."""
    text = plain()
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece = deflate.compress(text) + deflate.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    yield _HEADER
    for _ in range(mebibytes):
        crc = zlib.crc32(text, crc)
        yield piece
    yield _LAST_BLOCK + struct.pack("<II", crc, mebibytes * MIB & 0xFFFFFFFF)


def write(mebibytes: int, to: Path) -> None:
    with to.open("wb") as file:
        file.writelines(pieces(mebibytes))


def digest(mebibytes: int) -> str:
    """SHA-256 of what is in it."""
    text, sha256 = plain(), hashlib.sha256()
    for _ in range(mebibytes):
        sha256.update(text)
    return sha256.hexdigest()


if __name__ == "__main__":
    write(int(sys.argv[1]), Path(sys.argv[2]))
    print(digest(int(sys.argv[1])))
