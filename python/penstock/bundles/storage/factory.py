"""A builder filled from arguments and the environment."""

from __future__ import annotations

import os

from penstock.bundles import _aws
from penstock.bundles._env import truth
from penstock.bundles._log import get_logger
from penstock.bundles.exceptions import UnknownStorageTypeError
from penstock.bundles.storage.builder import DEFAULT_FILE_PATH, StorageBuilder, create_storage_config

logger = get_logger(__name__)

__all__ = ["UnknownStorageTypeError", "create_storage_config_instance"]


def create_storage_config_instance(
    storage_type: str | None = None,
    s3_bucket: str | None = None,
    s3_prefix: str | None = None,
    s3_region: str | None = None,
    s3_endpoint_url: str | None = None,
    file_path: str | None = None,
    *,
    use_unzip: bool | None = None,
    use_bundler: bool | None = None,
) -> StorageBuilder:
    """A builder; what is None comes from the environment.

    Args:
        storage_type: ``s3`` or ``file``; ``OC_STORAGE_TYPE``, s3.
        s3_bucket: ``OC_S3_BUCKET``, data-fetcher-app-data.
        s3_prefix: ``OC_S3_PREFIX``.
        s3_region: ``AWS_REGION``, eu-west-2.
        s3_endpoint_url: ``OC_S3_ENDPOINT_URL``.
        file_path: ``OC_STORAGE_FILE_PATH``, tmp/file_storage.
        use_unzip: ``OC_STORAGE_USE_UNZIP``, true.
        use_bundler: ``OC_STORAGE_USE_BUNDLER``, false.
    Raises:
        UnknownStorageTypeError: It is another type.
    """
    kind = (_or_env(storage_type, "OC_STORAGE_TYPE", "s3")).lower()
    builder = create_storage_config()
    if kind == "s3":
        builder.pipeline_storage(
            bucket=_or_env(s3_bucket, "OC_S3_BUCKET", "data-fetcher-app-data"),
            prefix=_or_env(s3_prefix, "OC_S3_PREFIX", ""),
            region=_get_aws_region() if s3_region is None else s3_region,
            endpoint_url=_or_env(s3_endpoint_url, "OC_S3_ENDPOINT_URL", "") or None,
        )
    elif kind == "file":
        builder.file_storage(_or_env(file_path, "OC_STORAGE_FILE_PATH", DEFAULT_FILE_PATH))
    else:
        raise UnknownStorageTypeError(kind)
    return builder.storage_decorators(
        use_unzip=_get_env_bool("OC_STORAGE_USE_UNZIP", default=True) if use_unzip is None else use_unzip,
        use_bundler=_get_env_bool("OC_STORAGE_USE_BUNDLER") if use_bundler is None else use_bundler,
    )


def _or_env(given: str | None, key: str, default: str) -> str:
    return os.environ.get(key) or default if given is None else given


def _get_env_bool(key: str, *, default: bool = False) -> bool:
    """True for true, 1, yes, on; False for false, 0, no, off; else the default."""
    return truth(key, default)


def _get_aws_region() -> str:
    return _aws.region()
