"""Many resources under one id, published at once and announced once they are.

Code written for another package with these names keeps them: see :func:`alias`.

>>> bid = penstock.bundles.BID.generate()
>>> len(str(bid)), bid < penstock.bundles.BID.generate()
(36, True)
"""

from penstock.bundles._alias import alias
from penstock.bundles.core import (
    BID,
    BundleReceipt,
    BundleRef,
    FetcherRecipe,
    FetchPlan,
    FetchRunContext,
    RequestMeta,
    ResourceMeta,
    create_fetcher_config,
)
from penstock.bundles.direct import Bundle, FolderBundles, ObjectBundles, RecoveryReport, StoredResource
from penstock.bundles.reader import BundleReader

__all__ = [
    "BID",
    "Bundle",
    "BundleReader",
    "BundleReceipt",
    "BundleRef",
    "FetchPlan",
    "FetchRunContext",
    "FetcherRecipe",
    "FolderBundles",
    "ObjectBundles",
    "RecoveryReport",
    "RequestMeta",
    "ResourceMeta",
    "StoredResource",
    "alias",
    "create_fetcher_config",
]
