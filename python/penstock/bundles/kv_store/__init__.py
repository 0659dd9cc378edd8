"""Key-value stores for whatever must remember something between two runs: memory, a file of SQLite, Redis.

>>> import asyncio
>>> async def main():
...     async with get_store_context("memory", key_prefix="app") as store:
...         await store.put("state:fr", {"page": 7}, ttl=3600)
...         return await store.get("state:fr"), [key async for key in store.scan("state:*")]
>>> asyncio.run(main())
({'page': 7}, ['state:fr'])
"""

from __future__ import annotations

from typing import Any

from penstock.bundles.kv_store.base import BaseKeyValueStore, KeyValueStore
from penstock.bundles.kv_store.factory import (
    UnknownStoreTypeError,
    create_kv_store,
    create_store,
    get_store_context,
)
from penstock.bundles.kv_store.memory import InMemoryKeyValueStore
from penstock.bundles.kv_store.redis import RedisKeyValueStore
from penstock.bundles.kv_store.sqlite import SqliteKeyValueStore

__all__ = [
    "BaseKeyValueStore",
    "InMemoryKeyValueStore",
    "KeyValueStore",
    "RedisKeyValueStore",
    "SqliteKeyValueStore",
    "UnknownStoreTypeError",
    "create_kv_store",
    "create_store",
    "get_store_context",
]

_THEIRS = frozenset(
    {"StateManagementManager", "StateTracker", "create_state_management_manager", "create_state_tracker"}
)


def __getattr__(name: str) -> Any:
    """State management is another package's: its ``kv_store.manager`` is found where penstock.bundles.alias says."""
    if name in _THEIRS:
        from importlib import import_module

        try:
            return getattr(import_module(f"{__name__}.manager"), name)
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.manager":
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
