"""The storage port: one suite over S3, a folder, memory and a class in Python, and the same awaited."""

from __future__ import annotations

import asyncio
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import penstock
import pytest
from conftest import Bucket, new_bucket
from penstock import aio, files
from penstock.testing import DictStore, SlowSource, fill


class DictBuckets(DictStore):
    """A user's store that has buckets."""

    def __init__(self) -> None:
        super().__init__()
        self.buckets: dict[str, DictStore] = {}

    def with_bucket(self, bucket: str) -> DictStore:
        return self.buckets.setdefault(bucket, DictStore())


class PortContract:
    """Claims of every port; ``store`` and ``bucket`` are the backing's."""

    store: Any
    bucket = "reports"
    other = "others"
    presigns = False

    def port(self, prefix: str = "", prefix_rule: Any = "always") -> Any:
        return files.StoragePort(self.store, prefix=prefix, prefix_rule=prefix_rule)

    def read(self, download: files.Download) -> bytes:
        return download.stream.bytes()

    def key(self) -> str:
        return f"{uuid.uuid4().hex}/a.bin"

    def test_a_buffer_a_stream_and_a_file_become_objects(self, tmp_path: Path) -> None:
        port, body = self.port(), fill(100_000)
        (tmp_path / "f").write_bytes(body)
        for upload, data in (
            (port.upload_buffer, body),
            (port.upload_stream, SlowSource(body, 7000)),
            (port.upload_file, tmp_path / "f"),
            (port.upload_file, str(tmp_path / "f")),
        ):
            key = self.key()
            done = upload(self.bucket, key, data, content_type="text/x-test", metadata={"n": "1"})
            assert (done.bucket, done.key) == (self.bucket, key)
            assert done.location.endswith(key)
            for get in (port.download_stream, port.get_object_stream):
                got = get(self.bucket, key)
                assert (got.content_length, got.content_type) == (100_000, "text/x-test")
                assert (got.etag, got.metadata["n"]) == (done.etag, "1")
                assert self.read(got) == body

    def test_a_download_is_a_whole_file_or_none(self, tmp_path: Path) -> None:
        port, key, body = self.port(), self.key(), fill(9 * 2**20)
        port.upload_buffer(self.bucket, key, body)
        for download in (port.download_to_file, port.download_file):
            (tmp_path / "f").write_bytes(b"former")
            assert download(self.bucket, key, tmp_path / "f").bytes == len(body)
            assert (tmp_path / "f").read_bytes() == body
            with pytest.raises(penstock.NotFound):
                download(self.bucket, self.key(), tmp_path / "g")
        assert [path.name for path in tmp_path.iterdir()] == ["f"]

    def test_metadata_is_size_type_and_etag_or_says_what_is_absent(self) -> None:
        port, key = self.port("exports/"), self.key()
        assert port.head_object(self.bucket, key) is None
        with pytest.raises(penstock.NotFound) as raised:
            port.get_file_metadata(self.bucket, key)
        assert str(raised.value) == f"File not found: {self.bucket}/exports/{key}"
        done = port.upload_buffer(self.bucket, key, b"1,2", content_type="text/csv")
        wanted = files.FileMetadata(size=3, content_type="text/csv", etag=done.etag)
        assert port.head_object(self.bucket, key) == port.get_file_metadata(self.bucket, key) == wanted

    def test_existence_is_a_bool(self) -> None:
        port, key = self.port(), self.key()
        assert port.file_exists(self.bucket, key) is False
        port.upload_buffer(self.bucket, key, b"")
        assert port.file_exists(self.bucket, key) is True

    def test_what_is_absent_can_be_deleted(self) -> None:
        port, key = self.port(), self.key()
        for delete in (port.delete_object, port.delete_file):
            port.upload_buffer(self.bucket, key, b"x")
            delete(self.bucket, key)
            delete(self.bucket, key)
            assert not port.file_exists(self.bucket, key)

    def test_many_are_deleted_and_counted(self) -> None:
        port = self.port("exports/", "unless_present")
        for delete in (port.delete_objects, port.delete_files):
            keys = [port.upload_buffer(self.bucket, self.key(), b"x").key for _ in range(5)]
            report = delete(self.bucket, keys)
            assert (report.removed, report.errors) == (5, {})
            assert not any(port.file_exists(self.bucket, key) for key in keys)
            assert delete(self.bucket, []).removed == 0

    def test_a_bucket_is_not_another(self) -> None:
        port, key = self.port(), self.key()
        port.upload_buffer(self.bucket, key, b"here")
        assert not port.file_exists(self.other, key)
        port.upload_buffer(self.other, key, b"there")
        assert self.read(port.download_stream(self.bucket, key)) == b"here"

    def test_a_prefix_is_joined_always_or_unless_it_is_there(self) -> None:
        for rule, named in (("unless_present", "exports/a"), ("always", "exports/exports/a")):
            port = self.port("exports/", rule)
            assert port.upload_buffer(self.bucket, "a", b"1").key == "exports/a"
            assert port.upload_buffer(self.bucket, "exports/a", b"2").key == named
            assert self.read(self.port().download_stream(self.bucket, named)) == b"2"
        with pytest.raises(penstock.Refused, match="prefix_rule"):
            self.port("exports/", "never")

    def test_a_url_reads_the_object_where_the_store_makes_urls(self) -> None:
        port, key = self.port("exports/"), self.key()
        port.upload_buffer(self.bucket, key, b"signed")
        for url in (port.get_presigned_url, port.get_signed_download_url):
            if not self.presigns:
                with pytest.raises(penstock.Refused, match="makes no URLs"):
                    url(self.bucket, key)
                continue
            assert "X-Amz-Expires=3600&" in url(self.bucket, key)
            with urllib.request.urlopen(url(self.bucket, key, 60)) as answer:
                assert answer.read() == b"signed"


class TestMemory(PortContract):
    @pytest.fixture(autouse=True)
    def _place(self) -> None:
        self.store = penstock.MemoryStore()


class TestFolder(PortContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.store = penstock.FolderStore(tmp_path_factory.mktemp("store"))


class TestPython(PortContract):
    @pytest.fixture(autouse=True)
    def _place(self) -> None:
        self.store = DictBuckets()


class TestS3(PortContract):
    presigns = True

    @pytest.fixture(autouse=True)
    def _place(self, bucket: Bucket) -> None:
        self.bucket, self.other = bucket.name, new_bucket(bucket.server).name
        self.store = penstock.S3Store("unused", prefix="unused/", **bucket.server.options)


class Blocking:
    """Calls the methods of an async port on a loop of their own."""

    def __init__(self, port: aio.files.StoragePort) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        return lambda *given, **options: asyncio.run(method(*given, **options))


class TestAsyncMemory(TestMemory):
    def port(self, prefix: str = "", prefix_rule: Any = "always") -> Any:
        return Blocking(aio.files.StoragePort(self.store, prefix=prefix, prefix_rule=prefix_rule))

    def read(self, download: files.Download) -> bytes:
        return asyncio.run(download.stream.bytes())


class TestAsyncPython(TestPython, TestAsyncMemory):
    pass


class TestAsyncS3(TestS3, TestAsyncMemory):
    pass


def test_no_keys_are_no_request(scripted: Any) -> None:
    server, store = scripted
    port = files.StoragePort(store)
    assert port.delete_objects("bucket", []).removed == 0
    assert server.requests == []


def test_no_right_to_look_is_not_absence(bucket: Bucket) -> None:
    wrong = {**bucket.server.options, "secret_access_key": "not-the-secret"}
    port = files.StoragePort(penstock.S3Store(bucket.name, **wrong))
    for look in (port.file_exists, port.head_object, port.get_file_metadata):
        with pytest.raises(penstock.Denied):
            look(bucket.name, "k")


def test_a_store_of_one_bucket_says_so() -> None:
    with pytest.raises(penstock.Refused, match="bucket"):
        files.StoragePort(DictStore()).file_exists("reports", "k")
