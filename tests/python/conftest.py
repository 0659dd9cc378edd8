"""Fixtures: the real servers, a bucket or a queue of one's own on each, and the scripted ones.

`scripts/test` starts the servers and names them in PENSTOCK_TEST_S3, PENSTOCK_TEST_SQS, PENSTOCK_TEST_REDIS and
PENSTOCK_TEST_WIRE; without those they are started here.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import penstock
import penstock.fsspec
import pytest
from botocore.config import Config
from penstock.bundles.kv_store import RedisKeyValueStore

ROOT = Path(__file__).resolve().parents[2]

# A shell that starts a job in the background has it ignore Ctrl-C, and every child inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/services")]

import bundle_places  # noqa: E402
import consumer  # noqa: E402
import fsspec_places  # noqa: E402
import judges  # noqa: E402  (its folder is put on the path above)
import nginx  # noqa: E402
import servers  # noqa: E402
from faults.s3 import ScriptedS3  # noqa: E402
from queues import SqsServer, TestQueue  # noqa: E402

# Nothing in the shell of whoever runs the tests may leak into them.
for name in [n for n in os.environ if n.startswith(("AWS_", "OC_")) or n.lower().endswith("_proxy")]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


@dataclass(frozen=True)
class S3Server:
    """A real server: what penstock needs to reach it, and boto3 on it as the second opinion."""

    name: str
    url: str

    @property
    def options(self) -> dict[str, Any]:
        keys = {"access_key_id": servers.ACCESS_KEY, "secret_access_key": servers.SECRET_KEY}
        lenient = {"conditional": "trust"} if self.name == "moto" else {}
        return {"endpoint": self.url, "region": servers.REGION, **keys, **lenient}

    @property
    def judge(self) -> Any:
        """A boto3 client."""
        return _judge(self.url)


@functools.cache  # making one takes longer than most of what it is asked
def _judge(url: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=servers.REGION,
        aws_access_key_id=servers.ACCESS_KEY,
        aws_secret_access_key=servers.SECRET_KEY,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
    )


@dataclass(frozen=True)
class Bucket:
    server: S3Server
    name: str

    @property
    def options(self) -> dict[str, Any]:
        return {"bucket": self.name, **self.server.options}

    def body(self, key: str) -> bytes:
        body: bytes = self.server.judge.get_object(Bucket=self.name, Key=key)["Body"].read()
        return body

    def sha256(self, key: str) -> str:
        """Of an object too large to be held."""
        digest = hashlib.sha256()
        for piece in self.server.judge.get_object(Bucket=self.name, Key=key)["Body"].iter_chunks(2**20):
            digest.update(piece)
        return digest.hexdigest()

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.server.judge.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def open_uploads(self, key: str) -> list[str]:
        """Ids of the unfinished uploads of `key` (MinIO lists them only for the exact key)."""
        listed = self.server.judge.list_multipart_uploads(Bucket=self.name, Prefix=key)
        return [entry["UploadId"] for entry in listed.get("Uploads", [])]


def running(role: str, folder: Path) -> Iterator[dict[str, str]]:
    """Where the judges of a role are, by name."""
    if given := judges.running(role):
        yield given
        return
    started: list[servers.Running] = []
    try:
        for kind in judges.of(role):
            started.append(servers.start(kind, folder))
        yield {server.name: server.url for server in started}
    finally:
        for server in started:
            servers.stop(server)


@pytest.fixture(scope="session")
def s3_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, S3Server]]:
    for urls in running("s3", tmp_path_factory.mktemp("services")):
        yield {name: S3Server(name, url) for name, url in urls.items()}


@pytest.fixture(scope="session")
def sqs_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, SqsServer]]:
    for urls in running("sqs", tmp_path_factory.mktemp("services")):
        yield {name: SqsServer(name, url) for name, url in urls.items()}


@pytest.fixture(scope="session")
def redis_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[str, int]]]:
    for urls in running("redis", tmp_path_factory.mktemp("services")):
        places = [urlsplit(url) for url in urls.values()]
        yield [(place.hostname or "", place.port or 0) for place in places]


@pytest.fixture(scope="session")
def wire_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    yield from running("wire", tmp_path_factory.mktemp("services"))


@pytest.fixture
def wire_server(request: pytest.FixtureRequest, wire_servers: dict[str, str]) -> str:
    """Where somebody else's proxy of TCP takes orders."""
    return wire_servers[request.param]


@pytest.fixture
def redis_options(redis_places: list[tuple[str, int]]) -> dict[str, Any]:
    """An empty database of the real Redis."""
    if not redis_places:
        pytest.fail(f"there is no Redis: it {judges.REDIS.needs}")
    host, port = redis_places[0]
    options = {"host": host, "port": port, "db": 1}
    asyncio.run(RedisKeyValueStore(**options).flush_db())
    return options


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for role in judges.ROLES:
        if f"{role}_server" in metafunc.fixturenames:
            metafunc.parametrize(f"{role}_server", _names(role), indirect=True)


def _names(role: str) -> list[str]:
    return [*judges.running(role)] or [kind.name for kind in judges.of(role)]


@pytest.fixture
def s3_server(request: pytest.FixtureRequest, s3_servers: dict[str, S3Server]) -> S3Server:
    """Each of the real servers in turn."""
    return s3_servers[request.param]


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    """A new bucket on each of the real servers in turn."""
    return new_bucket(s3_server)


def new_bucket(server: S3Server) -> Bucket:
    name = f"test-{uuid.uuid4().hex[:20]}"
    server.judge.create_bucket(Bucket=name)
    return Bucket(server, name)


@pytest.fixture
def options(bucket: Bucket) -> dict[str, Any]:
    """Of the file system of fsspec."""
    return fsspec_places.options_of(bucket)


@pytest.fixture
def fs(options: dict[str, Any]) -> penstock.fsspec.FileSystem:
    return penstock.fsspec.FileSystem(**options)


@pytest.fixture
def root(bucket: Bucket) -> str:
    return bucket.name


@pytest.fixture
def tree(bucket: Any) -> str:
    for key in fsspec_places.TREE:
        bucket.server.judge.put_object(
            Bucket=bucket.name, Key=key, Body=b"" if key[-1] == "/" else key.encode()
        )
    return bucket.name


@pytest.fixture(params=["file", *_names("s3")])
def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    s3_servers: dict[str, S3Server],
    monkeypatch: pytest.MonkeyPatch,
) -> bundle_places.Folder | bundle_places.S3:
    """Where bundles come to rest: a folder, and a bucket on each of the real servers in turn."""
    if request.param == "file":
        return bundle_places.Folder(tmp_path / "out")
    return bundle_places.S3(new_bucket(s3_servers[request.param]), monkeypatch)


@pytest.fixture
def s3_place(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> bundle_places.S3:
    """A bucket for bundles on each of the real servers in turn."""
    return bundle_places.S3(bucket, monkeypatch)


@pytest.fixture
def sqs_server(request: pytest.FixtureRequest, sqs_servers: dict[str, SqsServer]) -> SqsServer:
    """Each of the real servers of queues in turn."""
    return sqs_servers[request.param]


@pytest.fixture
def queue(sqs_server: SqsServer) -> TestQueue:
    """A new queue on each of the real servers in turn."""
    return sqs_server.make_queue()


@pytest.fixture
def fifo(sqs_server: SqsServer) -> TestQueue:
    """The same, that keeps order and drops repeats."""
    return sqs_server.make_queue(fifo=True)


@pytest.fixture
def client() -> Iterator[penstock.Client]:
    with penstock.Client() as made:
        yield made


@pytest.fixture
def scripted(client: penstock.Client) -> Iterator[tuple[ScriptedS3, penstock.S3Store]]:
    """A scripted server, and a store on it."""
    with ScriptedS3() as server:
        keys = {"access_key_id": "testkey", "secret_access_key": "testsecret123"}
        options = {"endpoint": server.url, "region": "us-east-1", "part_bytes": "5MiB", **keys}
        yield server, penstock.S3Store("bucket", client=client, **options)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[nginx.Nginx]:
    """nginx over a folder of the test's own: write files into `web.root`."""
    (tmp_path / "web").mkdir()
    with nginx.Nginx(tmp_path / "web") as server:
        yield server


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix with the C++ library in it."""
    prefix = tmp_path_factory.mktemp("prefix")
    consumer.install_library(prefix)
    return prefix
