"""Tasks that are cancelled, and bundles that are aborted, dropped or replaced, while something waits for them."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import Any, ClassVar

import penstock
import pytest
from bundle_places import Hooks, chunks, recipe, ref
from penstock.bundles.exceptions import BundleNotFound, StorageLost
from test_bundles_completion import SOON, GatedStore, turns

MIB = bytes(1 << 20)


def test_complete_cancelled_at_its_very_beginning_can_be_completed(place):
    async def run() -> None:
        for number in range(10):
            context = await place.storage().start_bundle(ref(f"custom-{number}"), recipe())
            completing = asyncio.create_task(context.complete({}))
            await turns(number)
            completing.cancel()
            await asyncio.gather(completing, return_exceptions=True)
            await asyncio.wait_for(context.complete({}), SOON)

    asyncio.run(run())
    assert [place.visible(f"custom-{number}") for number in range(10)] == [{}] * 10


def test_who_waits_for_a_complete_that_is_cancelled_completes(place):
    async def run() -> None:
        store = GatedStore()
        context = await place.storage(kv_store=store).start_bundle(ref(), recipe(Hooks()))
        first = asyncio.create_task(context.complete({}))
        await store.reached.wait()
        others = [asyncio.create_task(context.complete({})) for _ in range(3)]
        await turns()
        first.cancel()
        store.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await asyncio.wait_for(asyncio.gather(*others), SOON) == [None] * 3
        assert context.state == "completed"

    asyncio.run(run())
    assert place.visible() == {}


def test_a_write_ends_when_the_storage_fails_while_it_is_ahead(place):
    async def run() -> None:
        storage, gate = place.storage(), asyncio.Event()

        async def fails(*_: Any) -> None:
            await gate.wait()
            raise StorageLost("the disk is gone")

        storage._add_resource_to_bundle = fails
        opened = await storage.open_bundle("custom-one", {})
        writing = asyncio.create_task(opened.write(MIB * 3))
        await turns()
        assert not writing.done()
        gate.set()
        with pytest.raises(penstock.Lost, match="the disk is gone"):
            await asyncio.wait_for(writing, SOON)
        await opened.abort()

    asyncio.run(run())
    assert place.visible() is None


def test_a_write_ends_when_another_task_aborts(place):
    async def run() -> None:
        storage = place.storage()
        reading = asyncio.Event()

        async def reads_until_it_is_told_no_more(*arguments: Any) -> None:
            async for _ in arguments[-1]:
                reading.set()
                await asyncio.Event().wait()

        storage._add_resource_to_bundle = reads_until_it_is_told_no_more
        opened = await storage.open_bundle("custom-one", {})
        writing = asyncio.create_task(opened.write(MIB * 3))
        await reading.wait()
        opened._adding.cancel()
        aborting = asyncio.create_task(opened.abort("enough"))
        done, _ = await asyncio.wait([writing, aborting], timeout=SOON)
        assert done == {writing, aborting}
        assert writing.cancelled() or isinstance(writing.exception(), penstock.Error)

    asyncio.run(run())
    assert place.visible() is None


def test_closing_a_stream_that_was_cancelled_can_be_tried_again(place):
    async def run() -> None:
        storage, gate = place.storage(), asyncio.Event()
        add = storage._add_resource_to_bundle

        async def waits(*arguments: Any) -> None:
            await gate.wait()
            await add(*arguments)

        storage._add_resource_to_bundle = waits
        opened = await storage.open_bundle("custom-one", {"url": "https://h/a"})
        await opened.write(b"abc")
        closing = asyncio.create_task(opened.close())
        await turns()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        gate.set()
        await opened.close()

    asyncio.run(run())
    assert place.visible() == {"a": b"abc"}


def test_a_replaced_bundle_does_not_touch_the_one_that_has_its_id(place):
    async def run() -> None:
        storage = place.storage()
        old = await storage.start_bundle(ref(), recipe())
        new = await storage.start_bundle(ref(), recipe())
        assert (old.state, new.state) == ("abandoned", "open")
        for used in (
            old.add_resource("https://h/old", None, 200, chunks(b"old")),
            old.open_group(),
            old.complete({}),
        ):
            with pytest.raises(BundleNotFound, match=r"^Bundle not found$"):
                await used
        await old.abort("has no effect")
        await new.add_resource("https://h/new", None, 200, chunks(b"new"))
        await new.complete({})

    asyncio.run(run())
    assert place.visible() == {"new": b"new"}


def test_a_dropped_bundle_is_discarded_by_a_worker_before_its_id_is_given_again(place):
    async def run() -> None:
        storage = place.storage()
        for number in range(5):
            dropped = await storage.start_bundle(ref(), recipe())
            await dropped.add_resource(f"https://h/{number}", None, 200, chunks(b"x"))
            native = storage._completions["custom-one"].native
            del dropped
            gc.collect()
            assert storage._leaving == {"custom-one": native}
            del native
        last = await storage.start_bundle(ref(), recipe())
        assert storage._leaving == {}
        await last.complete({})

    asyncio.run(run())
    assert place.visible() == {}
    assert place.unfinished() == []


def test_a_bundle_that_nobody_waits_for_is_discarded_by_a_worker(place):
    class Started:
        whys: ClassVar[list[str]] = []

        def abort(self, why: str, on: Any, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
            self.whys.append(why)
            return loop.create_future()

    async def run() -> None:
        storage = place.storage()
        job = asyncio.get_running_loop().create_future()
        storage._native = lambda: SimpleNamespace(start=lambda *_: job)
        starting = asyncio.create_task(storage.start_bundle(ref(), recipe()))
        await turns()
        starting.cancel()
        await turns()
        job.set_result(Started())
        with pytest.raises(asyncio.CancelledError):
            await starting
        await turns()
        assert Started.whys == ["it was dropped unfinished"]

    asyncio.run(run())
