"""Where bundles come to rest.

>>> penstock.bundles.storage.create_storage_config_instance("file", file_path="out")
StorageBuilder(file_storage='out', use_unzip=True)
"""

from penstock.bundles.storage._tee import tee
from penstock.bundles.storage.bundle_storage_context import BundleStorageContext
from penstock.bundles.storage.bundle_stream import BundleStream
from penstock.bundles.storage.custom import as_storage
from penstock.bundles.storage.decorators import (
    BundleResourcesDecorator,
    UnzipResourceDecorator,
    create_storage_stack,
)
from penstock.bundles.storage.factory import create_storage_config_instance
from penstock.bundles.storage.file_storage import FileStorage, FileStorageBundleStream
from penstock.bundles.storage.pipeline_storage import KeyLayout, PipelineStorage, S3StorageBundleStream
from penstock.bundles.storage.protocol import Storage

__all__ = [
    "BundleResourcesDecorator",
    "BundleStorageContext",
    "BundleStream",
    "FileStorage",
    "FileStorageBundleStream",
    "KeyLayout",
    "PipelineStorage",
    "S3StorageBundleStream",
    "Storage",
    "UnzipResourceDecorator",
    "as_storage",
    "create_storage_config_instance",
    "create_storage_stack",
    "tee",
]
