"""Any sequence of calls against a dict that knows its times: our stores do what the model does."""

from __future__ import annotations

import asyncio
import math
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from penstock.bundles.kv_store import InMemoryKeyValueStore, RedisKeyValueStore, SqliteKeyValueStore
from penstock.testing import DictKeyValueStore, ManualClock

KEYS = some.text("ab:*[é\x00", min_size=1, max_size=4)
BOUNDS = some.text("ab:*[é", max_size=3)
PREFIXES = some.sampled_from([None, "", "a", "a:", "*"])
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=2) | some.dictionaries(some.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
TTLS = some.one_of(
    some.none(),
    some.integers(-1, 5),
    some.floats(-1, 5),
    some.builds(timedelta, milliseconds=some.integers(-500, 5000)),
    some.just(math.inf),
)
TIMELESS = some.sampled_from([None, 0, -1, timedelta(0), 3600, timedelta(days=30)])


def steps(ttls: some.SearchStrategy[Any]) -> some.SearchStrategy[Any]:
    return some.lists(
        some.one_of(
            some.tuples(some.just("put"), KEYS, VALUES, ttls, PREFIXES),
            some.tuples(some.just("get"), KEYS, some.just("absent"), PREFIXES),
            some.tuples(some.just("delete"), KEYS, PREFIXES),
            some.tuples(some.just("exists"), KEYS, PREFIXES),
            some.tuples(
                some.just("range_get"),
                BOUNDS,
                some.none() | BOUNDS,
                some.none() | some.integers(0, 3),
                PREFIXES,
            ),
            some.tuples(some.just("advance"), some.integers(0, 4)),
        ),
        max_size=25,
    )


class Time:
    """The store's clock and the model's, together."""

    def __init__(self) -> None:
        self.clock, self.now = ManualClock(), 0.0

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.now += seconds


async def compare(store: Any, model: DictKeyValueStore, doing: list[Any], time: Time) -> None:
    for verb, *arguments in doing:
        if verb == "advance":
            time.advance(*arguments)
        else:
            expected = await getattr(model, verb)(*arguments)
            assert await getattr(store, verb)(*arguments) == expected, (verb, arguments)
    await store.close()


@settings(max_examples=150, deadline=None)
@given(doing=steps(TTLS), default_ttl=some.sampled_from([None, 2]), prefix=some.sampled_from(["", "p", "*:"]))
def test_memory_does_what_a_dict_does(doing: list[Any], default_ttl: int | None, prefix: str) -> None:
    time = Time()
    rules: dict[str, Any] = {"default_ttl": default_ttl, "key_prefix": prefix}
    model = DictKeyValueStore(now=lambda: time.now, **rules)
    asyncio.run(compare(InMemoryKeyValueStore(clock=time.clock, **rules), model, doing, time))


@settings(max_examples=40, deadline=None)
@given(doing=steps(TTLS), prefix=some.sampled_from(["", "p"]))
def test_sqlite_does_what_a_dict_does(doing: list[Any], prefix: str) -> None:
    time = Time()
    model = DictKeyValueStore(now=lambda: time.now, key_prefix=prefix)
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteKeyValueStore(Path(folder) / "kv.db", clock=time.clock, key_prefix=prefix)
        asyncio.run(compare(store, model, doing, time))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(doing=steps(TIMELESS), prefix=some.sampled_from(["", "p"]))
def test_redis_does_what_a_dict_does(redis_options: dict[str, Any], doing: list[Any], prefix: str) -> None:
    async def compared() -> None:
        store = RedisKeyValueStore(**redis_options, key_prefix=prefix)
        await store.flush_db()
        await compare(store, DictKeyValueStore(key_prefix=prefix), doing, Time())

    asyncio.run(compared())
