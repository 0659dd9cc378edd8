"""What a fetcher's parts say to each other: bundles, requests, recipes.

>>> from penstock.bundles.core import BID, BundleRef
>>> ref = BundleRef("https://example.org/a", 1, bid=BID("17571960-2065-e0cd-cf71-8196d8577b7e"))
>>> ref.bid.time.isoformat()
'2025-09-06T22:00:20.650000+00:00'
"""

from penstock.bundles.core.bid import BID
from penstock.bundles.core.bundle_ref import BundleReceipt, BundleRef
from penstock.bundles.core.recipe import (
    FetcherRecipe,
    FetcherRecipeBuilder,
    FetchPlan,
    FetchRunContext,
    RequestParameterLocator,
    create_fetcher_config,
)
from penstock.bundles.core.request import (
    MAX_HTTP_STATUS,
    MIN_HTTP_STATUS,
    RequestMeta,
    ResourceMeta,
    Url,
)
from penstock.bundles.exceptions import BundleRefValidationError

__all__ = [
    "BID",
    "MAX_HTTP_STATUS",
    "MIN_HTTP_STATUS",
    "BundleReceipt",
    "BundleRef",
    "BundleRefValidationError",
    "FetchPlan",
    "FetchRunContext",
    "FetcherRecipe",
    "FetcherRecipeBuilder",
    "RequestMeta",
    "RequestParameterLocator",
    "ResourceMeta",
    "Url",
    "create_fetcher_config",
]
