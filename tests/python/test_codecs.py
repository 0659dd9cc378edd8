"""gzip and tar against the modules of Python itself, cut, flipped, and from hostile hands."""

from __future__ import annotations

import asyncio
import gzip
import io
import random
import tarfile
from collections.abc import AsyncIterator, Iterator

import penstock
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from penstock import aio
from penstock.codecs import Limits, Tar
from penstock.testing import SlowSource, fill
from producers import pieces


def members(parts: list[bytes]) -> bytes:
    return b"".join(gzip.compress(part, level) for level, part in enumerate(parts, start=1))


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=5), st.integers(1, 5000))
def test_gunzip_agrees_with_gzip(parts: list[bytes], step: int) -> None:
    packed = members(parts)
    assert penstock.Gunzip(SlowSource(packed, step)).bytes() == gzip.decompress(packed) == b"".join(parts)


def packed_text() -> bytes:
    words = random.Random(1)
    text = b" ".join(b"%d" % words.randrange(10**6) for _ in range(4000))
    return members([text[:9000], text[9000:]])


def places(length: int, first: int, more: int) -> Iterator[int]:
    yield from range(min(first, length))
    yield from random.Random(2).sample(range(first, length), min(more, max(0, length - first)))


def test_a_cut_stream_is_corrupt_wherever_gzip_says_so() -> None:
    packed = packed_text()
    for cut in places(len(packed), 4096, 500):
        try:
            expected = gzip.decompress(packed[:cut])
        except (EOFError, gzip.BadGzipFile):
            with pytest.raises(penstock.Corrupt) as caught:
                penstock.Gunzip(packed[:cut]).bytes()
            assert caught.value.code in {"truncated", "trailing"}
        else:
            if cut:  # of nothing at all gzip makes nothing; it is no stream
                assert penstock.Gunzip(packed[:cut]).bytes() == expected


def test_ten_thousand_flipped_bits_give_an_error_or_the_same_bytes() -> None:
    packed = packed_text()
    whole, seed = gzip.decompress(packed), 3
    flips = random.Random(seed)
    refused = 0
    for _ in range(10_000):
        bad = bytearray(packed)
        bad[flips.randrange(len(bad))] ^= 1 << flips.randrange(8)
        try:
            assert penstock.Gunzip(bad).bytes() == whole, f"seed {seed}"
        except penstock.Corrupt:
            refused += 1
    assert refused > 9_900


def test_a_ratio_beyond_the_limit_is_refused() -> None:
    packed = gzip.compress(bytes(3_000_000))
    with pytest.raises(penstock.Refused) as caught:
        penstock.Gunzip(packed, limits=Limits(ratio=250, ratio_from="1MiB")).bytes()
    assert caught.value.code == "too_large"
    assert len(penstock.Gunzip(packed, limits=Limits(total_bytes=3_000_000)).bytes()) == 3_000_000


def test_gunzip_is_rewound_with_its_source() -> None:
    body = fill(400_000)
    source = penstock.Gunzip(gzip.compress(body, 1))
    assert source.read(123_456) == body[:123_456]
    source.mark()
    assert source.bytes() == body[123_456:]
    source.rewind()
    assert source.bytes() == body[123_456:]


# --- tar ---

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\\/:"), min_size=1, max_size=150).filter(
    lambda name: name not in {".", ".."}
)
FORMATS = {"gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def tarred(contents: list[tuple[str, bytes]], form: int) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as tar:
        for name, body in contents:
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(body), 1_234_567
            tar.addfile(member, io.BytesIO(body))
    return made.getvalue()


def as_tarfile_reads(archive: bytes) -> list[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = ((member.name, tar.extractfile(member)) for member in tar)
        return [(name, file.read()) for name, file in files if file is not None]


@settings(deadline=None)
@given(
    st.lists(st.tuples(NAMES, st.binary(max_size=2000)), max_size=6),
    st.sampled_from(sorted(FORMATS)),
    st.integers(1, 3000),
)
def test_tar_agrees_with_tarfile(contents: list[tuple[str, bytes]], form: str, step: int) -> None:
    archive = tarred(contents, FORMATS[form])
    read = [(entry.name, entry.bytes()) for entry in Tar(SlowSource(archive, step))]
    assert read == as_tarfile_reads(archive) == contents


def test_a_tar_of_posix_keeps_long_names_and_times() -> None:
    name = "/".join(["folder" * 8] * 4) + "/file"
    (entry,) = list(Tar(tarred([(name, b"body")], tarfile.USTAR_FORMAT)))
    assert (entry.name, entry.type, entry.size) == (name, "file", 4)
    assert entry.modified is not None
    assert entry.modified.timestamp() == 1_234_567


def test_a_tar_gz_is_one_stage_in_the_other() -> None:
    body = fill(2_000_000)
    packed = gzip.compress(tarred([("a", b"one"), ("b", body)], tarfile.PAX_FORMAT), 1)
    assert {entry.name: entry.bytes() for entry in Tar(penstock.Gunzip(packed))} == {"a": b"one", "b": body}


def test_links_devices_and_folders_have_no_bytes() -> None:
    types = {"l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "f": tarfile.FIFOTYPE, "d": tarfile.DIRTYPE}
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, kind in types.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd" if name in "lh" else ""
            tar.addfile(member)
    read = [(entry.name, entry.type, entry.link_to, entry.bytes()) for entry in Tar(made.getvalue())]
    assert read == [
        ("l", "link", "/etc/passwd", b""),
        ("h", "link", "/etc/passwd", b""),
        ("f", "other", "", b""),
        ("d", "folder", "", b""),
    ]


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "C:\\x", "a\\b"])
def test_a_name_that_leads_out_is_refused(name: str) -> None:
    with pytest.raises(penstock.Refused) as caught:
        list(Tar(tarred([(name, b"")], tarfile.PAX_FORMAT)))
    assert caught.value.code == "unsafe_name"


def test_a_tar_cut_anywhere_is_truncated() -> None:
    archive = tarred([("a", b"one"), ("b" * 150, b"two" * 300)], tarfile.PAX_FORMAT)
    whole = archive.rstrip(b"\0")
    for cut in range(0, len(whole), 7):
        with pytest.raises(penstock.Corrupt) as caught:
            [entry.bytes() for entry in Tar(archive[:cut])]
        assert caught.value.code == "truncated"


def test_an_entry_is_read_before_the_next_is_asked_for() -> None:
    with Tar(tarred([("a", b"one"), ("b", b"two")], tarfile.PAX_FORMAT)) as archive:
        first = next(archive)
        assert next(archive).read(1) == b"t"
        with pytest.raises(ValueError, match="gone on"):
            first.read(1)
    with pytest.raises(ValueError, match="closed"):
        next(archive)


def test_an_async_tar_gz_is_read_as_it_comes_and_an_entry_may_be_left() -> None:
    body = fill(900_000)
    packed = gzip.compress(tarred([("a", body), ("b", b"two")], tarfile.PAX_FORMAT), 1)

    async def main() -> dict[str, bytes]:
        read = {}
        async with aio.codecs.Tar(aio.Gunzip(pieces(packed, 10_000))) as archive:
            async for entry in archive:
                async with entry:
                    read[entry.name] = await entry.read(10)
        return read

    assert asyncio.run(main()) == {"a": body[:10], "b": b"two"}


def test_entries_of_an_async_tar_gz_are_stored_one_after_the_other() -> None:
    bodies = {"a": fill(900_000), "b": fill(700_000)[1:], "c": b"three"}
    packed = gzip.compress(tarred(list(bodies.items()), tarfile.PAX_FORMAT), 1)

    async def main() -> dict[str, bytes]:
        store = aio.MemoryStore()
        async for entry in aio.codecs.Tar(aio.Gunzip(pieces(packed, 10_000))):
            assert entry.remaining == entry.size
            await store.put(entry.name, entry)
        return {meta.key: await (await store.get(meta.key)).bytes() async for meta in store.list()}

    assert asyncio.run(main()) == bodies


def test_what_the_async_iterator_raises_comes_through_the_entry_that_is_read() -> None:
    packed = tarred([("a", fill(900_000))], tarfile.PAX_FORMAT)

    async def broken() -> AsyncIterator[bytes]:
        yield packed[:300_000]
        raise KeyError("mine")

    async def main() -> None:
        async for entry in aio.codecs.Tar(broken()):
            await aio.MemoryStore().put(entry.name, entry)

    with pytest.raises(KeyError, match="mine"):
        asyncio.run(main())


@pytest.mark.parametrize("limits", [Limits(total_bytes=-1), Limits(entries=2**63)])
def test_a_limit_that_is_none_is_refused(limits: Limits) -> None:
    with pytest.raises(penstock.Refused, match="Limits"):
        penstock.Gunzip(b"", limits=limits)
