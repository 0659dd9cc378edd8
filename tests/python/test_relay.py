"""Relayed transfers on real servers: parts straight from the origin, the object right, and why where it cannot be."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import penstock
import pytest
from faults import s3 as faults_s3
from faults.origin import FileOrigin, chunked, cut
from faults.tasks import task
from penstock import aio

MIB = 2**20
CONTENT = os.urandom(33 * MIB + 17)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Origin(FileOrigin):
    """One that says that it takes ranges, as nginx and S3 do."""

    def __init__(self, content: bytes = CONTENT, **options: Any) -> None:
        super().__init__(content, **options)
        self.headers.append(("Accept-Ranges", "bytes"))


def environment(bucket: Any) -> dict[str, str]:
    """Where the bucket is and its keys, as a shell would say it."""
    options = bucket.options
    return {
        "AWS_ENDPOINT_URL_S3": options["endpoint"],
        "AWS_REGION": options["region"],
        "AWS_ACCESS_KEY_ID": options["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": options["secret_access_key"],
    }


def store_on(bucket: Any, client: penstock.Client) -> penstock.S3Store:
    return penstock.S3Store(**bucket.options, client=client)


def test_a_relayed_object_is_right_and_little_was_held(bucket, client):
    with Origin() as origin:
        receipt = penstock.fetch(
            origin.file_url, store_on(bucket, client), key="k", sha256=SHA256, relay=True, client=client
        )
    assert (receipt.mode, receipt.bytes, receipt.sha256) == ("relay", len(CONTENT), SHA256)
    assert bucket.sha256("k") == SHA256
    assert client.statistics()["buffers_peak"] <= 320 * 1024
    assert client.statistics()["ring_bytes"] == 0
    assert bucket.open_uploads("k") == []


def test_an_origin_of_nginx_is_relayed(bucket, client, web):
    (web.root / "file.bin").write_bytes(CONTENT)
    receipt = penstock.fetch(
        f"{web.url}/file.bin", store_on(bucket, client), key="k", relay=True, client=client
    )
    assert (receipt.mode, receipt.mode_reason) == ("relay", "the source can be read again")
    assert bucket.sha256("k") == SHA256


def test_an_origin_that_is_cut_again_and_again_is_relayed_all_the_same(bucket, client):
    with Origin(script=[cut(3 * MIB + n) for n in range(9)]) as origin:
        receipt = penstock.fetch(
            origin.file_url, store_on(bucket, client), key="k", sha256=SHA256, relay=True, client=client
        )
    assert (receipt.mode, receipt.resumes) == ("relay", 9)
    assert bucket.sha256("k") == SHA256


def test_another_digest_leaves_neither_object_nor_upload(bucket, client):
    with Origin() as origin, pytest.raises(penstock.Corrupt):
        penstock.fetch(
            origin.file_url, store_on(bucket, client), key="k", sha256="0" * 64, relay=True, client=client
        )
    client.drain()
    assert bucket.keys() == []
    assert bucket.open_uploads("k") == []


@pytest.mark.parametrize(
    ("origin", "reason"),
    [
        ({"script": [chunked]}, "the source has no length"),
        ({"etag": 'W/"weak"'}, "the source has no strong ETag"),
        ({"etag": ""}, "the source has no strong ETag"),
    ],
    ids=["no length", "weak ETag", "no ETag"],
)
def test_what_cannot_be_relayed_is_buffered_and_the_result_says_why(scripted, client, origin, reason):
    _, store = scripted
    with Origin(CONTENT[: 6 * MIB], **origin) as served:
        result = penstock.files.process(task(served, relay=True), to=store, client=client)
    assert (result.success, result.mode, result.mode_reason) == (True, "multipart", reason)


def test_an_origin_without_ranges_is_buffered_and_the_receipt_says_so(scripted, client):
    _, store = scripted
    with FileOrigin(CONTENT[: 6 * MIB]) as origin:
        receipt = penstock.fetch(origin.file_url, store, key="k", relay=True, client=client)
    assert (receipt.mode, receipt.mode_reason) == ("multipart", "the source offers no ranges")


def test_a_part_refused_in_between_is_read_again(scripted, client):
    s3, store = scripted
    refusals = (faults_s3.error(503, "SlowDown"), faults_s3.error(500, "InternalError"))
    s3.on("UploadPart", *map(faults_s3.instead, refusals))
    with Origin() as origin:
        receipt = penstock.fetch(origin.file_url, store, key="k", sha256=SHA256, relay=True, client=client)
        assert receipt.mode == "relay"
        assert s3.objects[("bucket", "k")].body == CONTENT


def test_a_file_is_relayed_by_put(bucket, client, tmp_path: Path):
    path = tmp_path / "file.bin"
    path.write_bytes(CONTENT)
    receipt = store_on(bucket, client).put("k", path, relay=True)
    assert receipt.mode == "relay"
    assert bucket.sha256("k") == SHA256


@pytest.mark.parametrize("offset", [0, 1000])
def test_an_open_file_is_relayed_from_where_it_stands(bucket, client, tmp_path: Path, offset):
    path = tmp_path / "file.bin"
    path.write_bytes(CONTENT)
    with path.open("rb") as file:
        file.seek(offset)
        receipt = store_on(bucket, client).put("k", file, relay=True)
    assert (receipt.mode, receipt.bytes) == ("relay", len(CONTENT) - offset)
    assert bucket.sha256("k") == hashlib.sha256(CONTENT[offset:]).hexdigest()


def test_a_compressed_file_is_not_read_twice_for_its_length(scripted, tmp_path: Path):
    _, store = scripted
    with gzip.open(tmp_path / "file.gz", "wb") as packed:
        packed.write(b"x" * MIB)
    with gzip.open(tmp_path / "file.gz", "rb") as file:
        receipt = store.put("k", file, relay=True)
    assert (receipt.bytes, receipt.mode_reason) == (MIB, "the source has no length")


def test_what_is_in_memory_is_not_relayed_and_the_receipt_says_so(scripted):
    _, store = scripted
    assert store.put("k", CONTENT[: 6 * MIB], relay=True).mode_reason == "the data is in memory"
    assert penstock.MemoryStore().put("k", iter([b"x"]), relay=True).mode_reason == "the store has no parts"


@pytest.mark.parametrize("folder", [None, "given"])
def test_a_write_names_its_own_folder_for_large_parts_or_none(scripted, tmp_path: Path, folder):
    _, store = scripted
    receipt = store.put("k", iter([b"x" * MIB]), spool_dir=tmp_path if folder else None)
    assert receipt.bytes == MIB


def test_the_command_line_relays(bucket):
    code = "from penstock.cli import main; main()"
    arguments = ["fetch", "--relay", "--json", "--to", f"s3://{bucket.options['bucket']}/k"]
    with Origin() as origin:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments, origin.file_url],
            env={**os.environ, **environment(bucket)},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    assert '"relay"' in done.stdout
    assert bucket.sha256("k") == SHA256


def test_an_iterator_cannot_be_relayed(scripted):
    _, store = scripted
    receipt = store.put("k", iter([CONTENT[: 6 * MIB]]), length=6 * MIB, relay=True)
    assert (receipt.mode, receipt.mode_reason) == ("multipart", "the source cannot be read again")


def test_the_async_twin_relays_too(bucket, client):
    async def fetched() -> penstock.Receipt:
        return await aio.files.fetch(
            origin.file_url, store_on(bucket, client), key="k", sha256=SHA256, relay=True, client=client
        )

    with Origin() as origin:
        assert asyncio.run(fetched()).mode == "relay"
    assert bucket.sha256("k") == SHA256
