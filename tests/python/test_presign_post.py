"""Forms for uploads by POST: what the real servers take, and what they refuse."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import urllib.error
import urllib.request
import uuid
from types import SimpleNamespace
from typing import Any

import penstock
import pytest


def post(form: penstock.PostForm, body: bytes, **changed: str) -> int:
    """The status of an upload as a browser makes it."""
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in {**form.fields, **changed}.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="report.csv"\r\n'
    parts.append(f"{head}Content-Type: text/csv\r\n\r\n".encode() + body + b"\r\n")
    data = b"".join(parts) + f"--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    request = urllib.request.Request(form.url, data, headers, method="POST")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


@pytest.fixture
def store(bucket: Any) -> penstock.S3Store:
    return penstock.S3Store(**bucket.options, prefix="p/")


def test_a_form_uploads_what_it_allows(bucket, store):
    form = store.presign_post("k", max_bytes=1000, content_type="text/csv", fields={"x-amz-meta-who": "me"})
    assert post(form, b"x" * 1000) in (200, 204)
    assert bucket.body("p/k") == b"x" * 1000
    meta = store.head("k")
    assert (meta.content_type, meta.metadata) == ("text/csv", {"who": "me"})


@pytest.mark.parametrize("size", [9, 1001])
def test_a_file_outside_the_sizes_is_refused(bucket, store, size):
    form = store.presign_post("k", min_bytes=10, max_bytes="1000")
    assert post(form, b"x" * size) in (400, 403)
    assert bucket.keys() == []


@pytest.mark.parametrize(
    "changed", [{"key": "p/other"}, {"Content-Type": "text/html"}, {"x-amz-signature": "0" * 64}]
)
def test_a_form_that_was_changed_is_refused(bucket, store, changed):
    form = store.presign_post("k", content_type="text/csv")
    assert post(form, b"x", **changed) in (400, 403)
    assert bucket.keys() == []


def test_a_prefix_is_completed_by_the_file_name(bucket, store):
    form = store.presign_post("in/")
    assert post(form, b"x") in (200, 204)
    assert post(form, b"x", key="elsewhere/k") in (400, 403)
    # versitygw takes ${filename} as it stands
    name = "${filename}" if bucket.server.name == "versitygw" else "report.csv"
    assert bucket.keys() == [f"p/in/{name}"]


def test_an_expired_form_is_refused(bucket, store):
    form = store.presign_post("k", expires=1)
    time.sleep(2.1)  # the server's clock is the real one
    assert post(form, b"x") in (400, 403)


def test_forms_are_awaited_in_aio(bucket):
    form = asyncio.run(penstock.aio.S3Store(**bucket.options).presign_post("k"))
    assert post(form, b"x") in (200, 204)


def test_the_signature_is_botocores(bucket, store):
    form = store.presign_post("k", min_bytes=1, max_bytes=2, fields={"acl": "private"})
    policy = json.loads(base64.b64decode(form.fields["policy"]))
    assert ["content-length-range", 1, 2] in policy["conditions"]
    assert [*form.fields][-1] == "x-amz-signature"
    assert "file" not in form.fields
    from botocore.auth import S3SigV4PostAuth
    from botocore.credentials import Credentials

    auth = S3SigV4PostAuth(Credentials("testkey", "testsecret123"), "s3", "us-east-1")

    request = SimpleNamespace(context={"timestamp": form.fields["x-amz-date"]})
    assert auth.signature(form.fields["policy"], request) == form.fields["x-amz-signature"]


@pytest.mark.parametrize(
    "wrong",
    [{"min_bytes": 2, "max_bytes": 1}, {"expires": 0}, {"expires": 604_801}, {"fields": {"policy": "x"}}],
)
def test_what_no_server_would_take_is_refused_here(wrong):
    store = penstock.S3Store("bucket", access_key_id="a", secret_access_key="b", region="us-east-1")
    with pytest.raises(penstock.Refused):
        store.presign_post("k", **wrong)


def test_a_form_shows_no_signature():
    store = penstock.S3Store("bucket", access_key_id="a", secret_access_key="b", region="us-east-1")
    form = store.presign_post("k")
    assert form.fields["x-amz-signature"] not in repr(form)
