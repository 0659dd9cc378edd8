"""Copies that the server makes, and moves: what boto3 then reads, and what happens when the server misbehaves."""

from __future__ import annotations

import asyncio
import hashlib
import os
from typing import Any

import penstock
import pytest
from faults.s3 import error, instead, lost, undone_lost
from faults.wire import Answer

MIB = 2**20
BODY = os.urandom(11 * MIB)  # three parts of 5 MiB, the last one shorter
SMALL = os.urandom(100_000)
ATTRIBUTES: dict[str, Any] = {
    "content_type": "text/x",
    "content_encoding": "zz",
    "content_disposition": "inline",
    "cache_control": "no-store",
    "metadata": {"who": "me", "name": "Gräfe"},
    "tags": {"color": "dark red"},
}

# --- Real servers, judged by boto3 ---


def assert_same_attributes(bucket: Any, key: str) -> None:
    head = bucket.server.judge.head_object(Bucket=bucket.name, Key=key)
    shown = [head[n] for n in ("ContentType", "ContentEncoding", "ContentDisposition", "CacheControl")]
    assert shown == ["text/x", "zz", "inline", "no-store"]
    assert head["Metadata"]["who"] == "me"
    tags = bucket.server.judge.get_object_tagging(Bucket=bucket.name, Key=key)["TagSet"]
    assert tags == [{"Key": "color", "Value": "dark red"}]


@pytest.mark.parametrize(
    "how", [{}, {"part_bytes": "5MiB"}, {"mode": "create"}], ids=["whole", "parts", "create"]
)
def test_a_copy_has_the_bytes_and_all_that_was_said_of_them(bucket, how):
    store = penstock.S3Store(**bucket.options, prefix="p/")
    store.put("from é+&", BODY, **ATTRIBUTES)
    receipt = store.copy("from é+&", "to %2F", **how)
    assert receipt.mode == "copy"
    assert receipt.bytes == len(BODY)
    assert bucket.body("p/to %2F") == BODY
    assert_same_attributes(bucket, "p/to %2F")
    assert store.head("to %2F").metadata == ATTRIBUTES["metadata"]
    assert receipt.etag == store.head("to %2F").etag


def test_what_is_given_replaces_what_the_source_says(bucket):
    store = penstock.S3Store(**bucket.options)
    store.put("a", SMALL, **ATTRIBUTES)
    store.copy("a", "b", content_type="text/new", metadata={"is": "new"}, tags={"t": "2"})
    meta = store.head("b")
    assert (meta.content_type, meta.metadata, meta.content_encoding) == ("text/new", {"is": "new"}, "zz")
    tags = bucket.server.judge.get_object_tagging(Bucket=bucket.name, Key="b")["TagSet"]
    assert tags == [{"Key": "t", "Value": "2"}]


def test_a_copy_creates_or_replaces_only_what_it_may(bucket):
    store = penstock.S3Store(**bucket.options)
    store.put("a", SMALL)
    there = store.put("b", b"there").etag
    with pytest.raises(penstock.Conflict):
        store.copy("a", "b", mode="create")
    assert bucket.body("b") == b"there"
    store.copy("a", "b", if_match=there)
    with pytest.raises(penstock.Conflict):
        store.copy("a", "b", if_match=there)
    assert bucket.body("b") == SMALL
    penstock.Client.default().drain()
    assert bucket.open_uploads("b") == []


def test_an_empty_object_is_copied_under_a_condition_too(bucket):
    store = penstock.S3Store(**bucket.options)
    store.put("a", b"", content_type="text/x")
    store.copy("a", "b", mode="create")
    assert store.head("b").content_type == "text/x"
    with pytest.raises(penstock.Conflict):
        store.copy("a", "b", mode="create")


def test_a_copy_out_of_another_bucket_of_the_server_is_made_by_the_server(bucket):
    store = penstock.S3Store(**bucket.options, prefix="p/")
    other = store.with_bucket(bucket.name + "-2")
    bucket.server.judge.create_bucket(Bucket=bucket.name + "-2")
    other.put("a", SMALL)
    assert store.copy("a", "b", source=other).mode == "copy"
    assert bucket.body("p/b") == SMALL


def test_a_copy_between_stores_that_share_nothing_passes_through_here(bucket, tmp_path):
    store = penstock.S3Store(**bucket.options)
    store.put("a", SMALL, content_type="text/x")
    folder, memory = penstock.FolderStore(tmp_path), penstock.MemoryStore()
    folder.copy("a", "b", source=store)
    memory.copy("b", "c", source=folder)
    assert store.copy("c", "d", source=memory).mode == "put"
    assert bucket.body("d") == SMALL
    assert store.head("d").content_type == "text/x"


def test_another_version_than_is_meant_is_a_conflict(bucket):
    store = penstock.S3Store(**bucket.options)
    store.put("a", SMALL)
    with pytest.raises(penstock.Conflict):
        store.copy("a", "b", from_if_match='"0"')
    assert store.find("b") is None


def test_a_source_that_is_not_there_is_not_found(bucket):
    store = penstock.S3Store(**bucket.options)
    with pytest.raises(penstock.NotFound):
        store.copy("none", "b")
    with pytest.raises(penstock.NotFound):
        store.move("none", "b")


def test_a_move_keeps_one(bucket):
    store = penstock.S3Store(**bucket.options)
    store.put("a", SMALL, **ATTRIBUTES)
    store.move("a", "b")
    assert bucket.keys() == ["b"]
    assert bucket.body("b") == SMALL
    assert_same_attributes(bucket, "b")


def test_copies_and_moves_are_awaited_in_aio(bucket):
    async def main() -> None:
        async with penstock.aio.S3Store(**bucket.options) as store:
            await store.put("a", SMALL)
            assert (await store.copy("a", "b", source=store)).mode == "copy"
            await store.move("b", "c")

    asyncio.run(main())
    assert sorted(bucket.keys()) == ["a", "c"]


# --- A server that misbehaves ---


@pytest.fixture
def s3(scripted):
    server, store = scripted
    store.put("a", BODY, content_type="text/x")
    return server


@pytest.fixture
def store(scripted):
    return scripted[1]


def stored(s3: Any, key: str = "b") -> bytes:
    return s3.objects["bucket", key].body


def assert_no_copy(s3: Any, client: penstock.Client) -> None:
    client.drain()
    assert ("bucket", "b") not in s3.objects
    assert s3.uploads == {}


def test_a_copy_whose_answer_is_an_error_in_a_200_is_made_again(s3, store):
    s3.on("CopyObject", instead(error(200, "InternalError")), instead(Answer(200, [], b"<CopyObj")))
    store.copy("a", "b")
    assert stored(s3) == BODY
    assert s3.operations.count("CopyObject") == 3


def test_a_copy_denied_inside_a_200_is_denied(s3, store, client):
    s3.on("CopyObject", instead(error(200, "AccessDenied")))
    with pytest.raises(penstock.Denied) as caught:
        store.copy("a", "b")
    assert caught.value.code == "AccessDenied"
    assert_no_copy(s3, client)


def test_a_copy_whose_every_answer_is_lost_is_known_by_its_token(s3, store):
    s3.on("CopyObject", *[lost] * 5)
    assert store.copy("a", "b").etag == s3.objects["bucket", "b"].etag
    assert stored(s3) == BODY


def test_a_copy_that_never_happened_is_lost(s3, store, client):
    s3.on("CopyObject", *[undone_lost] * 20)
    with pytest.raises(penstock.Lost):
        store.copy("a", "b")
    assert_no_copy(s3, client)


def test_a_copy_of_parts_repeats_the_part_that_failed(s3, store):
    s3.on("CopyPart", None, instead(error(200, "InternalError")), undone_lost)
    assert store.copy("a", "b", part_bytes="5MiB").mode_reason == "by the server, in 3 parts"
    assert stored(s3) == BODY
    assert s3.operations.count("CopyPart") == 5


def test_a_part_denied_inside_a_200_ends_the_copy_and_leaves_nothing(s3, store, client):
    s3.on("CopyPart", None, instead(error(200, "AccessDenied")))
    with pytest.raises(penstock.Denied):
        store.copy("a", "b", part_bytes="5MiB")
    assert_no_copy(s3, client)


def test_a_copied_part_without_an_etag_is_corrupt_and_leaves_nothing(s3, store, client):
    s3.on("CopyPart", instead(Answer(200, [], b"<CopyPartResult/>")))
    with pytest.raises(penstock.Corrupt):
        store.copy("a", "b", part_bytes="5MiB")
    assert_no_copy(s3, client)


@pytest.mark.parametrize("fault", [lost, undone_lost], ids=["done", "undone"])
def test_a_lost_answer_to_the_complete_of_a_copy_is_settled(s3, store, client, fault):
    s3.on("CompleteUpload", fault)
    store.copy("a", "b", part_bytes="5MiB")
    assert stored(s3) == BODY
    client.drain()
    assert s3.uploads == {}


def test_a_complete_done_with_its_answer_lost_is_success_by_token(s3, store):
    s3.on("CompleteUpload", lost, instead(error(404, "NoSuchUpload")))
    assert store.copy("a", "b", part_bytes="5MiB").etag == s3.objects["bucket", "b"].etag


@pytest.mark.parametrize("how", [{}, {"part_bytes": "5MiB"}], ids=["whole", "parts"])
def test_a_source_that_changes_meanwhile_is_a_conflict_and_leaves_nothing(s3, store, client, how):
    def replaced(_request: Any, do: Any) -> Answer:
        s3.objects["bucket", "a"].etag = '"new"'
        return do()

    s3.on("CopyPart" if how else "CopyObject", replaced)
    with pytest.raises(penstock.Conflict) as caught:
        store.copy("a", "b", **how)
    assert caught.value.code == "changed"
    assert_no_copy(s3, client)


def test_tags_reach_a_copy_of_parts(s3, store):
    store.copy("a", "b", part_bytes="5MiB")
    assert s3.asked("CreateUpload")[-1].header("x-amz-tagging") == "color=red"


def test_metadata_that_leaves_no_room_for_a_token_is_copied_without_one(scripted):
    s3, store = scripted
    store.put("a", SMALL, metadata={"m": "x" * 2000}, token=False)
    store.copy("a", "b")
    assert s3.objects["bucket", "b"].headers[-1] == ("x-amz-meta-m", "x" * 2000)


def test_a_move_whose_remove_fails_keeps_both_and_says_so(s3, store):
    s3.on("DeleteObject", instead(error(403, "AccessDenied")))
    with pytest.raises(penstock.Denied, match="both are there"):
        store.move("a", "b")
    assert stored(s3, "a") == stored(s3, "b") == BODY


def test_a_move_removes_only_the_version_it_copied(s3, store):
    store.move("a", "b")
    (removal,) = s3.asked("DeleteObject")
    assert removal.header("if-match") == s3.objects["bucket", "b"].etag


def test_a_move_whose_copy_is_not_the_source_keeps_both(s3, store):
    def short(_request: Any, do: Any) -> Answer:
        answer = do()
        s3.objects["bucket", "b"].body = BODY[:-1]
        return answer

    s3.on("CopyObject", short)
    with pytest.raises(penstock.Corrupt, match="both are there"):
        store.move("a", "b")
    assert stored(s3, "a") == BODY


@pytest.mark.parametrize("lanes", [0, -1, 1000])
def test_a_copy_in_no_lanes_or_too_many_is_refused(s3, store, lanes):
    with pytest.raises(penstock.Refused, match="max_parts_in_flight"):
        store.copy("a", "b", mode="create", max_parts_in_flight=lanes)
    assert s3.uploads == {}


def test_a_copy_is_compared_with_what_is_expected(s3, store):
    with pytest.raises(penstock.Corrupt):
        store.copy("a", "b", length=len(BODY) + 1)
    with pytest.raises(penstock.Corrupt):
        store.move("a", "b", expected={"sha256": "0" * 64})
    assert [*s3.objects] == [("bucket", "a")]
    store.copy("a", "b", expected={"sha256": hashlib.sha256(BODY).hexdigest()})
    assert s3.objects["bucket", "b"].body == BODY


def test_a_source_that_is_gone_by_now_is_the_source_that_is_missing(s3, store):
    s3.on("CopyObject", instead(error(404, "NoSuchKey")))
    with pytest.raises(penstock.NotFound, match="the source of the copy") as caught:
        store.copy("a", "b")
    assert caught.value.side == "source"
