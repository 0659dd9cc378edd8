"""What penstock.bundles.kv_store promises: serializers, times to live, prefixes, scans, the factory, its errors."""

from __future__ import annotations

import asyncio
import json
import math
import os
import pickle
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import penstock
import pytest
from penstock.bundles.kv_store import (
    BaseKeyValueStore,
    InMemoryKeyValueStore,
    KeyValueStore,
    RedisKeyValueStore,
    SqliteKeyValueStore,
)
from penstock.testing import ManualClock

Make = Callable[..., Any]
SECRET = "s3cr3t-of-mine"


@pytest.fixture(params=["memory", "sqlite", "redis"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes stores of each type in turn; those of SQLite and Redis are on the same file or database."""
    if request.param == "memory":
        return InMemoryKeyValueStore
    if request.param == "sqlite":
        return lambda **rules: SqliteKeyValueStore(tmp_path / "kv.db", **rules)
    options = request.getfixturevalue("redis_options")
    return lambda **rules: RedisKeyValueStore(**options, **rules)


async def keys_of(scan: Any) -> list[str]:
    return sorted({key async for key in scan})


# --- Serializers ---


def test_json_writes_what_it_does_not_know_as_text(make: Make) -> None:
    async def claim() -> None:
        async with make() as store:
            await store.put("k", {"day": date(2026, 1, 15), "path": Path("/a"), "t": (1, 2)})
            assert await store.get("k") == {"day": "2026-01-15", "path": "/a", "t": [1, 2]}

    asyncio.run(claim())


def test_what_is_stored_is_plain_json_that_others_read(redis_options: dict[str, Any]) -> None:
    asyncio.run(RedisKeyValueStore(**redis_options, key_prefix="app").put("k", {"a": 1}))
    with socket.create_connection((redis_options["host"], redis_options["port"]), timeout=30) as raw:
        raw.sendall(f"SELECT {redis_options['db']}\r\nGET app:k\r\n".encode())
        said = b""
        while b'{"a": 1}' not in said and len(said) < 100:
            said += raw.recv(100)
    assert said == b'+OK\r\n$8\r\n{"a": 1}\r\n'


def test_a_value_json_cannot_hold_is_refused(make: Make) -> None:
    circular: list[Any] = []
    circular.append(circular)
    for value in ({(1, 2): 3}, circular):
        with pytest.raises(penstock.Refused, match="cannot be written as json"):
            asyncio.run(make().put("k", value))
    assert asyncio.run(make().get("k")) is None


def test_a_value_of_another_serializer_is_corrupt(make: Make) -> None:
    store = make(serializer="pickle", allow_pickle=True)
    asyncio.run(store.put("k", {1, 2}))
    store.serializer = "json"
    with pytest.raises(penstock.Corrupt, match="the value of 'k' is no json"):
        asyncio.run(store.get("k"))
    with pytest.raises(penstock.Corrupt):
        asyncio.run(store.range_get(""))


def test_pickle_is_refused_unless_it_is_allowed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make(serializer="pickle")
    for act in (lambda: store.put("k", {1}), lambda: store.get("k"), lambda: store.range_get("")):
        with pytest.raises(penstock.Refused, match="allow_pickle=True"):
            asyncio.run(act())
    monkeypatch.setenv("OC_KV_STORE_ALLOW_PICKLE", "true")
    asyncio.run(store.put("k", {1, 2}))
    assert asyncio.run(store.get("k")) == {1, 2}
    with pytest.raises(penstock.Refused):
        asyncio.run(make(serializer="pickle", allow_pickle=False).get("k"))
    monkeypatch.delenv("OC_KV_STORE_ALLOW_PICKLE")
    asyncio.run(make(serializer="pickle", allow_pickle=True).put("k", {3}))


def test_another_serializer_is_a_value_error(make: Make) -> None:
    store = make(serializer="yaml")
    for act in (lambda: store.put("k", 1), lambda: store.get("k")):
        with pytest.raises(ValueError, match=r"^Bad serializer: yaml$"):
            asyncio.run(act())


# --- Times to live ---


def timed(kind: str, folder: Path, **rules: Any) -> tuple[Any, ManualClock]:
    clock = ManualClock()
    if kind == "memory":
        return InMemoryKeyValueStore(clock=clock, **rules), clock
    return SqliteKeyValueStore(folder / "kv.db", clock=clock, **rules), clock


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize(
    ("ttl", "lives"),
    [(1, 1), (0.2, 1), (1.5, 2), (timedelta(milliseconds=1001), 2), (timedelta(days=2), 172800)],
    ids=str,
)
def test_a_ttl_is_seconds_rounded_up(kind: str, tmp_path: Path, ttl: Any, lives: int) -> None:
    store, clock = timed(kind, tmp_path)
    asyncio.run(store.put("k", "v", ttl=ttl))
    clock.advance(lives - 0.001)
    assert asyncio.run(store.exists("k"))
    clock.advance(0.001)
    assert not asyncio.run(store.exists("k"))
    assert asyncio.run(store.get("k", default="gone")) == "gone"
    assert not asyncio.run(store.delete("k"))


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("default", [60, timedelta(minutes=1)], ids=["seconds", "timedelta"])
def test_none_is_the_default_ttl_and_infinity_is_for_ever(kind: str, tmp_path: Path, default: Any) -> None:
    store, clock = timed(kind, tmp_path, default_ttl=default)
    asyncio.run(store.put("default", 1))
    asyncio.run(store.put("longer", 2, ttl=3600))
    asyncio.run(store.put("ever", 3, ttl=math.inf))
    clock.advance("60s")
    assert [key for key, _ in asyncio.run(store.range_get(""))] == ["ever", "longer"]
    clock.advance("10h")
    assert [key for key, _ in asyncio.run(store.range_get(""))] == ["ever"]


@pytest.mark.parametrize("ttl", [0, -1, -0.5, timedelta(0), timedelta(days=-1)], ids=str)
def test_a_ttl_of_nothing_deletes(make: Make, ttl: Any) -> None:
    async def claim() -> None:
        async with make() as store:
            await store.put("k", "there")
            await store.put("k", "gone", ttl=ttl)
            assert not await store.exists("k")

    asyncio.run(claim())


def test_redis_is_told_the_ttl(redis_options: dict[str, Any]) -> None:
    asyncio.run(RedisKeyValueStore(**redis_options).put("k", 1, ttl=timedelta(days=30)))
    with socket.create_connection((redis_options["host"], redis_options["port"]), timeout=30) as raw:
        raw.sendall(f"SELECT {redis_options['db']}\r\nTTL k\r\n".encode())
        answer = raw.makefile("rb")
        assert answer.readline() == b"+OK\r\n"
        assert 2592000 - 60 < int(answer.readline()[1:]) <= 2592000


@pytest.mark.parametrize("ttl", ["soon", math.nan, -math.inf, object()], ids=str)
def test_a_ttl_that_is_none_is_refused(make: Make, ttl: Any) -> None:
    with pytest.raises(penstock.Refused, match="a ttl is seconds or a timedelta"):
        asyncio.run(make().put("k", 1, ttl=ttl))


# --- Prefixes ---


@pytest.mark.parametrize("given", ["app", "app:"])
def test_a_prefix_gets_its_colon_and_is_cut_from_what_comes_back(make: Make, given: str) -> None:
    async def claim() -> None:
        async with make(key_prefix=given) as store:
            await store.put("jobs:1", "a")
            await store.put("jobs:2", "b")
            assert await store.exists("app:jobs:1", prefix="")
            assert await store.range_get("jobs:", "jobs;") == [("jobs:1", "a"), ("jobs:2", "b")]
            found = await keys_of(store.scan("jobs:*"))
            assert found == ["jobs:1", "jobs:2"]
            assert [await store.get(key) for key in found] == ["a", "b"]
            assert await keys_of(store.scan("app:*")) == []  # the pattern is of the key without it
            assert store.key_prefix == given

    asyncio.run(claim())


def test_a_prefix_of_a_call_takes_the_place_of_the_stores(make: Make) -> None:
    async def claim() -> None:
        async with make(key_prefix="app") as store:
            await store.put("k", 1, prefix="other")
            assert await store.exists("other:k", prefix="")
            assert not await store.exists("k")
            assert await keys_of(store.scan("*", prefix="other")) == ["k"]
            assert await keys_of(store.scan("*")) == []

    asyncio.run(claim())


def test_a_range_without_end_ends_with_its_prefix(make: Make) -> None:
    async def claim() -> None:
        async with make() as store:
            for prefix in ("a", "b", "b2", "c"):
                await store.put("k", prefix, prefix=prefix)
            assert await store.range_get("", prefix="b") == [("k", "b")]
            assert await store.range_get("x", prefix="b") == []
            assert [value for _, value in await store.range_get("")] == ["a", "b2", "b", "c"]

    asyncio.run(claim())


def test_glob_characters_of_a_prefix_mean_themselves(make: Make) -> None:
    async def claim() -> None:
        async with make(key_prefix="a*[b]\\") as store:
            await store.put("k", 1)
            await store.put("other", 2, prefix="axb")
            assert await keys_of(store.scan("*")) == ["k"]

    asyncio.run(claim())


# --- Ranges and scans ---


def test_a_limit_below_nothing_is_refused(make: Make) -> None:
    with pytest.raises(penstock.Refused, match="a limit is 0 or more"):
        asyncio.run(make().range_get("", limit=-1))


def test_a_scan_goes_through_all_pages(make: Make) -> None:
    async def claim() -> None:
        async with make() as store:
            await asyncio.gather(*(store.put(f"k{n:04}", n) for n in range(700)))
            assert await keys_of(store.scan("k*")) == [f"k{n:04}" for n in range(700)]
            assert len(await keys_of(store.scan("k?[13]5*"))) == 20
            scan = store.scan("*")
            assert await anext(scan)
            await scan.aclose()  # left early

    asyncio.run(claim())


def test_patterns_of_pending_records_find_them(make: Make) -> None:
    """As recovery asks: the recipe's id with its glob characters escaped."""

    async def claim() -> None:
        async with make(key_prefix="app") as store:
            for recipe in ("fr", "f*", "fx"):
                await store.put(f"sqs_notifications:pending:{recipe}:17571960", {}, ttl=2592000)
            pattern = r"sqs_notifications:pending:f\*:*"
            assert await keys_of(store.scan(pattern)) == ["sqs_notifications:pending:f*:17571960"]

    asyncio.run(claim())


def test_a_key_of_any_text_comes_back_as_it_was(make: Make) -> None:
    async def claim() -> None:
        async with make() as store:
            keys = ["é", "日本", "\x00", "a b\n", "\udcff", "x" * 4096]
            for key in keys:
                await store.put(key, key if key != "\udcff" else "bytes")
            assert await keys_of(store.scan("*")) == sorted(keys)
            assert await store.get("\udcff") == "bytes"

    asyncio.run(claim())


def test_what_no_store_takes_is_refused(make: Make) -> None:
    store = make()
    for key in ("", "x" * 4097, "\ud800"):
        with pytest.raises(penstock.Refused):
            asyncio.run(store.put(key, 1))
        with pytest.raises(penstock.Refused):
            asyncio.run(store.get(key))
    with pytest.raises(penstock.Refused):
        asyncio.run(store.put("k", "x" * (33 * 2**20)))


# --- Stores ---


def test_every_store_is_one(make: Make) -> None:
    store = make()
    assert isinstance(store, KeyValueStore)
    assert isinstance(store, BaseKeyValueStore)


def test_arguments_are_kept_as_given(tmp_path: Path) -> None:
    ttl = timedelta(hours=1)
    redis = RedisKeyValueStore("h", 1234, 5, SECRET, True, 3.5, 7, "json", ttl, "p")
    assert (redis.host, redis.port, redis.db, redis.password) == ("h", 1234, 5, SECRET)
    assert (redis.ssl, redis.timeout, redis.max_connections) == (True, 3.5, 7)
    assert (redis.serializer, redis.default_ttl, redis.key_prefix) == ("json", ttl, "p")
    assert RedisKeyValueStore().host == "localhost"
    assert SqliteKeyValueStore(tmp_path / "kv.db").path == str(tmp_path / "kv.db")
    memory = InMemoryKeyValueStore("pickle", 5, "p")
    assert (memory.serializer, memory.default_ttl, memory.key_prefix) == ("pickle", 5, "p")


def test_stats_tell_what_it_is_and_how_much(make: Make) -> None:
    async def claim() -> None:
        async with make(key_prefix="p", default_ttl=60) as store:
            await store.put("a", 1)
            await store.put("b", 1)
            stats = await store.get_stats()
            assert stats["keys"] == 2
            assert stats["key_prefix"] == "p"
            assert stats["default_ttl"] == 60
            assert stats["type"] in ("memory", "sqlite", "redis")

    asyncio.run(claim())


def test_a_closed_store_opens_again(make: Make) -> None:
    async def claim() -> None:
        store = make()
        await store.put("k", 1)
        await store.close()
        await store.close()
        assert await store.get("k") == 1

    asyncio.run(claim())


def test_a_store_serves_any_loop_and_thread(make: Make) -> None:
    store = make()
    threads = [threading.Thread(target=lambda n=n: asyncio.run(store.put(f"k{n}", n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [value for _, value in asyncio.run(store.range_get(""))] == list(range(8))


def test_stores_with_a_place_of_their_own_pickle_and_memory_does_not(
    tmp_path: Path, redis_options: dict[str, Any]
) -> None:
    for store in (
        SqliteKeyValueStore(tmp_path / "kv.db", key_prefix="p"),
        RedisKeyValueStore(**redis_options),
    ):
        asyncio.run(store.put("k", "v"))
        again = pickle.loads(pickle.dumps(store))
        assert asyncio.run(again.get("k")) == "v"
        assert again.key_prefix == store.key_prefix
    with pytest.raises(TypeError, match="does not pickle"):
        pickle.dumps(InMemoryKeyValueStore())


def test_memory_that_is_full_is_busy() -> None:
    store = InMemoryKeyValueStore(max_bytes="10KiB")
    asyncio.run(store.put("a", "x" * 8000))
    with pytest.raises(penstock.Busy) as caught:
        asyncio.run(store.put("b", "x" * 8000))
    assert caught.value.code == "no_space"


def test_sqlite_serves_processes_at_once(tmp_path: Path) -> None:
    code = """
        import asyncio, sys
        from penstock.bundles.kv_store import SqliteKeyValueStore
        async def main(path, name):
            async with SqliteKeyValueStore(path, busy_timeout="60s") as store:
                for n in range(30):
                    await store.put(f"{name}/{n}", n)
        asyncio.run(main(*sys.argv[1:]))
    """
    path = str(tmp_path / "kv.db")
    command = [sys.executable, "-c", textwrap.dedent(code), path]
    children = [subprocess.Popen([*command, name]) for name in "abc"]
    assert [child.wait(timeout=120) for child in children] == [0, 0, 0]
    assert len(asyncio.run(SqliteKeyValueStore(path).range_get(""))) == 90


def test_a_forked_child_and_its_parent_both_go_on(make: Make) -> None:
    store = make()
    asyncio.run(store.put("before", 1))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            asyncio.run(store.put("child", 2))
            code = 0 if asyncio.run(store.get("before")) == 1 else 2
        finally:
            os._exit(code)
    asyncio.run(store.put("parent", 3))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert asyncio.run(store.get("parent")) == 3
    assert asyncio.run(store.get("child")) == (None if store.kind == "memory" else 2)


def test_sqlite_says_what_is_wrong_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear reader, " * 1000)
    with pytest.raises(penstock.Corrupt, match="letter"):
        asyncio.run(SqliteKeyValueStore(tmp_path / "letter").get("k"))
    with pytest.raises(penstock.NotFound):
        asyncio.run(SqliteKeyValueStore(tmp_path / "none/kv.db").get("k"))
    with pytest.raises(penstock.Refused, match="memory"):
        SqliteKeyValueStore(":memory:")


def test_the_values_are_what_json_says() -> None:
    """The whole journey once more, by a judge: what get() gives is what json would."""
    value = {"a": [1, 2.5, None, True, "é"], "b": {"c": []}}
    store = InMemoryKeyValueStore()
    asyncio.run(store.put("k", value))
    assert asyncio.run(store.get("k")) == json.loads(json.dumps(value))
