"""Where pending records are: a key-value store of the run, else beside the bundles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from penstock.aio._jobs import answered, loop
from penstock.bundles._log import get_logger
from penstock.streams import call

if TYPE_CHECKING:
    from penstock import _core
    from penstock.bundles.core import BundleRef, FetcherRecipe

logger = get_logger(__name__)

_BEGIN = "sqs_notifications:pending:"
_SECONDS = 2_592_000  # 30 days: the default of a store may be an hour
_GLOB = str.maketrans({character: f"\\{character}" for character in "*?[]\\"})


def record_key(recipe_id: str, bid: object) -> str:
    """``sqs_notifications:pending:{recipe_id}:{bid}``."""
    return f"{_BEGIN}{recipe_id}:{bid}"


class Pending:
    """Records of one storage.

    Attributes:
        kv_store: Where they are; None: beside the bundles.
    """

    def __init__(self, kv_store: Any = None) -> None:
        self.kv_store = kv_store

    async def put(self, native: _core.Bundle, bundle_ref: BundleRef, recipe: FetcherRecipe) -> None:
        """Before the commit."""
        if self.kv_store is None:
            on = call()
            await answered(native.write_pending(on, loop()), on.stop)
            return
        key = record_key(recipe.recipe_id, bundle_ref.bid)
        await self.kv_store.put(key, json.loads(native.pending_record), ttl=_SECONDS)

    async def remove(
        self, native: _core.Bundle, bundle_ref: BundleRef, recipe: FetcherRecipe, written: bool
    ) -> None:
        """After the last word. That it fails is only logged: whoever is told again drops the repeat."""
        if not written:
            return
        try:
            if self.kv_store is None:
                on = call()
                await answered(native.remove_pending(on, loop()), on.stop)
            else:
                await self.kv_store.delete(record_key(recipe.recipe_id, bundle_ref.bid))
        except Exception as error:
            logger.warning("PENDING_RECORD_NOT_REMOVED", bundle_id=str(bundle_ref.bid), error=str(error))


async def record_keys(kv_store: Any, recipe_id: str) -> list[str]:
    """The keys of a recipe's records, in the order of the BIDs."""
    pattern = f"{_BEGIN}{recipe_id.translate(_GLOB)}:*"
    keys = await _scan(kv_store, pattern, f"{_BEGIN}{recipe_id}:")
    prefix = getattr(kv_store, "_key_prefix", None)
    if not keys and isinstance(prefix, str) and prefix:
        keys = await _scan(kv_store, "*" + pattern, f"{_BEGIN}{recipe_id}:")
    cut = {key[key.index(_BEGIN) :] for key in keys if _BEGIN in key}
    return sorted(key for key in cut if key.startswith(f"{_BEGIN}{recipe_id}:"))


async def _scan(kv_store: Any, pattern: str, begin: str) -> list[str]:
    if hasattr(kv_store, "scan"):
        found = kv_store.scan(pattern)
        if hasattr(found, "__aiter__"):
            return [_text(key) async for key in found]
        return [_text(key) for key in await found]
    if hasattr(kv_store, "get_keys_by_pattern"):
        return [_text(key) for key in await kv_store.get_keys_by_pattern(pattern)]
    pairs = await kv_store.range_get(begin, begin[:-1] + chr(ord(begin[-1]) + 1))
    return [_text(key) for key, _ in pairs]


def _text(key: Any) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)
