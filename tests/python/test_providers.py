"""The table of providers: who is recognised, what follows from it, and what a probe finds out instead."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
from pathlib import Path
from typing import Any

import penstock
import pytest
from faults.s3 import ScriptedS3, error, instead, late, listing, lost
from faults.wire import Answer

MIB = 2**20
BODY = os.urandom(11 * MIB)
KEYS = {"access_key_id": "testkey", "secret_access_key": "testsecret123"}


@pytest.mark.parametrize(
    ("host", "provider", "url"),
    [
        ("s3.eu-west-1.amazonaws.com", "aws", "https://bucket.s3.eu-west-1.amazonaws.com/k"),
        ("abc.r2.cloudflarestorage.com", "r2", "https://abc.r2.cloudflarestorage.com/bucket/k"),
        ("storage.googleapis.com", "gcs", "https://storage.googleapis.com/bucket/k"),
        ("s3.us-west-004.backblazeb2.com", "b2", "https://s3.us-west-004.backblazeb2.com/bucket/k"),
        ("s3.eu-central-1.wasabisys.com", "wasabi", "https://bucket.s3.eu-central-1.wasabisys.com/k"),
        ("nyc3.digitaloceanspaces.com", "spaces", "https://bucket.nyc3.digitaloceanspaces.com/k"),
        ("s3.fr-par.scw.cloud", "scaleway", "https://bucket.s3.fr-par.scw.cloud/k"),
        ("gateway.storjshare.io", "storj", "https://bucket.gateway.storjshare.io/k"),
        ("oss-cn-beijing.aliyuncs.com", "oss", "https://bucket.oss-cn-beijing.aliyuncs.com/k"),
        ("obs.ap-1.myhuaweicloud.com", "huawei", "https://bucket.obs.ap-1.myhuaweicloud.com/k"),
        ("cos.ap-guangzhou.myqcloud.com", "tencent", "https://bucket.cos.ap-guangzhou.myqcloud.com/k"),
    ],
)
def test_a_host_says_whose_it_is_and_how_it_is_addressed(host, provider, url):
    store = penstock.S3Store("bucket", endpoint=f"https://{host}", **KEYS)
    assert store.capabilities()["provider"] == provider
    assert store.presign("GET", "k").partition("?")[0] == url


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("s3.us-west-004.backblazeb2.com", "us-west-004"),
        ("s3.eu-central-1.wasabisys.com", "eu-central-1"),
        ("s3.wasabisys.com", "us-east-1"),
        ("nyc3.digitaloceanspaces.com", "nyc3"),
        ("s3.fr-par.scw.cloud", "fr-par"),
        ("storage.googleapis.com", "auto"),
        ("notbackblazeb2.com", "us-east-1"),
    ],
)
def test_the_region_in_a_host_is_what_is_signed_for(host, region):
    url = penstock.S3Store("bucket", endpoint=f"https://{host}", **KEYS).presign("GET", "k")
    assert f"%2F{region}%2Fs3%2F" in url


def test_an_unknown_name_is_refused_and_the_known_ones_are_named():
    with pytest.raises(penstock.Refused, match="seaweedfs"):
        penstock.S3Store("bucket", provider="nobody", **KEYS)


def test_a_provider_of_https_alone_is_not_spoken_to_without():
    with pytest.raises(penstock.Refused, match="https"):
        penstock.S3Store("bucket", endpoint="http://s3.us-west-004.backblazeb2.com", **KEYS)


def store_as(s3: ScriptedS3, provider: str, client: penstock.Client, **options: Any) -> penstock.S3Store:
    given = {"endpoint": s3.url, "region": "us-east-1", "addressing": "path", "client": client}
    return penstock.S3Store("bucket", provider=provider, **given, **KEYS, **options)


@pytest.fixture
def s3(scripted):
    return scripted[0]


def test_lists_by_v1_and_raw_keys_where_that_is_what_works(s3, client):
    s3.on("ListObjects", instead(listing(["a%20b"])))
    assert [meta.key for meta in store_as(s3, "ceph", client).list()] == ["a%20b"]
    (asked,) = s3.asked("ListObjects")
    assert "list-type" not in asked.query
    assert "encoding-type" not in asked.query


def test_removes_one_by_one_where_batches_are_not_to_be_relied_on(s3, client):
    store = store_as(s3, "oss", client)
    assert store.remove_many(["a", "b"]).removed == 2
    assert s3.operations == ["DeleteObject", "DeleteObject"]


def test_content_md5_goes_where_nothing_else_is_compared(s3, client):
    store = store_as(s3, "gcs", client, part_bytes="5MiB")
    store.put("k", b"small")
    store.put("k", BODY)
    sent = [*s3.asked("PutObject"), *s3.asked("UploadPart")]
    bodies = [b"small", BODY[: 5 * MIB], BODY[5 * MIB : 10 * MIB], BODY[10 * MIB :]]
    wanted = {base64.b64encode(hashlib.md5(body).digest()).decode() for body in bodies}
    assert {request.header("content-md5") for request in sent} == wanted


def test_a_copy_is_one_request_where_parts_cannot_be_copied(s3, client):
    store = store_as(s3, "gcs", client)
    store.put("a", BODY)
    store.copy("a", "b", part_bytes="5MiB")
    assert "CopyPart" not in s3.operations
    assert s3.objects["bucket", "b"].body == BODY


def test_parts_are_as_large_as_the_provider_wants_them(s3, client):
    store = store_as(s3, "storj", client)
    store.put("k", iter([BODY] * 6))
    assert [request.body_bytes for request in s3.asked("UploadPart")] == [64 * MIB, 2 * MIB]


# --- Probing ---


def test_a_probe_proves_what_a_row_does_not_know(bucket):
    store = penstock.S3Store(**bucket.options, provider="other", prefix="p/")
    with pytest.raises(penstock.Refused):
        store.put("k", b"x", mode="create")
    found = store.probe()
    assert (found["conditional_put"], found["conditional_complete"]) == ("yes", "yes")
    assert store.capabilities() == found
    store.put("k", b"x", mode="create")
    with pytest.raises(penstock.Conflict):
        store.put("k", BODY, mode="create", part_bytes="5MiB")
    assert bucket.keys() == ["p/k"]


def test_a_probe_is_awaited_in_aio(bucket):
    store = penstock.aio.S3Store(**bucket.options, provider="other")
    assert asyncio.run(store.probe())["conditional_put"] == "yes"


def careless(s3: ScriptedS3, operations: set[str]) -> None:
    """Has the server ignore conditions."""
    inner = s3._perform

    def perform(operation: str, request: Any, body: bytes) -> Answer:
        if operation in operations:
            request.headers = [h for h in request.headers if h[0] not in ("if-none-match", "if-match")]
        return inner(operation, request, body)

    s3._perform = perform


@pytest.mark.parametrize(
    ("ignored", "found"),
    [
        (set(), ("yes", "yes")),
        ({"PutObject"}, ("no", "yes")),
        ({"CompleteUpload"}, ("yes", "no")),
        ({"PutObject", "CompleteUpload"}, ("no", "no")),
    ],
)
def test_a_probe_believes_only_what_it_sees_and_leaves_nothing(s3, client, ignored, found):
    careless(s3, ignored)
    store = store_as(s3, "other", client)
    row = store.probe()
    assert (row["conditional_put"], row["conditional_complete"]) == found
    client.drain()
    assert s3.objects == {}
    assert s3.uploads == {}
    if found[0] == "no":
        with pytest.raises(penstock.Refused):
            store.put("k", b"x", mode="create")


def test_a_server_that_knows_no_conditions_is_a_no_and_one_that_denies_is_an_error(s3, client):
    store = store_as(s3, "other", client)
    s3.on("PutObject", instead(error(501, "NotImplemented")))
    assert store.probe()["conditional_put"] == "no"
    s3.on("PutObject", instead(error(403, "AccessDenied")))
    with pytest.raises(penstock.Denied):
        store.probe()


def test_a_lost_answer_is_no_verdict(s3, client):
    s3.on("PutObject", lost)
    with pytest.raises(penstock.Lost, match="probe again"):
        store_as(s3, "other", client).probe()
    client.drain()
    assert s3.objects == {}


def test_a_probe_that_runs_out_of_time_leaves_no_upload(s3, client):
    s3.on("UploadPart", late(3))
    with pytest.raises(penstock.Lost):
        store_as(s3, "other", client).probe(deadline=1)
    client.drain()
    assert s3.uploads == {}


def test_capabilities_show_the_whole_row():
    header = (Path(__file__).parents[2] / "cpp/penstock/s3/provider.h").read_text()
    row = header.partition("struct Capabilities {")[2].partition("\n};")[0]
    fields = set(re.findall(r"^  [\w:]+ (\w+) = ", row, re.MULTILINE))
    assert len(fields) > 15
    shown = penstock.S3Store("bucket", provider="aws", **KEYS).capabilities()
    named = {"virtual_host": "addressing", "lists_v1": "list"}
    assert set(shown) == {named.get(field, field) for field in fields}
