"""Objects as files by several ranges at once, and readers that seek, when all is well and when it is not."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import penstock
import pytest
from faults import origin
from faults.s3 import error, instead
from faults.wire import Answer, Request

MIB = 2**20
BODY = os.urandom(35 * MIB + 12_345)  # five ranges of 8 MiB, the last one shorter

# --- Real servers ---


@pytest.mark.parametrize("lanes", [1, 4, 64])
def test_a_file_is_what_boto3_put(bucket, tmp_path, lanes):
    bucket.server.judge.put_object(Bucket=bucket.name, Key="k", Body=BODY, ContentType="text/x")
    store = penstock.S3Store(**bucket.options)
    receipt = store.get_file("k", tmp_path / "f", lanes=lanes)
    assert (tmp_path / "f").read_bytes() == BODY
    assert receipt.bytes == len(BODY)
    assert receipt.location == (tmp_path / "f").as_uri()
    assert (receipt.etag, receipt.content_type) == (store.head("k").etag, "text/x")


def test_a_file_of_an_upload_of_parts_is_compared_with_its_checksum(bucket, tmp_path):
    store = penstock.S3Store(**bucket.options)
    store.put("k", BODY, part_bytes="5MiB")
    receipt = store.get_file("k", tmp_path / "f")
    assert receipt.mode_reason == "4 lanes"
    assert "crc64nvme" in receipt.digests
    assert (tmp_path / "f").read_bytes() == BODY


def test_small_and_empty_files(bucket, tmp_path):
    store = penstock.S3Store(**bucket.options)
    for body in (b"", b"x", BODY[: 8 * MIB]):
        store.put("k", body)
        store.get_file("k", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == body


def test_progress_never_falls_and_ends_at_the_size(bucket, tmp_path):
    store = penstock.S3Store(**bucket.options)
    store.put("k", BODY)
    told: list[Any] = []
    store.get_file("k", tmp_path / "f", progress=told.append)
    done = [progress.bytes_done for progress in told]
    assert done == sorted(done)
    assert (told[-1].state, done[-1], told[-1].bytes_total) == ("completed", len(BODY), len(BODY))


def test_files_and_readers_are_awaited_in_aio(bucket, tmp_path):
    async def main() -> None:
        async with penstock.aio.S3Store(**bucket.options) as store:
            await store.put("k", BODY)
            assert (await store.get_file("k", tmp_path / "f")).bytes == len(BODY)
            async with await store.open_reader("k") as reader:
                await reader.seek(-10, os.SEEK_END)
                assert await reader.tell() == len(BODY) - 10
                assert await reader.read(100) == BODY[-10:]
                await reader.seek(5)
                assert await reader.read(3) == BODY[5:8]

    asyncio.run(main())
    assert (tmp_path / "f").read_bytes() == BODY


def test_what_wants_a_file_reads_an_object(bucket):
    store = penstock.S3Store(**bucket.options)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr("big", os.urandom(2 * MIB))
        made.writestr("table.csv", "id,name\n1,Gräfe\n")
    store.put("k.zip", packed.getvalue())
    with store.open_reader("k.zip") as reader, zipfile.ZipFile(reader) as archive:
        assert archive.namelist() == ["big", "table.csv"]
        rows = list(csv.reader(io.TextIOWrapper(archive.open("table.csv"), "utf-8")))
    assert rows == [["id", "name"], ["1", "Gräfe"]]


def test_a_reader_stands_on_one_version(bucket):
    store = penstock.S3Store(**bucket.options)
    store.put(
        "k", BODY[:MIB]
    )  # so little that MinIO, which lets nobody write what it still sends, has sent it
    with store.open_reader("k") as reader:
        assert reader.read(3) == BODY[:3]
        store.put("k", b"another")
        reader.seek(MIB // 2)
        with pytest.raises(penstock.Conflict) as caught:
            reader.read(1)
    assert caught.value.code == "changed"
    with pytest.raises(penstock.Conflict):
        store.open_reader("k", if_match='"0"')


# --- A server that misbehaves ---


@pytest.fixture
def s3(scripted):
    server, store = scripted
    store.put("k", BODY)
    server.requests.clear()
    server.operations.clear()
    return server


@pytest.fixture
def store(scripted):
    return scripted[1]


def ranges(s3: Any) -> list[tuple[int, int | None]]:
    return sorted(r.range for r in s3.asked("GetObject"))


def assert_no_file(folder: Path) -> None:
    assert list(folder.iterdir()) == []


def on_range(s3: Any, first: int, fault: Callable[[Request, Any], Answer], times: int = 1) -> None:
    """The next answers to the range that begins there go wrong."""
    left = [times]

    def maybe(request: Request, do: Any) -> Answer:
        if request.range and request.range[0] == first and left[0] > 0:
            left[0] -= 1
            return fault(request, do)
        return do()

    s3.on("GetObject", *[maybe] * 50)


def test_nothing_is_read_twice_and_every_range_is_held_to_the_version(s3, store, tmp_path):
    store.get_file("k", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY
    step = 8 * MIB
    assert ranges(s3) == [(at, min(at + step, len(BODY)) - 1) for at in range(0, len(BODY), step)]
    etag = s3.objects["bucket", "k"].etag
    assert {r.header("if-match") for r in s3.asked("GetObject")} == {etag}


def test_a_range_that_breaks_goes_on_alone(s3, store, tmp_path):
    on_range(s3, 8 * MIB, lambda _r, do: origin.cut(MIB, "reset")(do()))
    store.get_file("k", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY
    again = [r for r in ranges(s3) if r[1] == 16 * MIB - 1]
    assert len(again) == 2
    assert again[1][0] > 8 * MIB


def test_a_range_that_is_late_holds_up_no_other(s3, store, tmp_path):
    def late(_request: Request, do: Any) -> Answer:
        others = [first for first, _ in all_ranges if first]
        deadline = time.monotonic() + 30
        while not set(others) <= {r.range[0] for r in s3.asked("GetObject")}:
            assert time.monotonic() < deadline, "a range waited for another one"
            time.sleep(0.01)
        return do()

    store.get_file("k", tmp_path / "f")
    all_ranges = ranges(s3)
    s3.requests.clear()
    on_range(s3, 0, late)
    store.get_file("k", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == BODY


def test_a_range_denied_late_ends_the_others_and_leaves_no_file(s3, store, tmp_path):
    denied = error(403, "AccessDenied")
    denied.delay = 0.5
    on_range(s3, 16 * MIB, instead(denied))
    told: list[penstock.Progress] = []
    with pytest.raises(penstock.Denied):
        store.get_file("k", tmp_path / "f", progress=told.append)
    assert told[-1].state == "failed"
    assert_no_file(tmp_path)


def test_another_range_than_was_asked_for_is_corrupt_and_leaves_no_file(s3, store, tmp_path):
    def wrong(_request: Request, do: Any) -> Answer:
        answer = do()
        answer.headers = [
            (n, v.replace("bytes 8388608-", "bytes 8388609-") if n == "Content-Range" else v)
            for n, v in answer.headers
        ]
        return answer

    on_range(s3, 8 * MIB, wrong, times=50)
    with pytest.raises(penstock.Corrupt):
        store.get_file("k", tmp_path / "f")
    assert_no_file(tmp_path)


def test_an_object_replaced_between_ranges_is_a_conflict_and_leaves_no_file(s3, store, tmp_path):
    def replaced(_request: Request, do: Any) -> Answer:
        answer = do()
        s3.objects["bucket", "k"].etag = '"new"'
        return answer

    on_range(s3, 0, replaced)
    inner = s3._get

    def conditional(place: Any, request: Request) -> Answer:
        wanted = request.header("if-match")
        if wanted and wanted != s3.objects[place].etag:
            return error(412, "PreconditionFailed")
        return inner(place, request)

    s3._get = conditional
    (tmp_path / "f").write_bytes(b"former")
    with pytest.raises(penstock.Conflict) as caught:
        store.get_file("k", tmp_path / "f", lanes=2)
    assert caught.value.code == "changed"
    assert (tmp_path / "f").read_bytes() == b"former"
    assert len(list(tmp_path.iterdir())) == 1


def crc32_header(s3: Any, value: str) -> None:
    s3.objects["bucket", "k"].headers.append(("x-amz-checksum-crc32", value))


def head_only(s3: Any) -> None:
    """The whole checksum comes with the HEAD, and with no range."""
    inner = s3._get

    def get(place: Any, request: Request) -> Answer:
        answer = inner(place, request)
        if request.method == "GET":
            answer.headers = [h for h in answer.headers if not h[0].startswith("x-amz-checksum")]
        return answer

    s3._get = get


def test_the_checksum_of_the_head_is_compared_with_the_ranges_combined(s3, store, tmp_path):
    import base64
    import zlib

    crc32_header(s3, base64.b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode())
    head_only(s3)
    store.get_file("k", tmp_path / "f")
    assert s3.operations.count("GetObject") == 5
    assert hashlib.sha256((tmp_path / "f").read_bytes()).digest() == hashlib.sha256(BODY).digest()


def test_bytes_unlike_their_checksum_are_read_once_more_then_corrupt(s3, store, tmp_path):
    crc32_header(s3, "AAAAAA==")
    head_only(s3)
    with pytest.raises(penstock.Corrupt) as caught:
        store.get_file("k", tmp_path / "f")
    assert caught.value.expected == "00000000"
    assert s3.operations.count("GetObject") == 10
    assert_no_file(tmp_path)


def test_a_deadline_ends_all_lanes_at_once_and_leaves_no_file(s3, store, tmp_path):
    on_range(s3, 0, lambda _r, do: origin.cut(MIB, "stall")(do()))
    begun = time.monotonic()
    with pytest.raises(penstock.DeadlinePassed):
        store.get_file("k", tmp_path / "f", deadline=1.5)
    assert time.monotonic() - begun < 4
    assert_no_file(tmp_path)


def test_a_progress_that_raises_ends_all_lanes_and_leaves_no_file(s3, store, tmp_path):
    def tell(_progress: Any) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError):
        store.get_file("k", tmp_path / "f", progress=tell)
    assert_no_file(tmp_path)


def test_a_small_gap_is_read_over_and_a_large_one_is_a_new_request(s3, store):
    with store.open_reader("k") as reader:
        reader.read(10)
        reader.seek(100_000)
        assert reader.read(10) == BODY[100_000:100_010]
        assert s3.operations.count("GetObject") == 1
        reader.seek(10 * MIB)
        assert reader.read(10) == BODY[10 * MIB : 10 * MIB + 10]
        reader.seek(0)
        reader.seek(10 * MIB + 10)
        assert reader.read(5) == BODY[10 * MIB + 10 : 10 * MIB + 15]
    assert s3.operations.count("GetObject") == 2


def forgetful(s3: Any, *headers: str) -> None:
    """Has the server not hear these headers."""
    inner = s3._perform

    def perform(operation: str, request: Any, body: bytes) -> Any:
        request.headers = [h for h in request.headers if h[0].lower() not in headers]
        return inner(operation, request, body)

    s3._perform = perform


def test_ranges_of_two_objects_are_no_file_whatever_the_server_makes_of_conditions(s3, store, tmp_path):
    forgetful(s3, "if-match")

    def replaced(_request: Any, do: Any) -> Any:
        answer = do()
        s3.objects["bucket", "k"].etag = '"another"'
        return answer

    s3.on("GetObject", replaced)
    with pytest.raises(penstock.Conflict) as caught:
        store.get_file("k", tmp_path / "f", lanes=2)
    assert caught.value.code == "changed"
    assert [*tmp_path.iterdir()] == []


def test_a_reader_reads_no_other_object_whatever_the_server_makes_of_conditions(s3, store):
    forgetful(s3, "if-match")
    with store.open_reader("k") as reader:
        assert reader.read(3) == BODY[:3]
        s3.objects["bucket", "k"].etag = '"another"'
        reader.seek(20 * MIB)
        with pytest.raises(penstock.Conflict):
            reader.read(1)


def test_a_file_that_is_there_is_found_before_the_download(s3, store, tmp_path):
    (tmp_path / "f").write_bytes(b"there")
    with pytest.raises(penstock.Conflict):
        store.get_file("k", tmp_path / "f", lanes=2, mode="create")
    assert s3.asked("GetObject") == []
