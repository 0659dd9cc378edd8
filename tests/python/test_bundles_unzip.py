"""Archives unpacked on their way into a bundle, over our storages and others'; zipfile, tarfile and gzip judge."""

from __future__ import annotations

import asyncio
import gzip
import pickle
import tarfile
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import penstock
import pytest
from archives import tarred, with_link, zipped
from bundle_places import Folder, chunks, recipe, ref
from foreign_storage import Foreign, ForeignContext, added
from hypothesis import given, settings
from hypothesis import strategies as st
from penstock.bundles import _profile
from penstock.bundles.exceptions import StorageError
from penstock.bundles.storage import (
    BundleResourcesDecorator,
    FileStorage,
    UnzipResourceDecorator,
    create_storage_stack,
)
from penstock.bundles.storage.decorators.unzip_resource import UnzipResourceBundleStorageContext
from penstock.codecs import Limits
from penstock.testing import fill

OCTETS = "application/octet-stream"


def stored(body: bytes, url: str, content_type: str | None = None, **options: Any) -> dict[str, bytes]:
    base = Foreign()
    asyncio.run(added(UnzipResourceDecorator(base, **options), body, url, content_type))
    return base.bodies()


# --- Unpacking, over a storage of somebody else's ---


def test_gzip_becomes_what_it_was():
    base = Foreign()
    asyncio.run(
        added(
            UnzipResourceDecorator(base),
            gzip.compress(b"1,2"),
            "https://h/x.csv.gz?a=b",
            "application/gzip",
            206,
        )
    )
    assert base.added == [("https://h/x.csv?a=b", "text/csv", 206, b"1,2")]
    assert base.completed == [{}]


def test_members_of_an_archive_become_resources():
    members = {"a/b.csv": b"one", "c?.txt": b"two"}
    expected = {"https://h/d/x.zip/a/b.csv?id=1": b"one", "https://h/d/x.zip/c%3F.txt?id=1": b"two"}
    assert stored(zipped(members), "https://h/d/x.zip?id=1", "application/zip") == expected
    assert stored(tarred(members, mode="w:gz"), "https://h/get", OCTETS) == {
        "https://h/get/a/b.csv": b"one",
        "https://h/get/c%3F.txt": b"two",
    }


def test_what_is_neither_passes_as_it_is():
    for body in (b"", b"x", b"<html>" * 100_000):
        assert stored(body, "https://h/x", "text/html") == {"https://h/x": body}
    assert stored(b"<html>", "https://h/x.zip") == {"https://h/x.zip": b"<html>"}
    document = zipped({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<w/>"})
    assert stored(document, "https://h/x.zip") == {"https://h/x.zip": document}
    assert stored(zipped({"a": b"b"}), "https://h/x.docx").keys() == {"https://h/x.docx"}


NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\:"), min_size=1, max_size=20
).filter(lambda name: name not in (".", ".."))
MEMBERS = st.dictionaries(NAMES, st.binary(max_size=3000), min_size=1, max_size=8)


def joined(url: str, name: str) -> str:
    return url + "/" + name.replace("%", "%25").replace("?", "%3F").replace("#", "%23")


@settings(max_examples=60, deadline=None)
@given(MEMBERS, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_whatever_zipfile_packs_comes_out(members: dict[str, bytes], method: int):
    if next(iter(members)) in ("mimetype",):
        return
    assert stored(zipped(members, method), "https://h/x") == {
        joined("https://h/x", name): body for name, body in members.items()
    }


@settings(max_examples=60, deadline=None)
@given(MEMBERS, st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]), st.sampled_from(["w", "w:gz"]))
def test_whatever_tarfile_packs_comes_out(members: dict[str, bytes], form: int, mode: str):
    assert stored(tarred(members, form, mode), "https://h/x") == {
        joined("https://h/x", name): body for name, body in members.items()
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=100_000), min_size=1, max_size=4))
def test_whatever_gzip_packs_comes_out(pieces: list[bytes]):
    packed = b"".join(map(gzip.compress, pieces))
    assert stored(packed, "https://h/x", "text/plain") == {"https://h/x": b"".join(pieces)}


def test_zips_stay_whole_if_that_is_wanted(monkeypatch: pytest.MonkeyPatch):
    whole = zipped({"a": b"one"})
    assert stored(whole, "https://h/x.zip", keep_zip=True) == {"https://h/x.zip": whole}
    assert UnzipResourceDecorator(Foreign()).keep_zip is False
    monkeypatch.setattr(_profile, "_chosen", "fetcher")
    assert UnzipResourceDecorator(Foreign()).keep_zip is True
    monkeypatch.setenv("OC_STORAGE_UNZIP_KEEP_ZIP", "no")
    assert UnzipResourceDecorator(Foreign()).keep_zip is False
    assert UnzipResourceDecorator(Foreign(), keep_zip=True).keep_zip is True


def test_damage_limits_and_names_are_errors_of_both_kinds():
    good = tarred({"a": b"one" * 1000}, mode="w:gz")
    for body, error in (
        (good[:-9], penstock.Corrupt),
        (good + b"junk", penstock.Corrupt),
        (zipped({"../x": b""}), penstock.Refused),
        (tarred({"/etc/passwd": b"x"}), penstock.Refused),
    ):
        with pytest.raises(error) as raised:
            stored(body, "https://h/x")
        assert isinstance(raised.value, StorageError)
    with pytest.raises(penstock.Refused) as raised:
        stored(good, "https://h/x", limits=Limits(total_bytes=10))
    assert raised.value.code == "too_large"
    assert stored(gzip.compress(b"x") + b"junk", "https://h/x", ignore_trailing=True) == {"https://h/x": b"x"}
    with pytest.raises(penstock.Refused):
        UnzipResourceDecorator(Foreign(), limits=Limits(entries=-1))


@pytest.mark.parametrize(
    "held", [b"", gzip.compress(b"x" * 1000)[:-1], zipped({"a": fill(3000)})[:2000], b"plain"]
)
def test_what_the_stream_raises_comes_out_as_it_is(held: bytes):
    async def breaks() -> AsyncIterator[bytes]:
        yield held
        raise LookupError("of the stream")

    async def run() -> None:
        context = await UnzipResourceDecorator(base).start_bundle(ref(), recipe())
        with pytest.raises(LookupError, match="of the stream"):
            await context.add_resource("https://h/x", None, 200, breaks())
        await context.complete({})

    base = Foreign()
    asyncio.run(run())
    assert base.added == []
    assert base.completed == [{}]


def test_what_the_storage_raises_comes_out_and_the_stream_is_closed():
    closed = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(1000)
        finally:
            closed.append(True)

    async def run() -> None:
        context = await UnzipResourceDecorator(Foreign(OSError("disk"))).start_bundle(ref(), recipe())
        with pytest.raises(OSError, match="disk"):
            await context.add_resource("https://h/x", None, 200, endless())

    asyncio.run(run())
    assert closed == [True]


def test_complete_awaits_adds_under_way():
    async def run() -> list[str]:
        gate = asyncio.Event()

        async def late() -> AsyncIterator[bytes]:
            await gate.wait()
            yield gzip.compress(b"late")

        context = await UnzipResourceDecorator(base).start_bundle(ref(), recipe())
        adding = asyncio.create_task(context.add_resource("https://h/x", None, 200, late()))
        await asyncio.sleep(0)
        assert context.state == "adding"
        completing = asyncio.create_task(context.complete({"k": 1}))
        await asyncio.sleep(0)
        assert base.completed == []
        gate.set()
        await asyncio.gather(adding, completing)
        return [*base.bodies()]

    base = Foreign()
    assert asyncio.run(run()) == ["https://h/x"]
    assert base.completed == [{"k": 1}]


def test_a_cancelled_add_leaves_nothing(tmp_path: Path):
    async def run() -> None:
        started = asyncio.Event()

        async def hangs() -> AsyncIterator[bytes]:
            yield tarred({"a": b"x" * 10_000})[:5000]
            started.set()
            await asyncio.Event().wait()

        context = await UnzipResourceDecorator(FileStorage(tmp_path)).start_bundle(ref(), recipe())
        adding = asyncio.create_task(context.add_resource("https://h/x", None, 200, hangs()))
        await started.wait()
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        await asyncio.wait_for(context.complete({}), 5)

    asyncio.run(run())
    place = Folder(tmp_path)
    assert place.visible() == {}
    assert [line["failed"] for line in place.manifest()] == ["cancelled"]


# --- Unpacking, over our own ---


def test_of_our_storages_an_archive_stays_whole_or_not_at_all(place):
    good = with_link({"a": b"one", "d/b": b"two"}, "l", "/etc/passwd")

    async def run() -> None:
        context = await UnzipResourceDecorator(place.storage()).start_bundle(ref(), recipe())
        with pytest.raises(penstock.Corrupt):
            await context.add_resource("https://h/bad.zip", None, 200, chunks(good[:-1]))
        await context.add_resource("https://h/x.zip?id=1", None, 200, chunks(good))
        await context.add_resource("https://h/y.csv.gz", None, 200, gzip.compress(b"three"))
        await context.add_resource("https://h/z.zip", None, 200, b"<html>")
        with pytest.raises(penstock.Corrupt):
            await context.add_resource("https://h/w.gz", None, 200, b"\x1f\x8b")
        await context.complete({})

    asyncio.run(run())
    assert place.visible() == {"x.zip_a": b"one", "x.zip_d_b": b"two", "y.csv": b"three", "z.zip": b"<html>"}
    lines = place.manifest()
    notes = {line["url"]: line for line in lines if "sha256" not in line}
    assert {url: line.get("failed") or line.get("skipped") for url, line in notes.items()} == {
        "https://h/bad.zip": "corrupt",
        "https://h/w.gz": "corrupt",
        "https://h/x.zip/l?id=1": "link or device",
    }
    by_name = {line["name"]: line for line in lines if "sha256" in line}
    assert by_name["x.zip_a"]["derived_from"] == {"url": "https://h/x.zip?id=1", "codec": "zip"}
    assert by_name["y.csv"]["derived_from"]["size"] == len(gzip.compress(b"three"))
    assert by_name["z.zip"]["mismatch"] is True
    assert place.unfinished() == []


def test_a_bundle_written_piece_by_piece_passes_the_decorator(tmp_path: Path):
    packed = gzip.compress(fill(300_000))

    async def run() -> None:
        storage = UnzipResourceDecorator(FileStorage(tmp_path))
        async with storage.open_bundle("one", {"url": "https://h/x.bin.gz"}) as bundle:
            for at in range(0, len(packed), 50_000):
                await bundle.write(packed[at : at + 50_000])

        async def left() -> None:
            async with storage.open_bundle("two", {"url": "https://h/x.bin.gz"}) as half:
                await half.write(packed[:50_000])
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await left()

    asyncio.run(run())
    assert Folder(tmp_path).visible() == {"x.bin": fill(300_000)}
    assert Folder(tmp_path).visible("custom-two") is None


def test_a_silent_stream_is_lost_as_the_storage_says(tmp_path: Path):
    async def silent() -> AsyncIterator[bytes]:
        yield b"\x1f"
        await asyncio.Event().wait()

    async def run(storage: Any) -> None:
        context = await storage.start_bundle(ref(), recipe())
        with pytest.raises(penstock.Lost) as raised:
            await context.add_resource("https://h/x", None, 200, silent())
        assert raised.value.code == "stalled"
        await context.abort()

    for decorator in (UnzipResourceDecorator, BundleResourcesDecorator):
        asyncio.run(run(decorator(FileStorage(tmp_path, idle_timeout=0.05))))


# --- What is not theirs ---


@pytest.mark.parametrize("decorator", [UnzipResourceDecorator, BundleResourcesDecorator])
def test_what_a_decorator_lacks_is_the_storages_own(decorator: Any):
    base = Foreign()
    storage = decorator(base)
    assert storage.base_storage is base
    assert storage.marker == "of the base"
    with pytest.raises(AttributeError):
        _ = storage.absent
    context = asyncio.run(storage.start_bundle(ref(), recipe()))
    assert context.note == "of the base's context"
    assert isinstance(context.base_context, ForeignContext)


@pytest.mark.parametrize("decorator", [UnzipResourceDecorator, BundleResourcesDecorator])
def test_a_decorated_storage_pickles(decorator: Any, tmp_path: Path):
    storage = pickle.loads(pickle.dumps(decorator(FileStorage(tmp_path))))
    asyncio.run(added(storage, b"x", "https://h/a.txt"))
    assert Folder(tmp_path).visible() is not None
    assert repr(storage) == f"{decorator.__name__}(FileStorage({str(tmp_path)!r}))"


def test_a_mocked_context_gets_each_resource():
    base = AsyncMock()
    base.add_resource.side_effect = None
    decorator = Mock(keep_zip=False, ignore_trailing=False, limits=None, _idle_timeout=None)
    decorator._unpacker = lambda body, resource: UnzipResourceDecorator(Foreign())._unpacker(body, resource)

    async def run() -> None:
        context = UnzipResourceBundleStorageContext(base, decorator)
        await context.add_resource("https://h/x.zip", None, 200, chunks(zipped({"a": b"1", "b": b"2"})))
        await context.complete({"k": 1})

    asyncio.run(run())
    assert [call.args[0] for call in base.add_resource.await_args_list] == [
        "https://h/x.zip/a",
        "https://h/x.zip/b",
    ]
    base.complete.assert_awaited_once_with({"k": 1})


def test_a_stack_has_what_is_asked_for():
    base = Foreign()
    assert create_storage_stack(base) is base
    stack = create_storage_stack(
        base, unzip_resources=True, bundle_resources=True, keep_zip=True, spool_dir="/tmp/there"
    )
    assert (type(stack), stack.keep_zip) == (UnzipResourceDecorator, True)
    assert (type(stack.base_storage), stack.spool_dir) == (BundleResourcesDecorator, "/tmp/there")
    assert stack.base_storage.base_storage is base
    with pytest.raises(TypeError, match="keep_zips"):
        create_storage_stack(base, keep_zips=True)
