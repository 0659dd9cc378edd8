"""After a crash: who was not told of a bundle is told now."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from penstock._core import JUDGED_TOGETHER, RECOVERED_AT_ONCE
from penstock.aio._jobs import STOPS_WITHIN, done, loop, retrieve
from penstock.bundles._log import get_logger
from penstock.bundles.core import BundleRef
from penstock.bundles.storage import _pending
from penstock.errors import Corrupt
from penstock.streams import call

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping

    from penstock.bundles.core import FetcherRecipe

logger = get_logger(__name__)

Told = tuple[
    BundleRef, dict[str, Any], "str | None"
]  # with the key of its record, if it is in a key-value store


class Recovery:
    """Of one recipe's bundles. What cannot be told, or cannot be read, keeps its record and stops no other.

    Args:
        storage: Whose records, hooks and queue they are.
        recipe: Which.
    """

    def __init__(self, storage: Any, recipe: FetcherRecipe) -> None:
        self._storage = storage
        self._recipe = recipe
        self._at_once = asyncio.Semaphore(RECOVERED_AT_ONCE)
        self._asking = asyncio.Semaphore(RECOVERED_AT_ONCE)  # of the key-value store
        self._telling: set[asyncio.Task[None]] = set()
        self._over: list[str] = []  # BIDs of records beside the bundles, that may go
        self._dropping = False

    async def run(self) -> None:
        """A bundle's hooks at a time, in the order of the BIDs; the queue is told side by side."""
        try:
            async with aclosing(self._to_tell()) as to_tell:
                async for ref, metadata, key in to_tell:
                    called_back = await self._called_back(ref)
                    await self._at_once.acquire()
                    self._tell(ref, metadata, key, drop=called_back)
            if self._telling:
                await asyncio.wait(self._telling)
        finally:
            for task in self._telling:
                task.cancel()
            await asyncio.gather(*self._telling, return_exceptions=True)

    async def _to_tell(self) -> AsyncGenerator[Told, None]:
        """Some are judged while the hooks of those before are called: each takes an answer or two of a store."""
        ahead: asyncio.Task[list[Told]] | None = None
        try:
            async for some in self._records():
                before, ahead = ahead, asyncio.create_task(self._judged(some))
                if before is not None:
                    for told in await before:
                        yield told
            if ahead is not None:
                for told in await ahead:
                    yield told
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)

    async def _records(self) -> AsyncIterator[list[tuple[str | None, str | None]]]:
        """Some at a time: (None, text) of what is beside the bundles, (key, None) of what is in a key-value store."""
        on = call()
        recipe_id = self._recipe.recipe_id
        texts = await done(self._storage._native().pending(recipe_id, on, loop()), on.stop)
        for at in range(0, len(texts), JUDGED_TOGETHER):
            yield [(None, text) for text in texts[at : at + JUDGED_TOGETHER]]
        kv_store = self._storage._pending.kv_store
        keys = [] if kv_store is None else await _pending.record_keys(kv_store, recipe_id)
        for at in range(0, len(keys), JUDGED_TOGETHER):
            yield [(key, None) for key in keys[at : at + JUDGED_TOGETHER]]

    async def _judged(self, some: list[tuple[str | None, str | None]]) -> list[Told]:
        """The bundles to tell of: those that became visible and of which somebody was not told."""
        read = await asyncio.gather(*(self._read(key, text) for key, text in some))
        records = [record for record in read if record is not None]
        on = call()
        try:
            texts = [text for _, text in records]
            verdicts = await done(self._storage._native().judge(texts, on, loop()), on.stop)
        except Exception as why:
            verdicts = [why] * len(records)
        to_tell, discarded = [], []
        for ((ref, metadata, key), _), verdict in zip(records, verdicts, strict=True):
            if isinstance(verdict, Exception):
                event = "PENDING_RECORD_MALFORMED" if isinstance(verdict, Corrupt) else "PENDING_RECORD_KEPT"
                logger.warning(event, key=key, bundle_id=str(ref.bid), error=str(verdict))
            elif verdict == "discard":
                discarded.append((ref, key))
            elif verdict == "tell":
                to_tell.append((ref, metadata, key))
        await self._drop(discarded)
        return to_tell

    async def _read(self, key: str | None, text: str | None) -> tuple[Told, str] | None:
        if text is None:
            try:
                async with self._asking:
                    value = await self._storage._pending.kv_store.get(key)
                text = value if value is None or isinstance(value, str) else json.dumps(value)
            except Exception as error:
                logger.warning("PENDING_RECORD_KEPT", key=key, error=str(error))
                return None
            if text is None:
                return None  # gone meanwhile
        try:
            record = json.loads(text)
            ref, metadata = BundleRef.from_dict(record["bundle_ref"]), record.get("metadata") or {}
        except Exception as error:
            logger.warning("PENDING_RECORD_MALFORMED", key=key, error=str(error))
            return None
        if key not in (None, _pending.record_key(self._recipe.recipe_id, ref.bid)):
            return None  # of a recipe whose id begins with this one's
        return (ref, metadata, key), text

    async def _called_back(self, ref: BundleRef) -> bool:
        """Whether all hooks were: else the queue is told nevertheless, as by completing, and the record stays."""
        try:
            await self._storage._execute_completion_callbacks(ref, self._recipe)
        except Exception as error:
            logger.warning("PENDING_RECORD_KEPT", bundle_id=str(ref.bid), error=str(error))
            return False
        return True

    def _tell(self, ref: BundleRef, metadata: dict[str, Any], key: str | None, *, drop: bool) -> None:
        task = asyncio.create_task(self._told(ref, metadata, key, drop=drop))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _told(self, ref: BundleRef, metadata: dict[str, Any], key: str | None, *, drop: bool) -> None:
        publisher = self._storage.sqs_publisher
        try:
            if publisher is not None:
                await publisher.publish_bundle_completion(ref, metadata, self._recipe.recipe_id)
        except Exception as error:
            logger.warning("PENDING_RECORD_KEPT", bundle_id=str(ref.bid), error=str(error))
        else:
            if drop:
                await self._drop([(ref, key)])
        finally:
            self._at_once.release()

    async def _drop(self, records: list[tuple[BundleRef, str | None]]) -> None:
        """They go, or are taken along by who is removing others: a bucket takes a thousand as soon as one."""
        await asyncio.gather(*(self._forget(ref, key) for ref, key in records if key is not None))
        self._over += [str(ref.bid) for ref, key in records if key is None]
        if self._dropping:
            return
        self._dropping = True
        try:
            while self._over:
                some, self._over = self._over, []
                for bid, why in (await self._not_removed(some)).items():
                    logger.warning("PENDING_RECORD_KEPT", bundle_id=bid, error=str(why))
        finally:
            self._dropping = False

    async def _not_removed(self, bids: list[str]) -> Mapping[str, Exception]:
        on = call()
        recipe_id = self._recipe.recipe_id
        try:
            return await done(self._storage._native().remove_pending(recipe_id, bids, on, loop()), on.stop)
        except Exception as error:
            return dict.fromkeys(bids, error)

    async def _forget(self, ref: BundleRef, key: str) -> None:
        try:
            async with self._asking:
                await self._storage._pending.kv_store.delete(key)
        except Exception as error:
            logger.warning("PENDING_RECORD_KEPT", bundle_id=str(ref.bid), error=str(error))


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
