"""Zips against zipfile, unzip and libarchive, both ways; cut, flipped, and from hostile hands."""

from __future__ import annotations

import asyncio
import io
import random
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import penstock
import pytest
from faults.amounts import FULL_SIZE
from hypothesis import given, settings
from hypothesis import strategies as st
from penstock import aio
from penstock.codecs import Limits, Zip, ZipWriter
from penstock.testing import SlowSource, fill
from producers import pieces

MIB = 1 << 20
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\\/:", exclude_categories=("Cc",)),
    min_size=1,
    max_size=60,
).filter(lambda name: name not in {".", ".."})
MEMBERS = st.lists(st.tuples(NAMES, st.binary(max_size=2000)), max_size=6, unique_by=lambda member: member[0])
METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]


class Pipe(io.RawIOBase):
    """A file that cannot seek: zipfile then writes the sizes behind each member."""

    def __init__(self) -> None:
        self.written = b""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self.written += piece
        return len(piece)


def zipped(members: list[tuple[str, bytes]], method: int, *, seekable: bool = True) -> bytes:
    made = io.BytesIO() if seekable else Pipe()
    with zipfile.ZipFile(made, "w", method) as archive:  # type: ignore[call-overload]
        for name, body in members:
            archive.writestr(name, body)
    return made.written if isinstance(made, Pipe) else made.getvalue()


def read(archive: object, **options: Limits) -> list[tuple[str, bytes]]:
    return [(entry.name, entry.bytes("1GiB")) for entry in Zip(archive, **options)]


def written(members: list[tuple[str, bytes]], **options: int) -> bytes:
    store = penstock.MemoryStore()
    with ZipWriter(store.open_writer("z"), **options) as archive:
        for name, body in members:
            assert archive.add(name, body) == len(body)
    return store.get("z").bytes("1GiB")


@settings(deadline=None)
@given(MEMBERS, st.sampled_from(METHODS), st.booleans(), st.integers(1, 3000))
def test_what_zipfile_writes_is_read(
    members: list[tuple[str, bytes]], method: int, seekable: bool, step: int
) -> None:
    assert read(SlowSource(zipped(members, method, seekable=seekable), step)) == members


@settings(deadline=None)
@given(MEMBERS, st.integers(0, 9))
def test_what_is_written_zipfile_reads(members: list[tuple[str, bytes]], level: int) -> None:
    with zipfile.ZipFile(io.BytesIO(written(members, level=level))) as archive:
        assert archive.testzip() is None
        assert [(info.filename, archive.read(info)) for info in archive.infolist()] == members


def large_and_small() -> list[tuple[str, bytes]]:
    noise = random.Random(1).randbytes(9 * MIB)
    return [("a.txt", b"one"), ("d/noise", noise), ("d/\u00e9.txt", b"two" * 9000), ("empty", b"")]


def test_unzip_and_libarchive_read_what_is_written_and_find_it_good(tmp_path: Path) -> None:
    members = large_and_small()
    (tmp_path / "a.zip").write_bytes(written(members))
    subprocess.run(["unzip", "-tq", tmp_path / "a.zip"], check=True, capture_output=True, timeout=60)
    for tool in (["unzip", "-q", "-d", "by-unzip"], ["bsdtar", "-C", "by-bsdtar", "-xf"]):
        (tmp_path / f"by-{tool[0]}").mkdir()
        command = [*tool, "a.zip"] if tool[0] == "bsdtar" else [tool[0], "-q", "a.zip", "-d", "by-unzip"]
        subprocess.run(command, check=True, cwd=tmp_path, timeout=60)
        for name, body in members:
            assert (tmp_path / f"by-{tool[0]}" / name).read_bytes() == body
    with (tmp_path / "a.zip").open("rb") as file:  # as a stream, by the headers before the members
        listed = subprocess.run(
            ["bsdtar", "-tf", "-"], stdin=file, check=True, capture_output=True, timeout=60
        )
    assert listed.stdout.decode().split() == [name for name, _ in members]


def test_what_libarchive_writes_to_a_pipe_is_read(tmp_path: Path) -> None:
    members = large_and_small()
    for name, body in members:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(body)
    for options in ([], ["--options", "zip:compression=store"], ["--options", "zip:zip64"]):
        command = ["bsdtar", "--format", "zip", *options, "-cf", "-", *(name for name, _ in members)]
        archive = subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, timeout=60).stdout
        assert read(SlowSource(archive, 10_000)) == members, options


def text_members() -> list[tuple[str, bytes]]:
    words = random.Random(1)
    return [(f"{n}.txt", b" ".join(b"%d" % words.randrange(10**6) for _ in range(1500))) for n in range(3)]


def places(length: int, first: int, more: int) -> Iterator[int]:
    yield from range(min(first, length))
    yield from random.Random(2).sample(range(first, length), min(more, max(0, length - first)))


@pytest.mark.parametrize("seekable", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_a_zip_cut_anywhere_is_truncated(method: int, seekable: bool) -> None:
    archive = zipped(text_members(), method, seekable=seekable)
    for cut in places(len(archive), 4096, 300):
        with pytest.raises(penstock.Corrupt) as caught:
            read(archive[:cut])
        assert caught.value.code == "truncated"


@pytest.mark.parametrize("method", METHODS)
def test_ten_thousand_flipped_bits_give_an_error_or_the_same_members(method: int) -> None:
    members, seed = text_members(), 3
    archive = zipped(members, method, seekable=False)
    flips, refused = random.Random(seed), 0
    for _ in range(10_000):
        bad = bytearray(archive)
        bad[flips.randrange(len(bad))] ^= 1 << flips.randrange(8)
        try:
            assert read(bad) == members, f"seed {seed}"
        except (penstock.Corrupt, penstock.Refused):
            refused += 1
    assert refused > 9_800


def hostile() -> Iterator[tuple[str, bytes, str]]:
    """(what, archive, code): none of them may give a name outside its folder or more than the limits."""
    for name in ("/etc/passwd", "../x", "a/../../x", "..", "C:/x", "C:x", "a\\b", "\\\\host\\x", "d/.."):
        yield f"name {name}", zipped([(name, b"x")], zipfile.ZIP_STORED), "unsafe_name"
    yield "name of 2,000", zipped([("n" * 2000, b"x")], zipfile.ZIP_STORED), "too_large"
    yield "bomb", zipped([("b", bytes(80 * MIB))], zipfile.ZIP_DEFLATED), "too_large"
    yield "entries", zipped([(str(n), b"") for n in range(1001)], zipfile.ZIP_STORED), "too_large"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield "two of one name", zipped([("a", b"1"), ("a", b"2")], zipfile.ZIP_STORED), ""
    one, other = (zipped([("a", body)], zipfile.ZIP_STORED) for body in (b"1", b"22"))
    yield "two in one", one + other, "trailing"
    yield "something before", b"#!/bin/sh\n" + one, ""
    hidden = one.index(b"PK\1\2")
    yield "a member that is not listed", one[:hidden] + other, ""
    encrypted = bytearray(one)
    encrypted[6] |= 1
    yield "encrypted", bytes(encrypted), "unsupported"
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield f"method {method}", zipped([("a", b"x" * 99)], method), "unsupported"
    spanned = bytearray(one)
    spanned[one.index(b"PK\5\6") + 4] = 1
    yield "one of several parts", bytes(spanned), "unsupported"
    nested = zipped([("inner", one)], zipfile.ZIP_STORED, seekable=False)
    yield "a wrong length behind a nested zip", nested.replace(b"PK\7\x08", b"PK\7\x09"), ""


@pytest.mark.parametrize(("what", "archive", "code"), [pytest.param(*case, id=case[0]) for case in hostile()])
def test_hostile_zips_are_refused(what: str, archive: bytes, code: str) -> None:
    with pytest.raises((penstock.Corrupt, penstock.Refused)) as caught:
        read(archive, limits=Limits(entries=1000))
    assert (caught.value.code or "") == code, what


def test_documents_that_are_zips_are_read(tmp_path: Path) -> None:
    """A jar has descriptors and an extra field of its own; javac's tool is not needed to make one."""
    extra = zipfile.ZipInfo("META-INF/MANIFEST.MF")
    extra.extra = b"\xfe\xca\0\0"
    made = Pipe()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as jar:  # type: ignore[call-overload]
        jar.writestr(extra, b"Manifest-Version: 1.0\r\n", zipfile.ZIP_DEFLATED)
        jar.mkdir("d") if sys.version_info >= (3, 11) else jar.writestr("d/", b"")
    assert [(entry.name, entry.type) for entry in Zip(made.written)] == [
        ("META-INF/MANIFEST.MF", "file"),
        ("d", "folder"),
    ]


def test_links_show_at_the_end() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a", b"one")
        link = zipfile.ZipInfo("l")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, b"/etc/passwd")
    opened = Zip(made.getvalue())
    assert [(entry.name, entry.type, entry.bytes()) for entry in opened] == [
        ("a", "file", b"one"),
        ("l", "file", b"/etc/passwd"),
    ]
    assert opened.special == [1]


def test_times_are_kept_and_zipfile_agrees() -> None:
    at = datetime(2024, 2, 29, 23, 59, 58, tzinfo=timezone.utc)
    store = penstock.MemoryStore()
    with ZipWriter(store.open_writer("z")) as archive:
        archive.add("a", b"x", modified=at)
    made = store.get("z").bytes()
    (entry,) = list(Zip(made))
    assert entry.modified == at
    assert zipfile.ZipFile(io.BytesIO(made)).getinfo("a").date_time == (2024, 2, 29, 23, 59, 58)
    assert entry.size == 1


@pytest.mark.parametrize("year", [1600, 2300])
def test_a_time_no_clock_holds_is_refused(year: int) -> None:
    archive = ZipWriter(penstock.MemoryStore().open_writer("z"))
    with pytest.raises(penstock.Refused, match="modified"):
        archive.add("a", b"x", modified=datetime(year, 1, 1, tzinfo=timezone.utc))


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(penstock.Refused, match="77"):
        ZipWriter(penstock.MemoryStore().open_writer("z"), level=77)


def test_what_is_special_is_not_known_before_the_end() -> None:
    with pytest.raises(RuntimeError, match="at the end"):
        _ = Zip(zipped([("a", b"")], zipfile.ZIP_STORED)).special


def test_a_zip_that_is_left_by_an_exception_is_not_there() -> None:
    store = penstock.MemoryStore()

    def left() -> None:
        with ZipWriter(store.open_writer("z")) as archive:
            archive.add("a", b"one")
            raise KeyError

    with pytest.raises(KeyError):
        left()
    assert not store.exists("z")


def broken(body: bytes, at: int) -> Iterator[bytes]:
    yield body[:at]
    raise OSError("the disk is on fire")


def test_a_small_member_that_fails_is_left_out_and_a_large_one_fails_the_zip() -> None:
    store = penstock.MemoryStore()
    with ZipWriter(store.open_writer("z")) as archive:
        archive.add("a", b"one")
        with pytest.raises(OSError, match="fire"):
            archive.add("b", broken(b"two", 2))
    assert read(store.get("z")) == [("a", b"one")]
    noise = random.Random(1).randbytes(10 * MIB)
    with pytest.raises(OSError, match="fire"), ZipWriter(store.open_writer("y")) as archive:
        archive.add("b", broken(noise, len(noise) - 1))
    assert not store.exists("y")
    archive = ZipWriter(store.open_writer("x"))
    with pytest.raises(OSError, match="fire"):
        archive.add("b", broken(noise, len(noise) - 1))
    with pytest.raises(RuntimeError, match="aborted"):
        archive.finish()


def test_the_async_twins_read_and_write_as_it_comes() -> None:
    bodies = {"a": fill(900_000), "b": fill(700_000)[1:], "c": b"three"}

    async def main() -> dict[str, bytes]:
        store = aio.MemoryStore()
        async with aio.codecs.ZipWriter(await store.open_writer("z")) as archive:
            for name, body in bodies.items():
                assert await archive.add(name, pieces(body, 10_000)) == len(body)
        packed = await (await store.get("z")).bytes()
        back = {}
        async for entry in aio.codecs.Zip(pieces(packed, 10_000)):
            back[entry.name] = await entry.bytes()
        return back

    assert asyncio.run(main()) == bodies


MANY = """
import resource, sys, penstock
def peak(): return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) >> 10
path, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
piece = bytes(range(256)) * 4096
def body():
    for _ in range(size // len(piece)): yield piece
with penstock.codecs.ZipWriter(penstock.FileSink(path), level=int(sys.argv[4])) as archive:
    archive.add("warm", b"x" * 10_000_000)
    before = peak()
    for n in range(count): archive.add(f"member-{n}", body() if size else b"%d" % n)
for entry in penstock.codecs.Zip(penstock.FileSource(path)): entry.close()
print(peak() - before)
"""


@pytest.mark.parametrize(
    ("count", "size"),
    [pytest.param(70_000, 0, id="70,000"), pytest.param(1, 5 << 30, id="5GiB", marks=FULL_SIZE)],
)
def test_many_members_and_large_ones_are_read_by_all_in_little_memory(
    tmp_path: Path, count: int, size: int
) -> None:
    path = tmp_path / "z.zip"
    made = subprocess.run(
        [sys.executable, "-c", MANY, path, str(count), str(size), "0" if size else "6"],
        check=True, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert int(made.stdout) <= 64  # MiB
    subprocess.run(["unzip", "-tqq", path], check=True, timeout=900)
    subprocess.run(["bsdtar", "-tf", path], check=True, stdout=subprocess.DEVNULL, timeout=900)
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        assert len(infos) == count + 1
        assert infos[-1].file_size == (size or len(str(count - 1)))
        assert archive.open("member-0").read(1) == (b"\0" if size else b"0")
