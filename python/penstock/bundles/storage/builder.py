"""A storage put together from what is known, and the rest from the environment."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from penstock import _core
from penstock.bundles import _aws
from penstock.bundles._log import get_logger
from penstock.bundles.exceptions import SqsQueueUrlRequiredError
from penstock.bundles.notifications import SqsPublisher

if TYPE_CHECKING:
    from typing_extensions import Self

    from penstock.bundles.storage.protocol import Storage

logger = get_logger(__name__)

DEFAULT_FILE_PATH = "tmp/file_storage"

__all__ = ["SqsQueueUrlRequiredError", "StorageBuilder", "create_storage_config"]


class StorageBuilder:
    """Says what a storage shall be; build() makes one, as often as it is called.

    >>> penstock.bundles.storage.builder.StorageBuilder().pipeline_storage("b", prefix="p").storage_decorators()
    StorageBuilder(pipeline_storage='b', prefix='p')
    """

    def __init__(self) -> None:
        self._s3_bucket: str | None = None
        self._s3_prefix = ""
        self._s3_region: str | None = None
        self._s3_endpoint_url: str | None = None
        self._file_path: str | None = None
        self._use_unzip = False
        self._use_bundler = False

    def file_storage(self, path: str) -> Self:
        """Below a folder."""
        self._file_path = path
        return self

    def pipeline_storage(
        self, bucket: str, prefix: str = "", region: str | None = None, endpoint_url: str | None = None
    ) -> Self:
        """In a bucket, announced on the queue ``OC_SQS_QUEUE_URL``. Wins over a folder.

        Args:
            bucket: Its name.
            prefix: Of every key.
            region: Else ``AWS_REGION``, else eu-west-2.
            endpoint_url: Of S3 and SQS, for what is not AWS.
        """
        self._s3_bucket = bucket
        self._s3_prefix = prefix
        self._s3_region = region
        self._s3_endpoint_url = endpoint_url
        return self

    def storage_decorators(self, *, use_unzip: bool = False, use_bundler: bool = False) -> Self:
        """Unpack archives; put all resources into one zip."""
        self._use_unzip = use_unzip
        self._use_bundler = use_bundler
        return self

    def build(self) -> Storage:
        """A new storage.

        Raises:
            SqsQueueUrlRequiredError: A bucket without a queue.
        """
        storage = self._pipeline() if self._s3_bucket else self._folder()
        if self._use_bundler:
            storage = _storage_class("BundleResourcesDecorator")(storage)
        if self._use_unzip:
            storage = _storage_class("UnzipResourceDecorator")(storage)
        return cast("Storage", storage)

    def _folder(self) -> Any:
        return _storage_class("FileStorage")(self._file_path or DEFAULT_FILE_PATH)

    def _pipeline(self) -> Any:
        queue_url = os.environ.get("OC_SQS_QUEUE_URL")
        if not queue_url:
            raise SqsQueueUrlRequiredError()
        region, endpoint_url = _aws.region(self._s3_region), self._s3_endpoint_url
        return _storage_class("PipelineStorage")(
            bucket_name=self._s3_bucket,
            sqs_publisher=SqsPublisher(queue_url=queue_url, region=region, endpoint_url=endpoint_url),
            prefix=self._s3_prefix,
            region=region,
            endpoint_url=endpoint_url,
        )

    def __repr__(self) -> str:
        given = {
            "pipeline_storage": self._s3_bucket,
            "prefix": self._s3_prefix,
            "region": self._s3_region,
            "endpoint_url": _core.redact_url(self._s3_endpoint_url or ""),
            "file_storage": self._file_path,
            "use_unzip": self._use_unzip,
            "use_bundler": self._use_bundler,
        }
        told = ", ".join(f"{name}={value!r}" for name, value in given.items() if value)
        return f"StorageBuilder({told})"


def create_storage_config() -> StorageBuilder:
    """An empty builder."""
    return StorageBuilder()


def _storage_class(name: str) -> Any:
    """Looked up when it is wanted: the package imports this module, and tests put others in its place."""
    return getattr(import_module("penstock.bundles.storage"), name)
