"""The async twins: the same outcomes, a loop that never blocks, and cancel that stops."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import penstock
import pytest
from conftest import Bucket
from local_origin import Origin
from penstock import aio
from penstock.testing import fill
from producers import pieces


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as made:
        yield made


def test_an_async_iterator_becomes_an_object_and_comes_back() -> None:
    body = fill(3_000_000)

    async def main() -> bytes:
        async with aio.MemoryStore() as store:
            receipt = await store.put("k", pieces(body, 300_000))
            assert receipt.bytes == len(body)
            async with await store.get("k") as got:
                assert got.meta.bytes == len(body)
                return b"".join([chunk async for chunk in got])

    assert asyncio.run(main()) == body


def test_async_stages_agree_with_hashlib() -> None:
    body = fill(100_000)

    async def main() -> tuple[bytes, str, int]:
        counted = aio.Count(pieces(body, 999))
        hashed = aio.Sha256(aio.Limit(counted, "1MiB"))
        return await hashed.bytes(), hashed.hexdigest(), counted.count

    assert asyncio.run(main()) == (body, hashlib.sha256(body).hexdigest(), len(body))


ASYNC_ONLY = {"aclose", "sync"}
SYNC_ONLY = {"close"}
TEXT_ONLY = {"encoding", "errors", "newline"}  # a file of text has no twin
VALUES = {"BUCKETS", "MAX_BYTES", "RecoveryReport", "Results", "StoredResource", "metrics", "results_html"}
VALUES |= {"Download", "FileMetadata", "Uploaded", "split"}


@pytest.mark.parametrize("name", sorted(set(penstock.__all__) & set(aio.__all__)))
def test_a_twin_has_every_name(name: str) -> None:
    # FileStorage and its kind are awaited as they are: only what blocks has a twin.
    one = penstock.bundles.direct if name == "bundles" else getattr(penstock, name)
    compare_twins(one, getattr(aio, name))


def compare_twins(one: Any, other: Any) -> None:
    if inspect.ismodule(one):
        assert set(one.__all__) - set(other.__all__) <= VALUES
        for name in set(one.__all__) & set(other.__all__):
            compare_twins(getattr(one, name), getattr(other, name))
        return
    if not inspect.isclass(one):
        parameters, twins = (inspect.signature(function).parameters.keys() for function in (one, other))
        assert parameters - TEXT_ONLY == twins
        return
    names, others = ({n for n in dir(c) if not n.startswith("_")} for c in (one, other))
    assert names - SYNC_ONLY == others - ASYNC_ONLY


def test_whatever_does_io_has_a_twin() -> None:
    values = {"AddressPolicy", "ObjectMeta", "OpenUpload", "PostForm", "Progress", "Range", "Receipt"}
    values |= {"RemoveReport", "S3Config", "StoreProtocol", "SweepReport", "UploadState"}
    modules = {"aio", "aws", "testing"}
    errors = {name for name in penstock.__all__ if hasattr(getattr(penstock, name), "__cause__")}
    assert set(penstock.__all__) - set(aio.__all__) == values | modules | errors | {"set_budget"}


def test_a_source_that_can_rewind_says_so_and_does() -> None:
    async def main() -> tuple[bytes, bytes, int | None]:
        source = aio.Source(b"abcdef")
        assert source.rewindable
        await source.read(2)
        source.mark()
        first = await source.read(3)
        left = source.remaining
        await source.rewind()
        return first, await source.read(3), left

    assert asyncio.run(main()) == (b"cde", b"cde", 1)
    assert not aio.Source(pieces(b"a", 1)).rewindable


def test_a_uri_names_the_twin_of_its_store(tmp_path: Path) -> None:
    async def main() -> bytes:
        await aio.put((tmp_path / "a").as_uri(), pieces(b"abc", 2))
        return await (await aio.get((tmp_path / "a").as_uri(), range=(1, None))).bytes()

    assert asyncio.run(main()) == b"bc"
    store, key = aio.store_at("s3://bucket/k")
    assert isinstance(store, aio.S3Store)
    assert isinstance(store.with_bucket("other"), aio.S3Store)
    assert (store.location(key), key) == ("s3://bucket/k", "k")


def test_unfinished_uploads_of_a_key_are_listed_and_ended(bucket: Bucket) -> None:
    async def main() -> None:
        async with aio.Client() as client:
            store = aio.S3Store(client=client, **bucket.options)
            made = [
                bucket.server.judge.create_multipart_upload(Bucket=bucket.name, Key=key)["UploadId"]
                for key in ("k", "k", "kk")
            ]
            assert sorted(await store.list_uploads("k")) == sorted(("k", upload) for upload in made[:2])
            await store.abort_upload("k", made[0])
            assert await store.list_uploads("k") == [("k", made[1])]
            await client.drain()

    asyncio.run(main())


def test_every_verb_answers_as_its_twin(tmp_path: Path) -> None:
    async def main() -> None:
        store = aio.FolderStore(tmp_path)
        await store.put("a/1", b"one")
        await store.put("a/2", b"two!")
        assert await store.exists("a/1")
        assert (await store.head("a/2")).bytes == 4
        assert await store.find("absent") is None
        assert [meta.key async for meta in store.list("a/")] == ["a/1", "a/2"]
        await store.copy("a/1", "b")
        await store.move("b", "c")
        assert await (await store.get("c", range=(1, 2))).read(10) == b"ne"
        async with await store.open_writer("d") as writer:
            await writer.write(b"dd")
        assert writer.receipt is not None
        assert not (await store.remove_many(["a/1", "a/2"])).errors
        await store.remove("c")
        assert [meta.key async for meta in store.list()] == ["d"]
        with pytest.raises(penstock.NotFound):
            await store.head("absent")

    asyncio.run(main())


def test_an_exception_of_the_async_iterator_comes_through_and_leaves_nothing() -> None:
    raised = KeyError("mine")

    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise raised

    async def main() -> None:
        store = aio.MemoryStore()
        with pytest.raises(KeyError) as seen:
            await store.put("k", broken())
        assert seen.value is raised
        assert await store.find("k") is None

    asyncio.run(main())


def test_cancelling_a_put_that_waits_for_its_producer_stops_it_and_leaves_nothing() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"half"
        await asyncio.Event().wait()

    async def main() -> float:
        store = aio.MemoryStore()
        task = asyncio.create_task(store.put("k", endless()))
        await asyncio.sleep(0.1)
        task.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await store.find("k") is None
        return time.monotonic() - began

    assert asyncio.run(main()) < 10


def test_cancelling_a_fetch_from_a_stalled_origin_stops_it(origin: Origin) -> None:
    async def main() -> None:
        store = aio.MemoryStore()
        task = asyncio.create_task(aio.fetch(origin.url("/stall"), store, key="k"))
        await asyncio.to_thread(origin.stalled.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as seen:
            await asyncio.wait_for(asyncio.shield(task), 20)
        assert not isinstance(seen.value, TimeoutError)
        assert await store.find("k") is None

    asyncio.run(main())


def test_the_loop_runs_while_a_job_waits(origin: Origin) -> None:
    async def main() -> int:
        store = aio.MemoryStore()
        task = asyncio.create_task(aio.fetch(origin.url("/stall"), store, key="k"))
        ticks = 0
        while not origin.stalled.is_set() or ticks < 10:
            await asyncio.sleep(0.001)
            ticks += 1
        task.cancel()
        await asyncio.wait([task])
        return ticks

    assert asyncio.run(main()) >= 10


def test_a_hundred_gets_at_once_all_arrive() -> None:
    async def main() -> None:
        store = aio.MemoryStore()
        await asyncio.gather(*(store.put(f"k{n}", b"%d" % n) for n in range(100)))

        async def one(n: int) -> bytes:
            return await (await store.get(f"k{n}")).bytes()

        assert await asyncio.gather(*map(one, range(100))) == [b"%d" % n for n in range(100)]

    asyncio.run(main())


def test_a_progress_callable_that_raises_stops_the_put() -> None:
    class MineError(Exception):
        pass

    def tell(_: penstock.Progress) -> None:
        raise MineError

    async def slow() -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)
            await asyncio.sleep(0.01)

    async def main() -> None:
        store = aio.MemoryStore()
        with pytest.raises(MineError):
            await asyncio.wait_for(aio.fetch(origin_url, store, key="k", progress=tell), 60)

    with Origin() as origin:
        origin.bodies["/big"] = bytes(5_000_000)
        origin_url = origin.url("/big")
        asyncio.run(main())
