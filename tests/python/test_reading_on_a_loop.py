"""What an event loop reads of a stream: what is at hand at once, the rest when a worker has it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import penstock
import pytest
from conftest import Bucket
from faults.wire import Answer, Request, Wire
from penstock import aio
from penstock.aio.streams import AT_HAND_BYTES

BODY = os.urandom(3 * 2**20 + 11)
PATIENCE = 30.0


def object_answer(request: Request) -> Answer:
    first, _ = request.range or (0, None)
    head = [("ETag", '"v1"'), ("Accept-Ranges", "bytes")]
    return Answer(200 if first == 0 else 206, head, BODY[first:], cut=2 * 2**20, then="stall")


@pytest.fixture
def stalling() -> Iterator[aio.S3Store]:
    """Two thirds of an object arrive, then nothing."""
    with Wire(object_answer) as wire:
        keys = {"access_key_id": "k", "secret_access_key": "s"}
        yield aio.S3Store("bucket", endpoint=wire.url, region="us-east-1", provider="minio", **keys)


async def until_at_hand(got: aio.GetResult, least: int) -> None:
    end = time.monotonic() + PATIENCE
    while got._native.ready < least:
        assert time.monotonic() < end, f"{got._native.ready} bytes at hand"
        await asyncio.sleep(0.001)


def turn(coroutine: Coroutine[Any, Any, bytes]) -> bytes | None:
    """One step of it: its value, or None if it only let others have their turn."""
    try:
        assert coroutine.send(None) is None, "it waits for a future"
    except StopIteration as ended:
        value: bytes = ended.value
        return value
    return None


def test_what_is_at_hand_is_read_without_a_worker(stalling: aio.S3Store) -> None:
    async def main() -> None:
        got = await stalling.get("k")
        await until_at_hand(got, AT_HAND_BYTES)
        reading = got.__anext__()
        assert turn(reading) is None
        chunk = turn(reading)
        assert chunk
        assert chunk == BODY[: len(chunk)]
        await until_at_hand(got, 1000)
        reading = got.read(1000)
        assert turn(reading) is None
        assert turn(reading) == BODY[len(chunk) :][:1000]
        await got.aclose()

    asyncio.run(main())


def test_a_read_that_is_cancelled_in_the_others_turn_has_taken_nothing(stalling: aio.S3Store) -> None:
    async def main() -> None:
        got = await stalling.get("k")
        await until_at_hand(got, AT_HAND_BYTES)
        reading = got.__anext__()
        assert turn(reading) is None
        with pytest.raises(asyncio.CancelledError):
            reading.throw(asyncio.CancelledError())
        assert await got.read(1000) == BODY[:1000]
        await got.aclose()

    asyncio.run(main())


def test_others_have_their_turn_between_any_two_chunks(bucket: Bucket) -> None:
    body = os.urandom(1 << 20) * 24
    penstock.S3Store(**bucket.options).put("k", body)

    async def main() -> None:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        async with aio.S3Store(**bucket.options) as store:
            digest, seen = hashlib.sha256(), -1
            async for chunk in await store.get("k"):
                assert turns > seen
                seen = turns
                digest.update(chunk)
            assert digest.digest() == hashlib.sha256(body).digest()
        counting.cancel()

    asyncio.run(main())


def test_a_read_that_waits_is_cancelled_and_the_stream_with_it(stalling: aio.S3Store) -> None:
    async def main() -> None:
        got = await stalling.get("k")
        assert await got.read(2 * 2**20) == BODY[: 2 * 2**20]
        reading = asyncio.create_task(got.bytes())
        await asyncio.sleep(0.05)  # it waits: nothing more comes
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        with pytest.raises(penstock.Cancelled):
            await got.read(1)

    asyncio.run(main())


def test_a_read_to_the_end_sees_the_checksum_though_all_is_at_hand() -> None:
    body = BODY[:400_000]
    head = [
        ("ETag", '"v1"'),
        ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
        ("x-amz-checksum-type", "FULL_OBJECT"),
    ]

    async def main(url: str) -> None:
        keys = {"access_key_id": "k", "secret_access_key": "s"}
        store = aio.S3Store("bucket", endpoint=url, region="us-east-1", provider="minio", **keys)
        got = await store.get("k")
        assert await got.read(300_000) == body[:300_000]
        await asyncio.sleep(0.2)  # the rest comes
        with pytest.raises(penstock.Corrupt):
            await got.read(100_001)

    with Wire(lambda _: Answer(200, head, body)) as wire:
        asyncio.run(main(wire.url))
