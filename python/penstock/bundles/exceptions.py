"""What went wrong with a bundle, under the names that code around it catches.

::

    DataFetcherError                      message, error_code
     +-- ConfigurationError   (Refused)   component; CONFIG_ERROR
     |    +-- SqsQueueUrlRequiredError
     |    +-- UnknownStorageTypeError
     |    +-- UnknownStoreTypeError
     +-- ValidationError      (Refused)   field; VALIDATION_ERROR
     |    +-- BundleRefValidationError
     +-- StorageError                     storage_type; STORAGE_ERROR
     |    +-- MissingAWSCredentialsError  (Denied, ValueError)
     |    +-- LocalStackCredentialsError  (Denied)
     |    +-- StorageFailure  (Error)     one class a kind: StorageLost, StorageDenied, ..
     |         +-- BundleNotFound  (Refused)
     |         +-- BundleConflict  (Conflict)
     +-- ResourceError                    resource_url; RESOURCE_ERROR
     +-- NetworkError                     url; NETWORK_ERROR
     +-- RetryableError                   retry_after; RETRYABLE_ERROR
     +-- FatalError                       component; FATAL_ERROR

In parentheses the :mod:`penstock.errors` that an error is as well; those tell by ``kind`` what to do next.

>>> try:
...     penstock.bundles.BID("nonsense")
... except penstock.Refused as error:
...     print(error, error.error_code, error.field)
Invalid BID format VALIDATION_ERROR bid
"""

from __future__ import annotations

from typing import Any, Literal

from penstock.errors import (
    Busy,
    Cancelled,
    Conflict,
    Corrupt,
    DeadlinePassed,
    Denied,
    Error,
    InDoubt,
    Lost,
    NotFound,
    Refused,
)

__all__ = [
    "BundleConflict",
    "BundleNotFound",
    "BundleRefValidationError",
    "ConfigurationError",
    "DataFetcherError",
    "FatalError",
    "LocalStackCredentialsError",
    "MissingAWSCredentialsError",
    "NetworkError",
    "ResourceError",
    "RetryableError",
    "SqsQueueUrlRequiredError",
    "StorageBusy",
    "StorageCancelled",
    "StorageConflict",
    "StorageCorrupt",
    "StorageDeadlinePassed",
    "StorageDenied",
    "StorageError",
    "StorageFailure",
    "StorageInDoubt",
    "StorageLost",
    "StorageNotFound",
    "StorageRefused",
    "UnknownStorageTypeError",
    "UnknownStoreTypeError",
    "ValidationError",
    "storage_failure",
]


class DataFetcherError(Exception):
    """The root of what the fetcher's packages raise."""

    def __init__(self, message: str, error_code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = error_code

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.message, dict(self.__dict__), self.__cause__)


class ConfigurationError(DataFetcherError, Refused):
    """A setting, an argument or the environment cannot be right."""

    def __init__(self, message: str, component: str | None = None) -> None:
        super().__init__(message, "CONFIG_ERROR")
        self.component = component


class ValidationError(DataFetcherError, Refused):
    """A value is not what its field takes."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message, "VALIDATION_ERROR")
        self.field = field


class ResourceError(DataFetcherError):
    """A resource could not be had."""

    def __init__(self, message: str, resource_url: str | None = None) -> None:
        super().__init__(message, "RESOURCE_ERROR")
        self.resource_url = resource_url


class StorageError(DataFetcherError):
    """A bundle or a part of it could not be stored."""

    def __init__(self, message: str, storage_type: str | None = None) -> None:
        super().__init__(message, "STORAGE_ERROR")
        self.storage_type = storage_type


class NetworkError(DataFetcherError):
    """The network failed."""

    def __init__(self, message: str, url: str | None = None) -> None:
        super().__init__(message, "NETWORK_ERROR")
        self.url = url


class RetryableError(DataFetcherError):
    """Worth another try, after ``retry_after`` seconds if that is said."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message, "RETRYABLE_ERROR")
        self.retry_after = retry_after


class FatalError(DataFetcherError):
    """Not worth another try."""

    def __init__(self, message: str, component: str | None = None) -> None:
        super().__init__(message, "FATAL_ERROR")
        self.component = component


class BundleRefValidationError(ValidationError):
    """A dictionary is no bundle reference."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "bundle_ref")


class SqsQueueUrlRequiredError(ConfigurationError):
    """Who stores to S3 says so on a queue, and none is named."""

    def __init__(self) -> None:
        super().__init__("OC_SQS_QUEUE_URL environment variable is required for PipelineStorage", "storage")


class MissingAWSCredentialsError(StorageError, Denied, ValueError):
    """An endpoint of one's own for S3, and nothing that names credentials for it."""

    def __init__(self) -> None:
        super().__init__(
            "AWS credentials are required when using a custom endpoint. "
            "Please set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY environment variables.",
            "s3",
        )


class LocalStackCredentialsError(StorageError, Denied):
    """An endpoint of one's own for SQS, and nothing that names credentials for it."""

    def __init__(self) -> None:
        super().__init__("AWS credentials required for LocalStack SQS endpoint", "sqs")


class UnknownStorageTypeError(ConfigurationError):
    """Neither ``s3`` nor ``file``."""

    def __init__(self, storage_type: str) -> None:
        super().__init__(f"Unknown storage type: {storage_type}", "storage")
        self.storage_type = storage_type


class UnknownStoreTypeError(ConfigurationError):
    """No key-value store of that name."""

    def __init__(self, store_type: str) -> None:
        super().__init__(f"Unknown store type: {store_type}", "kv_store")
        self.store_type = store_type


class StorageFailure(StorageError, Error):
    """A failure of the core while storing. Which of the classes below it is says what to do next."""


class BundleNotFound(StorageFailure, Refused):
    """No bundle is open under this BID: never started, or over."""

    code = "bundle_not_found"

    def __init__(self, storage_type: str | None = None) -> None:
        super().__init__("Bundle not found", storage_type)


class BundleConflict(StorageFailure, Conflict):
    """The BID is another bundle's."""

    def __init__(
        self, bid: object, state: Literal["open", "completed"], storage_type: str | None = None
    ) -> None:
        super().__init__(f"Bundle {bid} already {state}", storage_type)
        self.bid = str(bid)
        self.state = state
        self.code = f"bundle_already_{state}"


class StorageNotFound(StorageFailure, NotFound):
    """The folder or bucket is not there."""


class StorageDenied(StorageFailure, Denied):
    """No right to it."""


class StorageRefused(StorageFailure, Refused):
    """It cannot be stored as it is."""


class StorageConflict(StorageFailure, Conflict):
    """Someone else won."""


class StorageCorrupt(StorageFailure, Corrupt):
    """The bytes are not what they should be."""


class StorageBusy(StorageFailure, Busy):
    """Try again later."""


class StorageLost(StorageFailure, Lost):
    """The connection failed, retries are spent."""


class StorageDeadlinePassed(StorageLost, DeadlinePassed):
    """The time for it was over."""


class StorageInDoubt(StorageFailure, InDoubt):
    """It may have happened."""


class StorageCancelled(StorageFailure, Cancelled):
    """Stopped because the caller asked."""


_FAILURES: dict[str, type[StorageFailure]] = {
    cls.kind: cls
    for cls in (
        StorageNotFound,
        StorageDenied,
        StorageRefused,
        StorageConflict,
        StorageCorrupt,
        StorageBusy,
        StorageLost,
        StorageInDoubt,
        StorageCancelled,
    )
}


def storage_failure(error: Error, storage_type: str | None = None, *, bid: object = None) -> StorageFailure:
    """The same failure as a StorageError too, its facts and its cause kept.

    Args:
        error: Of the core.
        storage_type: ``file``, ``s3``, ``sqs``.
        bid: Of the bundle, if it is about one; else what the error's ``subject`` says.

    >>> penstock.bundles.exceptions.storage_failure(penstock.Busy("slow down", status=503), "s3")
    StorageBusy('slow down')
    """
    made = _of_a_bundle(error, storage_type, bid) or _class_for(error)(_telling(error), storage_type)
    made.__dict__.update(error.facts)
    made.__cause__ = error.__cause__
    return made


def _of_a_bundle(error: Error, storage_type: str | None, bid: object) -> StorageFailure | None:
    """What the core says of a bundle's state, by its code."""
    if error.code == "bundle_not_found":
        return BundleNotFound(storage_type)
    if error.code in ("bundle_already_open", "bundle_already_completed"):
        state: Literal["open", "completed"] = "open" if error.code.endswith("open") else "completed"
        return BundleConflict(error.subject if bid is None else bid, state, storage_type)
    return None


def _class_for(error: Error) -> type[StorageFailure]:
    return StorageDeadlinePassed if isinstance(error, DeadlinePassed) else _FAILURES[error.kind]


def _telling(error: Error) -> str:
    """Its message, with the words that people and code look for in it."""
    words = ""
    if error.code == "connect":  # libcurl 7.88 does not say which
        words = "Connection refused, or no way to the host"
    elif error.status:
        words = error.code  # the service's own
    return error.message if words in error.message else f"{error.message} ({words})"


def _restored(
    cls: type[DataFetcherError], message: str, state: dict[str, Any], cause: BaseException | None
) -> DataFetcherError:
    error = cls.__new__(cls, message)
    error.args = (message,)
    error.__dict__.update(state)
    error.__cause__ = cause
    return error
