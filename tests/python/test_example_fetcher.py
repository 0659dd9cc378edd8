"""docs/examples/fetcher.py, killed again and again: in the end every bundle is there once, whole, and nothing else."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import penstock
import pytest
from conftest import ROOT, S3Server, new_bucket
from faults.amounts import seed
from local_origin import Origin, wait_until
from penstock.bundles import BundleReader
from queues import KEYS, SqsServer

KILLS = 10
BUNDLES = {f"acts-{number}": [f"/acts/{number}.html", f"/acts/{number}.zip"] for number in range(8)}
MEMBERS = ("a.csv", "deep/b.csv")


def text_of(path: str) -> bytes:
    return f"{path} ".encode() * 5000


def archive(path: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for member in MEMBERS:
            file.writestr(member, text_of(f"{path}/{member}"))
    return made.getvalue()


def unpacked(path: str) -> list[str]:
    """The paths of what is stored of one."""
    return [f"{path}/{member}" for member in MEMBERS] if path.endswith(".zip") else [path]


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as made:
        for path in (path for paths in BUNDLES.values() for path in paths):
            made.bodies[path] = archive(path) if path.endswith(".zip") else text_of(path)
        made.bodies["/index.json"] = json.dumps(
            [{"id": name, "paths": paths} for name, paths in BUNDLES.items()]
        ).encode()
        yield made


def start(origin: Origin, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "docs/examples/fetcher.py"), "--origin", origin.url("")],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_somewhere(origin: Origin, environment: dict[str, str], chance: random.Random) -> bool:
    """Whether it was killed, rather than done before."""
    child = start(origin, environment)
    wanted = len(origin.seen) + chance.randint(0, 5)
    wait_until(lambda: len(origin.seen) >= wanted or child.poll() is not None)
    time.sleep(chance.uniform(0, 0.05))
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=60)
    return child.returncode == -signal.SIGKILL


def kill_and_run_again(origin: Origin, environment: dict[str, str]) -> None:
    chance = random.Random(seed())
    killed = sum(kill_somewhere(origin, environment, chance) for _ in range(KILLS))
    assert killed > 0
    last = start(origin, environment)
    _, said = last.communicate(timeout=120)
    assert last.returncode == 0, said


def check_all(reader: BundleReader, origin: Origin) -> None:
    entries = list(reader.entries())
    assert [e.name for e in entries if e.state == "completed"] == sorted(f"custom-{name}" for name in BUNDLES)
    assert {entry.state for entry in entries} <= {"completed", "quarantined"}
    for entry in entries:
        if entry.state != "completed":
            continue
        bundle = entry.open()
        assert list(bundle.problems()) == []
        paths = [p for path in BUNDLES[bundle.bid.removeprefix("custom-")] for p in unpacked(path)]
        assert [line.url for line in bundle.resources()] == [origin.url(path) for path in paths]
        for line, path in zip(bundle.resources(), paths, strict=True):
            assert bundle.open(line.name or "").bytes() == text_of(path)


def test_in_a_folder_without_any_server(origin: Origin, tmp_path: Path) -> None:
    environment = {"OC_STORAGE_TYPE": "file", "OC_STORAGE_FILE_PATH": str(tmp_path / "out")}
    kill_and_run_again(origin, environment)
    check_all(BundleReader(tmp_path / "out"), origin)
    again = start(origin, environment)
    out, said = again.communicate(timeout=120)
    assert (again.returncode, out) == (0, ""), said  # nothing is fetched or told twice


def test_in_a_bucket_with_a_queue_by_the_environment_alone(
    origin: Origin, s3_servers: dict[str, S3Server], sqs_servers: dict[str, SqsServer]
) -> None:
    bucket = new_bucket(next(iter(s3_servers.values())))
    queue = next(iter(sqs_servers.values())).make_queue()
    environment = {
        "OC_STORAGE_TYPE": "s3",
        "OC_S3_BUCKET": bucket.name,
        "OC_S3_PREFIX": "captures",
        "AWS_ENDPOINT_URL_S3": bucket.server.url,
        "OC_SQS_QUEUE_URL": queue.url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEYS["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": KEYS["secret_access_key"],
    }
    kill_and_run_again(origin, environment)
    check_all(BundleReader(penstock.S3Store(**bucket.options), prefix="captures"), origin)
    keys = bucket.keys()  # a claim beside a marker may stay: it says nothing to anybody
    assert [key for key in keys if key.startswith(("captures/_pending/", "captures/_uploads/"))] == []
    told = [json.loads(message["Body"])["bundle_id"] for message in queue.received()]
    assert {*told} == {f"custom-{name}" for name in BUNDLES}


def test_a_page_that_is_missing_fails_its_bundle_alone(origin: Origin, tmp_path: Path) -> None:
    del origin.bodies["/acts/3.zip"]
    child = start(origin, {"OC_STORAGE_TYPE": "file", "OC_STORAGE_FILE_PATH": str(tmp_path)})
    _, said = child.communicate(timeout=120)
    assert child.returncode == 1
    assert said.startswith("acts-3: ")
    assert len(list(BundleReader(tmp_path))) == len(BUNDLES) - 1
