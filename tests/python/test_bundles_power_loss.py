"""A power loss at any moment leaves a bundle whole or invisible, and one that was acknowledged stays."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import shutil
import sys
import textwrap
from pathlib import Path

from bundle_places import Folder, Hooks, Run, recipe
from faults import power_loss

STATES = 20_000 if os.environ.get("PENSTOCK_TEST_FULL") else 5_000
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
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    choice, points = random.Random(seed), power_loss.points(trace)
    seen = {"visible": 0, "invisible": 0, "acknowledged": 0}
    for number in range(STATES):
        step = points[number % len(points)]
        keep = (0.0, 1.0, 0.5)[number // len(points)] if number < 3 * len(points) else choice.random()
        left = tmp_path / "left"
        power_loss.build(trace, step, keep, left, seed + number)
        visible = (left / "bundle_custom-one/bundle.meta").exists()
        told = f"power lost after step {step}, seed {seed + number}, keep {keep}"
        assert not visible or looks_whole(left), told
        acknowledged = step >= trace.acknowledged_at
        assert visible or not acknowledged, told
        seen["visible" if visible else "invisible"] += 1
        seen["acknowledged"] += acknowledged
        if number % (STATES // RECOVERED) == 0:
            recover(left, visible, told)
    print(f"{len(trace.changes)} changes, {len(points)} points, {STATES} states: {seen}")
    assert min(seen.values()) > 0
    shutil.rmtree(tmp_path / "left")


def recover(left: Path, visible: bool, told: str) -> None:
    """The next run finds nothing half done, and tells of what is visible if a record says that it must."""
    place, hooks = Folder(left), Hooks()
    outstanding = visible and any((left / ".penstock/pending").rglob("*.json"))
    asyncio.run(place.storage().on_run_start(Run(), recipe(hooks)))
    assert place.unfinished() == [], told
    assert hooks.told in ([], ["custom-one"]), told
    assert bool(hooks.told) == outstanding or not readable(left), told


def readable(left: Path) -> bool:
    """Whether each record that is left was written whole: one that was not is kept, and says nothing."""
    return not any((left / ".penstock/pending").rglob("*.json"))
