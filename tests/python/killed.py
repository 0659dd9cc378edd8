"""A program that makes bundles, and is killed: read by the tests that look at what it left.

    python killed.py WHERE [ENDPOINT]

WHERE is a folder, or a bucket at ENDPOINT. Reads one JSON object a line, does that in a forked child, and prints the
child's pid and then its exit status, negative for a signal:

    do          "complete": one bundle of three resources; "recover": on_run_start()
    bid         of the bundle; "" makes a new one
    at          the step to die at, "" for none: see STEPS
    when        "before" or "after" that step
    hooks       the hook to die in, counted from 1: before it is told of
    body_bytes  of the third resource
    told        a file: a line for each hook and each publication

Forked before it has a thread, so a round takes milliseconds.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bundle_places import Run, recipe, ref
from penstock.bundles import BundleRef
from penstock.bundles.storage import FileStorage, PipelineStorage, _completion, _native_storage, _pending

RECIPE = "fr"
PIECE = bytes(range(256)) * 256

# In their order: by whom each is done, and its name there.
STEPS: dict[str, tuple[Any, str]] = {
    "begin": (_completion.Completion, "_steps"),  # what comes after it: dies before the first step
    "seal": (_completion.Completion, "_seal"),
    "record": (_pending.Pending, "put"),
    "commit": (_native_storage.NativeStorage, "_finalize_bundle"),
    "hook": (_native_storage.NativeStorage, "_execute_completion_callbacks"),
    "publish": (_native_storage.NativeStorage, "_announce"),
    "remove": (_pending.Pending, "remove"),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(step: str, when: str) -> None:
    holder, name = STEPS[step]
    whole = getattr(holder, name)

    @functools.wraps(whole)
    async def dying(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            die()
        done = await whole(*arguments, **named)
        die()
        return done

    setattr(holder, name, dying)


class Told:
    """Hook and publisher, who write down in a file whom they were told of."""

    def __init__(self, path: str, dies_in: int = 0) -> None:
        self.path, self.left = path, dies_in

    def write(self, who: str, bid: object) -> None:
        with Path(self.path).open("a") as file:
            file.write(f"{who} {bid}\n")

    async def on_bundle_complete_hook(self, bundle_ref: BundleRef) -> None:
        self.left -= 1
        if self.left == 0:
            die()
        self.write("hook", bundle_ref.bid)

    async def publish_bundle_completion(self, bundle_ref: BundleRef, *_: object) -> None:
        self.write("queue", bundle_ref.bid)


def storage(where: str, endpoint: str, told: Told) -> Any:
    if not endpoint:
        return FileStorage(where)
    return PipelineStorage(where, told, "out", region="us-east-1", endpoint_url=endpoint)


async def body(size: int) -> AsyncIterator[bytes]:
    for begin in range(0, size, len(PIECE)):
        yield PIECE[: size - begin]


async def work(where: str, endpoint: str, order: dict[str, Any]) -> None:
    told = Told(order["told"], order.get("hooks", 0))
    made, to = storage(where, endpoint, told), recipe(told, recipe_id=RECIPE)  # type: ignore[arg-type]
    if order["do"] == "recover":
        await made.on_run_start(Run(), to)
        return
    bundle_ref = ref(order["bid"], 3) if order["bid"] else BundleRef("https://example.org/", 3)
    context = await made.start_bundle(bundle_ref, to)
    for name, size in (("a", 10), ("b", 70_000), ("c", order["body_bytes"])):
        await context.add_resource(f"https://h/{name}", None, 200, body(size))
    await context.complete({"m": 1})


def main() -> None:
    where, endpoint = sys.argv[1], (*sys.argv[2:], "")[0]
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            if order.get("at"):
                die_at(order["at"], order["when"])
            asyncio.run(work(where, endpoint, order))
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
