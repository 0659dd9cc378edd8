"""What says that it pickles does, and is the same where it arrives."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import penstock
import pytest
from penstock import aio, aws, bundles, files, objects, sqs

KEYS = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "canary-secret"}
CAUSED = penstock.Lost("cut", side="source", subject="http://h/a", attempts=3)
CAUSED.__cause__ = ConnectionResetError(104, "reset")

VALUES: dict[str, Any] = {
    "task": files.FileTask(
        task_id="t", job_id="j", url="http://h/a", file_name="a", key="k", tags={"a": "b"}, headers={"X": "secret"},
        digests=("crc32",), deadline=timedelta(seconds=3),
    ),
    "result": files.FileResult(success=True, task_id="t", job_id="j", key="k", bytes=3, digests={"sha256": "ab"}),
    "results": files.Results([files.FileResult(success=False, task_id="t", job_id="j", error_code="UNKNOWN")]),
    "uploaded": files.Uploaded(key="k", bucket="b", location="s3://b/k", etag='"e"'),
    "metadata": files.FileMetadata(size=1, etag='"e"'),
    "receipt": objects.Receipt(bytes=3, key="k", digests={"sha256": "ab"}),
    "meta": objects.ObjectMeta(key="k", bytes=3, modified=1.5, metadata={"a": "b"}),
    "removed": objects.RemoveReport(removed=1, errors={}),
    "state": objects.UploadState(bucket="b", key="k", upload_id="u", token="t", length=3),
    "upload": objects.OpenUpload(key="k", upload_id="u", begun=1.0),
    "form": objects.PostForm(url="http://h/", fields={"key": "k"}),
    "progress": objects.Progress(state="downloading", bytes_done=3, task_id="t"),
    "range": objects.Range(first=1, last=2),
    "credentials": aws.Credentials(**KEYS),
    "bid": bundles.BID(),
}  # fmt: skip
MADE: dict[str, Any] = {
    "folder": lambda: penstock.FolderStore("/tmp"),
    "folder bucket": lambda: penstock.FolderStore("/tmp").with_bucket("pickled"),
    "s3": lambda: penstock.S3Store("bucket", prefix="p/", endpoint="http://127.0.0.1:9", **KEYS),
    "s3 bucket": lambda: penstock.S3Store("bucket", prefix="p/", region="eu-west-1").with_bucket("other"),
    "s3 of a client": lambda: penstock.S3Store("bucket", client=penstock.Client(first_byte="5s")),
    "aio s3": lambda: aio.S3Store("bucket", part_bytes="16MiB"),
    "aio folder": lambda: aio.FolderStore("/tmp"),
    "client": lambda: penstock.Client(first_byte="5s", ring_bytes="512KiB"),
    "default client": penstock.Client.default,
    "port": lambda: files.StoragePort(penstock.FolderStore("/tmp"), prefix="exports/"),
    "queue": lambda: sqs.Queue("http://127.0.0.1:9/1/q", region="us-east-1"),
}
ERRORS = [
    penstock.Error, penstock.NotFound, penstock.Denied, penstock.Refused, penstock.Conflict, penstock.Corrupt,
    penstock.Busy, penstock.Lost, penstock.DeadlinePassed, penstock.InDoubt, penstock.Cancelled,
]  # fmt: skip
STAY = {
    "memory": penstock.MemoryStore,
    "memory bucket": lambda: penstock.MemoryStore().with_bucket("b"),
    "source": lambda: penstock.Limit([b"a"], 1),
    "get": lambda: _put(penstock.MemoryStore()).get("k"),
    "writer": lambda: penstock.MemoryStore().open_writer("k"),
    "batch": lambda: files.fetch_many([], penstock.MemoryStore()),
}


def _put(store: penstock.MemoryStore) -> penstock.MemoryStore:
    store.put("k", b"body")
    return store


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_the_same_again(name: str, protocol: int) -> None:
    assert pickle.loads(pickle.dumps(VALUES[name], protocol)) == VALUES[name]


@pytest.mark.parametrize("name", MADE)
def test_what_was_made_of_arguments_is_made_again(name: str) -> None:
    made = MADE[name]()
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is type(made)
    if type(made).__repr__ is not object.__repr__:
        assert repr(again) == repr(made)


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_has_its_facts_and_its_cause(kind: type[penstock.Error]) -> None:
    error = kind("what happened", status=503, subject="s3://b/k", retry_after=1.5)
    error.__cause__ = CAUSED
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.facts) == (kind, str(error), error.facts)
    assert (type(again.cause), again.cause.facts, again.cause.__cause__.errno) == (
        penstock.Lost,
        CAUSED.facts,
        104,
    )


@pytest.mark.parametrize("name", STAY)
def test_what_lives_in_this_process_says_so(name: str) -> None:
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(STAY[name]())


def test_they_arrive_in_another_interpreter_and_work(tmp_path: Path) -> None:
    store, task = penstock.FolderStore(tmp_path), VALUES["task"]
    program = (
        "import pickle, sys\n"
        "store, task, bucket = pickle.load(sys.stdin.buffer)\n"
        "store.put(task.key, b'there')\n"
        "print(bucket.location('k'), task)\n"
    )
    sent = pickle.dumps((store, task, MADE["s3 bucket"]()))
    done = subprocess.run([sys.executable, "-c", program], input=sent, capture_output=True, check=True)
    assert done.stdout.decode() == f"s3://other/k {task!r}\n"
    assert store.get("k").bytes() == b"there"
    assert asyncio.run(aio.FolderStore(tmp_path).exists("k"))
