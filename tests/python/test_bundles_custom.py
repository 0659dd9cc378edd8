"""Streams of somebody else's as a storage, and what is set but empty."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
from importlib import import_module
from typing import Any

import pytest
from bundle_places import Hooks, chunks, recipe, ref
from penstock.bundles.exceptions import BundleNotFound
from penstock.bundles.kv_store import create_kv_store
from penstock.bundles.notifications import SqsPublisher
from penstock.bundles.storage import as_storage, tee
from penstock.bundles.storage.builder import StorageBuilder
from test_bundles_completion import CancelsItsTask, turns


class Streams:
    """The least of a storage of streams."""

    def __init__(self) -> None:
        self.closed: list[bytes] = []

    async def open_bundle(self, bundle_id: str, metadata: Any) -> Any:
        return Stream()

    async def close_bundle(self, stream: Any) -> None:
        self.closed.append(stream.written)


class Stream:
    written = b""

    async def write(self, data: bytes) -> None:
        self.written += data


def test_a_bundle_that_never_completes_is_forgotten():
    storage = as_storage(Streams())

    async def run() -> None:
        for number in range(3):
            context = await storage.start_bundle(ref(f"custom-{number}"), recipe())
            await context.add_resource("https://h/a", None, 200, chunks(b"x"))
        del context
        gc.collect()

    asyncio.run(run())
    assert storage._open == {}


def test_a_completion_cancelled_in_a_hook_calls_the_others_when_it_is_tried_again():
    first, second = CancelsItsTask(), Hooks()

    async def run() -> None:
        context = await as_storage(Streams()).start_bundle(ref(), recipe(first, second))
        with pytest.raises(asyncio.CancelledError):
            await context.complete({})
        await context.complete({})
        assert context.state == "completed"
        with pytest.raises(BundleNotFound):
            await context.add_resource("https://h/a", None, 200, chunks(b"x"))

    asyncio.run(run())
    assert first.told == second.told == ["custom-one"]


def test_it_can_be_copied_and_pickled():
    for made in (pickle.loads(pickle.dumps(as_storage(Streams()))), copy.copy(as_storage(Streams()))):
        assert made.closed == []
        with pytest.raises(AttributeError):
            made.absent  # noqa: B018


def test_a_variable_that_is_empty_is_as_if_it_were_not_set(monkeypatch):
    monkeypatch.setenv("OC_KV_STORE_DEFAULT_TTL", "")
    assert create_kv_store("memory").default_ttl == 3600
    assert create_kv_store("redis").default_ttl is None


def test_an_empty_password_is_none_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("OC_KV_STORE_REDIS_PASSWORD", "of-the-environment")
    assert create_kv_store("redis", redis_password="").password == ""
    assert create_kv_store("redis").password == "of-the-environment"


@pytest.mark.parametrize(
    "name",
    [
        *(f"kv_store.{name}" for name in ("base", "factory", "memory", "redis", "sqlite")),
        *(f"core.{name}" for name in ("bid", "bundle_ref", "recipe", "request")),
        *(f"storage.{name}" for name in ("bundle_storage_context", "bundle_stream", "custom", "factory")),
        *(f"storage.{name}" for name in ("builder", "file_storage", "pipeline_storage", "protocol")),
        *(f"storage.decorators.{name}" for name in ("bundle_resources", "unzip_resource")),
        *("notifications.sqs_publisher", "utils.retry"),
    ],
)
def test_each_module_has_a_logger_of_events(name):
    logger = import_module(f"penstock.bundles.{name}").logger
    assert all(callable(getattr(logger, verb)) for verb in ("debug", "info", "warning", "exception"))


def test_what_is_shown_of_a_queue_or_an_endpoint_has_no_password():
    publisher = SqsPublisher("https://user:hunter22@sqs.example/1/q")
    builder = StorageBuilder().pipeline_storage("b", endpoint_url="https://user:hunter22@s3.example")
    assert (repr(publisher), repr(builder)) == (
        "SqsPublisher('https://sqs.example/1/q')",
        "StorageBuilder(pipeline_storage='b', endpoint_url='https://s3.example')",
    )
    assert publisher.queue_url == "https://user:hunter22@sqs.example/1/q"


def test_a_reader_closed_while_another_task_waits_for_it_is_at_its_end():
    async def run() -> None:
        gate = asyncio.Event()

        async def held() -> Any:
            await gate.wait()
            yield b"late"

        waiting, other = tee(held(), 2)
        task = asyncio.ensure_future(anext(waiting))
        await turns()
        await waiting.aclose()
        with pytest.raises(StopAsyncIteration):
            await task
        gate.set()
        assert await anext(other) == b"late"

    asyncio.run(run())
