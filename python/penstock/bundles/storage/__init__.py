"""Where bundles come to rest.

>>> penstock.bundles.storage.create_storage_config_instance("file", file_path="out")
StorageBuilder(file_storage='out', use_unzip=True)
"""

from penstock.bundles.storage.bundle_stream import BundleStream
from penstock.bundles.storage.factory import create_storage_config_instance
from penstock.bundles.storage.protocol import Storage

__all__ = ["BundleStream", "Storage", "create_storage_config_instance"]
