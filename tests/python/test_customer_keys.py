"""SSE-C: objects encrypted with a key of ours, on MinIO over TLS, which takes no such key without it."""

from __future__ import annotations

import base64
import hashlib
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import examples
import go_servers
import judges
import penstock
import pytest
import servers
from botocore.config import Config
from certificates import self_signed
from faults.s3 import error, instead

MIB = 2**20
BODY = os.urandom(17 * MIB)
SMALL = os.urandom(100_000)
KEY, OTHER = os.urandom(32), os.urandom(32)


class TlsMinio(go_servers.Minio):
    """MinIO behind a certificate of its own making, which is kept in `certificates`."""

    scheme = "https"

    def __init__(self, certificates: Path) -> None:
        super().__init__()
        self.certificates = certificates
        self_signed(certificates / "public.crt", certificates / "private.key")

    def command(self, address: str, folder: Path) -> list[str]:
        program, verb, *rest = super().command(address, folder)
        return [program, verb, "--certs-dir", str(self.certificates), *rest]

    def is_healthy(self, url: str) -> bool:
        context = ssl.create_default_context(cafile=str(self.certificates / "public.crt"))
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        try:
            with urllib.request.build_opener(*handlers).open(url + self.health, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@pytest.fixture(scope="module")
def tls_minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL of the server, and the file that vouches for it."""
    if not judges.MINIO.available:
        pytest.skip("needs MinIO: install Go, then scripts/services install")
    certificates = tmp_path_factory.mktemp("certificates")
    server = servers.start(TlsMinio(certificates), tmp_path_factory.mktemp("tls-minio"))
    yield server.url, str(certificates / "public.crt")
    servers.stop(server)


@pytest.fixture
def judge(tls_minio: tuple[str, str]) -> Any:
    url, authority = tls_minio
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=servers.REGION,
        aws_access_key_id=servers.ACCESS_KEY,
        aws_secret_access_key=servers.SECRET_KEY,
        verify=authority,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
    )


@pytest.fixture
def options(tls_minio: tuple[str, str], judge: Any) -> Iterator[dict[str, Any]]:
    url, authority = tls_minio
    bucket = f"test-{uuid.uuid4().hex[:20]}"
    judge.create_bucket(Bucket=bucket)
    with penstock.Client(ca_bundle=authority) as client:
        yield {
            "bucket": bucket,
            "endpoint": url,
            "region": servers.REGION,
            "access_key_id": servers.ACCESS_KEY,
            "secret_access_key": servers.SECRET_KEY,
            "client": client,
        }


def read(judge: Any, bucket: str, name: str, key: bytes) -> bytes:
    ours = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    body: bytes = judge.get_object(Bucket=bucket, Key=name, **ours)["Body"].read()
    return body


@pytest.mark.parametrize("body", [SMALL, BODY], ids=["put", "parts"])
def test_boto3_reads_it_with_the_key_and_only_with_it(judge, options, body):
    store = penstock.S3Store(**options, part_bytes="5MiB")
    receipt = store.put("k", body, sse_customer_key=KEY, metadata={"who": "me"})
    assert read(judge, options["bucket"], "k", KEY) == body
    with pytest.raises(judge.exceptions.ClientError):
        judge.get_object(Bucket=options["bucket"], Key="k")
    assert store.get("k", sse_customer_key=KEY).bytes() == body
    for wrong in (None, OTHER):
        with pytest.raises((penstock.Refused, penstock.Denied)):
            store.get("k", sse_customer_key=wrong).bytes()
    assert receipt.bytes == len(body)


def test_a_store_with_a_key_reads_and_writes_with_it(judge, options, tmp_path):
    store = penstock.S3Store(**options, sse_customer_key=base64.b64encode(KEY).decode())
    store.put("k", BODY)
    assert store.head("k").bytes == len(BODY)
    store.get_file("k", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY
    with store.open_reader("k") as reader:
        reader.seek(-5, 2)
        assert reader.read() == BODY[-5:]
    assert read(judge, options["bucket"], "k", KEY) == BODY


@pytest.mark.parametrize(
    "how", [{}, {"part_bytes": "5MiB"}, {"mode": "create"}], ids=["whole", "parts", "create"]
)
def test_a_copy_reads_with_one_key_and_writes_with_the_other(judge, options, how):
    store = penstock.S3Store(**options)
    store.put("a", BODY, sse_customer_key=KEY, content_type="text/x")
    receipt = store.copy("a", "b", from_sse_customer_key=KEY, sse_customer_key=OTHER, **how)
    assert receipt.mode == "copy"
    assert read(judge, options["bucket"], "b", OTHER) == BODY
    store.copy(
        "b", "c", from_sse_customer_key=OTHER, **({"part_bytes": "5MiB"} if "part_bytes" in how else {})
    )
    assert store.get("c").bytes() == BODY


def use(url: str, authority: str, method: str, headers: dict[str, str], body: bytes | None = None) -> Any:
    """What a URL answers to somebody who has nothing else: the status, the body."""
    handlers = (
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority)),
    )
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, b""


def test_a_presigned_url_of_a_store_with_a_key_works_with_its_headers_and_only_so(judge, options, tls_minio):
    store, authority = penstock.S3Store(**options, sse_customer_key=KEY), tls_minio[1]
    name = "x-amz-server-side-encryption-customer-"
    key = base64.b64encode(KEY).decode()
    md5 = base64.b64encode(hashlib.md5(KEY).digest()).decode()
    headers = {f"{name}algorithm": "AES256", f"{name}key": key, f"{name}key-md5": md5}
    put = store.presign("PUT", "k")
    assert key not in urllib.parse.unquote(put)
    assert use(put, authority, "PUT", {}, SMALL)[0] in (400, 403)
    assert not store.exists("k")
    assert use(put, authority, "PUT", headers, SMALL)[0] == 200
    assert read(judge, options["bucket"], "k", KEY) == SMALL
    assert use(store.presign("GET", "k"), authority, "GET", headers) == (200, SMALL)
    assert use(store.presign("DELETE", "k"), authority, "DELETE", {})[0] == 204
    other = {**headers, f"{name}key": base64.b64encode(OTHER).decode()}
    other[f"{name}key-md5"] = base64.b64encode(hashlib.md5(OTHER).digest()).decode()
    assert use(store.presign("PUT", "k", headers=other), authority, "PUT", other, SMALL)[0] == 200
    assert read(judge, options["bucket"], "k", OTHER) == SMALL


def test_a_form_would_show_the_key_so_there_is_none():
    keys = {"access_key_id": "k", "secret_access_key": "s"}
    store = penstock.S3Store("bucket", endpoint="https://s3.example.org", **keys, sse_customer_key=KEY)
    with pytest.raises(penstock.Refused, match="sse_customer_key"):
        store.presign_post("k")
    field = "x-amz-server-side-encryption-customer-key"
    assert store.presign_post("k", fields={field: "given"}).fields[field] == "given"


def test_an_upload_is_resumed_with_its_key(judge, options):
    bucket = options["bucket"]
    ours = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": KEY}
    upload_id = judge.create_multipart_upload(Bucket=bucket, Key="k", **ours)["UploadId"]
    part = {"Bucket": bucket, "Key": "k", "UploadId": upload_id}
    judge.upload_part(**part, PartNumber=1, Body=BODY[: 5 * MIB], **ours)
    state = penstock.UploadState(bucket=bucket, key="k", upload_id=upload_id)
    penstock.S3Store(**options, sse_customer_key=KEY).resume_upload(state, BODY)
    assert read(judge, bucket, "k", KEY) == BODY


def test_a_move_needs_its_key_and_keeps_it(judge, options):
    store = penstock.S3Store(**options, sse_customer_key=KEY)
    store.put("a", SMALL)
    store.move("a", "b")
    assert read(judge, options["bucket"], "b", KEY) == SMALL
    assert store.find("a") is None


def test_the_recipe_of_the_cookbook_runs(judge, options, tls_minio, tmp_path):
    program = examples.recipes()["Encrypt with a key of your own"]
    server = SimpleNamespace(options=options, name=options["bucket"])
    printed = examples.run(program, server, tmp_path, AWS_CA_BUNDLE=tls_minio[1])
    assert printed == examples.said(program)
    with pytest.raises(judge.exceptions.ClientError):
        judge.get_object(Bucket=options["bucket"], Key="secret.csv")


# --- A server that misbehaves ---


@pytest.fixture
def s3(scripted):
    return scripted[0]


@pytest.fixture
def store(scripted):
    return scripted[1]


def encrypts(s3: Any, yes: bool = True) -> None:
    """Has the server say of every write that it used the key."""
    inner = s3._perform
    name = "x-amz-server-side-encryption-customer-algorithm"

    def perform(operation: str, request: Any, body: bytes) -> Any:
        answer = inner(operation, request, body)
        if yes and request.header(name):
            answer.headers = [*answer.headers, (name, "AES256")]
        return answer

    s3._perform = perform


@pytest.mark.parametrize("body", [SMALL, BODY], ids=["put", "parts"])
def test_a_server_that_ignores_the_key_is_refused_and_keeps_nothing(s3, store, client, body):
    with pytest.raises(penstock.Refused) as caught:
        store.put("k", body, sse_customer_key=KEY)
    assert caught.value.code == "not_encrypted"
    client.drain()
    assert s3.objects == {}
    assert s3.uploads == {}


def test_the_key_goes_with_every_request_that_touches_the_object(s3, store):
    from faults.s3 import lost

    encrypts(s3)
    s3.on("CompleteUpload", lost)
    store.put("k", BODY, sse_customer_key=KEY)
    store.get("k", sse_customer_key=KEY).bytes()
    prefix = "x-amz-server-side-encryption-customer-"
    md5 = base64.b64encode(hashlib.md5(KEY).digest()).decode()
    for operation in ("CreateUpload", "UploadPart", "CompleteUpload", "HeadObject", "GetObject"):
        asked = s3.asked(operation)
        assert asked, operation
        for request in asked:
            assert request.header(prefix + "algorithm") == "AES256", operation
            assert request.header(prefix + "key") == base64.b64encode(KEY).decode()
            assert request.header(prefix + "key-md5") == md5


def test_no_error_and_no_repr_shows_the_key(s3, store, client):
    text = base64.b64encode(KEY).decode()
    s3.on("PutObject", instead(error(403, "AccessDenied", message=f"your key {text} is bad")))
    with pytest.raises(penstock.Denied) as caught:
        store.put("k", SMALL, sse_customer_key=KEY)
    assert text not in str(caught.value)
    keyed = penstock.S3Store("bucket", sse_customer_key=text, client=client)
    assert text not in repr(keyed)


@pytest.mark.parametrize("key", [b"short", "not base64 !", base64.b64encode(b"x" * 31).decode()])
def test_what_is_no_key_is_refused(store, key):
    with pytest.raises(penstock.Refused):
        store.put("k", SMALL, sse_customer_key=key)
    with pytest.raises(penstock.Refused):
        penstock.S3Store("bucket", sse_customer_key=key)


@pytest.mark.parametrize("part_bytes", [None, "5MiB"], ids=["whole", "parts"])
def test_a_copy_that_ignores_the_key_is_refused_and_does_not_stay(s3, store, client, part_bytes):
    store.put("a", BODY)
    with pytest.raises(penstock.Refused, match="the object was removed") as caught:
        store.copy("a", "b", sse_customer_key=KEY, part_bytes=part_bytes)
    assert caught.value.code == "not_encrypted"
    client.drain()
    assert [*s3.objects] == [("bucket", "a")]
    assert s3.uploads == {}


def test_a_type_error_does_not_show_the_key(store):
    for key in (KEY, base64.b64encode(KEY).decode()):
        for wrong in (
            lambda k=key: store.put(7, b"x", sse_customer_key=k),
            lambda k=key: store.get(Path("k"), sse_customer_key=k),
            lambda k=key: store.copy(7, "b", sse_customer_key=k, from_sse_customer_key=k),
        ):
            with pytest.raises(TypeError) as caught:
                wrong()
            assert repr(KEY)[2:-1] not in str(caught.value)
            assert base64.b64encode(KEY).decode() not in str(caught.value)


def test_keys_of_single_calls_are_those_of_readers_and_moves(judge, options):
    store = penstock.S3Store(**options)
    store.put("a", SMALL, sse_customer_key=KEY)
    with store.open_reader("a", sse_customer_key=KEY) as reader:
        reader.seek(500)
        assert reader.read(10) == SMALL[500:510]
    store.move("a", "b", from_sse_customer_key=KEY, sse_customer_key=OTHER)
    assert read(judge, options["bucket"], "b", OTHER) == SMALL
    assert [found.key for found in store.list()] == ["b"]


def test_a_key_does_not_go_over_plain_http_to_another_machine():
    with pytest.raises(penstock.Refused, match="https"):
        penstock.S3Store("bucket", endpoint="http://192.0.2.1:9000", sse_customer_key=KEY)
