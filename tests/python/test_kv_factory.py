"""Which store the arguments and the environment choose, and what comes from the installed package."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import penstock
import pytest
from penstock.bundles import kv_store
from penstock.bundles.exceptions import ConfigurationError, UnknownStoreTypeError
from penstock.bundles.kv_store import (
    InMemoryKeyValueStore,
    RedisKeyValueStore,
    SqliteKeyValueStore,
    create_kv_store,
    create_store,
    factory,
    get_store_context,
)

SECRET = "s3cr3t-of-mine"


def test_create_store_knows_three(tmp_path: Path) -> None:
    assert isinstance(create_store(), RedisKeyValueStore)
    assert isinstance(create_store("redis", db=3), RedisKeyValueStore)
    assert isinstance(create_store("memory"), InMemoryKeyValueStore)
    assert isinstance(create_store("sqlite", path=tmp_path / "kv.db"), SqliteKeyValueStore)
    assert create_store("memory").default_ttl is None
    with pytest.raises(ValueError, match=r"^Unknown store: etcd$"):
        create_store("etcd")


def test_a_store_context_closes_what_it_made(redis_options: dict[str, Any]) -> None:
    async def claim() -> None:
        async with get_store_context("redis", **redis_options) as store:
            await store.put("k", 1)
            assert store._redis is not None
        assert store._redis is None
        with pytest.raises(ValueError, match=r"^Unknown store: etcd$"):
            async with get_store_context("etcd"):
                pass

    asyncio.run(claim())


def test_without_a_word_it_is_the_redis_of_this_machine() -> None:
    store = create_kv_store()
    assert isinstance(store, RedisKeyValueStore)
    assert (store.host, store.port, store.db, store.password) == ("localhost", 6379, 0, None)
    assert (store.serializer, store.default_ttl, store.key_prefix) == ("json", None, "data_fetcher:")


def test_a_variable_that_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "TYPE",
        "SERIALIZER",
        "DEFAULT_TTL",
        "REDIS_HOST",
        "REDIS_PORT",
        "REDIS_DB",
        "REDIS_PASSWORD",
    ):
        monkeypatch.setenv(f"OC_KV_STORE_{name}", "")
    test_without_a_word_it_is_the_redis_of_this_machine()
    monkeypatch.setenv("OC_KV_STORE_REDIS_KEY_PREFIX", "")
    assert create_kv_store().key_prefix == ""


def test_the_environment_fills_what_is_not_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = {
        "SERIALIZER": "pickle",
        "DEFAULT_TTL": "90",
        "REDIS_HOST": "h",
        "REDIS_PORT": "1234",
        "REDIS_DB": "5",
        "REDIS_PASSWORD": SECRET,
        "REDIS_KEY_PREFIX": "mine",
    }
    for name, value in said.items():
        monkeypatch.setenv(f"OC_KV_STORE_{name}", value)
    monkeypatch.setenv("OC_CONFIG_ID", "fr")
    store: Any = create_kv_store()
    assert (store.host, store.port, store.db, store.password) == ("h", 1234, 5, SECRET)
    assert (store.serializer, store.default_ttl, store.key_prefix) == ("pickle", 90, "mine:fr")

    store = create_kv_store("redis", "uk", "json", 7, "other", 1, 2, "p", "own:")
    assert (store.host, store.port, store.db, store.password) == ("other", 1, 2, "p")
    assert (store.serializer, store.default_ttl, store.key_prefix) == ("json", 7, "own:uk")

    monkeypatch.setenv("OC_KV_STORE_TYPE", "sqlite")
    monkeypatch.setenv("OC_KV_STORE_SQLITE_PATH", str(tmp_path / "kv.db"))
    store = create_kv_store()
    assert isinstance(store, SqliteKeyValueStore)
    assert (store.path, store.key_prefix) == (str(tmp_path / "kv.db"), "fr")


def test_an_hour_is_implied_in_memory_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert create_kv_store("memory").default_ttl == 3600
    assert create_kv_store("redis").default_ttl is None
    assert create_kv_store("sqlite", sqlite_path=tmp_path / "kv.db").default_ttl is None
    assert create_kv_store("memory", default_ttl=5).default_ttl == 5
    monkeypatch.setenv("OC_KV_STORE_DEFAULT_TTL", "90")
    assert create_kv_store("memory").default_ttl == 90
    assert create_kv_store("redis").default_ttl == 90


def test_an_unknown_type_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"^Unknown store type: etcd$") as caught:
        create_kv_store("etcd")
    assert isinstance(caught.value, UnknownStoreTypeError)
    assert isinstance(caught.value, penstock.Refused)
    monkeypatch.setenv("OC_KV_STORE_TYPE", "consul")
    with pytest.raises(factory.UnknownStoreTypeError, match=r"^Unknown store type: consul$"):
        create_kv_store()
    assert kv_store.UnknownStoreTypeError is UnknownStoreTypeError


def test_sqlite_needs_a_path() -> None:
    with pytest.raises(ConfigurationError, match="OC_KV_STORE_SQLITE_PATH"):
        create_kv_store("sqlite")


def test_a_number_of_the_environment_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert factory._get_env_int("OC_NUMBER", 7) == 7
    monkeypatch.setenv("OC_NUMBER", " 12 ")
    assert factory._get_env_int("OC_NUMBER", 7) == 12
    monkeypatch.setenv("OC_NUMBER", "")
    assert factory._get_env_int("OC_NUMBER", 7) == 7
    monkeypatch.setenv("OC_NUMBER", "many")
    with pytest.raises(ValueError, match="OC_NUMBER is a whole number, not 'many'"):
        factory._get_env_int("OC_NUMBER", 7)


# --- Names of others ---


def test_state_management_is_the_installed_packages_own(tmp_path: Path) -> None:
    package = tmp_path / "data_fetcher_core"
    (package / "kv_store").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('never imported')")
    (package / "kv_store/__init__.py").write_text("")
    (package / "kv_store/manager.py").write_text(
        "from data_fetcher_core.kv_store import KeyValueStore\n"
        "class StateManagementManager: store = KeyValueStore\n"
        "def create_state_tracker(): return 'theirs'\n"
    )
    code = """
        import penstock.bundles
        from penstock.bundles import kv_store
        assert not hasattr(kv_store, "StateManagementManager")
        penstock.bundles.alias("data_fetcher_core")
        from data_fetcher_core.kv_store import StateManagementManager, create_state_tracker
        assert StateManagementManager.store is kv_store.KeyValueStore
        assert kv_store.create_state_tracker is create_state_tracker
        assert not hasattr(kv_store, "StateTracker")
    """
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
