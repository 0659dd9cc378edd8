"""Bundles in a bucket of S3, announced on a queue."""

from __future__ import annotations

import os
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import penstock
from penstock import _core
from penstock.bundles import _aws, _profile
from penstock.bundles._log import get_logger
from penstock.bundles.core.bundle_ref import core_fields
from penstock.bundles.exceptions import MissingAWSCredentialsError, SqsQueueUrlRequiredError
from penstock.bundles.storage._boto3_store import Boto3Store
from penstock.bundles.storage._native_storage import NativeStorage
from penstock.bundles.storage._resources import NativeBundle, started
from penstock.bundles.storage._streams import NativeStream
from penstock.errors import Refused
from penstock.stores import native_store
from penstock.units import span

if TYPE_CHECKING:
    from penstock.bundles.core import BundleRef, FetcherRecipe
    from penstock.bundles.storage.bundle_storage_context import BundleStorageContext
    from penstock.units import Span

logger = get_logger(__name__)

__all__ = [
    "KeyLayout",
    "MissingAWSCredentialsError",
    "PipelineStorage",
    "S3StorageBundle",
    "S3StorageBundleStream",
]

_SERVICE = "s3"


class KeyLayout(Enum):
    """Where the objects of a bundle are; ``docs/formats/bundles.md`` has the keys."""

    DOC = "doc"
    FETCHER = "fetcher"
    FETCHER_LEGACY = "fetcher-legacy"
    MANIFEST = "manifest"


class S3StorageBundle(NativeBundle):
    """A bundle under way in a bucket.

    Args:
        s3_client: The storage's.
        bucket_name: The bucket.
        prefix: Of every key.
        bundle_ref: The bundle.
        layout: Of the keys.
    Attributes:
        uploaded_keys: Of the resources stored so far, in the order they were; the newest 1,000.
    """

    _storage_type = _SERVICE

    def __init__(
        self,
        s3_client: Any,
        bucket_name: str,
        prefix: str,
        bundle_ref: BundleRef,
        *,
        layout: KeyLayout | str | None = None,
    ) -> None:
        super().__init__()
        self.s3_client = s3_client
        self.bucket_name = bucket_name
        self.prefix = prefix
        self.bundle_ref = bundle_ref
        self.uploaded_keys: list[str] = []
        self._layout = _layout(layout)
        self._content: str | None = None

    def _attach(self, native: _core.Bundle, idle_timeout: float | None) -> None:
        super()._attach(native, idle_timeout)
        self._content = _content(native, self.bundle_ref)

    def _create_s3_key(self, url: str) -> str:
        """What a resource of this URL is called, if no other has that name."""
        return _resource_key(self._layout, self.prefix, self.bundle_ref, url, self._content)

    def _stored(self, location: str) -> None:
        self.uploaded_keys.append(location)
        del self.uploaded_keys[:-1000]

    async def _open(self) -> _core.Bundle:
        ref = core_fields(self.bundle_ref)
        storage = _object_bundles(
            self.s3_client, self.bucket_name, {"prefix": self.prefix, "layout": self._layout.value}
        )
        bundle: _core.Bundle = await started(storage, ref)
        return bundle


class S3StorageBundleStream(NativeStream):
    """A bundle of one resource in a bucket.

    Attributes:
        s3_key: Where the resource is once the bundle is completed; over a BundleResourcesDecorator its zip.
        bucket_name: In which bucket.
    """

    def __init__(self, context: BundleStorageContext, metadata: dict[str, Any]) -> None:
        super().__init__(context, metadata)
        storage, ref = context.storage, context.bundle_ref
        self.bucket_name = storage.bucket_name
        content = _content(storage._completions[str(ref.bid)].native, ref)
        self.s3_key = _resource_key(storage._layout, storage.prefix, ref, self._stored_url, content)


class PipelineStorage(NativeStorage):
    """Bundles in a bucket of S3: resources, a manifest, and last a marker, which is what readers trust.

    Args:
        bucket_name: The bucket.
        sqs_publisher: Who tells the queue. A text is the prefix, and the publisher then that of the environment.
        prefix: Of every key.
        region: Else ``AWS_REGION``, else eu-west-2.
        endpoint_url: Of a service that is not AWS.
        layout: Of the keys: a KeyLayout or its value; None: ``OC_STORAGE_LAYOUT``, else the profile's.
        sweep_after: A claim or upload whose owner may live is taken over after it.
        kv_store, pending, strict, callback_errors, publish_errors, idle_timeout, recovery_deadline: As of FileStorage;
            without a store pending records are objects ``{prefix}/_pending/``.
    Attributes:
        s3_client: Who speaks to S3: the core, or boto3's client with ``OC_STORAGE_CLIENT=boto3``. Any object with
            boto3's ``put_object`` and its four of multipart uploads may take its place; it is called in worker
            threads, and nothing but the marker then tells two bundles of one custom id apart.
    Raises:
        ValueError: No publisher.
        MissingAWSCredentialsError: An ``endpoint_url``, and nothing in environment or files names credentials.
    Memory:
        Parts in flight of each add, from the Budget; 16 bytes a resource.
    """

    _storage_type: ClassVar[str] = _SERVICE
    _stream_type = S3StorageBundleStream

    def __init__(
        self,
        bucket_name: str,
        sqs_publisher: Any,
        prefix: str = "",
        region: str | None = None,
        endpoint_url: str | None = None,
        *,
        layout: KeyLayout | str | None = None,
        sweep_after: Span = 24 * 3600,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if isinstance(sqs_publisher, str) and sqs_publisher:
            sqs_publisher, prefix = _publisher_of_environment(region, endpoint_url), sqs_publisher
        if not sqs_publisher:
            raise Refused("SQS publisher is required for PipelineStorage but was None")
        self.bucket_name = bucket_name
        self.sqs_publisher = sqs_publisher
        self.prefix = prefix
        self.region = region
        self.endpoint_url = endpoint_url
        self._layout = _layout(layout)
        self._sweep_after = span(sweep_after)
        self._make_client()

    def _make_client(self) -> None:
        _aws.require_credentials(self.endpoint_url, MissingAWSCredentialsError)
        region = _aws.region(self.region)
        self.s3_client: Any
        if _aws.client_kind() == "boto3":
            self.s3_client = _aws.boto3_client(_SERVICE, region, self.endpoint_url)
        else:
            named: dict[str, Any] = {"endpoint": self.endpoint_url, "profile": _aws.profile()}
            given = {name: value for name, value in named.items() if value}
            self.s3_client = penstock.S3Store(self.bucket_name, region=region, **given)
        self._own_client = self.s3_client

    def _native(self) -> _core.ObjectBundles:
        made = self.__dict__.get("_core_storage")
        if made is None or made[0] is not self.s3_client:
            options = {
                "prefix": self.prefix,
                "layout": self._layout.value,
                "sweep_after": self._sweep_after,
                "strict": self._strict,
                "pending": self._pending_policy,
            }
            made = self.s3_client, _object_bundles(self.s3_client, self.bucket_name, options)
            self._core_storage = made
        storage: _core.ObjectBundles = made[1]
        return storage

    def _make_bundle(self, bundle_ref: BundleRef) -> Any:
        own: dict[str, Any] = {} if self._layout.value == _usual_layout() else {"layout": self._layout}
        return S3StorageBundle(self.s3_client, self.bucket_name, self.prefix, bundle_ref, **own)

    def _writes_record(self, recipe: FetcherRecipe) -> bool:
        return True

    def _check_message(self, bundle_ref: BundleRef, metadata: dict[str, Any], recipe: FetcherRecipe) -> None:
        check = getattr(type(self.sqs_publisher), "check_message", None)
        if check is not None:
            self.sqs_publisher.check_message(bundle_ref, metadata, recipe.recipe_id)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        del state["_own_client"]
        if self.s3_client is self._own_client:
            del state["s3_client"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._make_client()
        self.__dict__.update(state)

    def __repr__(self) -> str:
        return f"PipelineStorage({self.bucket_name!r}, prefix={self.prefix!r})"


def _layout(given: KeyLayout | str | None) -> KeyLayout:
    if isinstance(given, KeyLayout):
        return given
    name = given or _usual_layout()
    try:
        return KeyLayout(name)
    except ValueError as error:
        names = ", ".join(layout.value for layout in KeyLayout)
        raise Refused(f"there is no layout {name!r}: give one of {names}") from error


def _usual_layout() -> str:
    return os.environ.get("OC_STORAGE_LAYOUT") or _profile.current()


def _content(native: _core.Bundle, bundle_ref: BundleRef) -> str | None:
    """Where the resources are, of a bundle that was just started; None if its caller chose what that is called."""
    if bundle_ref.storage_key is not None:
        return None
    content: str = native.ref["storage_key"]
    return content


def _resource_key(
    layout: KeyLayout, prefix: str, bundle_ref: BundleRef, url: str, content: str | None
) -> str:
    """In the layout ``manifest`` the folder of a custom id is of the time it was started at."""
    if layout is KeyLayout.MANIFEST and content is not None:
        return f"{content.rstrip('/')}/{_core.resource_name(url)}"
    return _core.resource_key(layout.value, prefix, str(bundle_ref.bid), url)


def _object_bundles(s3_client: Any, bucket_name: str, options: dict[str, Any]) -> _core.ObjectBundles:
    if isinstance(s3_client, penstock.stores.ObjectStore):
        return _core.ObjectBundles(s3_client._native, options)
    store = native_store(Boto3Store(s3_client, bucket_name))
    looks = type(s3_client).__module__ == "botocore.client"  # of others only that they can write is known
    return _core.ObjectBundles(store, {**options, "claims": False, "looks": looks})


def _publisher_of_environment(region: str | None, endpoint_url: str | None) -> Any:
    queue_url = os.environ.get("OC_SQS_QUEUE_URL")
    if not queue_url:
        raise SqsQueueUrlRequiredError()
    publisher = import_module("penstock.bundles.storage.builder").SqsPublisher  # where tests put another
    return publisher(queue_url=queue_url, region=_aws.region(region), endpoint_url=endpoint_url)
