"""The errors of penstock.bundles: their words, their classes, and the way to another process."""

from __future__ import annotations

import copy
import pickle
import socket
from collections.abc import Callable

import penstock
import pytest
from penstock import errors
from penstock.bundles import exceptions
from penstock.bundles.core import BID
from penstock.bundles.exceptions import DataFetcherError, StorageError, storage_failure

# How it is made, its words, its code, its own attribute, what else it is.
TABLE: list[tuple[Callable[[], DataFetcherError], str, str | None, tuple[str, object], tuple[type, ...]]] = [
    (lambda: exceptions.DataFetcherError("m"), "m", None, ("message", "m"), ()),
    (lambda: exceptions.DataFetcherError("m", "C"), "m", "C", ("message", "m"), ()),
    (
        lambda: exceptions.ConfigurationError("m", "part"),
        "m",
        "CONFIG_ERROR",
        ("component", "part"),
        (penstock.Refused,),
    ),
    (
        lambda: exceptions.ValidationError("m", "f"),
        "m",
        "VALIDATION_ERROR",
        ("field", "f"),
        (penstock.Refused,),
    ),
    (lambda: exceptions.ResourceError("m", "u"), "m", "RESOURCE_ERROR", ("resource_url", "u"), ()),
    (lambda: exceptions.StorageError("m", "s3"), "m", "STORAGE_ERROR", ("storage_type", "s3"), ()),
    (lambda: exceptions.NetworkError("m", "u"), "m", "NETWORK_ERROR", ("url", "u"), ()),
    (lambda: exceptions.RetryableError("m", 2.5), "m", "RETRYABLE_ERROR", ("retry_after", 2.5), ()),
    (lambda: exceptions.FatalError("m", "part"), "m", "FATAL_ERROR", ("component", "part"), ()),
    (
        lambda: exceptions.BundleRefValidationError("m"),
        "m",
        "VALIDATION_ERROR",
        ("field", "bundle_ref"),
        (exceptions.ValidationError, penstock.Refused),
    ),
    (
        exceptions.BundleNotFound,
        "Bundle not found",
        "STORAGE_ERROR",
        ("storage_type", None),
        (StorageError, penstock.Refused, ValueError),
    ),
    (
        lambda: exceptions.BundleConflict("test-1", "open"),
        "Bundle test-1 already open",
        "STORAGE_ERROR",
        ("state", "open"),
        (StorageError, penstock.Conflict),
    ),
    (
        lambda: exceptions.BundleConflict("test-1", "completed"),
        "Bundle test-1 already completed",
        "STORAGE_ERROR",
        ("bid", "test-1"),
        (StorageError, penstock.Conflict),
    ),
    (
        exceptions.SqsQueueUrlRequiredError,
        "OC_SQS_QUEUE_URL environment variable is required for PipelineStorage",
        "CONFIG_ERROR",
        ("component", "storage"),
        (penstock.Refused,),
    ),
    (
        exceptions.MissingAWSCredentialsError,
        "AWS credentials are required when using a custom endpoint. "
        "Please set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY environment variables.",
        "STORAGE_ERROR",
        ("storage_type", "s3"),
        (penstock.Denied, ValueError, PermissionError),
    ),
    (
        exceptions.LocalStackCredentialsError,
        "AWS credentials required for LocalStack SQS endpoint",
        "STORAGE_ERROR",
        ("storage_type", "sqs"),
        (penstock.Denied,),
    ),
    (
        lambda: exceptions.UnknownStorageTypeError("gcs"),
        "Unknown storage type: gcs",
        "CONFIG_ERROR",
        ("storage_type", "gcs"),
        (ValueError, penstock.Refused),
    ),
    (
        lambda: exceptions.UnknownStoreTypeError("etcd"),
        "Unknown store type: etcd",
        "CONFIG_ERROR",
        ("store_type", "etcd"),
        (ValueError, penstock.Refused),
    ),
]

CORE = [
    penstock.NotFound,
    penstock.Denied,
    penstock.Refused,
    penstock.Conflict,
    penstock.Corrupt,
    penstock.Busy,
    penstock.Lost,
    penstock.DeadlinePassed,
    penstock.InDoubt,
    penstock.Cancelled,
]


@pytest.mark.parametrize(("make", "message", "code", "attribute", "also"), TABLE)
def test_each_has_its_words_its_code_and_its_attribute(
    make: Callable[[], DataFetcherError],
    message: str,
    code: str | None,
    attribute: tuple[str, object],
    also: tuple[type, ...],
) -> None:
    error = make()
    assert (str(error), error.message, error.error_code) == (message, message, code)
    assert getattr(error, attribute[0]) == attribute[1]
    for cls in also:
        assert isinstance(error, cls)


@pytest.mark.parametrize("row", TABLE)
@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])
def test_each_travels(row: tuple[Callable[[], DataFetcherError], str], again: Callable[..., object]) -> None:
    error = row[0]()
    error.__cause__ = OSError("first")
    there = again(error)
    assert type(there) is type(error)
    assert str(there) == str(error)
    assert there.__dict__ == error.__dict__
    assert str(there.__cause__) == "first"


@pytest.mark.parametrize("cls", CORE)
def test_a_failure_of_the_core_is_a_storage_error_and_stays_its_kind(cls: type[errors.Error]) -> None:
    core = cls("what, where", doing="PUT", subject="s3://b/k", status=503, code="SlowDown", attempts=3)
    core.__cause__ = penstock.Lost("reset")
    error = storage_failure(core, "s3")
    assert isinstance(error, cls)
    assert isinstance(error, StorageError)
    assert (error.kind, error.storage_type, error.error_code) == (cls.kind, "s3", "STORAGE_ERROR")
    assert error.facts == core.facts
    assert error.cause is core.cause
    there = pickle.loads(pickle.dumps(error))
    assert type(there) is type(error)
    assert (there.facts, there.storage_type, str(there.cause)) == (core.facts, "s3", "reset")


def test_the_text_of_a_storage_failure_holds_what_the_service_answered() -> None:
    refusal = penstock.NotFound("PUT s3://b/k: no such bucket", status=404, code="NoSuchBucket")
    assert str(storage_failure(refusal)) == "PUT s3://b/k: no such bucket (NoSuchBucket)"
    told = penstock.NotFound("NoSuchBucket: make it", status=404, code="NoSuchBucket")
    assert str(storage_failure(told)) == "NoSuchBucket: make it"
    ours = penstock.Refused("too long", code="too_large")
    assert str(storage_failure(ours)) == "too long"


def test_what_the_core_says_of_a_bundles_state_has_its_class() -> None:
    gone = storage_failure(penstock.Refused("Bundle not found", code="bundle_not_found"), "file")
    assert type(gone) is exceptions.BundleNotFound
    assert gone.storage_type == "file"
    for state in ("open", "completed"):
        core = penstock.Conflict(
            f"Bundle test-1 already {state}", code=f"bundle_already_{state}", subject="s3://b/marker"
        )
        taken = storage_failure(core, "s3", bid=BID("test-1"))
        assert isinstance(taken, exceptions.BundleConflict)
        assert (str(taken), taken.bid, taken.state) == (core.message, "test-1", state)
        assert taken.facts == core.facts
        assert str(pickle.loads(pickle.dumps(taken))) == core.message


def test_the_text_of_a_lost_connection_says_why() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        keys = {"access_key_id": "testkey", "secret_access_key": "testsecret123", "region": "us-east-1"}
        with pytest.raises(penstock.Lost) as raised:
            penstock.S3Store("bucket", endpoint=endpoint, **keys).put("k", b"")
    assert "Connection refused" in str(storage_failure(raised.value))


def test_a_deadline_is_a_timeout_still() -> None:
    with pytest.raises(TimeoutError):
        raise storage_failure(penstock.DeadlinePassed("late"))


def test_every_kind_has_its_class() -> None:
    kinds = {storage_failure(cls("m")).kind for cls in CORE}
    assert kinds == {cls.kind for cls in CORE}
