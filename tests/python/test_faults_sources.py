"""A source that breaks, lies, changes or never answers: requirements F5, F6, F9, F10 of files.md."""

from __future__ import annotations

import hashlib
import os
import random
import socket
from dataclasses import replace
from typing import Any

import penstock
import pytest
from faults import s3 as faults_s3
from faults.amounts import FULL_SIZE
from faults.origin import FileOrigin, both, chunked, cut, unframed, with_headers
from faults.tasks import process
from faults.wire import Answer

MIB = 2**20
CONTENT = os.urandom(3 * MIB + 17)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FOREVER = 50  # more faults than any transfer tries


# --- Cuts (F5, F9) ---


# What the requirement says, and the same in small for every day.
SIZES = [
    pytest.param(24 * MIB, MIB, id="24MiB"),
    pytest.param(5 * 2**30, 64 * MIB, id="5GiB", marks=FULL_SIZE),
]


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(("size", "every"), SIZES)
def test_a_source_cut_again_and_again_arrives_byte_exact_on_a_real_server(bucket, client, size, every, how):
    body = memoryview(os.urandom(size))
    cuts = [cut(every + 4096, how)] * 2 * (size // every)
    store = penstock.S3Store(**bucket.options, client=client)
    with FileOrigin(body, script=cuts) as origin:
        result = process(origin, client, store, key="cut")
    assert result.success, result.error_message
    assert bucket.sha256("cut") == hashlib.sha256(body).hexdigest()
    assert result.resumes >= size // every - 1


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
