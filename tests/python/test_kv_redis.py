"""RedisKeyValueStore against a real Redis, a silent one, and none."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from typing import Any

import penstock
import pytest
from penstock.bundles.kv_store import (
    RedisKeyValueStore,
)

SECRET = "s3cr3t-of-mine"


def test_redis_is_not_touched_before_it_is_used(redis_options: dict[str, Any]) -> None:
    store = RedisKeyValueStore(**redis_options)
    assert store._redis is None
    asyncio.run(store.exists("k"))
    assert store._redis is not None
    asyncio.run(store.close())
    assert store._redis is None


def test_keys_by_pattern_are_sorted_and_without_prefix(redis_options: dict[str, Any]) -> None:
    async def claim() -> None:
        async with RedisKeyValueStore(**redis_options, key_prefix="app") as store:
            for key in ("b", "a", "c:1"):
                await store.put(key, 1)
            assert await store.get_keys_by_pattern("*") == ["a", "b", "c:1"]
            assert await store.get_keys_by_pattern("c:*") == ["c:1"]

    asyncio.run(claim())


def test_a_range_of_redis_is_sorted_before_its_limit(redis_options: dict[str, Any]) -> None:
    async def claim() -> None:
        async with RedisKeyValueStore(**redis_options) as store:
            await asyncio.gather(*(store.put(f"k{n:04}", n) for n in reversed(range(300))))
            assert await store.range_get("k", limit=3) == [("k0000", 0), ("k0001", 1), ("k0002", 2)]
            assert await store.range_get("k0100", "k0200", limit=2) == [("k0100", 100), ("k0101", 101)]

    asyncio.run(claim())


def test_flush_db_empties_the_database_and_no_other(redis_options: dict[str, Any]) -> None:
    async def claim() -> None:
        other = RedisKeyValueStore(**{**redis_options, "db": 2})
        await other.put("k", "other")
        store = RedisKeyValueStore(**redis_options, key_prefix="p")
        await store.put("k", 1)
        await store.put("k", 1, prefix="q")
        await store.flush_db()
        assert (await store.get_stats())["keys"] == 0
        assert await other.get("k") == "other"
        await other.flush_db()

    asyncio.run(claim())


def test_no_redis_is_a_connection_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        store = RedisKeyValueStore("127.0.0.1", taken.getsockname()[1], password=SECRET)
        for act in (
            lambda: store.put("k", 1),
            lambda: store.get("k"),
            lambda: store.get_keys_by_pattern("*"),
        ):
            with pytest.raises(ConnectionError, match=r"^Redis failed: .*Connection refused") as caught:
                asyncio.run(act())
            assert isinstance(caught.value, penstock.Lost)
            assert SECRET not in f"{caught.value!r} {caught.value} {caught.value.facts}"


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where connections are taken and nothing is said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_silent_redis_is_lost_after_the_timeout(silent: int) -> None:
    with pytest.raises(ConnectionError, match=r"^Redis failed: ") as caught:
        asyncio.run(RedisKeyValueStore("127.0.0.1", silent, timeout=0.1).get("k"))
    assert caught.value.code == "stalled"


def test_a_cancelled_task_lets_go_of_a_silent_redis(silent: int) -> None:
    async def claim() -> None:
        began = time.monotonic()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(RedisKeyValueStore("127.0.0.1", silent).get("k"), timeout=0.1)
        assert time.monotonic() - began < 5

    asyncio.run(claim())


def test_a_password_that_is_not_accepted_is_denied_and_not_told(redis_options: dict[str, Any]) -> None:
    store = RedisKeyValueStore(**redis_options, password=SECRET)
    with pytest.raises(PermissionError, match=r"^Redis failed: ") as caught:
        asyncio.run(store.get("k"))
    assert SECRET not in f"{caught.value!r} {caught.value} {caught.value.facts} {store!r}"


@pytest.mark.parametrize(
    "wrong",
    [{"port": 0}, {"port": 70000}, {"db": -1}, {"max_connections": 0}, {"timeout": 0}, {"host": ""}],
    ids=str,
)
def test_a_redis_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(penstock.Refused):
        RedisKeyValueStore(**wrong)
