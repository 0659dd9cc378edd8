"""What a storage is to those who put bundles into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from penstock.bundles._log import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from penstock.bundles.core import BundleRef, FetcherRecipe

logger = get_logger(__name__)


class OpenBundle(Protocol):
    """A bundle that takes resources until it is completed."""

    async def add_resource(
        self, url: str, content_type: str | None, status_code: int, stream: AsyncIterable[bytes]
    ) -> None:
        """Store what ``stream`` gives. In parallel with others; one that fails leaves nothing behind."""

    async def complete(self, metadata: dict[str, Any]) -> None:
        """Make everything that was added visible at once, and tell who asked to know."""


class Storage(Protocol):
    """Opens bundles. One serves any number of them at a time."""

    async def start_bundle(self, bundle_ref: BundleRef, recipe: FetcherRecipe) -> OpenBundle:
        """An open bundle under the id of ``bundle_ref``."""
