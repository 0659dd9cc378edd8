"""Completing a bundle: what others may do meanwhile, and what a failure leaves to do."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import penstock
import pytest
from bundle_places import ForeignStore, Hooks, Publisher, Run, chunks, recipe, ref
from penstock.bundles.exceptions import BundleNotFound
from penstock.bundles.storage import PipelineStorage
from test_bundles_clients import Client

RECORD = "sqs_notifications:pending:fr:custom-one"
SOON = 20  # seconds within which what must not hang has ended


class GatedStore(ForeignStore):
    """Holds whoever writes a record, which is just before the commit, until the gate is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.gate = asyncio.Event(), asyncio.Event()

    async def put(self, key: str, value: Any, ttl: Any = None, prefix: str | None = None) -> None:
        self.reached.set()
        await self.gate.wait()
        await super().put(key, value, ttl, prefix)


class CancelsItsTask(Hooks):
    """Is cancelled while it is told."""

    async def on_bundle_complete_hook(self, bundle_ref: Any) -> None:
        await super().on_bundle_complete_hook(bundle_ref)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)


async def opened(storage: Any, *hooks: Hooks) -> Any:
    context = await storage.start_bundle(ref(), recipe(*hooks))
    await context.add_resource("https://h/a", None, 200, chunks(b"x"))
    return context


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_storage_is_closed_once_what_is_being_completed_has_ended(place):
    hooks = Hooks()

    async def run() -> None:
        store = GatedStore()
        storage = place.storage(kv_store=store)
        context = await opened(storage, hooks)
        completing = asyncio.create_task(context.complete({}))
        await store.reached.wait()
        closing = asyncio.create_task(storage.aclose())
        await turns()
        assert not closing.done()
        assert hooks.told == []
        store.gate.set()
        await asyncio.wait_for(asyncio.gather(completing, closing), SOON)
        assert context.state == "completed"

    asyncio.run(run())
    assert hooks.told == ["custom-one"]
    assert place.visible() == {"a": b"x"}


def test_a_hook_may_close_its_storage(place):
    class Closes(Hooks):
        storage: Any

        async def on_bundle_complete_hook(self, bundle_ref: Any) -> None:
            await self.storage.aclose()
            await super().on_bundle_complete_hook(bundle_ref)

    hooks = Closes()

    async def run() -> None:
        hooks.storage = place.storage()
        context = await opened(hooks.storage, hooks)
        await asyncio.wait_for(context.complete({}), SOON)

    asyncio.run(run())
    assert hooks.told == ["custom-one"]


def test_what_is_not_visible_is_never_told_of(place):
    hooks = Hooks()

    async def run() -> None:
        storage = place.storage()
        context = await opened(storage, hooks)
        storage._active_bundles.clear()
        with pytest.raises(BundleNotFound):
            await context.complete({})

    asyncio.run(run())
    assert place.visible() is None
    assert hooks.told == []
    assert not place.publisher or place.publisher.calls == 0


def test_a_hook_that_is_cancelled_is_told_no_second_time_and_the_others_are_told(place):
    store = ForeignStore()
    loader, first, second = Hooks(), CancelsItsTask(), Hooks()

    async def run() -> None:
        context = await opened(place.storage(kv_store=store), loader, first, second)
        with pytest.raises(asyncio.CancelledError):
            await context.complete({})
        assert (loader.told, first.told, second.told) == (["custom-one"], ["custom-one"], [])
        await context.complete({})

    asyncio.run(run())
    assert loader.told == first.told == second.told == ["custom-one"]
    assert list(store.values) == [RECORD]  # one was not heard to its end: the next run tells all of them
    again = Hooks()
    asyncio.run(place.storage().on_run_start(Run(store), recipe(again)))
    assert again.told == ["custom-one"]
    assert store.values == {}


def test_an_error_of_a_hook_is_raised_once_the_queue_is_told_and_the_record_stays_until_a_retry(place):
    store, hooks = ForeignStore(), Hooks(RuntimeError("mine"))

    async def run() -> None:
        context = await opened(place.storage(kv_store=store, callback_errors="raise"), hooks)
        with pytest.raises(RuntimeError, match="mine"):
            await context.complete({})
        assert not place.publisher or place.publisher.calls == 1
        assert list(store.values) == [RECORD]
        await context.complete({})
        assert context.state == "completed"

    asyncio.run(run())
    assert hooks.told == ["custom-one"]
    assert store.values == {}
    assert not place.publisher or place.publisher.calls == 1


def test_an_error_of_a_hook_is_raised_though_the_queue_failed_first(s3_place):
    store, hooks = ForeignStore(), Hooks(RuntimeError("mine"))
    s3_place.publisher.failures = 1

    async def run() -> None:
        context = await opened(s3_place.storage(kv_store=store, callback_errors="raise"), hooks)
        for words in ("the queue is down", "mine"):
            with pytest.raises(RuntimeError, match=words):
                await context.complete({})
            assert list(store.values) == [RECORD]
        await context.complete({})

    asyncio.run(run())
    assert hooks.told == ["custom-one"]
    assert store.values == {}
    assert len(s3_place.publisher.told) == 1


def test_an_error_of_a_hook_that_is_only_logged_keeps_no_record(place):
    store = ForeignStore()

    async def run() -> None:
        context = await opened(place.storage(kv_store=store), Hooks(RuntimeError("logged")))
        await context.complete({})

    asyncio.run(run())
    assert store.values == {}


class GatedClient(Client):
    """Holds the thread that puts an object of that name, and counts."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.puts = name, 0
        self.reached, self.gate = threading.Event(), threading.Event()

    def put_object(self, Bucket: str, Key: str, Body: bytes, **attributes: Any) -> dict[str, str]:
        if Key.endswith(self.name):
            self.puts += 1
            self.reached.set()
            assert self.gate.wait(SOON)
        return super().put_object(Bucket, Key, Body, **attributes)


@pytest.mark.parametrize("name", ["manifest.jsonl", "metadata.json"])
def test_a_step_that_was_sent_is_awaited_however_often_it_is_cancelled(name, monkeypatch):
    monkeypatch.setattr("penstock.aio._jobs.STOPS_WITHIN", 0.01)
    client = GatedClient(name)

    async def run() -> None:
        storage = PipelineStorage("bucket", Publisher(), "p")
        storage.s3_client = client
        context = await opened(storage)
        completing = asyncio.create_task(context.complete({}))
        assert await asyncio.to_thread(client.reached.wait, SOON)
        for _ in range(3):
            completing.cancel()
            await asyncio.wait([completing], timeout=0.05)
        assert not completing.done()
        client.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(completing, SOON)
        await context.complete({})
        assert storage.sqs_publisher.told == [("custom-one", {}, "fr")]

    asyncio.run(run())
    assert json.loads(client.objects["p/bundles/custom-one/metadata.json"][0])["resources_stored"] == 1
    if name == "metadata.json":
        assert client.puts == 1


def test_a_message_is_measured_with_the_key_it_will_have():
    class Measures(Publisher):
        def check_message(self, bundle_ref: Any, metadata: Any, recipe_id: str) -> None:
            assert bundle_ref.storage_key == "p/bundles/custom-one/resources"
            raise penstock.Refused("too long")

    async def run() -> None:
        storage = PipelineStorage("bucket", Measures(), "p")
        storage.s3_client = Client()
        bundle_ref = ref()
        context = await storage.start_bundle(bundle_ref, recipe())
        with pytest.raises(penstock.Refused, match="too long"):
            await context.complete({})
        assert bundle_ref.storage_key is None

    asyncio.run(run())
