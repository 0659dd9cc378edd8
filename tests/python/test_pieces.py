"""Small ranges of an object: fetched whole, by no thread that waits on a loop."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import penstock
import pytest
from bundle_places import with_tests
from conftest import Bucket
from faults.wire import Answer, Request, Wire
from penstock import aio

PAGE = 256 * 1024
BODY = os.urandom(2 * PAGE + 100)
RANGES: list[Any] = [
    slice(0, 1),
    slice(5, 5 + PAGE),
    slice(5, 6 + PAGE),
    slice(PAGE, None),
    slice(len(BODY) - 1, None),
    (0, len(BODY) + 10),
    (len(BODY) - 3, len(BODY) + PAGE - 10),
    -1,
    -PAGE,
    -PAGE - 1,
]
SILENT = Answer(silent=True, then="stall")


def part(of: Any) -> bytes:
    if isinstance(of, tuple):
        return BODY[of[0] : of[1] + 1]
    return BODY[of:] if isinstance(of, int) else BODY[of]


def store_at(wire: Wire) -> penstock.S3Store:
    keys = {"access_key_id": "k", "secret_access_key": "s"}
    return penstock.S3Store("bucket", endpoint=wire.url, region="us-east-1", provider="minio", **keys)


def test_ranges_around_a_page_are_the_same_both_ways(bucket: Bucket) -> None:
    store = penstock.S3Store(**bucket.options)
    store.put("k", BODY)

    async def both() -> None:
        async with aio.S3Store(**bucket.options) as other:
            for of in RANGES:
                got = store.get("k", range=of)
                assert got.bytes() == part(of), of
                awaited = await other.get("k", range=of)
                assert await awaited.bytes() == part(of), of
                assert awaited.meta == got.meta
                assert got.meta.bytes == len(BODY)
                again = await other.get("k", range=of)
                assert b"".join([chunk async for chunk in again]) == part(of), of

    asyncio.run(both())


def test_more_than_the_limit_is_refused_and_closed_is_closed(bucket: Bucket) -> None:
    store = penstock.S3Store(**bucket.options)
    store.put("k", BODY)
    got = store.get("k", range=slice(0, 100))
    with pytest.raises(penstock.Refused) as refused:
        got.bytes(limit=99)
    assert refused.value.code == "too_large"
    assert store.get("k", range=slice(0, 100)).bytes(limit=100) == BODY[:100]
    got.close()
    assert got.meta.bytes == len(BODY)
    with pytest.raises(ValueError, match="closed"):
        got.bytes()


def test_many_at_once_on_a_loop(bucket: Bucket) -> None:
    penstock.S3Store(**bucket.options).put("k", BODY)

    async def main() -> None:
        async with aio.S3Store(**bucket.options) as store:

            async def one(first: int) -> None:
                got = await store.get("k", range=slice(first, first + 1000))
                assert await got.bytes() == BODY[first : first + 1000]

            await asyncio.gather(*(one(first) for first in range(500)))

    asyncio.run(main())


def test_what_is_cancelled_or_late_is_over_at_once() -> None:
    async def main() -> None:
        with Wire(lambda _: SILENT) as wire:
            store = aio.S3Store._over(store_at(wire))
            getting = asyncio.create_task(store.get("k", range=(0, 9)))
            while not wire.requests:
                await asyncio.sleep(0.01)
            getting.cancel()
            with pytest.raises(asyncio.CancelledError) as cancelled:
                await getting
            assert isinstance(cancelled.value.__cause__, penstock.Cancelled)
            with pytest.raises(penstock.DeadlinePassed):
                await store.get("k", range=(0, 9), deadline=0.05)

    asyncio.run(main())


def piece_answer(request: Request, *, cut: int | None = None) -> Answer:
    first, last = request.range or (0, None)
    assert last is not None
    span = [("Content-Range", f"bytes {first}-{last}/{len(BODY)}"), ("ETag", '"v1"')]
    return Answer(206, span, BODY[first : last + 1], cut=cut, then="reset")


def test_a_connection_cut_in_the_middle_is_asked_again_and_at_last_lost() -> None:
    with Wire(lambda request: piece_answer(request, cut=500 if len(wire.requests) < 3 else None)) as wire:
        assert store_at(wire).get("k", range=(7, 1006)).bytes() == BODY[7:1007]
        assert len(wire.requests) == 3
    with Wire(lambda request: piece_answer(request, cut=500)) as wire, pytest.raises(penstock.Lost) as lost:
        store_at(wire).get("k", range=(7, 1006)).bytes()
    assert lost.value.attempts == len(wire.requests) > 1


def test_a_loop_that_is_closed_meanwhile_is_no_longer_told() -> None:
    with Wire(lambda _: SILENT) as wire:
        store = aio.S3Store._over(store_at(wire))
        loop = asyncio.new_event_loop()
        getting: list[asyncio.Task[Any]] = []

        async def begin() -> None:
            getting.append(loop.create_task(store.get("k", range=(0, 9), deadline=0.2)))
            while not wire.requests:
                await asyncio.sleep(0.01)

        loop.run_until_complete(begin())
        loop.close()
        with pytest.raises(penstock.DeadlinePassed):  # later than the other's, which is told to nobody
            store.sync.get("k", range=(0, 9), deadline=0.4)


EXIT = """
import asyncio, sys
from test_pieces import store_at, SILENT, Wire, aio
async def main():
    with Wire(lambda _: SILENT) as wire:
        store = aio.S3Store._over(store_at(wire))
        asyncio.create_task(store.get("k", range=(0, 9)))
        while not wire.requests:
            await asyncio.sleep(0.01)
        sys.exit(7)
asyncio.run(main())
"""


def test_an_interpreter_ends_under_one_that_waits() -> None:
    done = subprocess.run([sys.executable, "-c", EXIT], env=with_tests(), timeout=60, check=False)
    assert done.returncode == 7
