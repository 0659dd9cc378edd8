"""Async twins of the core's bundles (``penstock.bundles.FolderBundles``, ``ObjectBundles``, ``Bundle``): the same
names and arguments, awaited. FileStorage, PipelineStorage and their contexts are awaited as they are.

>>> import asyncio
>>> async def main():
...     bundles = penstock.aio.bundles.ObjectBundles(penstock.MemoryStore())
...     async with await bundles.start(penstock.bundles.BundleRef("https://example.org/", 1)) as bundle:
...         await bundle.add("https://example.org/a.txt", b"hello")
...     return bundle.state, bundle.receipt.bytes
>>> asyncio.run(main())
('completed', 5)
"""

from __future__ import annotations

import json
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Literal

from penstock import bundles as sync
from penstock import display
from penstock.aio._group_of_one import add_or_nothing
from penstock.aio._jobs import done, loop
from penstock.aio.stores import ObjectStore
from penstock.aio.streams import fed, native_source
from penstock.bundles.core import BundleReceipt
from penstock.bundles.core.bundle_ref import core_fields
from penstock.bundles.direct import Bundles as SyncBundles
from penstock.bundles.direct import callback_of
from penstock.errors import Refused
from penstock.streams import call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike

    from typing_extensions import Self

    from penstock import _core, aio
    from penstock.bundles import BundleRef, RecoveryReport, StoredResource
    from penstock.bundles.direct import OnComplete
    from penstock.sqs import Queue
    from penstock.units import Span

__all__ = ["Bundle", "FolderBundles", "ObjectBundles"]


class Bundle:
    """Async twin of penstock.bundles.Bundle. Many adds may be awaited at once."""

    receipt: BundleReceipt | None = None

    def __init__(self, native: _core.Bundle) -> None:
        self._native = native

    async def add(
        self,
        url: str,
        data: Any,
        *,
        content_type: str | None = None,
        status_code: int = 200,
        deadline: Span | None = None,
    ) -> StoredResource:
        resource = {"url": url, "content_type": content_type, "status_code": status_code}
        on = call(deadline)
        source, feed = native_source(data)
        stored = await add_or_nothing(
            self._native,
            resource,
            lambda group: fed(feed, group.add(resource, source, on, loop()), on.stop),
        )
        return sync.StoredResource(*stored)

    async def finish(
        self, metadata: dict[str, Any] | None = None, *, deadline: Span | None = None
    ) -> BundleReceipt:
        told = json.dumps(metadata or {}, allow_nan=False)
        on = call(deadline)
        self.receipt = BundleReceipt(**await done(self._native.finish(told, on, loop()), on.stop))
        return self.receipt

    async def abort(self, why: str = "aborted by the caller") -> None:
        on = call()
        await done(self._native.abort(why, on, loop()), on.stop)

    @property
    def state(self) -> str:
        """``open adding completing completed failed abandoned``."""
        return self._native.state

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None:
            await self.abort(f"left by {kind.__name__}")
        elif self.state in ("open", "adding"):
            await self.finish()

    def __repr__(self) -> str:
        return display.line("aio.Bundle", bid=self._native.ref["bid"], state=self.state)


class Bundles:
    """What both storages do, over a sync one (``sync``). Shared freely by tasks, loops and threads."""

    sync: SyncBundles

    async def start(
        self,
        ref: BundleRef,
        *,
        recipe_id: str = "default",
        on_complete: Iterable[OnComplete] = (),
        deadline: Span | None = None,
    ) -> Bundle:
        """As the sync one; ``on_complete`` is called on a worker thread, so a coroutine function is Refused."""
        on = call(deadline)
        job = self.sync._native.start(core_fields(ref), recipe_id, _callbacks(on_complete), on, loop())
        native = await done(job, on.stop)
        if ref.storage_key is None:
            ref.storage_key = native.ref["storage_key"]
        return Bundle(native)

    async def recover(
        self,
        *,
        recipe_id: str = "default",
        on_complete: Iterable[OnComplete] = (),
        deadline: Span | None = 60,
    ) -> RecoveryReport:
        on = call(deadline)
        job = self.sync._native.recover(recipe_id, _callbacks(on_complete), on, loop())
        return sync.RecoveryReport(**await done(job, on.stop))

    async def sweep(self, *, remove: bool = False, deadline: Span | None = None) -> int:
        on = call(deadline)
        return await done(self.sync._native.sweep(remove, on, loop()), on.stop)


class FolderBundles(Bundles):
    """Async twin of penstock.bundles.FolderBundles."""

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        create: bool = True,
        abandoned: Literal["quarantine", "discard"] = "quarantine",
        strict: bool = False,
        queue: Queue | aio.sqs.Queue | None = None,
    ) -> None:
        self.sync = sync.FolderBundles(
            path, create=create, abandoned=abandoned, strict=strict, queue=_sync_queue(queue)
        )


class ObjectBundles(Bundles):
    """Async twin of penstock.bundles.ObjectBundles; ``store`` may be a sync or an async one."""

    def __init__(
        self,
        store: Any,
        *,
        prefix: str = "",
        layout: str = "doc",
        strict: bool = False,
        queue: Queue | aio.sqs.Queue | None = None,
    ) -> None:
        one = store.sync if isinstance(store, ObjectStore) else store
        self.sync = sync.ObjectBundles(
            one, prefix=prefix, layout=layout, strict=strict, queue=_sync_queue(queue)
        )


def _sync_queue(queue: Queue | aio.sqs.Queue | None) -> Any:
    return getattr(queue, "sync", queue)


def _callbacks(on_complete: Iterable[OnComplete]) -> list[Callable[[dict[str, Any]], object]]:
    hooks = list(on_complete)
    if any(iscoroutinefunction(hook) for hook in hooks):
        raise Refused(
            "on_complete is called on a worker thread and cannot be a coroutine function: give a plain one"
        )
    return [callback_of(hook) for hook in hooks]
