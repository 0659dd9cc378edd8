"""What docs/formats/s3-objects.md says goes over the wire does, and nothing else of ours."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import penstock
import pytest
from conftest import ROOT
from faults.origin import FileOrigin
from faults.s3 import ScriptedS3, operation_of
from faults.wire import Answer, Request

PAGE = (ROOT / "docs/formats/s3-objects.md").read_text()
NAMES = {
    "CreateUpload": "CreateMultipartUpload",
    "CompleteUpload": "CompleteMultipartUpload",
    "CopyPart": "UploadPartCopy",
}
TOLD = {"if-match", "if-none-match", "content-md5", "content-encoding", "expect"}  # and x-amz-*
OF_SIGNING = {"x-amz-date", "x-amz-content-sha256", "x-amz-security-token"}
SOURCE_KEY, KEY = os.urandom(32), os.urandom(32)
BIG = os.urandom(11 * 2**20)  # three parts of 5 MiB, the last one shorter

Pair = tuple[str, str]  # a request, a header


def written() -> set[Pair]:
    """The pairs of the table; headers may be patterns."""
    pairs = set()
    for line in PAGE.splitlines():
        if not re.match(r"\| \w+(, \w+)* \| `", line):
            continue
        requests, headers, _ = line.strip("| ").split(" | ")
        names = [name.split(":")[0] for name in re.findall(r"`([^`]+)`", headers)]
        pairs |= {(request, name) for request in requests.split(", ") for name in names}
    return pairs


class Encrypting(ScriptedS3):
    """Says of whatever comes with a key that it used it."""

    def _perform(self, operation: str, request: Request, body: bytes) -> Answer:
        answer = super()._perform(operation, request, body)
        name = "x-amz-server-side-encryption-customer-algorithm"
        if request.header(name):
            answer.headers = [*answer.headers, (name, "AES256")]
        return answer


def sent(server: ScriptedS3) -> set[Pair]:
    pairs = set()
    for request in server.requests:
        operation = operation_of(request)
        for name, _ in request.headers:
            if name in TOLD or (name.startswith("x-amz-") and name not in OF_SIGNING):
                pairs.add((NAMES.get(operation, operation), name))
    return pairs


def use_everything(store: penstock.S3Store, folder: Path) -> None:
    attributes: dict[str, Any] = {
        "content_encoding": "identity",
        "metadata": {"who": "me"},
        "tags": {"color": "red"},
        "storage_class": "STANDARD_IA",
        "sse": "aws:kms",
        "kms_key_id": "k1",
    }
    store.put("small", b"small", mode="create", **attributes)
    receipt = store.put("small", b"again", if_match=store.head("small").etag)
    store.put("large", BIG[: 2 * 2**20])
    store.put("parts", iter([BIG]), mode="create", **attributes)
    store.put("parts", iter([BIG]), if_match=store.head("parts").etag)
    (folder / "big").write_bytes(BIG)
    store.put("relayed", folder / "big", relay=True)
    store.get("small", if_match=receipt.etag).bytes()
    store.copy("small", "copy", from_if_match=receipt.etag, **attributes)
    store.copy("parts", "copied", part_bytes="5MiB", **attributes)
    store.put("secret", BIG, sse_customer_key=SOURCE_KEY)
    store.put("secret small", b"s", sse_customer_key=SOURCE_KEY)
    store.get("secret", sse_customer_key=SOURCE_KEY).bytes()
    keys = {"from_sse_customer_key": SOURCE_KEY, "sse_customer_key": KEY}
    store.copy("secret small", "of ours", **keys)
    store.copy("secret", "ours", part_bytes="5MiB", **keys)
    store.move("small", "moved")
    store.remove_many(["moved", "copy"])


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> set[Pair]:
    """What was sent to AWS, and to the one provider that has its own way to compare bodies."""
    keys = {"access_key_id": "testkey", "secret_access_key": "testsecret123", "region": "us-east-1"}
    seen: set[Pair] = set()
    with penstock.Client() as client:
        more: dict[str, Any] = {"addressing": "path", "part_bytes": "5MiB", "client": client, **keys}
        with Encrypting("AmazonS3") as server:
            store = penstock.S3Store("bucket", endpoint=server.url, provider="aws", **more)
            use_everything(store, tmp_path_factory.mktemp("files"))
            seen |= sent(server)
        with ScriptedS3() as server:
            store = penstock.S3Store("bucket", endpoint=server.url, provider="gcs", **more)
            store.put("small", b"s")
            store.put("large", BIG)
            seen |= sent(server)
    return seen


def test_what_is_sent_is_told(pairs: set[Pair]) -> None:
    told = written()
    assert {
        (request, header)
        for request, header in pairs
        if not any(request == where and fnmatch(header, name) for where, name in told)
    } == set()


def test_what_is_told_is_sent(pairs: set[Pair]) -> None:
    assert {
        (where, name)
        for where, name in written()
        if not any(request == where and fnmatch(header, name) for request, header in pairs)
    } == set()


def test_the_metadata_of_a_task_is_told(tmp_path: Path) -> None:
    keys = {"access_key_id": "testkey", "secret_access_key": "testsecret123", "region": "us-east-1"}
    digest = penstock.Sha256(b"body")
    digest.bytes()
    with FileOrigin(b"body") as origin, ScriptedS3() as server:
        task = penstock.files.FileTask(
            task_id="t",
            job_id="j",
            url=origin.file_url,
            file_name="f",
            key="k",
            checksum=f"sha256:{digest.hexdigest()}",
        )
        store = penstock.S3Store("bucket", endpoint=server.url, **keys)
        assert penstock.files.process(task, store).success
        (put,) = server.asked("PutObject")
    names = {name.removeprefix("x-amz-meta-") for name, _ in put.headers if name.startswith("x-amz-meta-")}
    assert names == {"penstock-token", "penstock-sha256", "taskid", "jobid", "originalfilename"}
    assert all(name in PAGE for name in names)
