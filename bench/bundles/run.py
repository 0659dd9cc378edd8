"""A bundle of streams into a bucket, penstock beside temp file + boto3 ``upload_file``, in one run.

Each peer is its own process, the peers take turns (round robin), and the figures are medians over the rounds. What
a peer stores is fed by the same code: connections of asyncio to a local origin. "source" reads these streams and
drops them, which nobody can beat. A missing or short object, or one whose bytes differ, fails the run.

    wall, CPU   of the whole process, as the kernel accounts them
    growth      its peak of resident memory, less what it had before the bundle
    written     what it wrote to file systems; 0 where $TMPDIR is a tmpfs
    late        how much later than asked a task of the same loop is run that sleeps 1 ms at a time

    python bench/bundles/run.py [--scenario NAME ...] [--server NAME ...] [--peer NAME ...] [--rounds 5] [--out FILE]
                                [--check]

--check names what is not as it must be, and exits with 1: on the sink penstock twice as fast as temp file and boto3,
its growth within 64 MiB, and the loop late by at most 5 ms in 99 of 100 ticks. What its manifest says of hashes is
compared in every round, with or without.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import statistics
import sys
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(BENCH), str(BENCH / "servers")]
import gzipped  # noqa: E402
from harness import (  # noqa: E402
    BUCKET,
    BUILD,
    KEYS,
    ROOT,
    Died,
    Run,
    by_boto3,
    create_bucket,
    endpoints,
    machine,
    remove_stored,
    rounds,
    run_peer,
    sink,
    summary,
    taken,
)

PEERS = Path(__file__).parent / "peers"
FILES = BUILD / "bundles"
TEMP_FILE = "tempfile-boto3"
CHECKED = 20  # of many objects, so many are read back
FASTER, GROWTH_MIB, LATE_MS = 2.0, 64, 5.0
COMPARED = ("1x1GiB", "1000x64KiB", "gzip-2GiB")
STREAMING = ("100-paced", "100-at-once")


@dataclass(frozen=True)
class Scenario:
    count: int
    size: int  # bytes of a resource, as it is stored
    concurrency: int
    rate: int = 0  # bytes a second of each stream, 0: as fast as they go
    kind: str = "plain"  # or gzip

    def scaled(self, scale: float) -> Scenario:
        if self.size < 2**20:
            return replace(self, count=max(2, round(self.count * scale)))
        return replace(self, size=max(1, round(self.size * scale / 2**20)) * 2**20)

    def names(self) -> list[str]:
        """Of the resources; ``docs/formats/bundles.md``."""
        if self.kind == "gzip":
            return ["files_table.csv"]
        return [f"bytes_{self.size}_{number}" for number in range(self.count)]


SCENARIOS = {
    "1x1GiB": Scenario(1, 1 << 30, 1),
    "1000x64KiB": Scenario(1000, 64 << 10, 32),
    "gzip-2GiB": Scenario(1, 2 << 30, 1, kind="gzip"),
    "100-paced": Scenario(100, 8 << 20, 100, rate=1 << 20),
    "100-at-once": Scenario(100, 8 << 20, 100),
}


def commands() -> dict[str, list[str]]:
    penstock_python, bench_python = str(ROOT / ".venv/bin/python"), str(BUILD / "venv/bin/python")
    return {
        "source": [penstock_python, str(PEERS / "source_peer.py")],
        "penstock": [penstock_python, str(PEERS / "penstock_peer.py")],
        TEMP_FILE: [bench_python, str(PEERS / "boto3_peer.py")],
    }


def origin_digests(scenario: Scenario, origin: str) -> list[str]:
    """What must be stored, hashed by hashlib."""
    if scenario.kind == "gzip":
        return [gzipped.digest(scenario.size >> 20)]
    digests = []
    for number in range(scenario.count):
        sha256 = hashlib.sha256()
        with urllib.request.urlopen(f"{origin}/bytes/{scenario.size}/{number}") as body:
            while chunk := body.read(1 << 20):
                sha256.update(chunk)
        digests.append(sha256.hexdigest())
    return digests


def measure(peer: str, scenario: Scenario, origin: str, endpoint: str) -> tuple[Run, dict[str, object]]:
    numbers = map(str, (scenario.count, scenario.size, scenario.concurrency, scenario.rate))
    keys = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), KEYS, strict=True))
    command = [*commands()[peer], origin, endpoint, BUCKET, *numbers, scenario.kind]
    try:
        run, printed = run_peer(command, env={**os.environ, **keys})
    except Died as death:
        sys.exit(f"{peer} died, exit status {death}")
    said: dict[str, object] = json.loads(printed)
    return run, said


def check_taken(peer: str, scenario: Scenario, storage_key: object, origin: str) -> None:
    got = taken(origin)
    keys = [f"{BUCKET}/{storage_key}/{name}" for name in scenario.names()]
    if short := [key for key in keys if got.get(key) != scenario.size]:
        sys.exit(f"{peer}: the sink got another number of bytes for {short[:5]}")
    if not any(key.endswith("/metadata.json") for key in got):
        sys.exit(f"{peer}: its bundle was not published")


def check_manifest(scenario: Scenario, told: dict[str, object], expected: list[str]) -> None:
    """What penstock's receipt says of its manifest is that of one with the origin's hashes, in the order it said."""
    sha256 = hashlib.sha256()
    stored: list[str] = told["stored"]  # type: ignore[assignment]
    for url in stored:
        sha256.update(manifest_line(scenario, url, expected))
    if len(stored) != scenario.count or sha256.hexdigest() != told["manifest_sha256"]:
        sys.exit("penstock: its manifest has not the hashes of what the origin gave")


def manifest_line(scenario: Scenario, url: str, expected: list[str]) -> bytes:
    """``docs/formats/bundles.md``."""
    line: dict[str, object] = {
        "url": url, "content_type": "application/octet-stream", "status_code": 200, "size": scenario.size
    }  # fmt: skip
    if scenario.kind == "gzip":
        line |= {"url": url.removesuffix(".gz"), "content_type": "text/csv"}
        line |= {
            "name": "files_table.csv",
            "sha256": expected[0],
            "derived_from": {"url": url, "codec": "gzip"},
        }
    else:
        number = int(url.partition("?")[0].rpartition("/")[2])
        line |= {"name": scenario.names()[number], "sha256": expected[number]}
    ordered = ("name", "url", "content_type", "status_code", "size", "sha256", "derived_from")
    text = json.dumps({name: line[name] for name in ordered if name in line}, separators=(",", ":"))
    return text.encode() + b"\n"


def check_stored(
    peer: str, scenario: Scenario, storage_key: object, expected: list[str], endpoint: str
) -> None:
    """Every object is there, and a sample of them, read back by boto3, has the bytes of the origin."""
    program = (
        "root=sys.argv[5].rpartition('/')[0]\n"
        "sizes={o['Key']:o['Size'] for page in c.get_paginator('list_objects_v2').paginate(Bucket=bucket,Prefix=root)\n"
        "       for o in page.get('Contents',())}\n"
        "print(len([k for k in sizes if k.startswith(sys.argv[5]+'/')]), root+'/metadata.json' in sizes)\n"
        "for k in sys.argv[6:]:\n"
        " h=hashlib.sha256()\n"
        " for b in c.get_object(Bucket=bucket,Key=sys.argv[5]+'/'+k)['Body'].iter_chunks(1<<20): h.update(b)\n"
        " print(k,h.hexdigest())\n"
    )
    numbers = random.Random(1).sample(range(scenario.count), min(CHECKED, scenario.count))
    names = scenario.names()
    listed, *lines = by_boto3(
        program, endpoint, [str(storage_key), *(names[i] for i in numbers)]
    ).splitlines()
    if listed != f"{scenario.count} True":
        sys.exit(f"{peer}: {scenario.count} objects and a metadata.json were expected, found: {listed}")
    stored = dict(line.split() for line in lines)
    if wrong := [names[i] for i in numbers if stored.get(names[i]) != expected[i]]:
        sys.exit(f"{peer}: the stored objects differ: {wrong[:5]}")


def bench(
    name: str, scenario: Scenario, server: str, endpoint: str | None, peers: list[str], count: int
) -> dict[str, object]:
    runs: dict[str, list[Run]] = {peer: [] for peer in peers}
    said: dict[str, list[dict[str, object]]] = {peer: [] for peer in peers}
    if endpoint:
        create_bucket(endpoint)
        remove_stored(endpoint)
    if scenario.kind == "gzip":
        FILES.mkdir(parents=True, exist_ok=True)
        gzipped.write(scenario.size >> 20, FILES / "table.csv.gz")
    with sink(FILES) as origin:
        expected = origin_digests(scenario, origin)
        for number, peer in rounds(peers, count):
            run, told = measure(peer, scenario, origin, endpoint or origin)
            if peer == "penstock":
                check_manifest(scenario, told, expected)
            if peer != "source" and endpoint is None:
                check_taken(peer, scenario, told["storage_key"], origin)
            elif peer != "source" and endpoint:
                if number == 0:
                    check_stored(peer, scenario, told["storage_key"], expected, endpoint)
                remove_stored(endpoint)
            if number > 0:
                runs[peer].append(run)
                said[peer].append(told)
            print(f"  {name} {server} round {number} {peer}: {run.wall:.2f} s wall, {run.cpu:.2f} s CPU, "
                  f"growth {told['growth']:.0f} MiB", file=sys.stderr)  # fmt: skip
    return {"scenario": name, "size": scenario.size, "count": scenario.count, "server": server, "rounds": count,
            "peers": {peer: summary(runs[peer]) | told_of(said[peer]) for peer in peers}}  # fmt: skip


def missed(result: dict[str, object]) -> list[str]:
    """What is not as --check wants it. Speed is compared on the sink alone: elsewhere the server's is measured."""
    peers: dict[str, dict[str, float]] = result["peers"]  # type: ignore[assignment]
    name, ours, rival = (
        f"{result['scenario']} into {result['server']}",
        peers["penstock"],
        peers.get(TEMP_FILE),
    )
    found = []
    if result["scenario"] in COMPARED and result["server"] == "sink":
        if rival is None:
            found.append(f"{name}: {TEMP_FILE} did not run, so there is nothing to be faster than")
        elif rival["wall"] < FASTER * ours["wall"]:
            found.append(f"{name}: {rival['wall'] / ours['wall']:.2f}x as fast, {FASTER:g}x is wanted")
    if result["scenario"] in COMPARED and ours["growth"] > GROWTH_MIB:
        found.append(f"{name}: grew by {ours['growth']:.0f} MiB, over {GROWTH_MIB}")
    if result["scenario"] in STREAMING:
        late: dict[str, float] = ours["late_ms"]  # type: ignore[assignment]
        if late["p99"] > LATE_MS:
            found.append(f"{name}: the loop was late by {late['p99']:.2f} ms at p99, over {LATE_MS:g}")
    return found


def told_of(said: list[dict[str, object]]) -> dict[str, object]:
    """Medians of what the peers said of themselves."""

    def median(values: list[float]) -> float:
        return round(statistics.median(values), 2)

    stalls: list[dict[str, float]] = [told["late_ms"] for told in said if told["late_ms"]]  # type: ignore[misc]
    return {
        "growth": median([told["growth"] for told in said]),  # type: ignore[misc]
        "late_ms": {at: median([stall[at] for stall in stalls]) for at in ("p50", "p99", "max")} if stalls else None,
    }  # fmt: skip


def table(result: dict[str, object]) -> str:
    peers: dict[str, dict[str, float]] = result["peers"]  # type: ignore[assignment]
    base = peers.get(TEMP_FILE)
    lines = [f"\n{result['scenario']} into {result['server']}, medians of {result['rounds']}",
             f"{'peer':16}{'wall s':>8}{'faster':>8}{'CPU s':>8}{'less':>7}{'peak MiB':>10}{'growth':>8}{'written':>9}"
             f"{'late ms: p50':>14}{'p99':>8}{'max':>8}"]  # fmt: skip
    for name, peer in peers.items():
        faster, less = (f"{base[field] / peer[field]:.2f}x" if base else "-" for field in ("wall", "cpu"))
        late: dict[str, float] = peer["late_ms"] or {}  # type: ignore[assignment]
        lines.append(f"{name:16}{peer['wall']:8.2f}{faster:>8}{peer['cpu']:8.2f}{less:>7}{peer['rss']:10.0f}"
                     f"{peer['growth']:8.0f}{peer['written']:9.0f}"
                     f"{late.get('p50', '-'):>14}{late.get('p99', '-'):>8}{late.get('max', '-'):>8}")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", nargs="+", default=list(SCENARIOS), choices=SCENARIOS)
    parser.add_argument("--server", nargs="+", default=list(endpoints()), choices=endpoints(),
                        help="the sink, and the servers that PENSTOCK_TEST_S3 names")  # fmt: skip
    parser.add_argument("--peer", nargs="+", default=list(commands()), choices=commands())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the sizes, or of the number of small resources"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/bundles.json")
    parser.add_argument("--check", action="store_true", help="exit with 1, and say why, if a figure is amiss")
    options = parser.parse_args()
    if options.check and ("penstock" not in options.peer or options.scale != 1.0):
        parser.error("--check is of penstock, at full size")
    results = []
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for server in options.server:
        for name in options.scenario:
            scenario = SCENARIOS[name].scaled(options.scale)
            results.append(bench(name, scenario, server, endpoints()[server], options.peer, options.rounds))
            print(table(results[-1]), flush=True)
            told = {"machine": machine(), "scale": options.scale, "results": results}
            options.out.write_text(json.dumps(told, indent=1) + "\n")
    print(f"\nwritten: {options.out}")
    if options.check:
        amiss = [what for result in results for what in missed(result)]
        print("\n".join(f"missed: {what}" for what in amiss) or "all figures are as they must be")
        sys.exit(1 if amiss else 0)


if __name__ == "__main__":
    main()
