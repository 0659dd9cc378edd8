"""PipelineStorage through clients that are not the core's, and storages of somebody else's."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import penstock
import pytest
from botocore.exceptions import ClientError
from bundle_places import S3, Folder, ForeignStore, Hooks, Publisher, Run, chunks, recipe, ref
from conftest import Bucket
from penstock.bundles.exceptions import MissingAWSCredentialsError, SqsQueueUrlRequiredError
from penstock.bundles.storage import (
    BundleStorageContext,
    FileStorage,
    PipelineStorage,
    as_storage,
    pipeline_storage,
)
from penstock.bundles.storage._boto3_store import Boto3Store
from penstock.testing import fill
from test_bundles_storage import complete_one


class Client:
    """The methods of boto3's client that a storage needs, in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, Any]]] = {}
        self.calls: list[str] = []
        self.uploads: dict[str, list[bytes]] = {}

    def put_object(self, Bucket: str, Key: str, Body: bytes, **attributes: Any) -> dict[str, str]:
        self.calls.append("put_object")
        self.objects[Key] = bytes(Body), attributes
        return {"ETag": '"1"'}

    def create_multipart_upload(self, Bucket: str, Key: str, **attributes: Any) -> dict[str, str]:
        self.calls.append("create_multipart_upload")
        self.uploads[Key] = []
        return {"UploadId": Key}

    def upload_part(
        self, Bucket: str, Key: str, Body: bytes, PartNumber: int, UploadId: str
    ) -> dict[str, str]:
        self.uploads[UploadId].append(bytes(Body))
        return {"ETag": f'"{PartNumber}"'}

    def complete_multipart_upload(
        self, Bucket: str, Key: str, UploadId: str, MultipartUpload: Any
    ) -> dict[str, str]:
        self.objects[Key] = b"".join(self.uploads.pop(UploadId)), {}
        return {"ETag": '"many"'}

    def abort_multipart_upload(self, Bucket: str, Key: str, UploadId: str) -> None:
        del self.uploads[UploadId]

    def delete_object(self, Bucket: str, Key: str) -> None:
        self.objects.pop(Key, None)

    def list_objects_v2(self, Bucket: str, Prefix: str = "", **_: Any) -> dict[str, Any]:
        return {
            "Contents": [
                {"Key": k, "Size": len(v[0])} for k, v in self.objects.items() if k.startswith(Prefix)
            ]
        }

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": self.objects[Key][0]}

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        body, attributes = self.objects[Key]
        return {"ContentLength": len(body), "Metadata": attributes.get("Metadata", {})}


def pipeline(**options: Any) -> PipelineStorage:
    return PipelineStorage("bucket", Publisher(), "p", **options)


def test_a_client_put_in_place_of_ours_stores_all_of_it():
    storage, client = pipeline(), Client()
    storage.s3_client = client
    big = fill(20_000_000)

    async def run() -> None:
        context = await storage.start_bundle(ref(count=2), recipe())
        await context.add_resource("https://h/a", "text/plain", 200, chunks(b"small"))
        await context.add_resource("https://h/big", None, 200, chunks(big[:9_000_000], big[9_000_000:]))
        assert storage._active_bundles["custom-one"].uploaded_keys == [
            "p/bundles/custom-one/resources/a",
            "p/bundles/custom-one/resources/big",
        ]
        await context.complete({"m": 1})

    asyncio.run(run())
    assert client.objects["p/bundles/custom-one/resources/a"][0] == b"small"
    assert client.objects["p/bundles/custom-one/resources/a"][1]["Metadata"]["url"] == "https://h/a"
    assert client.objects["p/bundles/custom-one/resources/big"][0] == big
    marker = json.loads(client.objects["p/bundles/custom-one/metadata.json"][0])
    assert marker["completion_metadata"] == {"m": 1}
    assert client.uploads == {}
    assert not [key for key in client.objects if "_pending" in key]
    assert storage.sqs_publisher.told == [("custom-one", {"m": 1}, "fr")]


class Broken(Client):
    """Whatever is asked of one bundle raises what no client should."""

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if "custom-a" in Key:
            raise ZeroDivisionError("a mistake of the client's")
        return super().get_object(Bucket, Key)

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        self.get_object(Bucket, Key)
        return super().head_object(Bucket, Key)


def test_a_client_that_breaks_at_one_bundle_keeps_its_record_and_stops_no_other():
    client, store = Client(), ForeignStore()

    def told_by(client: Client) -> list[str]:
        hooks = Hooks()
        storage = pipeline()
        storage.s3_client = client
        asyncio.run(storage.on_run_start(Run(store), recipe(hooks)))
        return hooks.told

    async def leave_untold() -> None:
        storage = pipeline(kv_store=store, callback_errors="raise")
        storage.s3_client = client
        for name in ("custom-a", "custom-b"):
            with pytest.raises(RuntimeError):
                await complete_one(storage, name, recipe(Hooks(RuntimeError("not yet"))))

    asyncio.run(leave_untold())
    broken = Broken()
    broken.objects = client.objects
    assert told_by(broken) == ["custom-b"]
    assert [key.rpartition(":")[2] for key in store.values] == ["custom-a"]
    assert told_by(client) == ["custom-a"]
    assert store.values == {}


def test_boto3_itself_does(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OC_STORAGE_CLIENT", "boto3")
    place = S3(bucket, monkeypatch)

    async def run() -> None:
        storage = place.storage()
        assert type(storage.s3_client).__module__.startswith("botocore")
        context = await storage.start_bundle(ref(), recipe())
        await context.add_resource("https://h/a", None, 200, chunks(b"one"))
        await context.complete({})

        with pytest.raises(penstock.Conflict):
            await place.storage().start_bundle(ref(), recipe())

    asyncio.run(run())
    assert place.visible() == {"a": b"one"}


@pytest.mark.parametrize("code", ["403", "500"])
def test_a_look_that_boto3_is_not_allowed_is_none(code: str) -> None:
    def answers(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code}}, "HeadObject")

    store = Boto3Store(SimpleNamespace(head_object=answers), "bucket")
    with pytest.raises(penstock.Denied if code == "403" else ClientError):
        store.find("key")


def test_a_bundle_class_put_in_place_of_ours_gets_the_documented_arguments() -> None:
    storage = pipeline()
    storage.s3_client = Client()
    with patch.object(pipeline_storage, "S3StorageBundle") as made:
        asyncio.run(storage.start_bundle(ref(), recipe()))
    made.assert_called_once_with(storage.s3_client, "bucket", "p", ref())


def test_a_publisher_is_required_in_the_words_people_know(monkeypatch: pytest.MonkeyPatch) -> None:
    for none in (None, "", 0):
        with pytest.raises(ValueError, match=r"^SQS publisher is required for PipelineStorage but was None$"):
            PipelineStorage("bucket", none)
    monkeypatch.delenv("OC_SQS_QUEUE_URL", raising=False)
    with pytest.raises(SqsQueueUrlRequiredError):
        PipelineStorage("bucket", "captures")
    monkeypatch.setenv("OC_SQS_QUEUE_URL", "https://sqs.eu-west-2.amazonaws.com/1/done")
    assert PipelineStorage("bucket", "captures").prefix == "captures"


def test_an_endpoint_without_credentials_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(MissingAWSCredentialsError, match="AWS credentials are required when using a custom"):
        pipeline(endpoint_url="http://127.0.0.1:9")


def test_a_service_that_is_not_there_is_lost_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    storage = pipeline(endpoint_url="http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match="Connection refused") as raised:
        asyncio.run(storage.start_bundle(ref(), recipe()))
    assert isinstance(raised.value, penstock.bundles.exceptions.StorageError)
    assert "canary" not in str(raised.value)


def test_a_missing_bucket_is_named_by_the_services_code(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = S3(bucket, monkeypatch)
    place.bucket = Bucket(bucket.server, "no-such-bucket-here")
    with pytest.raises(penstock.NotFound, match="NoSuchBucket"):
        asyncio.run(place.storage().start_bundle(ref(), recipe()))


def test_a_storage_with_the_two_methods_a_context_calls_is_a_storage() -> None:
    class Own:
        def __init__(self) -> None:
            self.stored: dict[str, bytes] = {}
            self.completed: list[Any] = []

        async def start_bundle(self, bundle_ref: Any, recipe_: Any) -> BundleStorageContext:
            return BundleStorageContext(bundle_ref, recipe_, self)

        async def _add_resource_to_bundle(
            self, bundle_ref: Any, url: str, content_type: Any, status_code: int, stream: Any
        ) -> None:
            self.stored[url] = b"".join([chunk async for chunk in stream])

        async def complete_bundle_with_callbacks_hook(
            self, bundle_ref: Any, recipe_: Any, metadata: Any
        ) -> None:
            self.completed.append((dict(self.stored), metadata))

    own = Own()

    async def run() -> None:
        context = await as_storage(own).start_bundle(ref(), recipe())
        slow = asyncio.create_task(context.add_resource("https://h/a", None, 200, chunks(b"1", b"2")))
        await asyncio.sleep(0)
        await context.complete({"m": 1})
        await slow

    asyncio.run(run())
    assert own.completed == [({"https://h/a": b"12"}, {"m": 1})]  # adds under way were awaited


def test_a_storage_of_streams_is_one_through_as_storage(tmp_path) -> None:
    class Streams:
        def __init__(self) -> None:
            self.opened: list[tuple[str, Any]] = []
            self.closed: list[list[bytes]] = []

        async def open_bundle(self, bundle_id: str, metadata: Any) -> Any:
            self.opened.append((bundle_id, metadata))
            written: list[bytes] = []

            class Stream(list[bytes]):
                async def write(self, data: bytes) -> None:
                    written.append(data)

            stream = Stream()
            stream.written = written  # type: ignore[attr-defined]
            return stream

        async def close_bundle(self, stream: Any) -> None:
            self.closed.append(stream.written)

    own = Streams()

    async def run() -> None:
        context = await as_storage(own).start_bundle(ref(), recipe())
        await context.add_resource("https://h/a", "x/y", 201, chunks(b"1", b"2"))
        await context.complete({})
        with pytest.raises(ValueError, match=r"^Bundle not found$"):
            await as_storage(own)._add_resource_to_bundle(ref(), "u", None, 200, chunks(b""))

    asyncio.run(run())
    assert own.opened == [("custom-one", {"url": "https://h/a", "content_type": "x/y", "status_code": 201})]
    assert own.closed == [[b"1", b"2"]]
    assert as_storage(Folder(tmp_path).storage()).__class__ is FileStorage
