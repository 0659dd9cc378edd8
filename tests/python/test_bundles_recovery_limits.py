"""Recovery ends in its time, and nothing that is wrong with one record keeps it from the others."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import penstock
import pytest
from bundle_places import ForeignStore, Hooks, Run, chunks, recipe, ref

BEGIN = "sqs_notifications:pending:"
DEADLINE = 0.3  # seconds


def pending(*bids: str, recipe_id: str = "fr", store: ForeignStore | None = None) -> ForeignStore:
    """A store with records of an older writer, which are taken as committed."""
    store = store or ForeignStore()
    for bid in bids:
        told = {"bid": bid, "primary_url": "u", "resources_count": 1}
        store.values[f"{BEGIN}{recipe_id}:{bid}"] = {"bundle_ref": told, "metadata": {"of": bid}}
    return store


def recover(place: Any, store: Any, hooks: Any, **options: Any) -> Any:
    storage = place.storage(**options)
    asyncio.run(storage.on_run_start(Run(store), recipe(hooks)))
    return storage


def left(store: ForeignStore) -> list[str]:
    return sorted(key.removeprefix(f"{BEGIN}fr:") for key in store.values)


class Native:
    """The core's storage with some of its verbs replaced."""

    def __init__(self, native: Any, **verbs: Any) -> None:
        self._native, self._verbs = native, verbs

    def __getattr__(self, name: str) -> Any:
        return self._verbs.get(name) or getattr(self._native, name)


async def never(*_: Any, **__: Any) -> Any:
    await asyncio.Event().wait()


class Hangs(Hooks):
    async def on_bundle_complete_hook(self, bundle_ref: Any) -> None:
        await super().on_bundle_complete_hook(bundle_ref)
        await never()


class HangsAndDoesNotHear(Hooks):
    """Until a cancellation has been tried twice: the loop's own, at its end, is the second."""

    async def on_bundle_complete_hook(self, bundle_ref: Any) -> None:
        await super().on_bundle_complete_hook(bundle_ref)
        try:
            await never()
        except asyncio.CancelledError:
            await never()


@pytest.mark.parametrize("hooks", [Hangs(), HangsAndDoesNotHear()], ids=["hears", "does not hear"])
def test_a_hook_that_never_returns_keeps_the_records_and_lets_the_run_begin(place, hooks, monkeypatch):
    monkeypatch.setattr("penstock.bundles.storage._recovery.STOPS_WITHIN", 0.1)
    hooks.told.clear()
    store = pending("custom-a", "custom-b")
    began = time.monotonic()
    recover(place, store, hooks, recovery_deadline=DEADLINE)
    assert time.monotonic() - began < 20
    assert hooks.told == ["custom-a"]
    assert left(store) == ["custom-a", "custom-b"]


@pytest.mark.parametrize("verb", ["get", "scan", "delete"])
def test_a_store_that_never_answers_lets_the_run_begin(place, verb):
    store = pending("custom-a")
    setattr(store, verb, never)
    recover(place, store, Hooks(), recovery_deadline=DEADLINE)
    assert left(store) == ["custom-a"]


@pytest.mark.parametrize("verb", ["sweep_recipe", "pending", "judge"])
def test_a_place_that_never_answers_lets_the_run_begin(place, verb, monkeypatch):
    monkeypatch.setattr("penstock.aio._jobs.STOPS_WITHIN", 0.01)
    store, hooks = pending("custom-a"), Hooks()
    storage = place.storage(recovery_deadline=DEADLINE)
    silent = Native(storage._native(), **{verb: lambda *given: given[-1].create_future()})
    storage._native = lambda: silent
    asyncio.run(storage.on_run_start(Run(store), recipe(hooks)))
    assert hooks.told == []
    assert left(store) == ["custom-a"]


def failing(error: Exception) -> Any:
    def verb(*given: Any) -> Any:
        future = given[-1].create_future()
        future.set_exception(error)
        return future

    return verb


def test_a_sweep_that_fails_is_logged_and_the_records_are_told(place, caplog):
    store, hooks = pending("custom-a"), Hooks()
    storage = place.storage()
    denied = Native(storage._native(), sweep_recipe=failing(penstock.Denied("no right to list")))
    storage._native = lambda: denied
    asyncio.run(storage.on_run_start(Run(store), recipe(hooks)))
    assert hooks.told == ["custom-a"]
    assert left(store) == []
    assert "SWEEP_FAILED" in caplog.text


def test_records_that_cannot_be_had_read_judged_or_removed_stop_no_other(place, caplog):
    class Partly(ForeignStore):
        async def get(self, key: str, default: Any = None, prefix: str | None = None) -> Any:
            if key.endswith("custom-a"):
                raise OSError("cannot be had")
            return object() if key.endswith("custom-b") else await super().get(key)

        async def delete(self, key: str, prefix: str | None = None) -> bool:
            if key.endswith("custom-d"):
                raise OSError("cannot be removed")
            return await super().delete(key)

    store = pending("custom-a", "custom-b", "custom-c", "custom-d", "custom-e", store=Partly())
    store.values[f"{BEGIN}fr:custom-c"] = {**store.values[f"{BEGIN}fr:custom-c"], "v": 1}  # names no marker
    store.values[f"{BEGIN}fr:custom-d"] |= {
        "v": 1,
        "timestamp": "2020-01-01T00:00:00Z",  # long ago, and it never became visible
        "marker": {"bucket": "", "key": "nowhere", "token": "t"},
        "owner": "",
    }
    hooks = Hooks()
    recover(place, store, hooks)
    assert hooks.told == ["custom-e"]
    assert left(store) == ["custom-a", "custom-b", "custom-c", "custom-d"]
    assert caplog.text.count("PENDING_RECORD_MALFORMED") == 1
    assert caplog.text.count("PENDING_RECORD_KEPT") == 3


def test_a_place_that_cannot_be_asked_makes_no_record_malformed(place, caplog):
    store, hooks = pending("custom-a"), Hooks()
    storage = place.storage()
    lost = Native(storage._native(), judge=failing(penstock.Lost("no way to the host")))
    storage._native = lambda: lost
    asyncio.run(storage.on_run_start(Run(store), recipe(hooks)))
    assert left(store) == ["custom-a"]
    assert "PENDING_RECORD_KEPT" in caplog.text
    assert "MALFORMED" not in caplog.text


def test_a_recipe_tells_of_no_bundle_of_one_whose_id_begins_with_its_own(place):
    store, hooks = pending("custom-other", recipe_id="fr:daily"), Hooks()
    recover(place, store, hooks)
    assert hooks.told == []
    assert list(store.values) == [f"{BEGIN}fr:daily:custom-other"]


def test_a_storage_pickles_without_the_store_of_its_last_run(tmp_path):
    import pickle

    from penstock.bundles.kv_store import InMemoryKeyValueStore
    from penstock.bundles.storage import FileStorage

    storage = FileStorage(tmp_path)
    asyncio.run(storage.on_run_start(Run(InMemoryKeyValueStore()), recipe()))
    copied = pickle.loads(pickle.dumps(storage))
    assert copied._pending.kv_store is None

    async def run() -> None:
        context = await copied.start_bundle(ref(), recipe(Hooks()))
        await context.add_resource("https://h/a", None, 200, chunks(b"x"))
        await context.complete({})

    asyncio.run(run())
