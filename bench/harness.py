"""What the benchmarks have in common: the servers, peers as processes, what the kernel accounts them, the machine."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build/bench"
BUCKET = "bench"
KEYS = ("testkey", "testsecret123")


def present(peers: Iterable[str], commands: Mapping[str, list[str]]) -> list[str]:
    """Those whose program and script are there."""
    return [
        peer
        for peer in peers
        if shutil.which(commands[peer][0])
        and all(Path(part).exists() for part in commands[peer][1:] if part.startswith("/"))
    ]


@dataclass
class Run:
    wall: float  # seconds
    cpu: float  # seconds, user + sys
    rss: float  # MiB, peak
    written: float = 0.0  # MiB, to file systems


class sink:
    """The byte origin and sink as a child process; ``files`` is a folder whose files it serves."""

    def __init__(self, files: Path | None = None) -> None:
        self.command = [str(BUILD / "bench/bench_sink"), *(["--files", str(files)] if files else [])]

    def __enter__(self) -> str:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        return f"http://127.0.0.1:{self.process.stdout.readline().split()[1]}"

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


class Died(Exception):
    """A peer's process ended by itself; the argument is its exit status, negative for a signal."""


def run_peer(command: list[str], **options: Any) -> tuple[Run, str]:
    """What it took, and what it printed."""
    with tempfile.TemporaryFile("w+") as output:
        begun = time.monotonic()
        process = subprocess.Popen(command, stdout=output, **options)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - begun
        if process.returncode != 0:
            raise Died(process.returncode)
        output.seek(0)
        printed = output.read()
    cpu = usage.ru_utime + usage.ru_stime
    return Run(wall, cpu, usage.ru_maxrss / 1024, usage.ru_oublock / 2048), printed


def taken(endpoint: str) -> dict[str, int]:
    """Bytes by "bucket/key", as the sink counted them since it was last asked."""
    with urllib.request.urlopen(f"{endpoint}/_taken") as answer:
        counted: dict[str, int] = json.load(answer)
    forget_taken(endpoint)
    return counted


def forget_taken(endpoint: str) -> None:
    urllib.request.urlopen(f"{endpoint}/_clear").close()


BOTO3 = (
    "import boto3,hashlib,sys\n"
    "bucket=sys.argv[4]\n"
    "c=boto3.client('s3',endpoint_url=sys.argv[1],region_name='us-east-1',aws_access_key_id=sys.argv[2],"
    "aws_secret_access_key=sys.argv[3])\n"
)


def by_boto3(program: str, endpoint: str, keys: list[str]) -> str:
    """What `program` prints: it has the client `c`, the name `bucket`, and the keys in sys.argv[5:]."""
    command = [str(BUILD / "venv/bin/python"), "-c", BOTO3 + program, endpoint, *KEYS, BUCKET, *keys]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def remove_stored(endpoint: str) -> None:
    """Nobody writes beside another's objects; what a dead peer left goes too."""
    program = (
        "for page in c.get_paginator('list_objects_v2').paginate(Bucket=bucket):\n"
        " there=[{'Key':o['Key']} for o in page.get('Contents',())]\n"
        " there and c.delete_objects(Bucket=bucket,Delete={'Objects':there,'Quiet':True})\n"
        "for u in c.list_multipart_uploads(Bucket=bucket).get('Uploads',()):\n"
        " c.abort_multipart_upload(Bucket=bucket,Key=u['Key'],UploadId=u['UploadId'])\n"
    )
    by_boto3(program, endpoint, [])


def create_bucket(endpoint: str) -> None:
    by_boto3(
        "if bucket not in [b['Name'] for b in c.list_buckets()['Buckets']]: c.create_bucket(Bucket=bucket)\n",
        endpoint,
        [],
    )


def rounds(peers: list[str], count: int) -> Iterator[tuple[int, str]]:
    """Round robin, one warm-up round first (number 0)."""
    for number in range(count + 1):
        for peer in peers:
            yield number, peer


def summary(runs: list[Run]) -> dict[str, object]:
    fields = [field.name for field in dataclasses.fields(Run)]
    if not runs:
        return dict.fromkeys(fields) | {"runs": []}
    medians = {field: round(statistics.median(getattr(run, field) for run in runs), 3) for field in fields}
    return medians | {"runs": [asdict(run) for run in runs]}


def machine() -> dict[str, object]:
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.processor())  # fmt: skip
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    return {"cpu": model, "cores": os.cpu_count(), "memory_mib": memory, "kernel": platform.release(),
            "python": platform.python_version()}  # fmt: skip


def endpoints() -> dict[str, str | None]:
    """The sink, and the servers PENSTOCK_TEST_S3 names ("versitygw=http://... minio=http://...")."""
    named = dict(pair.split("=", 1) for pair in os.environ.get("PENSTOCK_TEST_S3", "").split())
    return {"sink": None, **named}
