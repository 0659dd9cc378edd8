"""The protocol that completes a bundle, one step after the other, none of them twice."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from penstock.aio._jobs import done, loop
from penstock.bundles._log import get_logger
from penstock.bundles.core import BundleReceipt
from penstock.bundles.exceptions import storage_failure
from penstock.errors import Error, Lost, Refused
from penstock.streams import call

if TYPE_CHECKING:
    from penstock import _core
    from penstock.bundles.core import BundleRef, FetcherRecipe

logger = get_logger(__name__)


def encode(metadata: Any) -> str:
    """As JSON, or Refused."""
    try:
        return json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused(f"the metadata cannot be written as JSON: {error}", doing="encode metadata") from None


class Completion:
    """What has been done of it, kept from try to try.

    Args:
        storage: Whose steps are called, so that each may be replaced.
        native: The bundle.
    """

    def __init__(self, storage: Any, native: _core.Bundle) -> None:
        self._storage = storage
        self.native = native
        self._recorded = self._called_back = self._published = False
        self._metadata: dict[str, Any] = {}
        self._sealed = False
        self.record_kept = False  # somebody must still be told

    async def run(self, bundle_ref: BundleRef, recipe: FetcherRecipe, metadata: dict[str, Any]) -> None:
        """All that is outstanding."""
        storage_type = self._storage._storage_type
        try:
            on = call()
            if not await done(self.native.begin(on, loop()), on.stop):
                return
            try:
                await self._steps(bundle_ref, recipe, metadata)
            except BaseException as error:
                self.native.failed(str(error) or type(error).__name__)
                raise
            self.native.completed()
        except Error as error:
            raise storage_failure(error, storage_type, bid=bundle_ref.bid) from error

    async def _steps(self, bundle_ref: BundleRef, recipe: FetcherRecipe, metadata: dict[str, Any]) -> None:
        await self._seal(bundle_ref, recipe, metadata)
        await self._record(bundle_ref, recipe)
        await self._storage._finalize_bundle(bundle_ref)
        if not self._called_back:
            self._called_back = True
            await self._storage._execute_completion_callbacks(bundle_ref, recipe)
        if not self._published:
            self._published = await self._storage._announce(bundle_ref, self._metadata, recipe)
        if self._published and not self.record_kept:
            await self._storage._pending.remove(self.native, bundle_ref, recipe, self._recorded)

    async def _seal(self, bundle_ref: BundleRef, recipe: FetcherRecipe, metadata: dict[str, Any]) -> None:
        if self._sealed:
            return
        text = encode(metadata)
        self._storage._check_message(bundle_ref, metadata, recipe)
        on = call()
        receipt = await done(self.native.seal(text, on, loop()), on.stop)
        bundle_ref.receipt = BundleReceipt(**receipt)
        if bundle_ref.storage_key is None:
            bundle_ref.storage_key = receipt["storage_key"]
        self._metadata, self._sealed = metadata, True

    async def _record(self, bundle_ref: BundleRef, recipe: FetcherRecipe) -> None:
        """Before the commit, so that whoever comes after a crash knows whom to tell."""
        if self._recorded or self.native.committed or not self._storage._writes_record(recipe):
            return
        policy = self._storage._pending_policy
        if policy == "off":
            return
        try:
            await self._storage._pending.put(self.native, bundle_ref, recipe)
            self._recorded = True
        except Exception as error:
            if policy == "required":
                raise Lost(
                    f"nothing was published, for it could not be written down first: {error}",
                    doing="write a pending record",
                ) from error
            logger.warning("PENDING_RECORD_NOT_WRITTEN", bundle_id=str(bundle_ref.bid), error=str(error))


async def commit(native: _core.Bundle) -> None:
    """Once it is sent its answer is awaited, whatever the task's fate."""
    on = call()
    job = native.commit(on, loop())
    try:
        await asyncio.shield(job)
    except asyncio.CancelledError:
        await asyncio.wait([job])
        if job.exception() is not None:
            raise asyncio.CancelledError from job.exception()
        raise
