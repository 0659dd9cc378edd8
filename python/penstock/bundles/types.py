"""The two types that code around a storage names."""

from penstock.bundles.core import BundleRef
from penstock.bundles.storage.bundle_stream import BundleStream

__all__ = ["BundleRef", "BundleStream"]
