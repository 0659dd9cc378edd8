"""An interpreter that ends while a global holds an open bundle."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from bundle_places import Folder, with_tests
from test_bundles_completion import SOON
from test_bundles_storage import complete_one

STORAGES = """
    import asyncio, sys
    from bundle_places import Publisher, chunks, recipe, ref
    from penstock.bundles.storage import FileStorage, PipelineStorage, create_storage_stack

    kind, where, endpoint, how = sys.argv[1:]
    if kind == "file":
        storage = FileStorage(where)
    else:
        storage = PipelineStorage(where, Publisher(), "out", region="us-east-1", endpoint_url=endpoint)
    if how == "zip":
        storage = create_storage_stack(storage, bundle_resources=True)

    async def never():
        yield b"first"
        await asyncio.Event().wait()

    async def run():
        context = await storage.start_bundle(ref(), recipe())
        await context.add_resource("https://h/a", None, 200, chunks(b"x"))
        if how == "adding":
            adding.append(asyncio.create_task(context.add_resource("https://h/b", None, 200, never())))
            await asyncio.sleep(0.05)
        return context

    adding = []
    if how == "stopped":
        loop = asyncio.new_event_loop()
        context = loop.run_until_complete(run())
    else:
        context = asyncio.run(run())
    print("ends")
"""

DIRECT = """
    import sys, threading
    from bundle_places import ref
    from penstock.bundles import FolderBundles

    def never():
        yield b"first"
        begun.set()
        threading.Event().wait()

    begun = threading.Event()
    bundle = FolderBundles(sys.argv[1]).start(ref())
    bundle.add("https://h/a", b"x")
    if sys.argv[2] == "adding":
        threading.Thread(target=bundle.add, args=("https://h/b", never()), daemon=True).start()
        begun.wait()
    print("ends")
"""


def ended(program: str, *arguments: Any) -> str:
    """What it printed before it ended by itself."""
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    run = subprocess.run(command, env=with_tests(), capture_output=True, text=True, timeout=3 * SOON)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("how", ["open", "stopped", "adding", "zip"])
def test_nothing_is_published_of_a_bundle_that_is_open_at_the_end(place: Any, how: str) -> None:
    where = (place.path, "") if place.kind == "file" else (place.bucket.name, place.bucket.server.url)
    assert ended(STORAGES, place.kind, *where, how) == "ends\n"
    assert place.visible() is None
    asyncio.run(complete_one(place.storage()))
    assert place.visible() == {"a.txt": b"one two"}
    assert place.problems() == []
    assert place.unfinished("https://h/a", "https://h/b") == []


@pytest.mark.parametrize("how", ["open", "adding"])
def test_nothing_is_published_of_the_cores_own_bundle_either(tmp_path: Any, how: str) -> None:
    folder = Folder(tmp_path / "out")
    assert ended(DIRECT, folder.path, how) == "ends\n"
    assert folder.visible() is None
    asyncio.run(complete_one(folder.storage()))
    assert folder.unfinished() == []
