"""What FileStorage and PipelineStorage have in common: bundles of the core, completed by hooks of Python."""

from __future__ import annotations

import asyncio
import weakref
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from penstock.aio._jobs import done, loop
from penstock.bundles import _log
from penstock.bundles.core.bundle_ref import core_fields
from penstock.bundles.exceptions import BundleNotFound
from penstock.bundles.storage import _pending
from penstock.bundles.storage._completion import Completion
from penstock.bundles.storage._errors import storing
from penstock.bundles.storage._hooks import HookCalls
from penstock.bundles.storage._recovery import Recovery, in_time
from penstock.bundles.storage._streams import Group, open_stream
from penstock.bundles.storage.bundle_storage_context import BundleStorageContext
from penstock.errors import Refused
from penstock.streams import call
from penstock.units import span

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Coroutine

    from penstock import _core
    from penstock.bundles.core import BundleRef, FetcherRecipe, FetchRunContext
    from penstock.bundles.storage._streams import NativeStream, Opening
    from penstock.units import Span

logger = _log.get_logger(__name__)

PendingPolicy = Literal["required", "best_effort", "off"]


class NativeStorage(ABC):
    """Bundles of the core. One serves any thread and loop; an open bundle belongs to the loop it was started on."""

    _storage_type: ClassVar[str]
    _stream_type: ClassVar[type[NativeStream]]
    _awaits_adds = True
    sqs_publisher: Any = None

    def __init__(
        self,
        *,
        kv_store: Any = None,
        pending: PendingPolicy = "required",
        strict: bool = False,
        callback_errors: Literal["log", "raise"] = "log",
        publish_errors: Literal["raise", "defer"] = "raise",
        idle_timeout: Span | None = 300,
        recovery_deadline: Span = 60,
    ) -> None:
        for name, value, words in (
            ("pending", pending, ("required", "best_effort", "off")),
            ("callback_errors", callback_errors, ("log", "raise")),
            ("publish_errors", publish_errors, ("raise", "defer")),
        ):
            if value not in words:
                raise Refused(f"{name} is {value!r}: give one of {', '.join(words)}")
        self._pending_policy = pending
        self._given_kv_store = kv_store
        self._strict = strict
        self._callback_errors = callback_errors
        self._publish_errors = publish_errors
        self._idle_timeout = None if idle_timeout is None else span(idle_timeout)
        self._recovery_deadline = span(recovery_deadline)
        self._closed = False
        self._begin_empty()

    def _begin_empty(self) -> None:
        self._active_bundles: dict[str, Any] = {}
        self._completions: dict[str, Completion] = {}
        self._leaving: dict[str, _core.Bundle] = {}  # dropped, and being discarded by a worker
        self._pending = _pending.Pending(self._given_kv_store)

    # --- What the two do differently ---

    @abstractmethod
    def _native(self) -> _core.FolderBundles | _core.ObjectBundles:
        """The core's storage, made when it is first needed."""

    @abstractmethod
    def _make_bundle(self, bundle_ref: BundleRef) -> Any:
        """What ``_active_bundles`` holds: looked up when it is wanted, so that it can be replaced."""

    @abstractmethod
    def _writes_record(self, recipe: FetcherRecipe) -> bool:
        """Whether somebody would have to be told after a crash."""

    # --- The life of a bundle ---

    async def start_bundle(self, bundle_ref: BundleRef, recipe: FetcherRecipe) -> BundleStorageContext:
        """An open bundle under the id of ``bundle_ref``.

        Raises:
            BundleConflict: A bundle of that id is under way, or completed.
            StorageFailure: The folder or bucket cannot be used.
        """
        if self._closed:
            raise Refused("the storage is closed")
        bid = str(bundle_ref.bid)
        native = await self._start(bundle_ref, recipe)
        bundle = self._make_bundle(bundle_ref)
        if isinstance(getattr(type(bundle), "_attach", None), type(NativeStorage._start)):
            bundle._attach(native, self._idle_timeout)
        if bid in self._completions:
            self._completions[bid].replaced()
        self._active_bundles[bid] = bundle
        self._completions[bid] = Completion(self, native)
        context = BundleStorageContext(bundle_ref, recipe, self)
        self._completions[bid].context = weakref.ref(context)
        weakref.finalize(context, _forget, weakref.ref(self), bid, weakref.ref(native)).atexit = False
        return context

    async def _start(self, bundle_ref: BundleRef, recipe: FetcherRecipe) -> _core.Bundle:
        await self._left(str(bundle_ref.bid))
        ref = core_fields(bundle_ref)
        on = call()
        with storing(self._storage_type, bundle_ref.bid):
            job = self._native().start(ref, recipe.recipe_id, [], on, loop())
            try:
                return await done(job, on.stop)
            except asyncio.CancelledError:
                job.add_done_callback(lambda started: self._let_go_unwanted(str(bundle_ref.bid), started))
                raise

    async def _add_resource_to_bundle(
        self,
        bundle_ref: BundleRef,
        url: str,
        content_type: str | None,
        status_code: int,
        stream: AsyncIterable[bytes],
    ) -> None:
        bundle = self._active_bundles.get(str(bundle_ref.bid))
        if bundle is None:
            raise BundleNotFound(self._storage_type)
        await bundle.write_resource(url, content_type, status_code, stream)

    async def _open_group(self, bundle_ref: BundleRef) -> Group:
        completion = self._completions.get(str(bundle_ref.bid))
        if completion is None:
            raise BundleNotFound(self._storage_type)
        with storing(self._storage_type, bundle_ref.bid):
            return Group(completion.native.open_group(), self._storage_type, self._idle_timeout)

    async def complete_bundle_with_callbacks_hook(
        self, bundle_ref: BundleRef, recipe: FetcherRecipe, metadata: dict[str, Any]
    ) -> None:
        """Publish the bundle, call the hooks, tell the queue. After a failure: what is outstanding."""
        bid = str(bundle_ref.bid)
        completion = self._completions.get(bid)
        if completion is None:
            raise BundleNotFound(self._storage_type)
        try:
            await completion.run(bundle_ref, recipe, metadata)
        finally:
            self._drop_if_over(bid, completion)

    async def _finalize_bundle(self, bundle_ref: BundleRef) -> None:
        """Make it visible."""
        bid = str(bundle_ref.bid)
        bundle = self._active_bundles.get(bid)
        if bundle is None:
            if bid in self._completions and not self._completions[bid].native.committed:
                raise BundleNotFound(self._storage_type)  # what is not visible must not be told of
            return
        with storing(self._storage_type, bundle_ref.bid):
            await bundle.close()
        self._active_bundles.pop(bid, None)

    async def _execute_completion_callbacks(self, bundle_ref: BundleRef, recipe: FetcherRecipe) -> None:
        """``on_bundle_complete_hook`` of the loader, then of each locator that has one."""
        first = await self._hook_calls(bundle_ref).make(bundle_ref, recipe, logger)
        if first is not None and self._callback_errors == "raise":
            raise first

    def _hook_calls(self, bundle_ref: BundleRef) -> HookCalls:
        """Those of the completion under way; recovery, which has a bundle_ref of its own, calls all."""
        completion = self._completions.get(str(bundle_ref.bid))
        if completion is not None and completion.bundle_ref is bundle_ref:
            return completion.hook_calls
        return HookCalls()

    @abstractmethod
    def _check_message(self, bundle_ref: BundleRef, metadata: dict[str, Any], recipe: FetcherRecipe) -> None:
        """Refuse what could never be announced, while nothing is visible."""

    async def _announce(self, bundle_ref: BundleRef, metadata: dict[str, Any], recipe: FetcherRecipe) -> bool:
        """Tell the queue; False if that is left to recovery."""
        if self.sqs_publisher is None:
            return True
        try:
            await self.sqs_publisher.publish_bundle_completion(bundle_ref, metadata, recipe.recipe_id)
        except Exception as error:
            if self._publish_errors == "raise":
                raise
            logger.warning("BUNDLE_ANNOUNCEMENT_DEFERRED", bundle_id=str(bundle_ref.bid), error=str(error))
            return False
        return True

    async def _abort_bundle(self, bundle_ref: BundleRef, why: str) -> bool:
        """False: it is published, and stays."""
        completion = self._completions.get(str(bundle_ref.bid))
        if completion is None:
            return False
        await abandon(completion.native, why or "aborted")
        self._drop_if_over(str(bundle_ref.bid), completion)
        return completion.native.state == "abandoned"

    def _drop_if_over(self, bid: str, completion: Completion) -> None:
        """Nobody may do anything with it any more."""
        state = completion.native.state
        if state in ("completed", "abandoned") and self._completions.get(bid) is completion:
            del self._completions[bid]
            if state == "abandoned":
                self._active_bundles.pop(bid, None)

    def _let_go_unwanted(self, bid: str, started: asyncio.Future[_core.Bundle]) -> None:
        """Nobody waits for it any more."""
        if not started.cancelled() and started.exception() is None:
            self._let_go(bid, started.result())

    def _let_go(self, bid: str, native: _core.Bundle) -> None:
        """Discard it on a worker, if there is a loop here that must not wait for it."""
        try:
            running = loop()
        except RuntimeError:
            return
        self._leaving[bid] = native
        why = "it was dropped unfinished"
        native.abort(why, call(), running).add_done_callback(lambda _: self._is_gone(bid, native))

    async def _left(self, bid: str) -> None:
        """Waits until what was let go under this id is discarded."""
        if (native := self._leaving.get(bid)) is not None:
            await abandon(native, "it was dropped unfinished")
            self._is_gone(bid, native)

    def _is_gone(self, bid: str, native: _core.Bundle) -> None:
        if self._leaving.get(bid) is native:
            del self._leaving[bid]

    # --- One resource, written piece by piece ---

    def open_bundle(self, bundle_id: str, metadata: dict[str, Any] | None = None) -> Opening:
        """A bundle of one resource: ``async with storage.open_bundle(id, {...}) as bundle: await bundle.write(..)``.

        Args:
            bundle_id: A BID; anything else becomes ``custom-{bundle_id}``.
            metadata: ``url``, ``content_type`` and ``recipe_id`` are taken from it; all of it is the bundle's.
        """
        return open_stream(self, self._stream_type, bundle_id, metadata or {})

    async def close_bundle(self, stream: Any) -> None:
        """The same as ``stream.close()``."""
        await stream.close()

    # --- After a crash ---

    async def on_run_start(self, context: FetchRunContext | Any, recipe: FetcherRecipe) -> None:
        """Take up what dead processes left: bundles under way are moved aside, those not told of are told of."""
        config = getattr(context, "app_config", None)
        kv_store = getattr(config, "kv_store", None)
        if self._given_kv_store is None:
            self._pending.kv_store = kv_store
        with storing(self._storage_type):
            await self._in_time(recipe, self._take_up(context, recipe))

    async def _take_up(self, context: FetchRunContext | Any, recipe: FetcherRecipe) -> None:
        on = call(self._recovery_deadline)
        try:
            await done(self._native().sweep_recipe(recipe.recipe_id, on, loop()), on.stop)
        except Exception as error:
            logger.warning("SWEEP_FAILED", recipe_id=recipe.recipe_id, error=str(error))
        await self._process_pending_completions(context, recipe)

    async def _process_pending_completions(
        self, context: FetchRunContext | Any, recipe: FetcherRecipe
    ) -> None:
        await self._in_time(recipe, Recovery(self, recipe).run())

    async def _in_time(self, recipe: FetcherRecipe, work: Coroutine[Any, Any, None]) -> None:
        if not await in_time(self._recovery_deadline, work):
            logger.warning("RECOVERY_OUT_OF_TIME", recipe_id=recipe.recipe_id)

    async def sweep(self, *, delete: bool = False) -> int:
        """Move aside what dead processes had under way; how many bundles that was.

        Args:
            delete: In a bucket: remove finished objects of bundles that never completed and are a day old. Without it
                nothing is done there: open uploads are aborted by on_run_start(), of its recipe.
        """
        on = call()
        with storing(self._storage_type):
            return await done(self._native().sweep(delete, on, loop()), on.stop)

    async def aclose(self) -> None:
        """Abandon what is open. Bundles that are being completed end first."""
        self._closed = True
        for bid, completion in list(self._completions.items()):
            await completion.tries.ended()
            if completion.native.state in ("open", "adding", "failed"):
                await abandon(completion.native, "the storage was closed")
                if completion.native.state == "abandoned":
                    completion.abandoned()
            self._drop_if_over(bid, completion)
        for bid in list(self._leaving):
            await self._left(bid)

    # --- Pickling: by what it was made of ---

    def __getstate__(self) -> dict[str, Any]:
        left = {"_active_bundles", "_completions", "_leaving", "_pending", "_core_storage"}
        return {name: value for name, value in self.__dict__.items() if name not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin_empty()


async def abandon(native: _core.Bundle, why: str) -> None:
    """As far as it is not published; what was discarded already is waited for."""
    on = call()
    await done(native.abort(why, on, loop()), on.stop)


def _forget(storage: weakref.ref[NativeStorage], bid: str, native: weakref.ref[Any]) -> None:
    """A context was dropped: what holds its bundle lets go, and the core abandons it."""
    there, bundle = storage(), native()
    if there is None or bundle is None:
        return
    completion = there._completions.get(bid)
    if (
        completion is not None
        and completion.native is bundle
        and bundle.state not in ("adding", "completing")
    ):
        there._completions.pop(bid, None)
        there._active_bundles.pop(bid, None)
        there._let_go(bid, bundle)
