"""The names, signatures and attributes that code around penstock.bundles relies on."""

from __future__ import annotations

import inspect
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any

import pytest

ROOT = "penstock.bundles"
FACTORY = "<factory>"

# module, class or function, its parameters with their defaults; "async" for what is awaited.
SIGNATURES = [
    ("", "alias", "(name, *, profile='doc')"),
    ("core", "BID", "(value=None)"),
    ("core", "BID.generate", "()"),
    ("core", "BundleRef", f"(primary_url, resources_count, bid={FACTORY}, storage_key=None, meta={FACTORY})"),
    ("core", "BundleRef.from_dict", "(data)"),
    ("core", "RequestMeta", f"(url, depth=0, referer=None, headers={FACTORY}, flags={FACTORY})"),
    ("core", "ResourceMeta", f"(url, status=None, content_type=None, headers={FACTORY}, note=None)"),
    (
        "core",
        "FetchRunContext",
        f"(run_id, shared={FACTORY}, processed_count=0, errors={FACTORY}, app_config=None)",
    ),
    ("core", "FetcherRecipe", f"(recipe_id='default', bundle_locators={FACTORY}, bundle_loader=None)"),
    ("core", "FetchPlan", "(recipe, context, concurrency=1, target_queue_size=100)"),
    ("core", "RequestParameterLocator", "(requests)"),
    ("core", "RequestParameterLocator.get_next_urls", "async (self, ctx)"),
    ("core", "RequestParameterLocator.handle_url_processed", "async (self, request, refs, ctx)"),
    ("core", "create_fetcher_config", "()"),
    ("core", "FetcherRecipeBuilder.use_bundle_loader", "(self, bundle_loader_instance)"),
    ("core", "FetcherRecipeBuilder.add_bundle_locator", "(self, bundle_locator_instance)"),
    ("core", "FetcherRecipeBuilder.with_recipe_id", "(self, recipe_id)"),
    ("core", "FetcherRecipeBuilder.build", "(self)"),
    ("core", "BundleRefValidationError", "(message)"),
    ("storage.protocol", "Storage.start_bundle", "async (self, bundle_ref, recipe)"),
    ("storage.bundle_stream", "BundleStream.write", "async (self, data)"),
    ("storage.bundle_stream", "BundleStream.close", "async (self)"),
    ("storage.bundle_stream", "BundleStream.abort", "async (self, why='')"),
    ("storage.bundle_stream", "BundleStream.get_bundle_ref", "(self)"),
    ("storage.bundle_stream", "BundleStream.get_metadata", "(self)"),
    ("storage.bundle_storage_context", "BundleStorageContext", "(bundle_ref, recipe, storage)"),
    (
        "storage.bundle_storage_context",
        "BundleStorageContext.add_resource",
        "async (self, url, content_type, status_code, stream)",
    ),
    ("storage.bundle_storage_context", "BundleStorageContext.complete", "async (self, metadata)"),
    ("storage.bundle_storage_context", "BundleStorageContext.abort", "async (self, why='')"),
    (
        "storage.file_storage",
        "FileStorage",
        "(output_dir, create_dirs=True, *, abandoned='quarantine', legacy_repr=None, **options)",
    ),
    ("storage.file_storage", "FileStorageBundle", "(output_dir, bundle_ref)"),
    ("storage.file_storage", "FileStorageBundle._safe_filename", "(self, url)"),
    (
        "storage.file_storage",
        "FileStorageBundle.write_resource",
        "async (self, url, content_type, status_code, stream)",
    ),
    ("storage.file_storage", "FileStorageBundle.close", "async (self)"),
    (
        "storage.pipeline_storage",
        "PipelineStorage",
        "(bucket_name, sqs_publisher, prefix='', region=None, endpoint_url=None, *, layout=None, "
        "sweep_after=86400, **options)",
    ),
    (
        "storage.pipeline_storage",
        "S3StorageBundle",
        "(s3_client, bucket_name, prefix, bundle_ref, *, layout=None)",
    ),
    ("storage.pipeline_storage", "S3StorageBundle._create_s3_key", "(self, url)"),
    ("storage.pipeline_storage", "S3StorageBundle.close", "async (self)"),
    ("storage", "FileStorage.start_bundle", "async (self, bundle_ref, recipe)"),
    (
        "storage",
        "FileStorage._add_resource_to_bundle",
        "async (self, bundle_ref, url, content_type, status_code, stream)",
    ),
    (
        "storage",
        "PipelineStorage.complete_bundle_with_callbacks_hook",
        "async (self, bundle_ref, recipe, metadata)",
    ),
    ("storage", "PipelineStorage._finalize_bundle", "async (self, bundle_ref)"),
    ("storage", "PipelineStorage._execute_completion_callbacks", "async (self, bundle_ref, recipe)"),
    ("storage", "PipelineStorage.on_run_start", "async (self, context, recipe)"),
    ("storage", "PipelineStorage._process_pending_completions", "async (self, context, recipe)"),
    ("storage", "FileStorage.open_bundle", "(self, bundle_id, metadata=None)"),
    ("storage", "FileStorage.close_bundle", "async (self, stream)"),
    ("storage", "FileStorage.sweep", "async (self, *, delete=False)"),
    ("storage", "FileStorage.aclose", "async (self)"),
    (
        "storage.pipeline_storage",
        "S3StorageBundle.write_resource",
        "async (self, url, content_type, status_code, stream)",
    ),
    (
        "storage",
        "create_storage_stack",
        "(base_storage, *, unzip_resources=False, bundle_resources=False, **options)",
    ),
    ("storage", "BundleResourcesDecorator", "(base_storage, *, spool_dir=None)"),
    ("storage", "tee", "(stream, n, *, buffer_bytes=1048576, stall_timeout=300)"),
    ("storage.decorators.unzip_resource", "UnzipResourceBundleStorageContext", "(base_context, decorator)"),
    (
        "kv_store",
        "BaseKeyValueStore",
        "(serializer='json', default_ttl=None, key_prefix='', *, allow_pickle=None)",
    ),
    (
        "kv_store",
        "InMemoryKeyValueStore",
        "(serializer='json', default_ttl=None, key_prefix='', *, max_bytes='256MiB', clock=None, "
        "allow_pickle=None)",
    ),
    (
        "kv_store",
        "RedisKeyValueStore",
        "(host='localhost', port=6379, db=0, password=None, ssl=False, timeout=10.0, max_connections=10, "
        "serializer='json', default_ttl=None, key_prefix='', *, ca_bundle='', allow_pickle=None)",
    ),
    (
        "kv_store",
        "SqliteKeyValueStore",
        "(path, serializer='json', default_ttl=None, key_prefix='', *, busy_timeout=10.0, clock=None, "
        "allow_pickle=None)",
    ),
    ("kv_store", "create_store", "(store_type='redis', **options)"),
    (
        "kv_store",
        "create_kv_store",
        "(store_type=None, config_id=None, serializer=None, default_ttl=None, redis_host=None, "
        "redis_port=None, redis_db=None, redis_password=None, redis_key_prefix=None, *, sqlite_path=None)",
    ),
    (
        "storage",
        "UnzipResourceDecorator",
        "(base_storage, *, keep_zip=None, ignore_trailing=False, limits=None)",
    ),
    ("kv_store", "InMemoryKeyValueStore.put", "async (self, key, value, ttl=None, prefix=None)"),
    ("kv_store", "InMemoryKeyValueStore.get", "async (self, key, default=None, prefix=None)"),
    ("kv_store", "InMemoryKeyValueStore.delete", "async (self, key, prefix=None)"),
    ("kv_store", "InMemoryKeyValueStore.exists", "async (self, key, prefix=None)"),
    (
        "kv_store",
        "InMemoryKeyValueStore.range_get",
        "async (self, start_key, end_key=None, limit=None, prefix=None)",
    ),
    ("storage", "as_storage", "(obj)"),
    ("storage.builder", "StorageBuilder", "()"),
    ("storage.builder", "StorageBuilder.file_storage", "(self, path)"),
    (
        "storage.builder",
        "StorageBuilder.pipeline_storage",
        "(self, bucket, prefix='', region=None, endpoint_url=None)",
    ),
    (
        "storage.builder",
        "StorageBuilder.storage_decorators",
        "(self, *, use_unzip=False, use_bundler=False)",
    ),
    ("storage.builder", "StorageBuilder.build", "(self)"),
    ("storage.builder", "create_storage_config", "()"),
    (
        "storage.factory",
        "create_storage_config_instance",
        "(storage_type=None, s3_bucket=None, s3_prefix=None, s3_region=None, s3_endpoint_url=None, "
        "file_path=None, *, use_unzip=None, use_bundler=None)",
    ),
    ("storage.factory", "_get_env_bool", "(key, *, default=False)"),
    ("storage.factory", "_get_aws_region", "()"),
    (
        "notifications.sqs_publisher",
        "SqsPublisher",
        "(queue_url, region=None, endpoint_url=None, *, dedup_id=True, max_message_bytes=262144)",
    ),
    (
        "notifications.sqs_publisher",
        "SqsPublisher.publish_bundle_completion",
        "async (self, bundle_ref, metadata, recipe_id)",
    ),
    ("notifications.sqs_publisher", "LocalStackCredentialsError", "()"),
    (
        "utils.retry",
        "RetryConfig",
        "(max_retries=3, base_delay=1.0, max_delay=60.0, exponential_base=2.0, jitter=True, "
        "jitter_range=(0.5, 1.5))",
    ),
    ("utils.retry", "RetryEngine.calculate_delay", "(self, attempt)"),
    ("utils.retry", "RetryEngine.execute_with_retry_async", "async (self, func, *args, **kwargs)"),
    ("utils.retry", "RetryEngine.execute_with_retry_sync", "(self, func, *args, **kwargs)"),
    ("exceptions", "DataFetcherError", "(message, error_code=None)"),
    ("exceptions", "ConfigurationError", "(message, component=None)"),
    ("exceptions", "ValidationError", "(message, field=None)"),
    ("exceptions", "ResourceError", "(message, resource_url=None)"),
    ("exceptions", "StorageError", "(message, storage_type=None)"),
    ("exceptions", "NetworkError", "(message, url=None)"),
    ("exceptions", "RetryableError", "(message, retry_after=None)"),
    ("exceptions", "FatalError", "(message, component=None)"),
    ("exceptions", "MissingAWSCredentialsError", "()"),
    ("exceptions", "SqsQueueUrlRequiredError", "()"),
    ("exceptions", "UnknownStorageTypeError", "(storage_type)"),
    ("exceptions", "UnknownStoreTypeError", "(store_type)"),
]

# Where else a name is found: the same object.
SAME = [
    ("types", "BundleRef", "core"),
    ("types", "BundleStream", "storage"),
    ("storage", "create_storage_config_instance", "storage.factory"),
    ("storage", "Storage", "storage.protocol"),
    ("storage", "BundleStorageContext", "storage.bundle_storage_context"),
    ("storage", "FileStorage", "storage.file_storage"),
    ("storage", "PipelineStorage", "storage.pipeline_storage"),
    ("storage.pipeline_storage", "MissingAWSCredentialsError", "exceptions"),
    ("storage.builder", "SqsPublisher", "notifications.sqs_publisher"),
    ("storage.builder", "SqsQueueUrlRequiredError", "exceptions"),
    ("storage.factory", "UnknownStorageTypeError", "exceptions"),
    ("storage.factory", "StorageBuilder", "storage.builder"),
    ("notifications", "SqsPublisher", "notifications.sqs_publisher"),
    ("notifications", "LocalStackCredentialsError", "exceptions"),
    ("core", "BundleRefValidationError", "exceptions"),
]

LOGGING = ["storage.builder", "storage.factory", "notifications.sqs_publisher", "utils.retry"]


def found(module: str, name: str) -> Any:
    at = import_module(f"{ROOT}.{module}" if module else ROOT)
    for part in name.split("."):
        at = getattr(at, part)
    return at


def shown(callable_: Any) -> str:
    """Without annotations, as the table has it."""
    signature = inspect.signature(callable_)
    plain = signature.replace(
        parameters=[p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()],
        return_annotation=inspect.Signature.empty,
    )
    return ("async " if inspect.iscoroutinefunction(callable_) else "") + str(plain)


@pytest.mark.parametrize(("module", "name", "signature"), SIGNATURES, ids=lambda value: value or "-")
def test_it_is_called_as_documented(module: str, name: str, signature: str) -> None:
    assert shown(found(module, name)) == signature


@pytest.mark.parametrize(("module", "name", "home"), SAME, ids=lambda value: value)
def test_a_name_in_two_places_is_one_object(module: str, name: str, home: str) -> None:
    assert found(module, name) is found(home, name)


@pytest.mark.parametrize(
    "name",
    ["BundleRef", "RequestMeta", "ResourceMeta", "FetchRunContext", "FetcherRecipe", "FetchPlan"],
)
def test_attributes_keep_arguments_as_given(name: str) -> None:
    cls = found("core", name)
    assert is_dataclass(cls)
    given: dict[str, Any] = {}
    for field in fields(cls):
        given[field.name] = {"url": "u", "depth": 3, "status": 204, "referer": "r", "content_type": "c"}.get(
            field.name, {"k": field.name} if field.name in ("headers", "flags", "meta") else "value"
        )
    made = cls(**given)
    for attribute, value in given.items():
        assert getattr(made, attribute) is value


def test_constants_are_those_of_http() -> None:
    assert (found("core", "MIN_HTTP_STATUS"), found("core", "MAX_HTTP_STATUS")) == (100, 599)
    assert found("core", "Url") is str


@pytest.mark.parametrize("module", LOGGING)
def test_a_module_has_a_logger_of_events_and_fields(module: str, caplog: pytest.LogCaptureFixture) -> None:
    logger = found(module, "logger")
    levels = ("debug", "info", "warning", "exception")
    with caplog.at_level("DEBUG"):
        for level in levels:
            getattr(logger, level)("EVENT", name="value")
    assert [record.getMessage() for record in caplog.records] == ["EVENT name='value'"] * len(levels)


def test_importing_it_needs_none_of_the_libraries_it_stands_in_for() -> None:
    import subprocess
    import sys

    code = (
        "import sys\n"
        "for name in ('structlog', 'boto3', 'botocore', 'redis', 'aiofiles'): sys.modules[name] = None\n"
        "import penstock.bundles.storage, penstock.bundles.types, penstock.bundles.utils.retry\n"
        "penstock.bundles.notifications.SqsPublisher('https://sqs.eu-west-2.amazonaws.com/1/q')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
