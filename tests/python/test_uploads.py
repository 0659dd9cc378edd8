"""Uploads that outlive who began them: gone on with, or swept away."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from typing import Any

import penstock
import pytest
from faults.s3 import error, instead, lost
from faults.wire import Answer

MIB = 2**20
BODY = os.urandom(22 * MIB)  # parts of 5 MiB: four and a shorter one
PART = 5 * MIB


def pieces(body: bytes = BODY, size: int = PART) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


# --- Real servers ---

KILLED = """
import json, os, signal, sys, dataclasses
import penstock
options, path = json.loads(sys.argv[1]), sys.argv[2]
store = penstock.S3Store(**options)
writer = store.open_writer("k", part_bytes="5MiB", content_type="text/x", max_parts_in_flight=1)
body = open(path, "rb").read()
assert writer.state() is None
writer.write(body[: 17 * 2**20])
print(json.dumps(dataclasses.asdict(writer.state())), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_began_goes_on(bucket, tmp_path):
    (tmp_path / "body").write_bytes(BODY)
    command = [sys.executable, "-c", KILLED, json.dumps({**bucket.options, "prefix": "p/"})]
    killed = subprocess.run([*command, str(tmp_path / "body")], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    state = penstock.UploadState(**json.loads(killed.stdout))
    assert state.key == "p/k"
    assert pickle.loads(pickle.dumps(state)) == state
    store = penstock.S3Store(**bucket.options, prefix="p/")
    receipt = store.resume_upload(state, tmp_path / "body", max_parts_in_flight=2)
    assert receipt.mode_reason == "resumed: 3 of 5 parts were there"
    assert bucket.body("p/k") == BODY
    assert bucket.open_uploads("p/k") == []
    meta = store.head("k")
    assert (meta.content_type, meta.etag, meta.metadata) == ("text/x", receipt.etag, {})


def boto3_begins(bucket: Any, parts: dict[int, bytes], **create: Any) -> str:
    judge = bucket.server.judge
    upload_id: str = judge.create_multipart_upload(Bucket=bucket.name, Key="k", **create)["UploadId"]
    for number, body in parts.items():
        judge.upload_part(Bucket=bucket.name, Key="k", UploadId=upload_id, PartNumber=number, Body=body)
    return upload_id


@pytest.mark.parametrize("algorithm", ["CRC32"])
def test_what_boto3_began_goes_on_and_only_what_is_missing_is_sent(bucket, client, algorithm):
    there = dict(enumerate(pieces(), 1))
    kept = {n: there[n] for n in (1, 2, 4)}
    judge = bucket.server.judge
    upload_id = judge.create_multipart_upload(
        Bucket=bucket.name, Key="k", ChecksumAlgorithm=algorithm, Metadata={"who": "boto3"}
    )["UploadId"]
    for number, body in kept.items():
        judge.upload_part(
            Bucket=bucket.name,
            Key="k",
            UploadId=upload_id,
            PartNumber=number,
            Body=body,
            ChecksumAlgorithm=algorithm,
        )
    store = penstock.S3Store(**bucket.options, client=client)
    state = penstock.UploadState(bucket=bucket.name, key="k", upload_id=upload_id)
    receipt = store.resume_upload(state, BODY)
    assert receipt.mode_reason == "resumed: 3 of 5 parts were there"
    assert bucket.body("k") == BODY
    assert store.head("k").metadata == {"who": "boto3"}
    assert bucket.open_uploads("k") == []


def test_parts_of_other_bytes_are_sent_again(bucket):
    upload_id = boto3_begins(bucket, {1: os.urandom(PART), 2: pieces()[1]})
    store = penstock.S3Store(**bucket.options)
    store.resume_upload(penstock.UploadState(bucket=bucket.name, key="k", upload_id=upload_id), BODY)
    assert bucket.body("k") == BODY


def test_a_resumed_upload_is_held_to_its_digest_and_stays_open_when_it_fails(bucket):
    upload_id = boto3_begins(bucket, {1: pieces()[0]})
    store = penstock.S3Store(**bucket.options)
    state = penstock.UploadState(bucket=bucket.name, key="k", upload_id=upload_id)
    with pytest.raises(penstock.Corrupt) as caught:
        store.resume_upload(state, BODY, expected={"sha256": "0" * 64})
    assert caught.value.upload_id == upload_id
    assert store.find("k") is None
    assert bucket.open_uploads("k") == [upload_id]
    store.resume_upload(state, iter(pieces(size=MIB)))
    assert bucket.body("k") == BODY


def test_an_upload_that_is_not_there_is_not_found(bucket):
    store = penstock.S3Store(**bucket.options)
    upload_id = boto3_begins(bucket, {})
    store.abort_upload("k", upload_id)
    with pytest.raises(penstock.NotFound):
        store.resume_upload(penstock.UploadState(bucket=bucket.name, key="k", upload_id=upload_id), BODY)


@pytest.mark.parametrize("fault", [{"bucket": "another"}, {"key": "q/k"}, {"upload_id": ""}])
def test_a_state_of_elsewhere_is_refused(bucket, fault):
    store = penstock.S3Store(**bucket.options, prefix="p/")
    state = penstock.UploadState(**{"bucket": bucket.name, "key": "p/k", "upload_id": "1", **fault})
    with pytest.raises(penstock.Refused):
        store.resume_upload(state, BODY)


def test_uploads_are_resumed_and_swept_in_aio(bucket):
    async def chunks() -> Any:
        for piece in pieces(size=MIB):
            yield piece

    async def main() -> None:
        async with penstock.aio.S3Store(**bucket.options) as store:
            writer = await store.open_writer("k", part_bytes="5MiB")
            await writer.write(BODY[: 12 * MIB])
            begun = writer.state()
            assert begun is not None
            assert (await store.sweep_uploads("k", older_than=0)).uploads == ()  # it is this process's own
            await writer.abort()
            # versitygw fails to begin an upload of a key beside the end of the last one.
            await penstock.aio.Client.default().drain()
            upload_id = boto3_begins(bucket, {1: pieces()[0]})
            state = dataclasses.replace(begun, upload_id=upload_id, token="", checksum="")
            await store.resume_upload(state, chunks())

    asyncio.run(main())
    assert bucket.body("k") == BODY


def test_only_stale_uploads_are_swept_and_only_when_asked(bucket):
    upload_id = boto3_begins(bucket, {1: b"x"})
    store = penstock.S3Store(**bucket.options)
    assert store.sweep_uploads("k").uploads == ()
    found = store.sweep_uploads("k", older_than=0)
    assert [(upload.key, upload.upload_id) for upload in found.uploads] == [("k", upload_id)]
    assert found.aborted == 0
    assert bucket.open_uploads("k") == [upload_id]
    swept = store.sweep_uploads("k", older_than=0, dry_run=False)
    assert (swept.aborted, swept.errors) == (1, {})
    assert bucket.open_uploads("k") == []


# --- A server that misbehaves ---


@pytest.fixture
def s3(scripted):
    return scripted[0]


@pytest.fixture
def store(scripted):
    return scripted[1]


def begin(s3: Any, store: penstock.S3Store, bytes_written: int = 12 * MIB) -> penstock.UploadState:
    """An upload that was left open, as by a process that died."""
    writer = store.open_writer("k", part_bytes="5MiB")
    writer.write(BODY[:bytes_written])
    state = writer.state()
    assert isinstance(state, penstock.UploadState)
    begun = time.monotonic()
    while len(s3.uploads[state.upload_id].parts) < (bytes_written - 1) // PART:
        assert time.monotonic() - begun < 30
        time.sleep(0.01)  # the server's threads are real
    s3.on("AbortUpload", *[instead(Answer(204))] * 5)
    s3.on("ListParts", *[instead(error(404, "NoSuchUpload"))] * 1)
    writer.abort()
    store._arguments["client"].drain()
    return state


def with_checksums(s3: Any) -> None:
    """Lists parts with the checksums they were sent with, two a page."""
    from faults.s3 import _document

    inner = s3._on_upload
    sums: dict[tuple[str, int], str] = {}

    def on_upload(operation: str, place: Any, request: Any, body: bytes) -> Answer:
        upload_id = request.query["uploadId"]
        if operation == "UploadPart":
            sums[upload_id, int(request.query["partNumber"])] = request.header("x-amz-checksum-crc64nvme")
        if operation != "ListParts" or upload_id not in s3.uploads:
            return inner(operation, place, request, body)
        after = int(request.query.get("part-number-marker", 0))
        numbers = [n for n in sorted(s3.uploads[upload_id].parts) if n > after]
        parts = "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>{s3.uploads[upload_id].parts[n].etag}</ETag>"
            f"<Size>{len(s3.uploads[upload_id].parts[n].body)}</Size>"
            f"<ChecksumCRC64NVME>{sums[upload_id, n]}</ChecksumCRC64NVME></Part>"
            for n in numbers[:2]
        )
        more = f"<IsTruncated>{'true' if numbers[2:] else 'false'}</IsTruncated>"
        marker = f"<NextPartNumberMarker>{numbers[1]}</NextPartNumberMarker>" if numbers[2:] else ""
        return _document("ListPartsResult", more + marker + parts)

    s3._on_upload = on_upload


def test_parts_in_two_pages_of_which_one_is_absent_only_what_is_missing_is_sent(s3, store):
    with_checksums(s3)
    state = begin(s3, store, 21 * MIB)
    del s3.uploads[state.upload_id].parts[1]
    s3.requests.clear()
    receipt = store.resume_upload(state, BODY)
    assert sorted(r.query["partNumber"] for r in s3.asked("UploadPart")) == ["1", "5"]
    assert len(s3.asked("ListParts")) == 2
    assert receipt.mode_reason == "resumed: 3 of 5 parts were there"
    assert s3.objects["bucket", "k"].body == BODY


def test_an_upload_whose_parts_are_not_found_in_so_many_words_is_missing(s3, store):
    state = begin(s3, store)
    s3.on("ListParts", instead(Answer(404)))
    with pytest.raises(penstock.NotFound):
        store.resume_upload(state, BODY)


def test_parts_without_checksums_are_all_sent_again(s3, store):
    state = begin(s3, store)
    s3.requests.clear()
    store.resume_upload(state, BODY)
    assert len(s3.asked("UploadPart")) == 5
    assert s3.objects["bucket", "k"].body == BODY


def test_a_short_last_part_is_no_boundary_when_there_is_more_now(s3, store):
    with_checksums(s3)
    state = begin(s3, store)
    upload = s3.uploads[state.upload_id]
    assert sorted(upload.parts) == [1, 2]
    upload.parts[2].body = upload.parts[2].body[:1000]
    store.resume_upload(state, BODY)
    assert s3.objects["bucket", "k"].body == BODY


def test_an_upload_that_was_complete_already_is_known_by_its_token(s3, store):
    state = begin(s3, store)
    store.resume_upload(state, BODY)
    told: list[penstock.Progress] = []
    receipt = store.resume_upload(state, BODY, progress=told.append)
    assert receipt.mode_reason == "it was complete already"
    assert [(t.state, t.bytes_done) for t in told] == [("completed", len(BODY))]
    assert (receipt.bytes, receipt.etag) == (len(BODY), s3.objects["bucket", "k"].etag)


def test_a_resumed_upload_tells_how_far_it_is_and_how_it_ends(s3, store):
    state = begin(s3, store)
    told: list[penstock.Progress] = []
    s3.on("CompleteUpload", instead(error(403, "AccessDenied")))
    with pytest.raises(penstock.Denied):
        store.resume_upload(state, BODY, progress=told.append)
    assert (told[-1].state, told[-1].bytes_done) == ("failed", len(BODY))
    told.clear()
    store.resume_upload(state, BODY, progress=told.append)
    assert [t.state for t in told if t.state != "downloading"] == ["publishing", "completed"]
    assert {t.bytes_total for t in told} == {len(BODY)}
    assert told[-1].bytes_done == len(BODY)


def test_a_part_denied_leaves_a_resumed_upload_open(s3, store, client):
    state = begin(s3, store)
    s3.on("UploadPart", *[instead(error(403, "AccessDenied"))] * 5)
    with pytest.raises(penstock.Denied) as caught:
        store.resume_upload(state, BODY)
    assert caught.value.upload_id == state.upload_id
    client.drain()
    assert [*s3.uploads] == [state.upload_id]
    assert store.statistics()["uploads_open"] == 0


def test_a_lost_complete_of_a_resumed_upload_is_settled_by_the_token_it_began_with(s3, store):
    state = begin(s3, store)
    s3.on("CompleteUpload", lost, instead(error(404, "NoSuchUpload")))
    assert store.resume_upload(state, BODY).etag == s3.objects["bucket", "k"].etag


def test_the_condition_an_upload_began_with_holds_when_it_is_resumed(s3, store):
    state = dataclasses.replace(begin(s3, store), mode="create")
    store.put("k", b"another's")
    with pytest.raises(penstock.Conflict):
        store.resume_upload(state, BODY)
    assert s3.objects["bucket", "k"].body == b"another's"


def test_a_checksum_that_does_not_combine_is_refused(s3, store):
    state = begin(s3, store)
    declared = "<IsTruncated>false</IsTruncated><ChecksumAlgorithm>SHA256</ChecksumAlgorithm>"
    s3.on("ListParts", instead(Answer(200, [], f"<ListPartsResult>{declared}</ListPartsResult>".encode())))
    with pytest.raises(penstock.Refused, match="SHA256"):
        store.resume_upload(state, BODY)


def test_a_sweep_reports_what_it_may_not_abort(s3, store):
    begin(s3, store)
    s3._faults["AbortUpload"].clear()
    s3.on("AbortUpload", instead(error(403, "AccessDenied")))
    swept = store.sweep_uploads(dry_run=False)
    assert len(swept.uploads) == 1
    assert (swept.aborted, [type(e) for e in swept.errors.values()]) == (0, [penstock.Denied])


def test_an_empty_source_and_a_failed_condition_leave_the_upload(s3, store, client):
    state = begin(s3, store)
    with pytest.raises(penstock.Refused, match="empty"):
        store.resume_upload(state, b"")
    s3.on("CompleteUpload", instead(error(412, "PreconditionFailed")))
    with pytest.raises(penstock.Conflict):
        store.resume_upload(dataclasses.replace(state, mode="create", token=""), BODY)
    client.drain()
    assert [*s3.uploads] == [state.upload_id]
    store.resume_upload(state, BODY)
    assert s3.objects["bucket", "k"].body == BODY


def test_what_is_expected_of_an_upload_without_checksums_is_compared(s3, store):
    state = dataclasses.replace(begin(s3, store), checksum="")
    digest = hashlib.sha256(BODY).hexdigest()
    with pytest.raises(penstock.Corrupt):
        store.resume_upload(state, BODY, expected={"crc64nvme": "0" * 16})
    with pytest.raises(penstock.Corrupt):
        store.resume_upload(state, BODY, expected={"sha256": "0" * 64})
    receipt = store.resume_upload(state, BODY, expected={"sha256": digest})
    assert receipt.digests["sha256"] == digest


def test_what_is_complete_already_must_be_what_is_expected(s3, store):
    state = begin(s3, store)
    store.resume_upload(state, BODY)
    with pytest.raises(penstock.Corrupt, match="the length"):
        store.resume_upload(dataclasses.replace(state, length=5), BODY)
    with pytest.raises(penstock.Refused, match="sha256"):
        store.resume_upload(state, BODY, expected={"sha256": "0" * 64})


def test_a_sweep_stays_below_its_prefix_whatever_the_server_lists(s3, store, client):
    begin(s3, store)
    s3._faults["AbortUpload"].clear()
    mine = penstock.S3Store(**{**store._arguments, "prefix": "mine/"})
    assert mine.sweep_uploads(dry_run=False).uploads == ()
    assert len(s3.uploads) == 1
