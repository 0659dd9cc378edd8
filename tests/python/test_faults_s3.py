"""What a store does when the bucket misbehaves: each test scripts one fault and states the outcome.

"Nothing left" means: no object under the key, and no upload open on the server.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import penstock
import pytest
from faults import origin
from faults.amounts import FULL_SIZE
from faults.s3 import ScriptedS3, error, instead, late, listing, lost, undone_lost, without
from faults.wire import Answer, Request

MIB = 2**20
PARTS = os.urandom(11 * MIB)  # three parts of 5 MiB, the last one shorter
SMALL = os.urandom(100_000)


@pytest.fixture
def s3() -> Iterator[ScriptedS3]:
    with ScriptedS3() as server:
        yield server


def store_on(s3: ScriptedS3, client: penstock.Client, **options: Any) -> penstock.S3Store:
    keys = {"access_key_id": "testkey", "secret_access_key": "testsecret123"}
    given = {"endpoint": s3.url, "region": "us-east-1", "part_bytes": "5MiB", "client": client, **keys}
    return penstock.S3Store("bucket", **{**given, **options})


@pytest.fixture
def store(s3: ScriptedS3, client: penstock.Client) -> penstock.S3Store:
    return store_on(s3, client)


@pytest.fixture
def impatient(s3: ScriptedS3) -> Iterator[penstock.S3Store]:
    """A store with short clocks, for the tests that wait for one; others must survive a slow machine."""
    with penstock.Client(first_byte="3s", stall_window="2s") as client:
        yield store_on(s3, client)


def assert_nothing_left(s3: ScriptedS3, client: penstock.Client) -> None:
    client.drain()
    assert s3.objects == {}
    assert s3.uploads == {}


def stored(s3: ScriptedS3) -> bytes:
    return s3.objects["bucket", "k"].body


# --- Create ---


def test_create_answering_request_timeout_is_tried_again(s3, store):
    s3.on("CreateUpload", instead(error(400, "RequestTimeout")))
    store.put("k", PARTS)
    assert stored(s3) == PARTS
    assert s3.operations.count("CreateUpload") == 2


def test_a_skewed_clock_is_mended_from_the_error_body(s3, store):
    there = time.gmtime(time.time() - 86_400)
    server_time = f"<ServerTime>{time.strftime('%Y-%m-%dT%H:%M:%SZ', there)}</ServerTime>"
    s3.on("CreateUpload", instead(error(403, "RequestTimeTooSkewed", extra=server_time)))
    store.put("k", PARTS)
    first, second = s3.asked("CreateUpload")
    assert first.header("x-amz-date")[:8] == time.strftime("%Y%m%d", time.gmtime())
    assert second.header("x-amz-date")[:8] == time.strftime("%Y%m%d", there)
    assert store.statistics()["skew_corrections"] == 1


def test_a_skew_that_is_not_mended_by_one_correction_is_denied(s3, store):
    skewed = error(403, "RequestTimeTooSkewed", ("Date", formatdate(time.time() + 86_400, usegmt=True)))
    s3.on("PutObject", *[instead(skewed)] * 3)
    with pytest.raises(penstock.Denied) as caught:
        store.put("k", SMALL)
    assert caught.value.code == "RequestTimeTooSkewed"
    assert s3.operations.count("PutObject") == 2


# --- Parts ---


def sent_parts(s3: ScriptedS3, number: int) -> list[Request]:
    return [request for request in s3.asked("UploadPart") if request.query["partNumber"] == str(number)]


def test_headers_and_elements_nobody_asked_for_are_accepted(s3, store):
    def with_more(_request, do):
        answer = do()
        kms = ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:us-east-1:1:key/2")
        answer.headers = [*answer.headers, ("x-amz-server-side-encryption", "aws:kms"), kms, ("x-new", "?")]
        answer.body = answer.body.replace(b"</Init", b"<Session><New>1</New></Session></Init")
        return answer

    for operation in ("CreateUpload", "UploadPart", "UploadPart", "UploadPart", "CompleteUpload"):
        s3.on(operation, with_more)
    store.put("k", PARTS)
    assert stored(s3) == PARTS


def test_a_part_that_meets_slow_down_after_its_body_is_sent_again_whole(s3, store):
    s3.on("UploadPart", instead(error(503, "SlowDown")))
    store.put("k", PARTS)
    assert stored(s3) == PARTS
    assert len(s3.asked("UploadPart")) == 4
    assert store.statistics()["retries_by_class"]["throttle"] == 1


def test_a_part_that_meets_slow_down_before_its_body_is_read_is_sent_again_whole(s3, store):
    s3.on_head("UploadPart", error(503, "SlowDown"))
    store.put("k", PARTS)
    assert stored(s3) == PARTS


def test_a_part_whose_connection_is_reset_is_sent_again_whole(s3, store):
    s3.on("UploadPart", undone_lost, None, lost)
    store.put("k", PARTS)
    assert stored(s3) == PARTS
    pieces = [PARTS[:5_242_880], PARTS[5_242_880:10_485_760], PARTS[10_485_760:]]
    for number, piece in enumerate(pieces, 1):
        assert {r.body_sha256 for r in sent_parts(s3, number)} == {hashlib.sha256(piece).hexdigest()}


@pytest.mark.parametrize(
    "size", [pytest.param(192 * MIB, id="192MiB"), pytest.param(5 * 2**30, id="5GiB", marks=FULL_SIZE)]
)
def test_an_upload_reset_every_64_mebibytes_arrives_byte_exact(s3, client, size):
    body = os.urandom(size)
    parts = size // (8 * MIB)
    s3.on("UploadPart", *[lost if n % 8 == 7 else None for n in range(parts)])
    store_on(s3, client, part_bytes="8MiB").put("k", body)
    assert hashlib.sha256(stored(s3)).digest() == hashlib.sha256(body).digest()
    assert len(s3.asked("UploadPart")) == parts + parts // 8


def test_a_part_accepted_without_an_etag_is_corrupt_and_leaves_nothing(s3, store, client):
    s3.on("UploadPart", None, without("ETag"))
    with pytest.raises(penstock.Corrupt):
        store.put("k", PARTS)
    assert_nothing_left(s3, client)


def test_a_part_denied_late_stops_its_siblings_and_leaves_nothing(s3, store, client):
    denied = error(403, "AccessDenied")
    denied.delay = 0.5
    s3.on("UploadPart", None, None, instead(denied))
    with pytest.raises(penstock.Denied):
        store.put("k", PARTS)
    assert "CompleteUpload" not in s3.operations
    assert_nothing_left(s3, client)


def test_opaque_unquoted_etags_go_back_verbatim(s3, store):
    def opaque(_request, do):
        answer = do()
        answer.headers = [("ETag", "opaque-7f3") if n == "ETag" else (n, v) for n, v in answer.headers]
        return answer

    bodies = []
    inner = s3._perform

    def record(operation, request, body):
        if operation == "CompleteUpload":
            bodies.append(body.decode())
        return inner(operation, request, body)

    s3._perform = record
    s3.on("UploadPart", opaque, opaque, opaque)
    store.put("k", PARTS)
    assert re.findall("<ETag>(.*?)</ETag>", bodies[0]) == ["opaque-7f3"] * 3


# --- Complete ---


@pytest.mark.parametrize(
    "fault",
    [
        instead(error(200, "InternalError")),
        instead(Answer(200, [("Content-Type", "application/xml")], b"<?xml version='1.0'?><Complete")),
        instead(error(503, "SlowDown")),
        undone_lost,
        lost,
    ],
    ids=["200-internal-error", "200-cut-xml", "503", "lost-undone", "lost-done"],
)
def test_an_unclear_answer_to_complete_is_settled(s3, store, client, fault):
    s3.on("CompleteUpload", fault)
    receipt = store.put("k", PARTS)
    assert receipt.bytes == len(PARTS)
    assert stored(s3) == PARTS
    client.drain()
    assert s3.uploads == {}


def test_complete_done_with_its_answer_lost_is_success_by_token(s3, store):
    s3.on("CompleteUpload", lost, instead(error(404, "NoSuchUpload")))
    assert store.put("k", PARTS).etag == s3.objects["bucket", "k"].etag
    assert "HeadObject" in s3.operations


def test_complete_lost_and_another_object_there_is_not_adopted(s3, store):
    def others(request, do):
        do()
        s3.objects["bucket", "k"].body = b"someone else's"
        s3.objects["bucket", "k"].headers = [("x-amz-meta-penstock-token", "another")]
        return Answer(silent=True, then="reset")

    s3.on("CompleteUpload", others)
    with pytest.raises(penstock.InDoubt) as caught:
        store.put("k", PARTS)
    assert "bucket" in caught.value.subject
    assert "k" in caught.value.subject


def test_complete_lost_with_nothing_there_is_lost_not_in_doubt(s3, store, client):
    def vanished(request, do):
        s3.uploads.clear()
        return Answer(silent=True, then="reset")

    s3.on("CompleteUpload", vanished)
    with pytest.raises(penstock.Lost):
        store.put("k", PARTS)
    assert_nothing_left(s3, client)


def test_complete_denied_inside_a_200_is_denied_and_leaves_nothing(s3, store, client):
    s3.on("CompleteUpload", instead(error(200, "AccessDenied")))
    with pytest.raises(penstock.Denied) as caught:
        store.put("k", PARTS)
    assert caught.value.code == "AccessDenied"
    assert_nothing_left(s3, client)


def test_complete_refused_by_its_condition_is_a_conflict_and_leaves_nothing(s3, store, client):
    s3.on("CompleteUpload", instead(error(412, "PreconditionFailed")))
    with pytest.raises(penstock.Conflict):
        store.put("k", PARTS, mode="create")
    assert_nothing_left(s3, client)


def test_wrong_digest_is_seen_before_complete_and_leaves_nothing(s3, store, client):
    with pytest.raises(penstock.Corrupt) as caught:
        store.put("k", PARTS, expected={"sha256": "0" * 64})
    assert "CompleteUpload" not in s3.operations
    assert caught.value.actual == hashlib.sha256(PARTS).hexdigest()
    assert_nothing_left(s3, client)


# --- Put ---


def test_a_put_whose_answer_is_lost_is_sent_again(s3, store):
    s3.on("PutObject", lost)
    store.put("k", SMALL)
    assert stored(s3) == SMALL
    assert s3.operations.count("PutObject") == 2


def test_a_created_object_whose_answer_was_lost_is_known_by_its_token(s3, store):
    s3.on("PutObject", lost)
    store.put("k", SMALL, mode="create")
    assert stored(s3) == SMALL


def test_an_error_answer_gives_code_and_request_id_and_cuts_the_message(s3, store):
    s3.on("PutObject", instead(error(403, "AccessDenied", message="no " * 400)))
    with pytest.raises(penstock.Denied) as caught:
        store.put("k", SMALL)
    assert caught.value.code == "AccessDenied"
    assert caught.value.request_id == "REQUEST1"
    assert len(str(caught.value)) < 1000


def test_storage_class_encryption_and_metadata_reach_the_wire(s3, store):
    options = {"storage_class": "STANDARD_IA", "sse": "aws:kms", "kms_key_id": "key-1"}
    for body, operation in ((SMALL, "PutObject"), (PARTS, "CreateUpload")):
        store.put("k", body, content_type="text/x", metadata={"who": "me"}, **options)
        (request,) = s3.asked(operation)
        assert request.header("x-amz-storage-class") == "STANDARD_IA"
        assert request.header("x-amz-server-side-encryption") == "aws:kms"
        assert request.header("x-amz-server-side-encryption-aws-kms-key-id") == "key-1"
        assert request.header("x-amz-meta-who") == "me"
        assert request.header("content-type") == "text/x"


# --- Get ---


@pytest.fixture
def there(s3: ScriptedS3, store: penstock.S3Store) -> bytes:
    store.put("k", PARTS)
    return PARTS


def test_an_answer_whose_head_is_late_is_asked_for_again(s3, impatient, there):
    s3.on("GetObject", late(600))
    assert impatient.get("k").bytes() == there
    assert s3.operations.count("GetObject") >= 2


def test_a_body_reset_every_mebibyte_arrives_byte_exact(s3, store, there):
    def reset(_request, do):
        return origin.cut(MIB + 7, "reset")(do())

    s3.on("GetObject", *[reset] * 20)
    with penstock.Sha256(store.get("k")) as hashed:
        assert sum(map(len, hashed)) == len(there)
        assert hashed.hexdigest() == hashlib.sha256(there).hexdigest()
    assert s3.operations.count("GetObject") == 11
    assert all(request.header("if-match") for request in s3.asked("GetObject")[1:])


def test_a_body_that_stalls_is_dropped_and_continued(s3, impatient, there):
    s3.on("GetObject", lambda _r, do: origin.cut(1000, "stall")(do()))
    assert impatient.get("k").bytes() == there
    assert s3.asked("GetObject")[1].range[0] == 1000


def test_an_object_replaced_while_it_is_read_is_a_conflict_not_a_mixture(s3, store, there):
    def replaced(_request, do):
        answer = origin.cut(MIB)(do())
        s3.objects["bucket", "k"].body = os.urandom(len(there))
        s3.objects["bucket", "k"].etag = '"new"'
        return answer

    s3.on("GetObject", replaced)
    with pytest.raises(penstock.Conflict) as caught:
        store.get("k").bytes()
    assert caught.value.code == "changed"


@pytest.mark.parametrize("absent", ["Content-Range", "ETag"])
def test_a_partial_answer_without_its_proof_is_corrupt_and_gives_no_byte(s3, store, there, absent):
    s3.on("GetObject", *[without(absent)] * 5)
    with pytest.raises(penstock.Corrupt):
        store.get("k", range=(0, 99)).read(1)


def test_a_body_unlike_its_checksum_is_read_once_more_then_corrupt(s3, store):
    store.put("k", SMALL)

    def lying(_request, do):
        return origin.with_headers(("x-amz-checksum-crc32", "AAAAAA=="))(do())

    s3.on("GetObject", *[lying] * 5)
    with pytest.raises(penstock.Corrupt):
        store.get("k").bytes()
    assert s3.operations.count("GetObject") <= 2


def test_a_404_without_a_body_is_not_found(s3, store):
    s3.on("GetObject", instead(Answer(404)))
    s3.on("HeadObject", instead(Answer(404)))
    with pytest.raises(penstock.NotFound):
        store.get("k")
    assert store.find("k") is None


# --- List and remove ---


def test_a_listing_that_repeats_its_token_is_corrupt_not_a_loop(s3, store):
    s3.on("ListObjects", *[instead(listing([f"k{n}"], token="same")) for n in range(20)])
    with pytest.raises(penstock.Corrupt):
        list(store.list())
    assert s3.operations.count("ListObjects") <= 3


def test_keys_are_taken_raw_where_the_encoding_was_not_done(s3, store):
    s3.on("ListObjects", instead(listing(["a%20b+c", "ä"])))
    assert [meta.key for meta in store.list()] == ["a%20b+c", "ä"]
    assert s3.asked("ListObjects")[0].query["encoding-type"] == "url"


def test_only_the_keys_that_failed_in_passing_are_removed_again(s3, store):
    keys = [f"k{n:02}" for n in range(50)]
    failed = "".join(
        f"<Error><Key>{key}</Key><Code>InternalError</Code><Message>again</Message></Error>"
        for key in keys[3:5]
    )
    s3.on("DeleteObjects", instead(Answer(200, [], f"<DeleteResult>{failed}</DeleteResult>".encode())))
    bodies = []
    inner = s3._perform
    s3._perform = lambda operation, request, body: (bodies.append(body), inner(operation, request, body))[1]
    report = store.remove_many(keys)
    assert report.errors == {}
    assert report.removed == 50
    assert re.findall(b"<Key>(.*?)</Key>", bodies[-1]) == [b"k03", b"k04"]


def test_a_key_that_may_not_be_removed_is_in_the_report(s3, store):
    inner = "<Key>a</Key><Code>AccessDenied</Code><Message>no</Message>"
    refused = f"<DeleteResult><Error>{inner}</Error></DeleteResult>".encode()
    s3.on("DeleteObjects", instead(Answer(200, [], refused)))
    report = store.remove_many(["a", "b"])
    assert report.removed == 1
    assert isinstance(report.errors["a"], penstock.Denied)


# --- Secrets ---


def test_no_secret_is_in_an_error_or_a_repr(s3, client):
    keys = {"access_key_id": "CANARYKEY", "secret_access_key": "CANARYSECRET"}
    store = store_on(s3, client, session_token="CANARYTOKEN", **keys)
    echo = "<AWSAccessKeyId>CANARYKEY</AWSAccessKeyId><Token-0>CANARYTOKEN</Token-0>"
    s3.on("PutObject", instead(error(403, "SignatureDoesNotMatch", extra=echo)))
    with pytest.raises(penstock.Denied) as caught:
        store.put("k", SMALL)
    assert s3.asked("PutObject")[0].header("x-amz-security-token") == "CANARYTOKEN"
    assert "CANARY" not in f"{caught.value!r} {caught.value} {caught.value.facts} {store!r}"
