"""A bundle of one resource, written piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from penstock.bundles._log import get_logger

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from penstock.bundles.core import BundleRef

logger = get_logger(__name__)


class BundleStream(Protocol):
    """Ends by exactly one of close() and abort()."""

    async def write(self, data: Buffer) -> None:
        """All of ``data``; waits while storing it is behind."""

    async def close(self) -> None:
        """Complete the bundle. Repeatable."""

    async def abort(self, why: str = "") -> None:
        """Nothing becomes visible. Repeatable."""

    def get_bundle_ref(self) -> BundleRef:
        """The bundle it is."""

    def get_metadata(self) -> dict[str, Any]:
        """What it was opened with."""
