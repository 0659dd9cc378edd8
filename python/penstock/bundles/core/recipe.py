"""What a run fetches, by whom, and what it shares."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.bundles._log import get_logger
from penstock.bundles.core.bundle_ref import BundleRef
from penstock.bundles.core.request import RequestMeta
from penstock.errors import Refused

if TYPE_CHECKING:
    from typing_extensions import Self

logger = get_logger(__name__)

_AT_ONCE = 10  # URLs a locator hands out at a time


@dataclass
class FetchRunContext:
    """What one run shares.

    Attributes:
        run_id: Its name.
        shared: Whatever its parts leave for each other.
        processed_count: Requests done.
        errors: For people.
        app_config: Has ``kv_store``, where pending records are.
    """

    run_id: str
    shared: dict[str, Any] = field(default_factory=dict)
    processed_count: int = 0
    errors: list[str] = field(default_factory=list)
    app_config: Any = None


@dataclass
class FetcherRecipe:
    """Who finds and who loads.

    Attributes:
        recipe_id: Names its pending records and messages.
        bundle_locators: Each may have ``on_bundle_complete_hook(bundle_ref)``.
        bundle_loader: So may this; its hook is awaited first.
    """

    recipe_id: str = "default"
    bundle_locators: list[Any] = field(default_factory=list)
    bundle_loader: object | None = None


@dataclass
class FetchPlan:
    """A recipe to be run.

    Attributes:
        recipe: Which.
        context: Of the run.
        concurrency: Requests at once.
        target_queue_size: Requests waiting.
    """

    recipe: FetcherRecipe
    context: FetchRunContext
    concurrency: int = 1
    target_queue_size: int = 100


@dataclass
class RequestParameterLocator:
    """Hands out the requests it was given.

    Attributes:
        requests: As they were; those handed out stay in it.
    """

    requests: list[RequestMeta]

    def __post_init__(self) -> None:
        self._waiting = deque(self.requests)

    async def get_next_urls(self, ctx: FetchRunContext) -> list[RequestMeta]:
        """The next ten; none once all are handed out."""
        return [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]

    async def handle_url_processed(
        self, request: RequestMeta, refs: list[BundleRef], ctx: FetchRunContext
    ) -> None:
        """Nothing follows from a request that was given."""


class FetcherRecipeBuilder:
    """Puts a recipe together.

    >>> recipe = penstock.bundles.create_fetcher_config().use_bundle_loader(object()).with_recipe_id("fr").build()
    >>> recipe.recipe_id
    'fr'
    """

    def __init__(self) -> None:
        self._bundle_loader: object | None = None
        self._bundle_locators: list[Any] = []
        self._recipe_id = ""

    def use_bundle_loader(self, bundle_loader_instance: object) -> Self:
        """The one that loads."""
        self._bundle_loader = bundle_loader_instance
        return self

    def add_bundle_locator(self, bundle_locator_instance: object) -> Self:
        """One more that finds."""
        self._bundle_locators.append(bundle_locator_instance)
        return self

    def with_recipe_id(self, recipe_id: str) -> Self:
        """The name; "" unless it is given."""
        self._recipe_id = recipe_id
        return self

    def build(self) -> FetcherRecipe:
        """The recipe.

        Raises:
            Refused: Without a loader.
        """
        if self._bundle_loader is None:
            raise Refused("Bundle loader required")
        return FetcherRecipe(self._recipe_id, list(self._bundle_locators), self._bundle_loader)


def create_fetcher_config() -> FetcherRecipeBuilder:
    """An empty builder."""
    return FetcherRecipeBuilder()
