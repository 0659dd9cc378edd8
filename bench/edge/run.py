"""What penstock costs the interpreter it is in: its start, its loop, its lock.

    import, store   seconds of the first ``import penstock`` and the first S3Store(), medians of 20 processes
    late            how much later than asked a task is run that sleeps 1 ms at a time, beside 100 transfers on its loop
    GIL             the share of its rate that a counting thread loses beside 100 transfers; needs two processors

    python bench/edge/run.py [--processes 20] [--rounds 5] [--count 100] [--size 8388608] [--out FILE] [--check]

--check names what is not as it must be, and exits with 1: import within 50 ms, S3Store() within 5 ms, the loop late by
at most 5 ms in 99 of 100 ticks, and less than 2 % of the lock.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import BUCKET, KEYS, ROOT, machine, sink

PROGRAMS = Path(__file__).parent / "programs"
PYTHON = ROOT / ".venv/bin/python"
PACED = 1 << 20  # bytes a second of each stream
LIMITS = {"import_ms": 50.0, "store_ms": 5.0, "late_ms": 5.0, "gil": 0.02}


def run(program: str, *arguments: object) -> dict[str, float]:
    keys = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), KEYS, strict=True))
    command = [str(PYTHON), str(PROGRAMS / program), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **keys})
    said: dict[str, float] = json.loads(done.stdout)
    return said


def startup(processes: int) -> dict[str, object]:
    seen = [run("startup.py") for _ in range(processes)]
    return {
        f"{name}_ms": round(1000 * statistics.median(each[name] for each in seen), 2)
        for name in ("import", "store")
    }


def late(options: argparse.Namespace, rate: int) -> dict[str, float]:
    with sink() as url:
        seen = [
            run("stall.py", url, url, BUCKET, options.count, options.size, rate)
            for _ in range(options.rounds)
        ]
    stalls: list[dict[str, float]] = [each["late_ms"] for each in seen]  # type: ignore[misc]
    return {at: round(statistics.median(stall[at] for stall in stalls), 2) for at in ("p50", "p99", "max")}


def gil(options: argparse.Namespace) -> dict[str, float]:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(allowed)[1:2]))  # the sink's too: gil.py counts on the first processor
    with sink() as url:
        os.sched_setaffinity(0, allowed)
        return run("gil.py", url, url, BUCKET, options.count, options.size, options.rounds)


def missed(told: dict[str, object]) -> list[str]:
    start, stalls = told["startup"], told["late_ms"]
    figures = {
        "import_ms": start["import_ms"],  # type: ignore[index]
        "store_ms": start["store_ms"],  # type: ignore[index]
        "late_ms": max(stall["p99"] for stall in stalls.values()),  # type: ignore[attr-defined]
        "gil": told["gil"]["share"],  # type: ignore[index]
    }
    return [
        f"{name}: {value:g}, over {LIMITS[name]:g}" for name, value in figures.items() if value > LIMITS[name]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--size", type=int, default=8 << 20)
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/edge.json")
    parser.add_argument("--check", action="store_true", help="exit with 1, and say why, if a figure is amiss")
    options = parser.parse_args()
    told: dict[str, object] = {"machine": machine(), "count": options.count, "size": options.size}
    told["startup"] = startup(options.processes)
    told["late_ms"] = {"paced": late(options, PACED), "at_once": late(options, 0)}
    told["gil"] = gil(options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told, indent=1))
    if options.check:
        amiss = missed(told)
        print("\n".join(f"missed: {what}" for what in amiss) or "all figures are as they must be")
        sys.exit(1 if amiss else 0)


if __name__ == "__main__":
    main()
