"""All resources of a bundle in one zip, over our storages and others'; zipfile judges."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import penstock
import pytest
from archives import with_link
from bundle_places import Folder, chunks, recipe, ref
from foreign_storage import Foreign, ForeignContext
from penstock.bundles.exceptions import BundleNotFound
from penstock.bundles.storage import (
    BundleResourcesDecorator,
    FileStorage,
    create_storage_stack,
)
from penstock.testing import fill
from test_bundles_completion import SOON
from test_bundles_decorated_ends import holding

OCTETS = "application/octet-stream"


def the_zip(base: Foreign) -> zipfile.ZipFile:
    ((url, content_type, status_code, body),) = base.added
    assert url == "bundle://custom-one/bundle.zip"
    assert (content_type, status_code) == ("application/zip", 200)
    return zipfile.ZipFile(io.BytesIO(body))


def contents(archive: zipfile.ZipFile) -> dict[str, bytes]:
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


def test_all_resources_become_members_of_one_zip():
    async def run() -> None:
        context = await BundleResourcesDecorator(base).start_bundle(ref(), recipe())
        await asyncio.gather(
            *(context.add_resource(f"https://h/a?page={n}", None, 200, chunks(b"%d" % n)) for n in range(50))
        )
        await context.complete({"k": 1})
        with pytest.raises(BundleNotFound):
            await context.add_resource("https://h/late", None, 200, b"x")

    base = Foreign()
    asyncio.run(run())
    found = contents(the_zip(base))
    assert sorted(found.values(), key=int) == [b"%d" % n for n in range(50)]
    assert "a" in found
    assert base.completed == [{"k": 1}]


def test_a_bundle_of_nothing_is_an_empty_zip():
    async def run() -> None:
        context = await BundleResourcesDecorator(base).start_bundle(ref(), recipe())
        await context.complete({})

    base = Foreign()
    asyncio.run(run())
    assert contents(the_zip(base)) == {}


def test_of_our_storages_the_manifest_lists_members_and_readers_agree(place):
    async def run() -> Any:
        bundle_ref = ref(count=2)
        context = await BundleResourcesDecorator(place.storage(strict=True)).start_bundle(
            bundle_ref, recipe()
        )
        await context.add_resource("https://h/a", "x/y", 404, b"one")
        await context.add_resource("https://h/b", None, 200, chunks(b"two", b"three"))
        await context.complete({})
        return bundle_ref.receipt

    receipt = asyncio.run(run())
    assert (receipt.resources_stored, receipt.bytes) == (2, 11)
    visible = place.visible()
    assert visible is not None
    assert [*visible] == ["bundle.zip"]
    assert contents(zipfile.ZipFile(io.BytesIO(visible["bundle.zip"]))) == {"a": b"one", "b": b"twothree"}
    outer, *members = place.manifest()
    assert (outer["name"], outer["members"]) == ("bundle.zip", 2)
    assert [(line["name"], line["status_code"], line["member_of"]) for line in members] == [
        ("a", 404, "bundle.zip"),
        ("b", 200, "bundle.zip"),
    ]
    assert place.unfinished() == []


def test_a_reader_verifies_a_zip_of_resources(tmp_path: Path):
    async def run() -> None:
        context = await BundleResourcesDecorator(FileStorage(tmp_path)).start_bundle(ref(), recipe())
        for n in range(3):
            await context.add_resource(f"https://h/{n}", None, 200, b"%d" % n)
        await context.complete({})

    asyncio.run(run())
    bundle = penstock.bundles.BundleReader(tmp_path).open("custom-one")
    assert list(bundle.problems()) == []
    assert [(line.name, line.member_of, line.members) for line in bundle.resources()] == [
        ("bundle.zip", "", 3),
        ("0", "bundle.zip", None),
        ("1", "bundle.zip", None),
        ("2", "bundle.zip", None),
    ]


def test_a_small_member_that_fails_is_left_out_and_a_streamed_one_takes_the_bundle_with_it(tmp_path: Path):
    async def breaks(first: bytes) -> AsyncIterator[bytes]:
        yield first
        raise LookupError("of the stream")

    async def run() -> None:
        storage = BundleResourcesDecorator(FileStorage(tmp_path))
        context = await storage.start_bundle(ref(), recipe())
        with pytest.raises(LookupError):
            await context.add_resource("https://h/a", None, 200, breaks(b"x"))
        await context.add_resource("https://h/a", None, 200, b"again")
        await context.complete({})
        context = await storage.start_bundle(ref("custom-two"), recipe())
        with pytest.raises(LookupError):
            await context.add_resource("https://h/a", None, 200, breaks(fill(9 * 2**20)))
        for _ in range(2):
            with pytest.raises(penstock.Refused) as raised:
                await context.complete({})
            assert raised.value.code == "bundle_incomplete"
        await context.abort()

    asyncio.run(run())
    assert Folder(tmp_path).visible("custom-two") is None
    assert Folder(tmp_path).visible() is not None


def test_what_the_storage_raised_is_what_adds_and_complete_raise():
    async def run() -> None:
        context = await BundleResourcesDecorator(Foreign(OSError("disk"))).start_bundle(ref(), recipe())

        async def add_many() -> None:
            for _ in range(100):
                await context.add_resource("https://h/a", None, 200, fill(100_000))

        with pytest.raises(OSError, match="disk"):
            await add_many()
        with pytest.raises(OSError, match="disk"):
            await context.complete({})

    asyncio.run(run())


def test_a_storage_that_does_not_read_the_zip_is_told_so():
    class Careless(ForeignContext):
        async def add_resource(self, *_: Any) -> None:
            return

    async def run() -> None:
        base = Foreign()
        base.start_bundle = AsyncMock(return_value=Careless(base))  # type: ignore[method-assign]
        context = await BundleResourcesDecorator(base).start_bundle(ref(), recipe())

        async def all_of_it() -> None:
            await context.add_resource("https://h/a", None, 200, fill(1_000_000))
            await context.complete({})

        with pytest.raises(penstock.Lost, match="stopped reading"):
            await all_of_it()

    asyncio.run(run())


def test_a_bundle_that_is_dropped_or_aborted_leaves_nothing_visible(tmp_path: Path):
    async def run() -> None:
        storage = BundleResourcesDecorator(FileStorage(tmp_path, abandoned="discard"))
        context = await storage.start_bundle(ref(), recipe())
        await context.add_resource("https://h/a", None, 200, b"x")
        carrying = context._carrying
        del context
        gc.collect()
        await asyncio.wait([carrying], timeout=5)
        assert carrying.done()
        context = await storage.start_bundle(ref("custom-two"), recipe())
        await context.add_resource("https://h/a", None, 200, b"x")
        await context.abort("enough")
        with pytest.raises(BundleNotFound):
            await context.complete({})

    asyncio.run(run())
    gc.collect()
    assert Folder(tmp_path).visible() is None
    assert Folder(tmp_path).visible("custom-two") is None
    assert Folder(tmp_path).unfinished() == []


def test_archives_are_unpacked_into_the_zip_over_any_storage(tmp_path: Path):
    good = with_link({"a": b"one", "b": fill(100_000)}, "l", "/etc/passwd")

    async def run(base: Any) -> None:
        stack = create_storage_stack(
            base, unzip_resources=True, bundle_resources=True, spool_dir=str(tmp_path)
        )
        context = await stack.start_bundle(ref(), recipe())
        with pytest.raises(penstock.Corrupt):
            await context.add_resource("https://h/bad.zip", None, 200, chunks(good[:-1]))
        await context.add_resource("https://h/x.zip", None, 200, chunks(good))
        await context.add_resource("https://h/y.gz", None, 200, chunks(gzip.compress(b"three")))
        await context.complete({})

    expected = {"x.zip_a": b"one", "x.zip_b": fill(100_000), "y": b"three"}
    base = Foreign()
    asyncio.run(run(base))
    assert contents(the_zip(base)) == expected
    asyncio.run(run(FileStorage(tmp_path)))
    with zipfile.ZipFile(tmp_path / "bundle_custom-one" / "bundle.zip") as archive:
        assert contents(archive) == expected
    assert [line for line in Folder(tmp_path).manifest() if "failed" in line or "skipped" in line]


def test_seventy_thousand_members_are_read_by_zipfile(tmp_path: Path):
    count = 70_000

    def members() -> Iterator[tuple[str, bytes]]:
        for n in range(count):
            yield f"https://h/{n:05}", b"%d" % n

    async def run() -> None:
        context = await BundleResourcesDecorator(FileStorage(tmp_path)).start_bundle(ref(), recipe())
        for url, body in members():
            await context.add_resource(url, None, 200, body)
        await context.complete({})

    asyncio.run(run())
    with zipfile.ZipFile(tmp_path / "bundle_custom-one" / "bundle.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == count
        for n in (0, 65_535, count - 1):
            assert archive.read(f"{n:05}") == b"%d" % n


def test_an_idle_bundle_gives_way_to_another_of_its_id(place):
    async def run() -> None:
        storage = BundleResourcesDecorator(place.storage())
        first = await storage.start_bundle(ref(), recipe())
        assert first.state == "open"
        await first.add_resource("https://h/a", None, 200, b"old")
        assert first.state == "open"
        second = await storage.start_bundle(ref(), recipe())
        assert first.state == "abandoned"
        with pytest.raises(BundleNotFound):
            await first.complete({})
        await second.add_resource("https://h/a", None, 200, b"new")
        await second.complete({})
        assert second.state == "completed"
        with pytest.raises(penstock.Conflict):
            await storage.start_bundle(ref(), recipe())

    asyncio.run(run())
    visible = place.visible()
    assert contents(zipfile.ZipFile(io.BytesIO(visible["bundle.zip"]))) == {"a": b"new"}


def test_a_bundle_with_an_add_under_way_does_not_give_way(tmp_path: Path):
    async def run() -> None:
        storage = BundleResourcesDecorator(FileStorage(tmp_path))
        context = await storage.start_bundle(ref(), recipe())
        adding, held = await holding(context)
        assert context.state == "adding"
        with pytest.raises(penstock.Conflict):
            await storage.start_bundle(ref(), recipe())
        held.gate.set()
        await adding
        await context.complete({})

    asyncio.run(run())
    assert Folder(tmp_path).visible() is not None


@pytest.mark.parametrize("unzip", [False, True])
def test_closing_the_storage_ends_a_zip_that_is_under_way(tmp_path: Path, unzip: bool):
    async def run() -> None:
        storage = create_storage_stack(FileStorage(tmp_path), unzip_resources=unzip, bundle_resources=True)
        idle = await storage.start_bundle(ref(), recipe())
        await idle.add_resource("https://h/a", None, 200, b"x")
        adds = await storage.start_bundle(ref("custom-two"), recipe())
        adding, held = await holding(adds)
        done = await storage.start_bundle(ref("custom-three"), recipe())
        await done.complete({})
        await asyncio.wait_for(storage.aclose(), SOON)
        assert [context.state for context in (idle, adds, done)] == ["abandoned", "abandoned", "completed"]
        if not unzip:
            held.gate.set()
        with pytest.raises(penstock.Cancelled):
            await asyncio.wait_for(adding, SOON)
        with pytest.raises(BundleNotFound):
            await idle.add_resource("https://h/a", None, 200, b"x")

    asyncio.run(run())
    assert Folder(tmp_path).unfinished() == []


def test_a_bundle_that_is_published_is_completed_again_though_it_was_aborted(s3_place):
    s3_place.publisher.failures = 1

    async def run() -> None:
        context = await BundleResourcesDecorator(s3_place.storage()).start_bundle(ref(), recipe())
        await context.add_resource("https://h/a", None, 200, b"x")
        with pytest.raises(RuntimeError, match="the queue is down"):
            await context.complete({})
        assert context.state == "failed"
        await context.abort("it is published, so this has no effect")
        await context.complete({})
        assert context.state == "completed"

    asyncio.run(run())
    assert len(s3_place.publisher.told) == 1
