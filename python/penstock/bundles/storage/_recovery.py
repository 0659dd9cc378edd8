"""After a crash: who was not told of a bundle is told now."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Any

from penstock.aio._jobs import STOPS_WITHIN, done, loop, retrieve
from penstock.bundles._log import get_logger
from penstock.bundles.core import BundleRef
from penstock.bundles.storage import _pending
from penstock.errors import Corrupt
from penstock.streams import call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from penstock.bundles.core import BID, FetcherRecipe

logger = get_logger(__name__)

_PUBLISHES_AT_ONCE = 32
_JUDGED_AHEAD = 32


class Recovery:
    """Of one recipe's bundles. What cannot be told, or cannot be read, keeps its record and stops no other.

    Args:
        storage: Whose records, hooks and queue they are.
        recipe: Which.
    """

    def __init__(self, storage: Any, recipe: FetcherRecipe) -> None:
        self._storage = storage
        self._recipe = recipe
        self._at_once = asyncio.Semaphore(_PUBLISHES_AT_ONCE)
        self._telling: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """A bundle's hooks at a time, in the order of the BIDs; the queue is told side by side."""
        try:
            async for ref, metadata in self._to_tell():
                called_back = await self._called_back(ref)
                await self._at_once.acquire()
                self._tell(ref, metadata, drop=called_back)
            if self._telling:
                await asyncio.wait(self._telling)
        finally:
            for task in self._telling:
                task.cancel()
            await asyncio.gather(*self._telling, return_exceptions=True)

    async def _to_tell(self) -> AsyncIterator[tuple[BundleRef, dict[str, Any]]]:
        """Records are judged ahead of the hooks: each takes an answer or two of a store."""
        ahead: deque[asyncio.Task[tuple[BundleRef | None, dict[str, Any]]]] = deque()
        try:
            async for key, text in self._records():
                ahead.append(asyncio.create_task(self._judged_there(key, text)))
                if len(ahead) == _JUDGED_AHEAD:
                    ref, metadata = await ahead.popleft()
                    if ref is not None:
                        yield ref, metadata
            while ahead:
                ref, metadata = await ahead.popleft()
                if ref is not None:
                    yield ref, metadata
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def _records(self) -> AsyncIterator[tuple[str | None, str | None]]:
        """(None, text) of what is beside the bundles, (key, None) of what is in a key-value store."""
        on = call()
        recipe_id = self._recipe.recipe_id
        for text in await done(self._storage._native().pending(recipe_id, on, loop()), on.stop):
            yield None, text
        kv_store = self._storage._pending.kv_store
        for key in [] if kv_store is None else await _pending.record_keys(kv_store, recipe_id):
            yield key, None

    async def _judged_there(
        self, key: str | None, text: str | None
    ) -> tuple[BundleRef | None, dict[str, Any]]:
        if text is None:
            try:
                value = await self._storage._pending.kv_store.get(key)
                text = value if value is None or isinstance(value, str) else json.dumps(value)
            except Exception as error:
                logger.warning("PENDING_RECORD_KEPT", key=key, error=str(error))
        return (None, {}) if text is None else await self._judged(key, text)

    async def _judged(self, key: str | None, text: str) -> tuple[BundleRef | None, dict[str, Any]]:
        """The bundle to tell of, if it is one that became visible and somebody was not told."""
        try:
            record = json.loads(text)
            ref, metadata = BundleRef.from_dict(record["bundle_ref"]), record.get("metadata") or {}
        except Exception as error:
            logger.warning("PENDING_RECORD_MALFORMED", key=key, error=str(error))
            return None, {}
        if key not in (None, _pending.record_key(self._recipe.recipe_id, ref.bid)):
            return None, {}  # of a recipe whose id begins with this one's
        try:
            on = call()
            verdict = await done(self._storage._native().judge(text, on, loop()), on.stop)
            if verdict == "discard":
                await self._drop_record(ref.bid)
        except Exception as error:
            event = "PENDING_RECORD_MALFORMED" if isinstance(error, Corrupt) else "PENDING_RECORD_KEPT"
            logger.warning(event, key=key, bundle_id=str(ref.bid), error=str(error))
            return None, {}
        return (ref, metadata) if verdict == "tell" else (None, {})

    async def _called_back(self, ref: BundleRef) -> bool:
        """Whether all hooks were: else the queue is told nevertheless, as by completing, and the record stays."""
        try:
            await self._storage._execute_completion_callbacks(ref, self._recipe)
        except Exception as error:
            logger.warning("PENDING_RECORD_KEPT", bundle_id=str(ref.bid), error=str(error))
            return False
        return True

    def _tell(self, ref: BundleRef, metadata: dict[str, Any], *, drop: bool) -> None:
        task = asyncio.create_task(self._told(ref, metadata, drop=drop))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _told(self, ref: BundleRef, metadata: dict[str, Any], *, drop: bool) -> None:
        publisher = self._storage.sqs_publisher
        try:
            if publisher is not None:
                await publisher.publish_bundle_completion(ref, metadata, self._recipe.recipe_id)
            if drop:
                await self._drop_record(ref.bid)
        except Exception as error:
            logger.warning("PENDING_RECORD_KEPT", bundle_id=str(ref.bid), error=str(error))
        finally:
            self._at_once.release()

    async def _drop_record(self, bid: BID) -> None:
        on = call()
        recipe_id = self._recipe.recipe_id
        await done(self._storage._native().remove_pending(recipe_id, str(bid), on, loop()), on.stop)
        kv_store = self._storage._pending.kv_store
        if kv_store is not None:
            await kv_store.delete(_pending.record_key(recipe_id, bid))


async def in_time(seconds: float, work: Coroutine[Any, Any, None]) -> bool:
    """Whether it ended. If not it is cancelled, and left alone if it does not hear that: a hook is another's."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(retrieve)
    try:
        ended, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=STOPS_WITHIN)
    if ended:
        task.result()
    return bool(ended)
