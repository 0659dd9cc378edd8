"""A URL becomes a verified object, or nothing at all: files.md section 2 and requirements F5 to F13, F18."""

from __future__ import annotations

import base64
import hashlib
import itertools
import logging
import os
import random
import socket
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import penstock
import pytest
from faults import s3 as faults_s3
from faults.origin import FileOrigin, both, chunked, cut, honest, status, unframed, with_headers
from faults.s3 import ScriptedS3
from faults.wire import Answer

MIB = 2**20
CONTENT = os.urandom(3 * MIB + 17)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FOREVER = 50  # more faults than any transfer tries


@pytest.fixture
def client() -> Iterator[penstock.Client]:
    with penstock.Client() as made:
        yield made


@pytest.fixture
def impatient() -> Iterator[penstock.Client]:
    """Short clocks, for the tests that wait for one; others must survive a slow machine."""
    with penstock.Client(first_byte="3s", stall_window="2s") as made:
        yield made


def task(origin: FileOrigin, **fields: Any) -> penstock.files.FileTask:
    named = {"task_id": "t-1", "job_id": "j-1", "url": origin.file_url, "file_name": "file.bin", "key": "k"}
    return penstock.files.FileTask(**{**named, **fields})


def process(origin: FileOrigin, client: penstock.Client, to: Any = None, **fields: Any) -> Any:
    store = penstock.MemoryStore() if to is None else to
    return penstock.files.process(task(origin, **fields), to=store, client=client)


def s3_store(bucket: Any, client: penstock.Client, **options: Any) -> penstock.S3Store:
    return penstock.S3Store(**bucket.options, client=client, **options)


@pytest.fixture
def scripted(client: penstock.Client) -> Iterator[tuple[ScriptedS3, penstock.S3Store]]:
    keys = {"access_key_id": "testkey", "secret_access_key": "testsecret123"}
    with ScriptedS3() as server:
        yield (
            server,
            penstock.S3Store(
                "bucket", endpoint=server.url, region="us-east-1", part_bytes="5MiB", client=client, **keys
            ),
        )


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


# --- Cuts (F5, F9) ---


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_source_cut_every_mebibyte_arrives_byte_exact_on_a_real_server(bucket, client, how):
    body = os.urandom(24 * MIB)
    cuts = [cut(MIB + 4096, how)] * FOREVER
    store = s3_store(bucket, client)
    with FileOrigin(body, script=cuts) as origin:
        result = process(origin, client, store, key="cut")
    assert result.success, result.error_message
    assert hashlib.sha256(bucket.body("cut")).digest() == hashlib.sha256(body).digest()
    assert result.resumes >= 22


SHORT = os.urandom(1000)
LYING = {
    "short by some": lambda at: lambda a: replace(a, body=a.body[:at], length=len(SHORT)),
    "chunked without its end": lambda at: both(chunked, lambda a: replace(a, cut=at)),
    "unframed": lambda at: both(unframed, lambda a: replace(a, body=a.body[:at])),
}


@pytest.mark.parametrize("kind", LYING)
def test_a_body_that_ends_early_is_never_success(client, kind):
    """200 cut points, the first and last byte among them; the origin never mends and names no version."""
    for at in [*range(0, 995, 5), 999]:
        fault = LYING[kind](at)
        with FileOrigin(SHORT, script=[fault] * FOREVER, etag="", ranges=False) as origin:
            store = penstock.MemoryStore()
            result = process(origin, client, store)
            assert not result.success, f"{kind}, cut at {at}"
            assert store.find("k") is None


def test_an_unframed_body_is_accepted_when_something_vouches_for_it(client):
    for vouched in (
        {"expected_bytes": len(CONTENT)},
        {"checksum": SHA256, "checksum_algorithm": "sha256"},
        {"allow_unframed": True},
    ):
        with FileOrigin(CONTENT, script=[unframed]) as origin:
            assert process(origin, client, **vouched).success


# --- A source that changes (F10) ---


class ChangingOrigin(FileOrigin):
    """Serves one version, then another, breaking off at random places and misreading ranges at random."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.versions = [bytes([65 + n]) * self._random.randrange(200_000, 400_000) for n in range(2)]
        names = self._random.choice([('"a"', '"b"'), ('W/"a"', 'W/"b"'), ("", "")])
        self._names = names
        super().__init__(self.versions[0], etag=names[0])
        self._change_at = self._random.randrange(1, 4)

    def answer(self, request: Any) -> Answer:
        if len(self.requests) > self._change_at:
            self.content, self.etag = self.versions[1], self._names[1]
        answer = super().answer(request)
        if answer.status in (200, 206) and self._random.random() < 0.6 and len(answer.body) > 1:
            answer = cut(self._random.randrange(1, len(answer.body)))(answer)
        if answer.status == 206 and self._random.random() < 0.3:
            answer = self._misread(answer)
        return answer

    def _misread(self, answer: Answer) -> Answer:
        if self._random.random() < 0.5:
            return Answer(200, [h for h in answer.headers if h[0] != "Content-Range"], self.content)
        return with_headers(("Content-Range", f"bytes 0-{len(answer.body) - 1}/{len(self.content)}"))(answer)


def test_a_source_that_changes_gives_one_version_or_none(client):
    succeeded = 0
    for seed in range(500):
        with ChangingOrigin(seed) as origin:
            store = penstock.MemoryStore()
            result = process(origin, client, store)
            if result.success:
                succeeded += 1
                assert store.get("k").bytes() in origin.versions, f"seed {seed}: a mixture"
            else:
                assert store.find("k") is None, f"seed {seed}"
    assert 70 < succeeded < 500, "the schedules no longer try both outcomes"


def test_a_source_that_changes_once_is_started_again_from_zero(client):
    with FileOrigin(CONTENT) as origin:

        def change(answer: Answer) -> Answer:
            origin.content, origin.etag = b"B" * len(CONTENT), '"new"'
            return cut(MIB)(answer)

        origin._script = iter([change])
        store = penstock.MemoryStore()
        result = process(origin, client, store)
    assert result.success
    assert result.restarts == 1
    assert store.get("k").bytes() == b"B" * len(CONTENT)


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


# --- Waiting always ends (F6) ---


@pytest.mark.parametrize("where", ["head", "body", "part"])
def test_a_deadline_ends_every_wait(client, scripted, where):
    server, store = scripted
    script = {"head": [lambda a: replace(a, delay=600.0)], "body": [cut(1000, "stall")], "part": []}[where]
    if where == "part":
        server.on("UploadPart", *[faults_s3.late(600)] * 3)
    with FileOrigin(os.urandom(6 * MIB), script=script * FOREVER) as origin:
        result = process(origin, client, store, deadline="0.5s")
    assert (result.error_code, result.error_kind) == ("TIMEOUT", "lost")
    assert result.duration_ms < 10_000
    assert ("bucket", "k") not in server.objects


def test_a_deadline_after_publishing_was_asked_is_in_doubt(client, scripted):
    server, store = scripted
    # Long enough for a slow machine to reach Complete; the wait there is what is cut.
    server.on("CompleteUpload", *[faults_s3.instead(Answer(silent=True, then="stall"))] * FOREVER)
    with FileOrigin(os.urandom(6 * MIB)) as origin:
        result = process(origin, client, store, deadline="12s")
    assert result.error_kind == "in_doubt"
    assert result.duration_ms < 60_000


def process_from(port: int, client: penstock.Client) -> penstock.files.FileResult:
    url = f"http://127.0.0.1:{port}/f"
    task = penstock.files.FileTask(task_id="t", job_id="j", url=url, file_name="f", key="k")
    return penstock.files.process(task, to=penstock.MemoryStore(), client=client)


def test_a_refused_connection_is_a_retryable_failed_download(client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = process_from(port, client)
    assert (result.error_code, result.retryable) == ("DOWNLOAD_FAILED", True)


def test_a_connection_that_nobody_accepts_ends_by_the_first_byte_clock():
    # The kernel completes the handshake from the backlog, so only the answer is missing.
    with socket.create_server(("127.0.0.1", 0)) as listener, penstock.Client(first_byte="500ms") as client:
        result = process_from(listener.getsockname()[1], client)
    assert (result.error_code, result.retryable) == ("DOWNLOAD_FAILED", True)
    assert "no answer came in time" in result.error_message


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
    with FileOrigin(SHORT) as origin:
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
