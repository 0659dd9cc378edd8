"""What is read of a bucket that misbehaves, and what stalls and cuts do to long transfers: s3.md section 7, F5."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import penstock
import pytest
from faults import origin
from faults.origin import FileOrigin
from faults.proxy import Fault, Proxy
from faults.s3 import ScriptedS3, error
from faults.wire import Answer, Request

MIB = 2**20
BODY = os.urandom(11 * MIB)  # two ranges of get_file, three parts of 5 MiB
RIGHT = base64.b64encode(zlib.crc32(BODY[:MIB]).to_bytes(4, "big")).decode()
WRONG = "AAAAAA=="


@pytest.fixture
def s3(scripted: tuple[ScriptedS3, penstock.S3Store]) -> ScriptedS3:
    server, store = scripted
    store.put("k", BODY)
    server.requests.clear()
    server.operations.clear()
    return server


@pytest.fixture
def store(scripted: tuple[ScriptedS3, penstock.S3Store]) -> penstock.S3Store:
    return scripted[1]


@pytest.fixture
def impatient(s3: ScriptedS3) -> Iterator[penstock.S3Store]:
    keys = {"access_key_id": "testkey", "secret_access_key": "testsecret123"}
    with penstock.Client(first_byte="2s", stall_window="1s") as client:
        yield penstock.S3Store(
            "bucket", endpoint=s3.url, region="us-east-1", part_bytes="5MiB", client=client, **keys
        )


# --- Rows of the table ---


def test_a_body_shorter_than_its_length_and_then_whole_is_gone_on_with(s3, store):
    s3.on("GetObject", lambda _r, do: _short(do()))
    assert store.get("k").bytes() == BODY
    assert [r.range for r in s3.asked("GetObject")] == [None, (MIB, None)]


def _short(answer: Answer) -> Answer:
    return replace(answer, body=answer.body[:MIB], length=len(answer.body))


def test_a_server_that_wants_if_match_on_every_range_is_never_asked_without(s3, store, tmp_path):
    inner = s3._get

    def strict(place: Any, request: Request) -> Answer:
        if request.range and not request.header("if-match"):
            return error(400, "InvalidRequest")
        return inner(place, request)

    s3._get = strict
    s3.on("GetObject", lambda _r, do: origin.cut(MIB)(do()))
    assert store.get("k").bytes() == BODY
    store.get_file("k", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY


@pytest.mark.parametrize("said", [RIGHT, WRONG], ids=["right", "wrong"])
def test_a_checksum_that_comes_with_the_only_range_is_compared(s3, store, tmp_path, said):
    store.put("small", BODY[:MIB])
    s3.objects["bucket", "small"].headers.append(("x-amz-checksum-crc32", said))
    if said == RIGHT:
        assert store.get_file("small", tmp_path / "f").bytes == MIB
    else:
        with pytest.raises(penstock.Corrupt):
            store.get_file("small", tmp_path / "f")
    assert s3.operations.count("GetObject") == 1


def test_three_stalls_of_a_body_and_of_parts_lose_nothing(s3, impatient):
    stalled = [lambda _r, do: origin.cut(MIB, "stall")(do())] * 3
    s3.on("GetObject", *stalled)
    assert impatient.get("k").bytes() == BODY
    s3.on("UploadPart", *[lambda _r, _do: Answer(silent=True, then="stall")] * 3)
    impatient.put("k", BODY[::-1])
    assert s3.objects["bucket", "k"].body == BODY[::-1]


# --- A connection after the other that breaks (F5) ---

CUTS = 80
PART = 5 * MIB  # the least that real servers take
EVERY = 17 * PART // 16  # so each connection takes one part, and breaks in the next


@pytest.mark.parametrize("side", ["download", "upload"])
def test_eighty_resets_on_either_side_leave_the_object_byte_exact(bucket, side):
    pieces = MIB if side == "download" else PART
    body = memoryview(os.urandom((CUTS + 1) * pieces))
    way, every = ("down", pieces + 4096) if side == "download" else ("up", EVERY)
    resets = [Fault(connection, way, every, "reset") for connection in range(CUTS)]
    with (
        FileOrigin(body) as source,
        Proxy(source.url, resets if side == "download" else ()) as to_origin,
        Proxy(bucket.server.url, resets if side == "upload" else ()) as to_store,
        penstock.Client() as client,
    ):
        options = {**bucket.options, "endpoint": to_store.url, "part_bytes": PART, "max_parts_in_flight": 1}
        store = penstock.S3Store(**options, client=client)
        digest = hashlib.sha256(body).hexdigest()
        task = penstock.files.FileTask(
            task_id="t",
            job_id="j",
            url=f"{to_origin.url}/f",
            file_name="f",
            key="k",
            checksum=f"sha256:{digest}",
        )
        result = penstock.files.process(task, to=store, client=client)
        assert result.success, result.error_message
        happened = len(to_origin.happened) + len(to_store.happened)
    assert bucket.sha256("k") == digest
    assert bucket.open_uploads("k") == []
    assert happened >= CUTS - 1
    assert side == "upload" or result.resumes >= CUTS - 1
