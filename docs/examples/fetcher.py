"""A fetcher: pages and archives of one origin become bundles, each published whole, however often this is killed.

    OC_STORAGE_TYPE=file OC_STORAGE_FILE_PATH=out python docs/examples/fetcher.py --origin http://127.0.0.1:8000

The origin's ``/index.json`` names the bundles: ``[{"id": "acts-1", "paths": ["/acts/1.html", "/acts/1.zip"]}]``. Where
they go is in the environment alone: a folder, which needs no server, or a bucket of S3 and a queue of SQS
(``OC_STORAGE_TYPE=s3``, ``OC_S3_BUCKET``, ``OC_SQS_QUEUE_URL``; docs/guides/migrating-fetchers.md has them all).

Killed at any point and run again it fetches what is missing: an id that is completed is a Conflict, and skipped.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.request import urlopen

from penstock.bundles import BID, BundleRef, FetcherRecipe, FetchPlan, FetchRunContext, create_fetcher_config
from penstock.bundles.exceptions import BundleConflict
from penstock.bundles.storage import Storage, create_storage_config_instance

CHUNK_BYTES = 64 * 1024
SECONDS = 30  # without a byte from the origin
MAX_INDEX_BYTES = 2**20


class Pages:
    """Loads bundles, and is told of those that are visible: here, or after a crash by the next run."""

    def __init__(self, origin: str) -> None:
        self.origin = origin.rstrip("/")

    async def load(self, item: dict[str, Any], storage: Storage, recipe: FetcherRecipe) -> BundleRef | None:
        """One bundle of the index; None if an earlier run completed it."""
        ref = BundleRef(f"{self.origin}/index.json", len(item["paths"]), BID(f"custom-{item['id']}"))
        try:
            bundle = await storage.start_bundle(ref, recipe)
        except BundleConflict as error:
            if error.state == "completed":
                return None
            raise
        try:
            for path in item["paths"]:
                await self.add(bundle, self.origin + path)
        except BaseException:
            await bundle.abort("a resource could not be fetched")
            raise
        await bundle.complete({"source": "example"})
        return ref

    async def add(self, bundle: Any, url: str) -> None:
        """One resource, as it comes."""
        response = await asyncio.to_thread(urlopen, url, timeout=SECONDS)
        with response:
            content_type = response.headers.get_content_type()
            await bundle.add_resource(url, content_type, response.status, body_of(response))

    async def on_bundle_complete_hook(self, ref: BundleRef) -> None:
        """At least once a bundle."""
        print(f"{ref.bid} is at {ref.storage_key}", flush=True)


async def body_of(response: Any) -> AsyncIterator[bytes]:
    """Pieces; an answer that ends too early is an error, which urllib leaves to its reader."""
    expected, count = response.headers.get("Content-Length"), 0
    while piece := await asyncio.to_thread(response.read, CHUNK_BYTES):
        count += len(piece)
        yield piece
    if expected is not None and count != int(expected):
        raise ConnectionError(f"{count} of {expected} bytes came")


async def run(plan: FetchPlan, storage: Storage, items: list[dict[str, Any]]) -> None:
    """All of them, some at once. One that fails does not stop the others."""
    recipe, context, at_once = plan.recipe, plan.context, asyncio.Semaphore(plan.concurrency)
    await storage.on_run_start(context, recipe)  # type: ignore[attr-defined]

    async def one(item: dict[str, Any]) -> None:
        async with at_once:
            try:
                await recipe.bundle_loader.load(item, storage, recipe)  # type: ignore[union-attr]
                context.processed_count += 1
            except Exception as error:
                context.errors.append(f"{item['id']}: {error}")

    await asyncio.gather(*(one(item) for item in items))


def main() -> int:
    """0 if every bundle of the index is published."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--origin", required=True, help="http://host:port")
    parser.add_argument("--jobs", type=int, default=4, help="bundles at once")
    options = parser.parse_args()
    pages = Pages(options.origin)
    recipe = create_fetcher_config().use_bundle_loader(pages).with_recipe_id("example").build()
    plan = FetchPlan(recipe, FetchRunContext("example-run"), concurrency=options.jobs)
    with urlopen(f"{pages.origin}/index.json", timeout=SECONDS) as index:
        items = json.loads(index.read(MAX_INDEX_BYTES))
    asyncio.run(run(plan, create_storage_config_instance().build(), items))
    for error in plan.context.errors:
        print(error, file=sys.stderr)
    return 1 if plan.context.errors else 0


if __name__ == "__main__":
    sys.exit(main())
