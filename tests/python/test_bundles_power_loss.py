"""A power loss at any moment leaves a bundle whole or invisible, and one that was acknowledged stays."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import shutil
import sys
import textwrap
from pathlib import Path

from bundle_places import Folder, Hooks, Run, recipe
from faults import power_loss
from faults.amounts import FULL, seed

STATES = 20_000 if FULL else 5_000  # no two alike
RECOVERED = 100

PROGRAM = """
    import asyncio, sys
    sys.path[:0] = [{tests!r}]
    from bundle_places import Folder, Hooks, chunks, recipe, ref
    from pathlib import Path

    async def main():
        storage = Folder(Path({folder!r})).storage()
        context = await storage.start_bundle(ref(count=3), recipe(Hooks()))
        for name in "abc":
            await context.add_resource(f"https://h/{{name}}", None, 200, chunks(name.encode() * 3000))
        await context.complete({{"m": 1}})
        print("acknowledged", flush=True)

    asyncio.run(main())
"""


def looks_whole(folder: Path) -> bool:
    """As a reader judges: all that the manifest names, with its digest, and the manifest with its own."""
    bundle = folder / "bundle_custom-one"
    meta = json.loads((bundle / "bundle.meta").read_bytes())
    manifest = (bundle / "bundle.manifest.meta").read_bytes()
    if hashlib.sha256(manifest).hexdigest() != meta["manifest_sha256"]:
        return False
    lines = [json.loads(line) for line in manifest.splitlines()]
    return len(lines) == 3 and all(
        hashlib.sha256((bundle / line["name"]).read_bytes()).hexdigest() == line["sha256"]
        and (bundle / (line["name"] + ".meta")).read_bytes().startswith(b"{")
        for line in lines
    )


def test_whatever_a_power_loss_leaves_is_whole_or_invisible(tmp_path):
    folder = tmp_path / "out"
    program = textwrap.dedent(PROGRAM).format(tests=str(Path(__file__).parent), folder=str(folder))
    trace = power_loss.record([sys.executable, "-c", program], folder, tmp_path / "strace.log")
    assert trace.acknowledged_at is not None
    assert looks_whole(folder)
    chosen = seed()
    choice, points = random.Random(chosen), power_loss.points(trace)
    seen = {"visible": 0, "invisible": 0, "acknowledged": 0}
    left = tmp_path / "left"
    states: set[tuple[bytes, bool]] = set()
    for number in range(10 * STATES):
        if len(states) == STATES:
            break
        step = points[number % len(points)]
        keep = (0.0, 1.0, 0.5)[number // len(points)] if number < 3 * len(points) else choice.random()
        tree, acknowledged = (
            power_loss.left(trace, step, keep, chosen + number),
            step >= trace.acknowledged_at,
        )
        state = power_loss.digest(tree), acknowledged
        if state in states:
            continue
        states.add(state)
        visible = "bundle.meta" in tree.get("bundle_custom-one", {})
        recovered = len(states) % (STATES // RECOVERED) == 0 or number < len(points)
        if visible or recovered:
            power_loss.build(tree, left)
        told = f"power lost after step {step}, seed {chosen + number}, keep {keep}"
        assert not visible or looks_whole(left), told
        assert visible or not acknowledged, told
        seen["visible" if visible else "invisible"] += 1
        seen["acknowledged"] += acknowledged
        if recovered or visible:
            recover(left, visible, told)
    print(f"{len(trace.changes)} changes, {len(points)} points, {len(states)} distinct states: {seen}")
    assert len(states) == STATES
    assert min(seen.values()) > 0
    shutil.rmtree(left)


def recover(left: Path, visible: bool, told: str) -> None:
    """The next run finds nothing half done, and tells of what is visible if a record says that it must. What remains
    was not written whole, and says nothing to anybody."""
    place, hooks = Folder(left), Hooks()
    outstanding = visible and any(parses(record) for record in records(left))
    asyncio.run(place.storage().on_run_start(Run(), recipe(hooks)))
    assert place.unfinished() == [], told
    assert hooks.told == (["custom-one"] if outstanding else []), told
    assert not any(parses(record) for record in records(left)), told


def records(left: Path) -> list[Path]:
    return list((left / ".penstock/pending").rglob("*.json"))


def parses(record: Path) -> bool:
    try:
        json.loads(record.read_bytes())
    except ValueError:
        return False
    return True
