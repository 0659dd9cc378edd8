"""Those of a recipe who want to know that a bundle is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.bundles._log import EventLogger
    from penstock.bundles.core import BundleRef, FetcherRecipe

_NAME = "on_bundle_complete_hook"


def holders(recipe: FetcherRecipe) -> list[Any]:
    """The loader, then the locators, as far as they have a hook."""
    all_of_them = (recipe.bundle_loader, *recipe.bundle_locators)
    return [holder for holder in all_of_them if getattr(holder, _NAME, None) is not None]


class HookCalls:
    """The hooks of one bundle, none of them called twice, however often it is tried."""

    def __init__(self) -> None:
        self._begun = 0

    async def make(
        self, bundle_ref: BundleRef, recipe: FetcherRecipe, logger: EventLogger
    ) -> Exception | None:
        """Those that are outstanding, each of them whatever the others raise; the first that one raised."""
        first: Exception | None = None
        for holder in holders(recipe)[self._begun :]:
            self._begun += 1
            try:
                await getattr(holder, _NAME)(bundle_ref)
            except Exception as error:
                first = first or error
                logger.exception(
                    "BUNDLE_COMPLETION_CALLBACK_FAILED", bundle_id=str(bundle_ref.bid), error=str(error)
                )
        return first
