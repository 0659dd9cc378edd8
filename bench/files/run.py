"""Download + SHA-256 + upload, penstock beside its peers, in one run.

Each peer is its own process, the peers take turns (round robin), and the figures are medians over the rounds: wall,
CPU (user + sys) and peak resident memory as the kernel accounts them for the finished process. A wrong or missing
digest, a short object, or an object whose bytes differ fails the run.

    python bench/files/run.py [--scenario NAME ...] [--server NAME ...] [--peer NAME ...] [--rounds 5] [--out FILE]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/bench"
PEERS = Path(__file__).parent / "peers"
BUCKET = "bench"
KEYS = ("testkey", "testsecret123")


@dataclass(frozen=True)
class Scenario:
    count: int
    size: int  # bytes
    concurrency: int


SCENARIOS = {
    "1x2GiB": Scenario(1, 2 << 30, 1),
    "10x512MiB": Scenario(10, 512 << 20, 10),
    "2000x64KiB": Scenario(2000, 64 << 10, 32),
    "smoke": Scenario(3, 20_000_000, 3),
}


def commands() -> dict[str, list[str]]:
    bench_python = str(BUILD / "venv/bin/python")
    penstock_python = str(ROOT / ".venv/bin/python")
    return {
        "floor": [str(BUILD / "bench/bench_floor")],
        "penstock": [penstock_python, str(PEERS / "penstock_peer.py")],
        "penstock-2": [penstock_python, str(PEERS / "penstock_peer.py"), "two-clients"],
        "penstock-cpp": [str(BUILD / "bench/bench_penstock")],
        "boto3-classic": [bench_python, str(PEERS / "boto3_peer.py"), "classic"],
        "boto3-unsigned": [bench_python, str(PEERS / "boto3_peer.py"), "unsigned"],
        "boto3-crt": [bench_python, str(PEERS / "boto3_crt_peer.py")],
        "obstore": [bench_python, str(PEERS / "obstore_peer.py")],
        "node": ["node", str(BUILD / "node/node_peer.mjs")],
    }


def present(peers: Iterable[str]) -> list[str]:
    """Those whose program and script are there."""
    return [
        peer
        for peer in peers
        if shutil.which(commands()[peer][0])
        and all(Path(part).exists() for part in commands()[peer][1:] if part.startswith("/"))
    ]


@dataclass
class Run:
    wall: float  # seconds
    cpu: float  # seconds, user + sys
    rss: float  # MiB, peak


def origin_digests(scenario: Scenario) -> list[str]:
    """What the origin serves, hashed by hashlib: the judge of every peer's digest."""
    with sink() as origin:
        digests = []
        for number in range(scenario.count):
            sha256 = hashlib.sha256()
            with urllib.request.urlopen(f"{origin}/bytes/{scenario.size}/{number}") as body:
                while chunk := body.read(1 << 20):
                    sha256.update(chunk)
            digests.append(sha256.hexdigest())
        return digests


class sink:
    """The byte origin and sink as a child process."""

    def __enter__(self) -> str:
        self.process = subprocess.Popen([BUILD / "bench/bench_sink"], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        return f"http://127.0.0.1:{self.process.stdout.readline().split()[1]}"

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


class Died(Exception):
    """A peer's process ended by itself; the argument is its exit status, negative for a signal."""


def measure(name: str, scenario: Scenario, origin: str, endpoint: str) -> tuple[Run, dict[str, str]]:
    arguments = [origin, endpoint, BUCKET, str(scenario.count), str(scenario.size), str(scenario.concurrency)]
    with tempfile.TemporaryFile("w+") as output:
        begun = time.monotonic()
        process = subprocess.Popen(commands()[name] + arguments, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - begun
        if process.returncode != 0:
            raise Died(process.returncode)
        output.seek(0)
        digests = dict(line.split() for line in output.read().splitlines())
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), digests


def check(name: str, scenario: Scenario, expected: list[str], digests: dict[str, str]) -> None:
    wrong = [f"{name}-{i}" for i, digest in enumerate(expected) if digests.get(f"{name}-{i}") != digest]
    if wrong:
        sys.exit(f"{name}: wrong or missing digests for {wrong[:5]}")


def check_taken(name: str, scenario: Scenario, endpoint: str) -> None:
    with urllib.request.urlopen(f"{endpoint}/_taken") as answer:
        taken = json.load(answer)
    short = [key for i in range(scenario.count) if taken.get(key := f"{BUCKET}/{name}-{i}") != scenario.size]
    if short:
        sys.exit(f"{name}: the sink got another number of bytes for {short[:5]}")
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


def check_stored(name: str, scenario: Scenario, expected: list[str], endpoint: str) -> None:
    """Reads the objects back by boto3 and hashes them (a sample of 20 where there are many)."""
    program = (
        "for k in sys.argv[5:]:\n"
        " h=hashlib.sha256()\n"
        " for b in c.get_object(Bucket=bucket,Key=k)['Body'].iter_chunks(1<<20): h.update(b)\n"
        " print(k,h.hexdigest())\n"
    )
    numbers = random.Random(1).sample(range(scenario.count), min(20, scenario.count))
    output = by_boto3(program, endpoint, [f"{name}-{i}" for i in numbers])
    stored = dict(line.split() for line in output.splitlines())
    wrong = [f"{name}-{i}" for i in numbers if stored.get(f"{name}-{i}") != expected[i]]
    if wrong:
        sys.exit(f"{name}: the stored objects differ: {wrong[:5]}")


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


def bench(
    scenario_name: str, server: str, endpoint: str | None, peers: list[str], count: int
) -> dict[str, object]:
    scenario = SCENARIOS[scenario_name]
    expected = origin_digests(scenario)
    runs: dict[str, list[Run]] = {peer: [] for peer in peers}
    died: dict[str, list[int]] = {peer: [] for peer in peers}
    if endpoint:
        create_bucket(endpoint)
    with sink() as origin:
        target = endpoint or origin
        for number, peer in rounds(peers, count):
            try:
                run, digests = measure(peer, scenario, origin, target)
            except Died as death:  # one that is not ours is reported, and the others go on
                print(f"  {peer} died in round {number}, exit status {death}", file=sys.stderr)
                if peer == "floor" or peer.startswith("penstock"):
                    sys.exit(f"{peer} must not die")
                died[peer].append(*death.args)
                urllib.request.urlopen(f"{origin}/_clear").close()
                if endpoint:
                    remove_stored(endpoint)
                continue
            check(peer, scenario, expected, digests)
            if endpoint is None:
                check_taken(peer, scenario, origin)
            else:
                if number == 0:
                    check_stored(peer, scenario, expected, endpoint)
                remove_stored(endpoint)
            if number > 0:
                runs[peer].append(run)
            print(f"  {scenario_name} {server} round {number} {peer}: {run.wall:.2f} s wall, {run.cpu:.2f} s CPU, "
                  f"{run.rss:.0f} MiB", file=sys.stderr)  # fmt: skip
    return {"scenario": scenario_name, "server": server, "rounds": count,
            "peers": {peer: summary(runs[peer]) | {"died": died[peer]} for peer in peers}}  # fmt: skip


def summary(runs: list[Run]) -> dict[str, object]:
    fields = ("wall", "cpu", "rss")
    if not runs:
        return dict.fromkeys(fields) | {"runs": []}
    medians = {field: round(statistics.median(getattr(run, field) for run in runs), 3) for field in fields}
    return medians | {"runs": [asdict(run) for run in runs]}


def table(result: dict[str, object]) -> str:
    peers: dict[str, dict[str, float]] = result["peers"]  # type: ignore[assignment]
    base = peers.get("floor")
    lines = [f"\n{result['scenario']} into {result['server']}, medians of {result['rounds']}",
             f"{'peer':16}{'wall s':>9}{'x floor':>9}{'CPU s':>9}{'x floor':>9}{'peak MiB':>10}"]  # fmt: skip
    for name, peer in peers.items():
        if peer["wall"] is None:
            lines.append(f"{name:16}died in every round")
            continue
        wall, cpu = (f"{peer[f] / base[f]:.2f}" if base else "-" for f in ("wall", "cpu"))
        lines.append(f"{name:16}{peer['wall']:9.2f}{wall:>9}{peer['cpu']:9.2f}{cpu:>9}{peer['rss']:10.0f}"
                     + (f"  died {len(peer['died'])} times" if peer["died"] else ""))  # fmt: skip
    return "\n".join(lines)


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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--scenario", nargs="+", default=["1x2GiB", "10x512MiB", "2000x64KiB"], choices=SCENARIOS
    )
    parser.add_argument("--server", nargs="+", default=list(endpoints()), choices=endpoints(),
                        help="the sink, and the servers that PENSTOCK_TEST_S3 names")  # fmt: skip
    parser.add_argument("--peer", nargs="+", default=present(commands()), choices=commands())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/files.json")
    options = parser.parse_args()
    if absent := set(options.peer) - set(present(options.peer)):
        parser.error(f"not installed: {', '.join(sorted(absent))}; scripts/bench installs what it can")
    for peer in commands().keys() - set(present(commands())):
        print(f"left out, not installed: {peer}", file=sys.stderr)
    results = []
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for server in options.server:
        for scenario in options.scenario:
            results.append(bench(scenario, server, endpoints()[server], options.peer, options.rounds))
            print(table(results[-1]), flush=True)
            options.out.write_text(json.dumps({"machine": machine(), "results": results}, indent=1) + "\n")
    print(f"\nwritten: {options.out}")


if __name__ == "__main__":
    main()
