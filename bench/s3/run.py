"""Pieces of an object and whole objects, read and written by penstock beside its peers, in one run.

    ranged-16KiB   10,000 pieces of 16 KiB of one object, 32 at once
    100x8MiB       100 objects of 8 MiB, read all at once
    get-10x512MiB  10 objects, read all at once
    put-10x512MiB  10 files, stored all at once

Each peer is its own process, the peers take turns, and the figures are medians over the rounds. The far end is the byte
sink, so that the client is what is measured. What was read is compared by CRC32, what was stored by the bytes that the
sink got. A run of another's that fails at some of it is told, and left out of the figures.

    python bench/s3/run.py [--scenario NAME ...] [--peer NAME ...] [--rounds 5] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import urllib.request
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
from harness import (
    BUCKET,
    BUILD,
    ROOT,
    Died,
    Run,
    forget_taken,
    machine,
    present,
    rounds,
    run_peer,
    sink,
    summary,
    taken,
)
from job import Job

PEERS = Path(__file__).parent / "peers"
OBJECT_BYTES = 256 << 20  # whose pieces are read


@dataclass(frozen=True)
class Scenario:
    what: str
    count: int
    size: int  # bytes
    concurrency: int
    unable: tuple[str, ...] = ()


SCENARIOS = {
    "ranged-16KiB": Scenario("ranged", 10_000, 16 << 10, 32, ("boto3-crt",)),
    "100x8MiB": Scenario("get", 100, 8 << 20, 100),
    "get-10x512MiB": Scenario("get", 10, 512 << 20, 10),
    "put-10x512MiB": Scenario("put", 10, 512 << 20, 10, ("aiobotocore",)),
    "smoke": Scenario("ranged", 200, 16 << 10, 4, ("boto3-crt",)),
}


def commands() -> dict[str, list[str]]:
    ours, theirs = str(ROOT / ".venv/bin/python"), str(BUILD / "venv/bin/python")
    s3fs = str(BUILD / "venv-s3fs/bin/python")
    return {
        "penstock": [ours, str(PEERS / "penstock_peer.py"), "threads"],
        "penstock-aio": [ours, str(PEERS / "penstock_peer.py"), "loop"],
        "obstore": [theirs, str(PEERS / "obstore_peer.py"), "threads"],
        "obstore-aio": [theirs, str(PEERS / "obstore_peer.py"), "loop"],
        "boto3": [theirs, str(PEERS / "boto3_peer.py")],
        "boto3-crt": [theirs, str(PEERS / "boto3_crt_peer.py")],
        "aiobotocore": [s3fs, str(PEERS / "aiobotocore_peer.py")],
        "s3fs": [s3fs, str(PEERS / "s3fs_peer.py")],
    }


def body(origin: str, path: str) -> bytes:
    with urllib.request.urlopen(f"{origin}/bytes/{path}") as answer:
        whole: bytes = answer.read()
        return whole


def expected_crcs(scenario: Scenario, of: str, origin: str) -> int:
    """The sum of the CRC32 of all that is read."""
    job = Job(origin, scenario.what, scenario.count, scenario.size, scenario.concurrency, of, "judge")
    if scenario.what == "ranged":
        whole = memoryview(body(origin, job.read_key))
        return sum(crc32(whole[at : at + scenario.size]) for at in job.starts())
    if scenario.what == "get":
        return sum(crc32(body(origin, f"{scenario.size}/{number}")) for number in range(scenario.count))
    return 0


def check_taken(peer: str, scenario: Scenario, origin: str) -> None:
    got = taken(origin)
    short = [key for i in range(scenario.count) if got.get(key := f"{BUCKET}/{peer}-{i}") != scenario.size]
    if short:
        sys.exit(f"{peer}: the sink got another number of bytes for {short[:5]}")


def bench(name: str, peers: list[str], count: int) -> dict[str, object]:
    scenario = SCENARIOS[name]
    peers = [peer for peer in peers if peer not in scenario.unable]
    runs: dict[str, list[Run]] = {peer: [] for peer in peers}
    failed: dict[str, list[int]] = {peer: [] for peer in peers}
    died: dict[str, list[int]] = {peer: [] for peer in peers}
    with sink() as origin, tempfile.NamedTemporaryFile() as file:
        if scenario.what == "put":
            file.truncate(scenario.size)
        of = {"ranged": str(OBJECT_BYTES), "get": "-", "put": file.name}[scenario.what]
        with ProcessPoolExecutor(1) as judge:  # not here: a peer's peak begins with that of who starts it
            expected = judge.submit(expected_crcs, scenario, of, origin).result()
        arguments = [
            origin,
            scenario.what,
            *map(str, (scenario.count, scenario.size, scenario.concurrency)),
            of,
        ]
        for number, peer in rounds(peers, count):
            try:
                run, printed = run_peer(commands()[peer] + arguments)
            except Died as death:  # one that is not ours is reported, and the others go on
                if peer.startswith("penstock"):
                    sys.exit(f"{peer} must not die")
                died[peer].append(*death.args)
                forget_taken(origin)
                continue
            told = json.loads(printed)
            if told["failed"]:
                print(f"  {peer} failed {told['failed']} times: {told['why']}", file=sys.stderr)
                if peer.startswith("penstock"):
                    sys.exit(f"{peer} must not fail")
                failed[peer].append(told["failed"])
                forget_taken(origin)
                continue
            if told["crcs"] != expected:
                sys.exit(f"{peer}: read other bytes")
            if scenario.what == "put":
                check_taken(peer, scenario, origin)
            forget_taken(origin)
            if number > 0:
                runs[peer].append(run)
            print(f"  {name} round {number} {peer}: {run.wall:.2f} s wall, {run.cpu:.2f} s CPU, {run.rss:.0f} MiB",
                  file=sys.stderr)  # fmt: skip
    figures = {peer: summary(runs[peer]) | {"failed": failed[peer], "died": died[peer]} for peer in peers}
    return {"scenario": name, "count": scenario.count, "rounds": count, "peers": figures}


def table(result: dict[str, object]) -> str:
    peers: dict[str, dict[str, float]] = result["peers"]  # type: ignore[assignment]
    count: int = result["count"]  # type: ignore[assignment]
    lines = [f"\n{result['scenario']}, medians of {result['rounds']}",
             f"{'peer':14}{'wall s':>9}{'a second':>10}{'CPU s':>9}{'peak MiB':>10}"]  # fmt: skip
    for name, peer in peers.items():
        if peer["wall"] is None:
            lines.append(f"{name:14}died in every round")
            continue
        ends = "".join(f"  {how} {peer[how]}" for how in ("failed", "died") if peer[how])
        rate = count / peer["wall"]
        lines.append(f"{name:14}{peer['wall']:9.2f}{rate:10.0f}{peer['cpu']:9.2f}{peer['rss']:10.0f}{ends}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", nargs="+", default=[name for name in SCENARIOS if name != "smoke"],
                        choices=SCENARIOS)  # fmt: skip
    parser.add_argument("--peer", nargs="+", default=present(commands(), commands()), choices=commands())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/s3.json")
    options = parser.parse_args()
    if absent := set(options.peer) - set(present(options.peer, commands())):
        parser.error(f"not installed: {', '.join(sorted(absent))}; scripts/bench installs what it can")
    results = []
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for name in options.scenario:
        results.append(bench(name, options.peer, options.rounds))
        print(table(results[-1]), flush=True)
        options.out.write_text(json.dumps({"machine": machine(), "results": results}, indent=1) + "\n")
    print(f"\nwritten: {options.out}")


if __name__ == "__main__":
    main()
