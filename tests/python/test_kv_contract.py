"""The one contract, on every key-value store: memory, SQLite, a real Redis, and a class in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from penstock.bundles.kv_store import (
    InMemoryKeyValueStore,
    KeyValueStore,
    RedisKeyValueStore,
    SqliteKeyValueStore,
)
from penstock.testing import DictKeyValueStore, KeyValueContract


class TestMemory(KeyValueContract):
    def make_store(self, **rules: Any) -> KeyValueStore:
        return InMemoryKeyValueStore(**rules)


class TestSqlite(KeyValueContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "kv.db"

    def make_store(self, **rules: Any) -> KeyValueStore:
        return SqliteKeyValueStore(self.path, **rules)


class TestRedis(KeyValueContract):
    @pytest.fixture(autouse=True)
    def _database(self, redis_options: dict[str, Any]) -> None:
        self.options = redis_options

    def make_store(self, **rules: Any) -> KeyValueStore:
        return RedisKeyValueStore(**self.options, **rules)


class TestForeign(KeyValueContract):
    def make_store(self, **rules: Any) -> KeyValueStore:
        return DictKeyValueStore(**rules)


class Forgetful(DictKeyValueStore):
    """Keeps no key that ends in an even digit: the contract must notice."""

    async def put(self, key: str, value: Any, ttl: Any = None, prefix: str | None = None) -> None:
        if key[-1] not in "02468":
            await super().put(key, value, ttl, prefix)


def test_the_contract_notices_a_store_that_forgets() -> None:
    class Mine(KeyValueContract):
        def make_store(self, **rules: Any) -> KeyValueStore:
            return Forgetful(**rules)

    with pytest.raises(AssertionError):
        Mine().test_what_is_put_is_what_is_got()
