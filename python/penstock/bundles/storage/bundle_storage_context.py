"""An open bundle, as a loader holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from typing import TYPE_CHECKING, Any, Literal

from penstock.bundles._log import get_logger
from penstock.bundles.exceptions import BundleNotFound
from penstock.bundles.storage._under_way import UnderWay

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterator

    from penstock.bundles.core import BundleRef, FetcherRecipe

    State = Literal["open", "adding", "completing", "completed", "failed", "abandoned"]

logger = get_logger(__name__)

__all__ = ["BundleStorageContext"]

_NEWEST = 1_000


class Uploads(Set[str]):
    """Ids of uploads. Equal to a set of the same; its length is of all, it keeps the newest 1,000."""

    def __init__(self) -> None:
        self._newest: dict[str, None] = {}
        self._count = 0

    def add(self, upload: str) -> None:
        """One more."""
        self._newest[upload] = None
        self._count += 1
        if len(self._newest) > _NEWEST:
            del self._newest[next(iter(self._newest))]

    @classmethod
    def _from_iterable(cls, it: Any) -> Any:
        return set(it)

    def __contains__(self, upload: object) -> bool:
        return upload in self._newest

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._newest))

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"Uploads({self._count})"


class BundleStorageContext:
    """An open bundle: resources are added to it, in any number and at once, until it is completed or aborted.

    Dropped while it is open, it is abandoned: nothing of it becomes visible.

    Args:
        bundle_ref: The bundle.
        recipe: Whose hooks are told once it is complete.
        storage: What it is passed on to: ``_add_resource_to_bundle`` and
            ``complete_bundle_with_callbacks_hook``, which a storage of your own may have too.
    """

    def __init__(self, bundle_ref: BundleRef, recipe: FetcherRecipe, storage: Any) -> None:
        self.bundle_ref = bundle_ref
        self.recipe = recipe
        self.storage = storage
        self._pending_uploads: set[str] = set()
        self._completed_uploads = Uploads()
        self._started = 0
        self._adds = UnderWay()
        self._completing: asyncio.Future[bool] | None = None
        self._is_replaced = False
        self._ended: Literal["completed", "failed", "abandoned"] | None = None

    @property
    def state(self) -> State:
        """``open adding completing completed failed abandoned``."""
        if self._completing is not None:
            return "completing"
        if self._ended is not None:
            return self._ended
        return "adding" if self._pending_uploads else "open"

    async def add_resource(
        self, url: str, content_type: str | None, status_code: int, stream: AsyncIterable[bytes]
    ) -> None:
        """Store all that ``stream`` gives, under a name made of ``url``. In parallel with others.

        Args:
            url: Where it came from.
            content_type: As the origin said.
            status_code: Of the response.
            stream: An async iterator of buffers, or anything source-like.
        Raises:
            BundleNotFound: The bundle is not open any more.
            StorageFailure: It could not be stored; nothing of it remains but a line in the manifest.
            Exception: Of the stream, as it came; one of penstock's as the StorageFailure of its kind.
        """
        self._check_own()
        self._started += 1
        upload = f"{url}#{self._started}"
        self._pending_uploads.add(upload)
        with self._adds.one():
            try:
                await self.storage._add_resource_to_bundle(
                    self.bundle_ref, url, content_type, status_code, stream
                )
            finally:
                self._pending_uploads.discard(upload)
        self._completed_uploads.add(upload)

    async def complete(self, metadata: dict[str, Any]) -> None:
        """Make everything that was added visible at once, call the hooks, tell the queue.

        Adds under way are awaited, new ones refused. Called again it has the same outcome and no effect; after
        a failure it does what is outstanding, and nothing twice.

        Args:
            metadata: An object of JSON; part of the bundle and of the message.
        Raises:
            BundleNotFound: The bundle was aborted.
            StorageFailure: A step failed. Before the bundle is visible nothing of it is; after that only
                telling is outstanding.
        """
        self._check_own()
        while self._completing is not None:
            if await asyncio.shield(self._completing):
                return
        if self._ended == "completed":
            return
        self._completing = asyncio.get_running_loop().create_future()
        try:
            if getattr(self.storage, "_awaits_adds", False) is not True:
                await self._adds.ended()
            await self.storage.complete_bundle_with_callbacks_hook(self.bundle_ref, self.recipe, metadata)
        except BaseException as error:
            self._ended = "abandoned" if isinstance(error, BundleNotFound) else "failed"
            self._settle(error)
            raise
        self._ended = "completed"
        self._settle(None)

    async def abort(self, why: str = "") -> None:
        """Stop the adds under way; nothing becomes visible. No effect once the bundle is published.

        Args:
            why: For the log.
        """
        if self._ended in ("completed", "abandoned"):
            return
        abort = getattr(self.storage, "_abort_bundle", None)
        if abort is not None and await abort(self.bundle_ref, why) is False:
            return
        if self._completing is None:
            self._ended = "abandoned"

    async def open_group(self) -> Any:
        """For resources that stay or go together; None where the storage has no such thing."""
        self._check_own()
        opens = getattr(self.storage, "_open_group", None)
        return await opens(self.bundle_ref) if opens is not None else None

    def _replaced(self) -> None:
        """The storage gave the id to another bundle, which this one must not touch."""
        self._is_replaced, self._ended = True, "abandoned"

    def _check_own(self) -> None:
        if self._is_replaced:
            raise BundleNotFound(getattr(self.storage, "_storage_type", None))

    def _settle(self, error: BaseException | None) -> None:
        """Others who wait for complete() get the same; after a cancellation it is their turn."""
        future, self._completing = self._completing, None
        if future is None:
            return
        if isinstance(error, Exception):
            future.set_exception(error)
            future.exception()  # nobody may be waiting
        else:
            future.set_result(error is None)

    def __repr__(self) -> str:
        return f"BundleStorageContext({self.bundle_ref.bid!r}, {self.state})"
