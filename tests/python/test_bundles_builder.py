"""A storage put together: which classes, with exactly which arguments."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock, call, patch

import pytest
from penstock.bundles import exceptions
from penstock.bundles.storage.builder import StorageBuilder, create_storage_config
from penstock.bundles.storage.factory import (
    _get_aws_region,
    _get_env_bool,
    create_storage_config_instance,
)

QUEUE = "https://sqs.eu-west-2.amazonaws.com/123456789012/done"
CLASSES = ("FileStorage", "PipelineStorage", "UnzipResourceDecorator", "BundleResourcesDecorator")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TYPE", "FILE_PATH", "USE_UNZIP", "USE_BUNDLER", "CLIENT"):
        monkeypatch.delenv(f"OC_STORAGE_{name}", raising=False)
    for name in ("OC_S3_BUCKET", "OC_S3_PREFIX", "OC_S3_ENDPOINT_URL", "OC_SQS_QUEUE_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


class Classes:
    """Stand-ins for every class the builder makes."""

    def __init__(self) -> None:
        self.publisher = Mock(name="SqsPublisher")
        self.made = {name: Mock(name=name) for name in CLASSES}

    def built(self, builder: StorageBuilder) -> Any:
        storages = {
            name: patch(f"penstock.bundles.storage.{name}", mock, create=True)
            for name, mock in self.made.items()
        }
        with patch("penstock.bundles.storage.builder.SqsPublisher", self.publisher):
            for patched in storages.values():
                patched.start()
            try:
                return builder.build()
            finally:
                for patched in storages.values():
                    patched.stop()

    def called(self) -> list[str]:
        return [name for name, mock in self.made.items() if mock.called]


@pytest.fixture
def classes() -> Classes:
    return Classes()


def test_a_path_is_a_file_storage(classes: Classes) -> None:
    built = classes.built(create_storage_config().file_storage("out"))
    assert built is classes.made["FileStorage"].return_value
    classes.made["FileStorage"].assert_called_once_with("out")
    assert classes.called() == ["FileStorage"]


def test_nothing_said_is_a_file_storage_below_tmp(classes: Classes) -> None:
    classes.built(StorageBuilder())
    classes.made["FileStorage"].assert_called_once_with("tmp/file_storage")


def test_a_bucket_is_a_pipeline_storage_with_its_publisher(
    classes: Classes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OC_SQS_QUEUE_URL", QUEUE)
    built = classes.built(StorageBuilder().pipeline_storage("bucket"))
    assert built is classes.made["PipelineStorage"].return_value
    classes.publisher.assert_called_once_with(queue_url=QUEUE, region="eu-west-2", endpoint_url=None)
    classes.made["PipelineStorage"].assert_called_once_with(
        bucket_name="bucket",
        sqs_publisher=classes.publisher.return_value,
        prefix="",
        region="eu-west-2",
        endpoint_url=None,
    )


def test_prefix_region_and_endpoint_reach_both(classes: Classes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OC_SQS_QUEUE_URL", QUEUE)
    monkeypatch.setenv("AWS_REGION", "us-west-1")
    builder = StorageBuilder().pipeline_storage("b", "captures/", "us-east-1", "http://localhost:4566")
    classes.built(builder)
    where = {"region": "us-east-1", "endpoint_url": "http://localhost:4566"}
    classes.publisher.assert_called_once_with(queue_url=QUEUE, **where)
    classes.made["PipelineStorage"].assert_called_once_with(
        bucket_name="b", sqs_publisher=classes.publisher.return_value, prefix="captures/", **where
    )


def test_the_region_is_that_of_the_environment_when_it_is_built(
    classes: Classes, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = StorageBuilder().pipeline_storage("b")
    monkeypatch.setenv("OC_SQS_QUEUE_URL", QUEUE)
    monkeypatch.setenv("AWS_REGION", "us-west-1")
    classes.built(builder)
    classes.publisher.assert_called_once_with(queue_url=QUEUE, region="us-west-1", endpoint_url=None)


def test_a_bucket_wins_over_a_path(classes: Classes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OC_SQS_QUEUE_URL", QUEUE)
    classes.built(StorageBuilder().pipeline_storage("b").file_storage("out"))
    assert classes.called() == ["PipelineStorage"]


@pytest.mark.parametrize("url", [None, ""])
def test_a_bucket_without_a_queue_is_refused_when_it_is_built(
    classes: Classes, monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    if url is not None:
        monkeypatch.setenv("OC_SQS_QUEUE_URL", url)
    builder = StorageBuilder().pipeline_storage("b")
    with pytest.raises(exceptions.SqsQueueUrlRequiredError) as raised:
        classes.built(builder)
    assert str(raised.value) == "OC_SQS_QUEUE_URL environment variable is required for PipelineStorage"
    assert classes.called() == []


def test_it_unpacks_first_and_bundles_second(classes: Classes) -> None:
    built = classes.built(StorageBuilder().storage_decorators(use_unzip=True, use_bundler=True))
    bundled = classes.made["BundleResourcesDecorator"]
    bundled.assert_called_once_with(classes.made["FileStorage"].return_value)
    classes.made["UnzipResourceDecorator"].assert_called_once_with(bundled.return_value)
    assert built is classes.made["UnzipResourceDecorator"].return_value


def test_each_build_makes_a_new_storage(classes: Classes) -> None:
    builder = StorageBuilder().file_storage("out").storage_decorators(use_unzip=True)
    classes.built(builder)
    classes.built(builder)
    assert classes.made["FileStorage"].call_args_list == [call("out")] * 2
    assert classes.made["UnzipResourceDecorator"].call_count == 2


def test_the_environment_makes_an_s3_storage_that_unpacks(
    classes: Classes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OC_SQS_QUEUE_URL", QUEUE)
    classes.built(create_storage_config_instance())
    assert classes.called() == ["PipelineStorage", "UnzipResourceDecorator"]
    asked = classes.made["PipelineStorage"].call_args.kwargs
    assert (asked["bucket_name"], asked["prefix"]) == ("data-fetcher-app-data", "")
    assert (asked["region"], asked["endpoint_url"]) == ("eu-west-2", None)


def test_every_variable_is_read(classes: Classes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "OC_SQS_QUEUE_URL": QUEUE,
        "OC_STORAGE_TYPE": "S3",
        "OC_S3_BUCKET": "bucket",
        "OC_S3_PREFIX": "p/",
        "OC_S3_ENDPOINT_URL": "http://localhost:9000",
        "AWS_REGION": "us-east-2",
        "OC_STORAGE_USE_UNZIP": "no",
        "OC_STORAGE_USE_BUNDLER": "ON",
    }.items():
        monkeypatch.setenv(name, value)
    classes.built(create_storage_config_instance())
    assert classes.called() == ["PipelineStorage", "BundleResourcesDecorator"]
    classes.made["PipelineStorage"].assert_called_once_with(
        bucket_name="bucket",
        sqs_publisher=classes.publisher.return_value,
        prefix="p/",
        region="us-east-2",
        endpoint_url="http://localhost:9000",
    )
    monkeypatch.setenv("OC_STORAGE_TYPE", "file")
    monkeypatch.setenv("OC_STORAGE_FILE_PATH", "elsewhere")
    classes.built(create_storage_config_instance())
    classes.made["FileStorage"].assert_called_once_with("elsewhere")


def test_arguments_win_over_the_environment(classes: Classes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "OC_SQS_QUEUE_URL": QUEUE,
        "OC_STORAGE_TYPE": "file",
        "OC_S3_BUCKET": "not this",
        "OC_S3_PREFIX": "not this",
        "AWS_REGION": "not-this-1",
        "OC_STORAGE_USE_UNZIP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    classes.built(
        create_storage_config_instance(
            "s3", "bucket", "", "us-east-1", "http://localhost:1", "path", use_unzip=False, use_bundler=False
        )
    )
    assert classes.called() == ["PipelineStorage"]
    classes.made["PipelineStorage"].assert_called_once_with(
        bucket_name="bucket",
        sqs_publisher=classes.publisher.return_value,
        prefix="",
        region="us-east-1",
        endpoint_url="http://localhost:1",
    )


def test_a_file_storage_is_below_tmp_unless_said(classes: Classes) -> None:
    classes.built(create_storage_config_instance("file"))
    classes.made["FileStorage"].assert_called_once_with("tmp/file_storage")


def test_another_type_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^Unknown storage type: gcs$") as raised:
        create_storage_config_instance("gcs")
    assert isinstance(raised.value, exceptions.UnknownStorageTypeError)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((text, True) for text in ("true", "TRUE", "1", "yes", "on", "On")),
        *((text, False) for text in ("false", "False", "0", "no", "off")),
        *((text, None) for text in ("", "maybe", "2", " true", None)),
    ],
)
@pytest.mark.parametrize("default", [True, False])
def test_a_variable_is_true_or_false_or_its_default(
    monkeypatch: pytest.MonkeyPatch, value: str | None, expected: bool | None, default: bool
) -> None:
    monkeypatch.delenv("OC_TEST_BOOL", raising=False)
    if value is not None:
        monkeypatch.setenv("OC_TEST_BOOL", value)
    assert _get_env_bool("OC_TEST_BOOL", default=default) is (default if expected is None else expected)


def test_the_region_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _get_aws_region() == "eu-west-2"
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert _get_aws_region() == "us-east-1"
    monkeypatch.setenv("AWS_REGION", "")
    assert _get_aws_region() == "eu-west-2"
