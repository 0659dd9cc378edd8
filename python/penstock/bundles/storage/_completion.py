"""The protocol that completes a bundle, one step after the other, none of them twice."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import TYPE_CHECKING, Any

from penstock.aio._jobs import answered, loop
from penstock.bundles._log import get_logger
from penstock.bundles.core import BundleReceipt
from penstock.bundles.core.bundle_ref import core_fields
from penstock.bundles.exceptions import storage_failure
from penstock.bundles.storage._hooks import HookCalls
from penstock.bundles.storage._under_way import UnderWay
from penstock.errors import Error, Lost, Refused
from penstock.streams import call

if TYPE_CHECKING:
    import weakref

    from penstock import _core
    from penstock.bundles.core import BundleRef, FetcherRecipe
    from penstock.bundles.storage.bundle_storage_context import BundleStorageContext

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
    Attributes:
        tries: Those that run now.
        bundle_ref: That of the last try.
        hook_calls: Of all tries.
        context: Who holds the bundle.
    """

    context: weakref.ref[BundleStorageContext] | None = None

    def __init__(self, storage: Any, native: _core.Bundle) -> None:
        self._storage = storage
        self.native = native
        self.tries = UnderWay()
        self.bundle_ref: BundleRef | None = None
        self.hook_calls = HookCalls()
        self._sealed = self._recorded = self._finalized = self._called_back = self._published = False
        self._metadata: dict[str, Any] = {}
        self._hook_error: Exception | None = None  # the first, until it is raised
        self._unheard = False  # a hook was cancelled: the next run must tell it

    def replaced(self) -> None:
        """Its id is another bundle's now."""
        if self.context is not None and (context := self.context()) is not None:
            context._replaced()

    def abandoned(self) -> None:
        """By the storage, which was closed."""
        if self.context is not None and (context := self.context()) is not None:
            context._ended = "abandoned"

    async def run(self, bundle_ref: BundleRef, recipe: FetcherRecipe, metadata: dict[str, Any]) -> None:
        """All that is outstanding."""
        with self.tries.one():
            try:
                if await begin(self.native):
                    await self._carry_out(bundle_ref, recipe, metadata)
            except Error as error:
                raise storage_failure(error, self._storage._storage_type, bid=bundle_ref.bid) from error

    async def _carry_out(
        self, bundle_ref: BundleRef, recipe: FetcherRecipe, metadata: dict[str, Any]
    ) -> None:
        self.bundle_ref = bundle_ref
        try:
            await self._steps(bundle_ref, recipe, metadata)
        except BaseException as error:
            await failed(self.native, error)
            raise
        self.native.completed()

    async def _steps(self, bundle_ref: BundleRef, recipe: FetcherRecipe, metadata: dict[str, Any]) -> None:
        await self._seal(bundle_ref, recipe, metadata)
        await self._record(bundle_ref, recipe)
        if not self._finalized:
            await self._storage._finalize_bundle(bundle_ref)
            self._finalized = True
        await self._call_back(bundle_ref, recipe)
        if not self._published:
            self._published = await self._storage._announce(bundle_ref, self._metadata, recipe)
        error, self._hook_error = self._hook_error, None
        if error is not None:
            raise error
        if self._published and not self._unheard:
            await self._storage._pending.remove(self.native, bundle_ref, recipe, self._recorded)

    async def _seal(self, bundle_ref: BundleRef, recipe: FetcherRecipe, metadata: dict[str, Any]) -> None:
        if self._sealed:
            return
        text = encode(metadata)
        self._storage._check_message(self._as_sealed(bundle_ref), metadata, recipe)
        self.native.restate(core_fields(bundle_ref))
        on = call()
        receipt = await answered(self.native.seal(text, on, loop()), on.stop)
        bundle_ref.receipt = BundleReceipt(**receipt)
        if bundle_ref.storage_key is None:
            bundle_ref.storage_key = receipt["storage_key"]
        self._metadata, self._sealed = metadata, True

    def _as_sealed(self, bundle_ref: BundleRef) -> BundleRef:
        """With the storage_key that the message will have."""
        sealed = copy.copy(bundle_ref)
        if sealed.storage_key is None:
            sealed.storage_key = self.native.ref["storage_key"]
        return sealed

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

    async def _call_back(self, bundle_ref: BundleRef, recipe: FetcherRecipe) -> None:
        if self._called_back:
            return
        unheard, self._unheard = self._unheard, True
        try:
            await self._storage._execute_completion_callbacks(bundle_ref, recipe)
        except Exception as error:
            self._hook_error = error
        self._called_back, self._unheard = True, unheard


async def begin(native: _core.Bundle) -> bool:
    """Whether it is the caller who completes, and says how that ended by ``native.completed()`` or failed()."""
    on = call()
    job = native.begin(on, loop())
    try:
        return await answered(job, on.stop)
    except asyncio.CancelledError as cancelled:
        if job.exception() is None and job.result():
            await failed(native, cancelled)
        raise


async def commit(native: _core.Bundle) -> None:
    """Once it is sent its answer is awaited, whatever the task's fate."""
    await answered(native.commit(call(), loop()))


async def failed(native: _core.Bundle, why: BaseException) -> None:
    """On a worker: what was aborted meanwhile is discarded there."""
    await answered(loop().run_in_executor(None, native.failed, str(why) or type(why).__name__))
