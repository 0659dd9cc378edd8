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
import random
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import (
    BUCKET,
    BUILD,
    ROOT,
    Died,
    Run,
    by_boto3,
    create_bucket,
    endpoints,
    forget_taken,
    machine,
    present,
    remove_stored,
    rounds,
    run_peer,
    sink,
    summary,
    taken,
)

PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Scenario:
    count: int
    size: int  # bytes
    concurrency: int


SCENARIOS = {
    "1x2GiB": Scenario(1, 2 << 30, 1),
    "10x512MiB": Scenario(10, 512 << 20, 10),
    "10x5GiB": Scenario(10, 5 << 30, 10),
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
        "penstock-relay": [penstock_python, str(PEERS / "penstock_peer.py"), "relay"],
        "penstock-cpp": [str(BUILD / "bench/bench_penstock")],
        "boto3-classic": [bench_python, str(PEERS / "boto3_peer.py"), "classic"],
        "boto3-unsigned": [bench_python, str(PEERS / "boto3_peer.py"), "unsigned"],
        "boto3-crt": [bench_python, str(PEERS / "boto3_crt_peer.py")],
        "obstore": [bench_python, str(PEERS / "obstore_peer.py")],
        "node": ["node", str(BUILD / "node/node_peer.mjs")],
    }


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


def measure(name: str, scenario: Scenario, origin: str, endpoint: str) -> tuple[Run, dict[str, str]]:
    arguments = [origin, endpoint, BUCKET, str(scenario.count), str(scenario.size), str(scenario.concurrency)]
    run, printed = run_peer(commands()[name] + arguments)
    return run, dict(line.split() for line in printed.splitlines())


def check(name: str, scenario: Scenario, expected: list[str], digests: dict[str, str]) -> None:
    wrong = [f"{name}-{i}" for i, digest in enumerate(expected) if digests.get(f"{name}-{i}") != digest]
    if wrong:
        sys.exit(f"{name}: wrong or missing digests for {wrong[:5]}")


def check_taken(name: str, scenario: Scenario, endpoint: str) -> None:
    got = taken(endpoint)
    short = [key for i in range(scenario.count) if got.get(key := f"{BUCKET}/{name}-{i}") != scenario.size]
    if short:
        sys.exit(f"{name}: the sink got another number of bytes for {short[:5]}")


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
                forget_taken(origin)
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--scenario", nargs="+", default=["1x2GiB", "10x512MiB", "2000x64KiB"], choices=SCENARIOS
    )
    parser.add_argument("--server", nargs="+", default=list(endpoints()), choices=endpoints(),
                        help="the sink, and the servers that PENSTOCK_TEST_S3 names")  # fmt: skip
    parser.add_argument("--peer", nargs="+", default=present(commands(), commands()), choices=commands())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/files.json")
    options = parser.parse_args()
    if absent := set(options.peer) - set(present(options.peer, commands())):
        parser.error(f"not installed: {', '.join(sorted(absent))}; scripts/bench installs what it can")
    for peer in commands().keys() - set(present(commands(), commands())):
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
