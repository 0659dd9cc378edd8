"""A task's end is told in known words, and a failed one leaves nothing: files.md section 2, F7, F12, F13, F18."""

from __future__ import annotations

import base64
import hashlib
import itertools
import logging
import os
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import penstock
import pytest
from faults import s3 as faults_s3
from faults.origin import FileOrigin, chunked, cut, honest, status
from faults.tasks import process, task
from faults.wire import Answer

MIB = 2**20
CONTENT = os.urandom(3 * MIB + 17)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FOREVER = 50  # more faults than any transfer tries


@pytest.fixture
def impatient() -> Iterator[penstock.Client]:
    """Short clocks, for the tests that wait for one; others must survive a slow machine."""
    with penstock.Client(first_byte="3s", stall_window="2s") as made:
        yield made


def s3_store(bucket: Any, client: penstock.Client, **options: Any) -> penstock.S3Store:
    return penstock.S3Store(**bucket.options, client=client, **options)


# --- The table of section 2, character for character (F12) ---


@pytest.mark.parametrize(
    ("code", "retryable"),
    [(404, False), (403, False), (410, False), (408, True), (429, True), (500, True), (503, True)],
)
def test_a_status_that_is_not_200_is_told_in_known_words(client, code, retryable):
    with FileOrigin(CONTENT, script=[status(code)] * FOREVER) as origin:
        result = process(origin, client)
    assert result.error_message == f"Failed to download file: HTTP {code}"
    assert (result.error_code, result.retryable) == ("DOWNLOAD_FAILED", retryable)
    assert (result.success, result.key, result.bytes) == (False, None, None)


def test_an_announced_length_over_the_limit_is_told_before_the_first_byte(client):
    with FileOrigin(CONTENT) as origin:
        result = process(origin, client, max_bytes=1000)
    assert result.error_message == f"File size {len(CONTENT)} bytes exceeds maximum 1000 bytes"
    assert (result.error_code, result.retryable) == ("VALIDATION_FAILED", False)


def test_a_length_over_the_limit_that_was_not_announced_stops_at_the_limit(client):
    body = os.urandom(20 * MIB)
    with FileOrigin(body, script=[chunked] * FOREVER) as origin:
        result = process(origin, client, max_bytes=MIB)
    assert result.error_message == f"File size {MIB + 1} bytes exceeds maximum {MIB} bytes"
    assert result.error_code == "VALIDATION_FAILED"
    # F8: the limit, the ring, libcurl's receive buffer, and a little framing.
    assert client.statistics()["bytes_in"] <= MIB + MIB + MIB // 4 + 4096


@pytest.mark.parametrize("fault", [honest, chunked], ids=["announced", "seen"])
def test_another_size_is_told_with_both_sizes(client, fault):
    with FileOrigin(CONTENT, script=[fault] * FOREVER) as origin:
        result = process(origin, client, expected_bytes=len(CONTENT) + 1)
    assert result.error_message == f"File size mismatch. Expected: {len(CONTENT) + 1}, Actual: {len(CONTENT)}"
    assert (result.error_code, result.retryable) == ("VALIDATION_FAILED", True)


def test_another_digest_is_told_in_the_callers_encoding(client):
    wrong = hashlib.sha256(b"other").digest()
    actual = hashlib.sha256(CONTENT).digest()
    for encode in (bytes.hex, lambda raw: base64.b64encode(raw).decode()):
        with FileOrigin(CONTENT) as origin:
            result = process(origin, client, checksum=encode(wrong), checksum_algorithm="SHA-256")
        expected = f"Checksum validation failed. Expected: {encode(wrong)}, Actual: {encode(actual)}"
        assert result.error_message == expected
        assert (result.error_code, result.retryable) == ("VALIDATION_FAILED", True)


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "ftp://127.0.0.1/f"},
        {"url": "http://user:pass@127.0.0.1/f"},
        {"url": "http:///f"},
        {"url": "http://127.0.0.1/f\r\nX-Injected: 1"},
        {"key": ""},
        {"key": "a\0b"},
        {"key": "k" * 1025},
        {"checksum": "0" * 64},
        {"checksum": "0" * 63, "checksum_algorithm": "sha256"},
        {"checksum": "0" * 64, "checksum_algorithm": "sha3"},
        {"expected_bytes": 6 * 2**30},
        {"task_id": ""},
        {"task_id": "t" * 256},
        {"file_name": ""},
        {"headers": {"X-A": "1\r\nX-B: 2"}},
        {"headers": {"X A": "1"}},
    ],
    ids=lambda fields: ",".join(fields) + "=" + repr(next(iter(fields.values())))[:24],
)
def test_a_task_that_is_not_valid_is_refused_before_any_contact(client, fields):
    with FileOrigin(CONTENT) as origin:
        result = process(origin, client, **fields)
        assert origin.connections == 0
    assert (result.error_code, result.retryable) == ("VALIDATION_FAILED", False)
    assert result.error_message


def test_a_guarded_address_is_a_validation_failure_without_contact():
    with FileOrigin(CONTENT) as origin, penstock.Client(guard="public") as guarded:
        result = process(origin, guarded)
        assert origin.connections == 0
    assert (result.error_code, result.retryable) == ("VALIDATION_FAILED", False)


def test_a_redirect_into_a_guarded_address_makes_no_contact(client):
    there = status(302, ("Location", "http://169.254.169.254/latest/meta-data/"))
    with FileOrigin(CONTENT, script=[there]) as origin:
        result = process(origin, client)
    assert (result.error_code, result.retryable) == ("VALIDATION_FAILED", False)
    assert client.statistics()["guard_blocks"] == 1


@pytest.mark.parametrize(
    "fault", [cut(MIB), cut(MIB, "reset"), cut(MIB, "stall")], ids=["short", "reset", "stalled"]
)
def test_a_source_that_keeps_breaking_is_a_download_failure(impatient, fault):
    with FileOrigin(CONTENT, script=[fault] * FOREVER, etag="", ranges=False) as origin:
        result = process(origin, impatient)
    assert (result.success, result.error_code, result.retryable) == (False, "DOWNLOAD_FAILED", True)
    assert result.error_message


def test_a_store_that_refuses_is_an_upload_failure(client, scripted):
    server, store = scripted
    server.on("PutObject", faults_s3.instead(faults_s3.error(403, "AccessDenied")))
    with FileOrigin(CONTENT[:1000]) as origin:
        result = process(origin, client, store)
    assert (result.error_code, result.retryable, result.error_kind) == ("UPLOAD_FAILED", False, "denied")


def test_a_store_that_is_busy_is_an_upload_failure_worth_retrying(client, scripted):
    server, store = scripted
    server.on("PutObject", *[faults_s3.instead(faults_s3.error(503, "ServiceUnavailable"))] * FOREVER)
    with FileOrigin(CONTENT[:1000]) as origin:
        result = process(origin, client, store)
    assert (result.error_code, result.retryable) == ("UPLOAD_FAILED", True)


def test_publishing_in_doubt_names_bucket_and_key_and_is_not_for_retrying(client, scripted):
    server, store = scripted

    def taken_by_another(request, do):
        do()
        server.objects["bucket", "k"].body = b"someone else's"
        server.objects["bucket", "k"].headers = [("x-amz-meta-penstock-token", "another")]
        return Answer(silent=True, then="reset")

    server.on("CompleteUpload", taken_by_another)
    with FileOrigin(os.urandom(11 * MIB)) as origin:
        result = process(origin, client, store)
    assert (result.error_code, result.retryable, result.error_kind) == ("UPLOAD_FAILED", False, "in_doubt")
    assert "bucket" in result.error_message
    assert "k" in result.error_message


def test_a_passed_deadline_is_a_timeout(client):
    with FileOrigin(CONTENT, script=[cut(1000, "stall")] * FOREVER) as origin:
        result = process(origin, client, deadline="0.3s")
    assert (result.error_code, result.retryable) == ("TIMEOUT", True)


def test_success_has_key_bytes_and_digest_and_no_error(client):
    with FileOrigin(CONTENT) as origin:
        result = process(origin, client, checksum=f"sha256:{SHA256}")
    assert result.success
    assert (result.key, result.bytes, result.task_id, result.job_id) == ("k", len(CONTENT), "t-1", "j-1")
    assert result.digests["sha256"] == SHA256
    assert not result.error_message


# --- Digests and sizes that differ (F7) ---


def crc64nvme(data: bytes) -> bytes:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x9A6C9329AC4BC9B5 if value & 1 else 0)
        table.append(value)
    value = 2**64 - 1
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 255]
    return (value ^ (2**64 - 1)).to_bytes(8, "big")


def crc32c(data: bytes) -> bytes:
    value = 2**32 - 1
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return (value ^ (2**32 - 1)).to_bytes(4, "big")


DIGESTS = {
    "SHA-256": lambda data: hashlib.sha256(data).digest(),
    "SHA-512": lambda data: hashlib.sha512(data).digest(),
    "SHA-1": lambda data: hashlib.sha1(data).digest(),
    "MD5": lambda data: hashlib.md5(data).digest(),
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "CRC32C": crc32c,
    "CRC64NVME": crc64nvme,
}
ENCODINGS = {
    "hex": bytes.hex,
    "HEX": lambda raw: raw.hex().upper(),
    "base64": lambda raw: base64.b64encode(raw).decode(),
}


def test_a_wrong_digest_or_size_leaves_the_former_object_and_no_upload(bucket, client):
    store = s3_store(bucket, client, part_bytes="5MiB")
    body, short = os.urandom(6 * MIB), os.urandom(1000)
    bucket.server.judge.put_object(Bucket=bucket.name, Key="k", Body=b"former")
    with FileOrigin(short) as origin, FileOrigin(body) as big:
        for (name, of), encode in itertools.product(DIGESTS.items(), ENCODINGS.values()):
            right, wrong = encode(of(short)), encode(of(short[:-1]))
            result = process(origin, client, store, checksum=wrong, checksum_algorithm=name)
            assert not result.success, name
            assert bucket.body("k") == b"former"
            good = process(origin, client, store, key="good", checksum=right, checksum_algorithm=name)
            assert good.success, f"{name}: {good.error_message}"
        for fields in ({"checksum": f"sha256:{'0' * 64}"}, {"expected_bytes": len(body) - 1}):
            assert not process(big, client, store, **fields).success
    client.drain()
    assert bucket.body("k") == b"former"
    assert bucket.open_uploads("k") == []


# --- What each task asks for reaches the wire (F13) ---


def test_bucket_storage_class_and_encryption_of_a_task_reach_the_wire(client, scripted):
    server, store = scripted
    asked = {"storage_class": "GLACIER", "sse": "aws:kms", "kms_key_id": "key-9", "content_type": "text/x"}
    with FileOrigin(CONTENT) as origin:
        assert process(origin, client, store, bucket="other-bucket", **asked).success
    (request,) = server.asked("PutObject")
    assert request.path == "/other-bucket/k"
    assert request.header("x-amz-storage-class") == "GLACIER"
    assert request.header("x-amz-server-side-encryption") == "aws:kms"
    assert request.header("x-amz-server-side-encryption-aws-kms-key-id") == "key-9"
    assert request.header("content-type") == "text/x"
    assert request.header("x-amz-meta-taskid") == "t-1"
    assert request.header("x-amz-meta-jobid") == "j-1"
    assert request.header("x-amz-meta-originalfilename") == "file.bin"


# --- Secrets (F18) ---


def test_no_canary_is_in_results_errors_reprs_or_logs(client, caplog):
    caplog.set_level(logging.DEBUG, logger="penstock")
    canary = "CANARY5f1d"
    words = []
    with FileOrigin(
        CONTENT, script=[status(403), status(302, ("Location", f"/x?X-Amz-Signature={canary}"))]
    ) as origin:
        one = task(
            origin,
            url=f"{origin.file_url}?X-Amz-Signature={canary}&token={canary}",
            headers={"Authorization": f"Bearer {canary}", "X-Token": canary},
        )
        for _ in range(2):
            result = penstock.files.process(one, to=penstock.MemoryStore(), client=client)
            words += [repr(result), str(result), repr(one), str({**one.to_dict(), "url": ""})]
        with pytest.raises(penstock.Error) as caught:
            penstock.fetch(
                f"http://127.0.0.1:1/?sig={canary}",
                penstock.MemoryStore(),
                key="k",
                client=client,
                headers={"Authorization": canary},
            )
        words += [repr(caught.value), str(caught.value), str(caught.value.facts)]
        assert origin.requests[0].header("x-token") == canary
    for said in [*words, caplog.text]:
        assert canary not in said


def test_credentials_do_not_cross_to_another_host(client):
    with (
        FileOrigin(CONTENT) as far,
        FileOrigin(CONTENT, script=[status(302, ("Location", far.file_url))]) as near,
    ):
        result = process(
            near, client, headers={"Authorization": "secret", "Cookie": "secret", "X-Own": "secret"}
        )
        assert result.success
        (request,) = far.requests
    assert not any("secret" in value for _, value in request.headers)


# --- Many at once ---


def test_one_bad_task_touches_no_other(client):
    with FileOrigin(CONTENT[:1000]) as origin:
        tasks = [
            task(origin, task_id=f"t-{n}", key=f"k{n}", **({"expected_bytes": 1} if n % 10 == 0 else {}))
            for n in range(200)
        ]
        store = penstock.MemoryStore()
        results = list(penstock.files.fetch_many(tasks, to=store, jobs=8, client=client))
    assert len(results) == 200
    assert sorted(r.task_id for r in results if not r.success) == sorted(f"t-{n}" for n in range(0, 200, 10))
    assert len(list(store.list())) == 180


def test_threads_may_share_a_client_and_a_store(bucket, client):
    store = s3_store(bucket, client, part_bytes="5MiB")
    failures: list[str] = []

    def work(n: int, origin: FileOrigin) -> None:
        result = process(origin, client, store, key=f"k{n}", checksum=f"sha256:{SHA256}")
        if not result.success:
            failures.append(result.error_message)

    with FileOrigin(CONTENT) as origin:
        threads = [threading.Thread(target=work, args=(n, origin)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(bucket.keys()) == 8
