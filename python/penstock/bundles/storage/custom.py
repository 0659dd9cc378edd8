"""Storages of one's own that open a stream for each resource, behind the face of the others."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from penstock.bundles._log import get_logger
from penstock.bundles.exceptions import BundleNotFound
from penstock.bundles.storage._hooks import HookCalls
from penstock.bundles.storage.bundle_storage_context import BundleStorageContext

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from penstock.bundles.core import BundleRef, FetcherRecipe

logger = get_logger(__name__)

__all__ = ["as_storage"]


def as_storage(obj: Any) -> Any:
    """``obj`` as a storage: itself if it has ``start_bundle``, else one over its ``open_bundle`` and ``close_bundle``.

    Each resource is a stream of ``obj``: opened as ``{bid}`` with the resource's ``url``, ``content_type`` and
    ``status_code`` as metadata, closed once all of it is written, aborted if it has ``abort`` and writing failed.
    That is as atomic as ``obj`` makes it.
    """
    return obj if hasattr(obj, "start_bundle") else StreamStorage(obj)


class StreamStorage:
    """See :func:`as_storage`."""

    def __init__(self, obj: Any) -> None:
        self._obj = obj
        self._open: dict[str, HookCalls] = {}

    async def start_bundle(self, bundle_ref: BundleRef, recipe: FetcherRecipe) -> BundleStorageContext:
        """An open bundle."""
        bid, calls = str(bundle_ref.bid), HookCalls()
        self._open[bid] = calls
        context = BundleStorageContext(bundle_ref, recipe, self)
        weakref.finalize(context, _forget, self._open, bid, calls).atexit = False
        return context

    async def _add_resource_to_bundle(
        self,
        bundle_ref: BundleRef,
        url: str,
        content_type: str | None,
        status_code: int,
        stream: AsyncIterable[bytes],
    ) -> None:
        if str(bundle_ref.bid) not in self._open:
            raise BundleNotFound()
        metadata = {"url": url, "content_type": content_type, "status_code": status_code}
        opened = await self._obj.open_bundle(str(bundle_ref.bid), metadata)
        try:
            async for chunk in stream:
                await opened.write(chunk)
        except BaseException as error:
            abort = getattr(opened, "abort", None)
            if abort is not None:
                await abort(f"left by {type(error).__name__}")
            raise
        await self._obj.close_bundle(opened)

    async def complete_bundle_with_callbacks_hook(
        self, bundle_ref: BundleRef, recipe: FetcherRecipe, metadata: dict[str, Any]
    ) -> None:
        """Call the hooks."""
        bid = str(bundle_ref.bid)
        if (calls := self._open.get(bid)) is None:
            raise BundleNotFound()
        await calls.make(bundle_ref, recipe, logger)
        self._open.pop(bid, None)

    async def _abort_bundle(self, bundle_ref: BundleRef, why: str) -> bool:
        return self._open.pop(str(bundle_ref.bid), None) is not None

    def __getattr__(self, name: str) -> Any:
        if name == "_obj" or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)  # while it is made, copied or unpickled there is nothing underneath
        return getattr(self._obj, name)


def _forget(there: dict[str, HookCalls], bid: str, calls: HookCalls) -> None:
    """The context of a bundle was dropped."""
    if there.get(bid) is calls:
        del there[bid]
