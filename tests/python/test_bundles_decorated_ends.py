"""Bundles of decorators that are completed, aborted and cancelled while an add is under way."""

from __future__ import annotations

import asyncio
from typing import Any

import penstock
import pytest
from archives import zipped
from bundle_places import Folder, chunks, recipe, ref
from penstock.bundles.exceptions import BundleNotFound
from penstock.bundles.storage import UnzipResourceDecorator
from penstock.bundles.storage._streams import Group
from test_bundles_completion import SOON, turns


@pytest.fixture
def folder(tmp_path: Any) -> Folder:
    return Folder(tmp_path / "out")


async def unzipping(folder: Folder) -> Any:
    return await UnzipResourceDecorator(folder.storage()).start_bundle(ref(), recipe())


class Held:
    """A stream that gives nothing before it is let go."""

    def __init__(self) -> None:
        self.asked, self.gate = asyncio.Event(), asyncio.Event()

    async def __aiter__(self) -> Any:
        self.asked.set()
        await self.gate.wait()
        yield b"late"


async def holding(context: Any) -> tuple[asyncio.Task[None], Held]:
    """An add that is looking at the first bytes, which do not come."""
    held = Held()
    adding = asyncio.create_task(context.add_resource("https://h/a", None, 200, held))
    await held.asked.wait()
    return adding, held


def test_all_who_complete_an_unpacking_bundle_end(folder):
    async def run() -> None:
        context = await unzipping(folder)
        adding, held = await holding(context)
        completing = [asyncio.create_task(context.complete({})) for _ in range(3)]
        await turns()
        held.gate.set()
        await asyncio.wait_for(asyncio.gather(adding, *completing), SOON)

    asyncio.run(run())
    assert folder.visible() == {"a": b"late"}


def test_an_unpacking_bundle_that_is_being_completed_takes_no_more(folder):
    async def run() -> None:
        context = await unzipping(folder)
        adding, held = await holding(context)
        completing = asyncio.create_task(context.complete({}))
        await turns()
        with pytest.raises(BundleNotFound):
            await context.add_resource("https://h/b", None, 200, chunks(b"x"))
        held.gate.set()
        await asyncio.wait_for(asyncio.gather(adding, completing), SOON)
        with pytest.raises(BundleNotFound):
            await context.add_resource("https://h/c", None, 200, chunks(b"x"))

    asyncio.run(run())
    assert folder.visible() == {"a": b"late"}


def test_abort_stops_an_add_that_waits_for_its_first_bytes(folder):
    async def run() -> None:
        context = await unzipping(folder)
        adding, _ = await holding(context)
        await context.abort("enough")
        with pytest.raises(penstock.Cancelled):
            await asyncio.wait_for(adding, SOON)

    asyncio.run(run())
    assert folder.visible() is None


def test_a_cancelled_add_says_so_though_the_bundle_is_gone(folder):
    async def run() -> None:
        context = await unzipping(folder)
        adding, _ = await holding(context)
        await context.base_context.abort("underneath")
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding

    asyncio.run(run())


def test_an_add_cancelled_once_its_members_are_kept_says_so_and_they_stay(folder, monkeypatch):
    closed = Group.abort

    async def cancelled_then(self: Group) -> None:
        await closed(self)
        if not getattr(self, "was_cancelled", False):
            self.was_cancelled = True
            raise asyncio.CancelledError

    monkeypatch.setattr(Group, "abort", cancelled_then)

    async def run() -> None:
        context = await unzipping(folder)
        body = zipped({"a.csv": b"1,2", "b.csv": b"3,4"})
        with pytest.raises(asyncio.CancelledError):
            await context.add_resource("https://h/x.zip", None, 200, chunks(body))
        await context.complete({})

    asyncio.run(run())
    assert folder.visible() == {"x.zip_a.csv": b"1,2", "x.zip_b.csv": b"3,4"}
    assert not any("failed" in line for line in folder.manifest())
