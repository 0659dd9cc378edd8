"""Stores by name, and by the environment."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from penstock.bundles._log import get_logger
from penstock.bundles.exceptions import ConfigurationError, UnknownStoreTypeError
from penstock.bundles.kv_store.memory import InMemoryKeyValueStore
from penstock.bundles.kv_store.redis import RedisKeyValueStore
from penstock.bundles.kv_store.sqlite import SqliteKeyValueStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from os import PathLike

    from penstock.bundles.kv_store._native import NativeKeyValueStore
    from penstock.bundles.kv_store.base import Ttl

logger = get_logger(__name__)

__all__ = ["UnknownStoreTypeError", "create_kv_store", "create_store", "get_store_context"]

MEMORY_TTL = 3600
"""Seconds that an entry of create_kv_store's memory lives if nobody says."""

_CLASSES: dict[str, type[NativeKeyValueStore]] = {
    "memory": InMemoryKeyValueStore,
    "redis": RedisKeyValueStore,
    "sqlite": SqliteKeyValueStore,
}


def create_store(store_type: str = "redis", **options: Any) -> NativeKeyValueStore:
    """The store of that type; ``options`` are its constructor's.

    >>> create_store("memory", default_ttl=60)
    InMemoryKeyValueStore(serializer='json', default_ttl=60)
    """
    if store_type not in _CLASSES:
        raise ConfigurationError(f"Unknown store: {store_type}", "kv_store")
    return _CLASSES[store_type](**options)


@asynccontextmanager
async def get_store_context(store_type: str = "redis", **options: Any) -> AsyncIterator[NativeKeyValueStore]:
    """create_store()'s store, closed at the end of the block."""
    async with create_store(store_type, **options) as store:
        yield store


def create_kv_store(
    store_type: str | None = None,
    config_id: str | None = None,
    serializer: str | None = None,
    default_ttl: Ttl | None = None,
    redis_host: str | None = None,
    redis_port: int | None = None,
    redis_db: int | None = None,
    redis_password: str | None = None,
    redis_key_prefix: str | None = None,
    *,
    sqlite_path: str | PathLike[str] | None = None,
) -> NativeKeyValueStore:
    """A store as the arguments say, and the environment where they are None; a variable that is empty is not set.

    Args:
        store_type: OC_KV_STORE_TYPE, or ``redis``; also ``memory``, ``sqlite``.
        config_id: OC_CONFIG_ID; the prefix of every key, in Redis behind redis_key_prefix.
        serializer: OC_KV_STORE_SERIALIZER, or ``json``.
        default_ttl: OC_KV_STORE_DEFAULT_TTL, or none; in memory 3,600 seconds.
        redis_host: OC_KV_STORE_REDIS_HOST, or ``localhost``.
        redis_port: OC_KV_STORE_REDIS_PORT, or 6379.
        redis_db: OC_KV_STORE_REDIS_DB, or 0.
        redis_password: OC_KV_STORE_REDIS_PASSWORD, or none.
        redis_key_prefix: OC_KV_STORE_REDIS_KEY_PREFIX, which may be empty, or ``data_fetcher:``.
        sqlite_path: OC_KV_STORE_SQLITE_PATH; one of the two is needed for ``sqlite``.
    Raises:
        UnknownStoreTypeError: There is no such type.
        ConfigurationError: A variable is not the number it should be, or there is no path.
    """
    chosen = store_type or _get_env("TYPE", "redis")
    if chosen not in _CLASSES:
        raise UnknownStoreTypeError(chosen)
    if default_ttl is None and _get_env("DEFAULT_TTL", "").strip():
        default_ttl = _get_env_int("OC_KV_STORE_DEFAULT_TTL", 0)
    rules: dict[str, Any] = {
        "serializer": serializer or _get_env("SERIALIZER", "json"),
        "default_ttl": MEMORY_TTL if default_ttl is None and chosen == "memory" else default_ttl,
        "key_prefix": os.environ.get("OC_CONFIG_ID", "") if config_id is None else config_id,
    }
    if chosen == "memory":
        return InMemoryKeyValueStore(**rules)
    if chosen == "sqlite":
        return SqliteKeyValueStore(_sqlite_path(sqlite_path), **rules)
    family = _redis_key_prefix() if redis_key_prefix is None else redis_key_prefix
    rules["key_prefix"] = _joined(family, rules["key_prefix"])
    return RedisKeyValueStore(
        host=redis_host or _get_env("REDIS_HOST", "localhost"),
        port=_get_env_int("OC_KV_STORE_REDIS_PORT", 6379) if redis_port is None else redis_port,
        db=_get_env_int("OC_KV_STORE_REDIS_DB", 0) if redis_db is None else redis_db,
        password=(_get_env("REDIS_PASSWORD", "") or None) if redis_password is None else redis_password,
        **rules,
    )


def _joined(first: str, second: str) -> str:
    """Prefix within prefix."""
    return f"{first}:{second}" if first and second and not first.endswith(":") else first + second


def _sqlite_path(given: str | PathLike[str] | None) -> str | PathLike[str]:
    path = given or os.environ.get("OC_KV_STORE_SQLITE_PATH")
    if not path:
        words = "a store of type sqlite needs a path: give sqlite_path, or set OC_KV_STORE_SQLITE_PATH"
        raise ConfigurationError(words, "kv_store")
    return path


def _redis_key_prefix() -> str:
    """That of the environment, also if it is empty: no prefix at all is a choice."""
    return os.environ.get("OC_KV_STORE_REDIS_KEY_PREFIX", "data_fetcher:")


def _get_env(name: str, default: str) -> str:
    return os.environ.get(f"OC_KV_STORE_{name}") or default


def _get_env_int(key: str, default: int) -> int:
    """A whole number of the environment; ``default`` if the variable is not there or empty."""
    said = os.environ.get(key, "").strip()
    try:
        return int(said) if said else default
    except ValueError:
        raise ConfigurationError(f"{key} is a whole number, not {said!r}", "kv_store") from None
