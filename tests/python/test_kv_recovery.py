"""The records of bundles in every store of ours, under any prefix: what a run left undone, the next one tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundle_places import Folder, Hooks, Run, recipe
from penstock.bundles.kv_store import InMemoryKeyValueStore, RedisKeyValueStore, SqliteKeyValueStore
from penstock.bundles.storage import create_storage_stack
from penstock.testing import DictKeyValueStore
from test_bundles_storage import complete_one

BIDS = ["custom-a", "custom-b", "custom-c"]


@pytest.fixture(params=["memory", "sqlite", "redis", "foreign"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Any]:
    """The same store under a prefix, as the next process would make it; memory is kept."""
    if request.param == "sqlite":
        return lambda prefix: SqliteKeyValueStore(tmp_path / "kv.db", default_ttl=1, key_prefix=prefix)
    if request.param == "redis":
        options = request.getfixturevalue("redis_options")
        return lambda prefix: RedisKeyValueStore(**options, key_prefix=prefix)
    kept: dict[str, Any] = {}
    cls = InMemoryKeyValueStore if request.param == "memory" else DictKeyValueStore
    return lambda prefix: kept.setdefault(prefix, cls(key_prefix=prefix))


STACKS: dict[str, dict[str, bool]] = {
    "bare": {},
    "unzip": {"unzip_resources": True},
    "zip": {"bundle_resources": True},
    "both": {"unzip_resources": True, "bundle_resources": True},
}


@pytest.mark.parametrize("prefix", ["", "app", "app:", "a*[p]"])
@pytest.mark.parametrize("stack", STACKS)
def test_what_a_run_left_untold_the_next_one_tells(
    make: Callable[[str], Any], prefix: str, stack: str, tmp_path: Path
) -> None:
    place = Folder(tmp_path / "out")

    def decorated(**options: Any) -> Any:
        return create_storage_stack(place.storage(**options), **STACKS[stack])

    async def crashed() -> None:
        storage = decorated(kv_store=make(prefix), callback_errors="raise")
        for bid in BIDS:
            with pytest.raises(RuntimeError, match="not yet"):
                await complete_one(storage, bid, recipe(Hooks(RuntimeError("not yet"))))

    async def next_run() -> list[str]:
        hooks, store = Hooks(), make(prefix)
        await decorated().on_run_start(Run(store), recipe(hooks))
        assert await store.range_get("sqs_notifications:", "sqs_notifications;") == []
        return hooks.told

    asyncio.run(crashed())
    assert asyncio.run(next_run()) == BIDS
    assert asyncio.run(next_run()) == []
