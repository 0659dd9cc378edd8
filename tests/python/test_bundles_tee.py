"""One stream for several readers: equal bytes, a bounded buffer, errors to all."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import penstock
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from penstock.bundles.storage import tee
from penstock.testing import fill


class Counted:
    """A stream that knows how much was asked of it."""

    def __init__(self, chunks: list[bytes], error: BaseException | None = None) -> None:
        self.chunks, self.error = iter(chunks), error
        self.given = 0
        self.closed = False

    def __aiter__(self) -> Counted:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)
        chunk = next(self.chunks, None)
        if chunk is not None:
            self.given += len(chunk)
            return chunk
        if self.error is not None:
            raise self.error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed = True


async def all_of(reader: Any) -> bytes:
    return b"".join([chunk async for chunk in reader])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=2000), max_size=30), st.integers(1, 5), st.integers(1, 4000))
def test_every_reader_gets_all_of_it(chunks: list[bytes], n: int, buffer_bytes: int):
    async def run() -> list[bytes]:
        readers = tee(Counted(chunks), n, buffer_bytes=buffer_bytes)
        return await asyncio.gather(*map(all_of, readers))

    assert asyncio.run(run()) == [b"".join(chunks)] * n


def test_the_slowest_sets_the_pace_and_no_more_than_the_buffer_is_held():
    chunks = [fill(1000)] * 300
    source = Counted(chunks)

    async def run() -> None:
        slow, fast = tee(source, 2, buffer_bytes=10_000)
        taken = 0

        async def slowly() -> bytes:
            nonlocal taken
            body = b""
            async for chunk in slow:
                body += chunk
                taken += len(chunk)
                for _ in range(1000):
                    await asyncio.sleep(0)
                    assert source.given - taken <= 10_000
                    assert slow._shared.held_bytes <= 10_000
            return body

        assert await asyncio.gather(slowly(), all_of(fast)) == [b"".join(chunks)] * 2

    asyncio.run(run())
    assert source.closed


def test_a_chunk_larger_than_the_buffer_passes_alone():
    async def run() -> list[bytes]:
        return await asyncio.gather(*map(all_of, tee(Counted([fill(5000), b"x"]), 2, buffer_bytes=100)))

    assert asyncio.run(run()) == [fill(5000) + b"x"] * 2


def test_an_error_of_the_source_reaches_all_behind_what_came_before():
    async def run() -> None:
        readers = tee(Counted([b"a", b"b"], LookupError("broken")), 3)
        got: list[bytes] = []

        async def read(reader: Any) -> None:
            async for chunk in reader:
                got.append(chunk)

        outcomes = await asyncio.gather(*map(read, readers), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [LookupError] * 3
        assert sorted(got) == [b"a"] * 3 + [b"b"] * 3
        with pytest.raises(LookupError):  # never an end, however often asked
            await anext(readers[0])

    asyncio.run(run())


def test_a_reader_that_stalls_fails_all_with_busy():
    async def run() -> None:
        slow, fast = tee(Counted([b"x" * 10] * 100), 2, buffer_bytes=20, stall_timeout=0.05)
        assert await anext(slow) == b"x" * 10
        with pytest.raises(penstock.Busy) as raised:
            await all_of(fast)
        assert raised.value.code == "stalled"
        with pytest.raises(penstock.Busy):
            await anext(slow)

    asyncio.run(run())


def test_a_source_that_is_slow_is_no_stall():
    async def run() -> list[bytes]:
        async def slow() -> AsyncIterator[bytes]:
            await asyncio.sleep(0.1)
            yield b"x"

        return await asyncio.gather(*map(all_of, tee(slow(), 2, stall_timeout=0.02)))

    assert asyncio.run(run()) == [b"x", b"x"]


def test_one_that_is_closed_or_dropped_leaves():
    source = Counted([b"x" * 10] * 100)

    async def run() -> None:
        closed, dropped, left = tee(source, 3, buffer_bytes=20, stall_timeout=5)
        await anext(closed)
        reading = asyncio.create_task(all_of(left))
        await asyncio.sleep(0.01)
        await closed.aclose()  # type: ignore[attr-defined]
        with pytest.raises(StopAsyncIteration):
            await anext(closed)
        await asyncio.sleep(0.01)
        assert not reading.done()
        del dropped
        gc.collect()
        assert await reading == b"x" * 1000

    asyncio.run(run())
    assert source.closed


def test_the_last_that_leaves_closes_the_source():
    async def run() -> None:
        readers: Any = tee(source, 2)
        await anext(readers[0])
        for reader in readers:
            assert not source.closed
            await reader.aclose()
        assert source.closed

    source = Counted([b"x"] * 5)
    asyncio.run(run())


def test_a_cancelled_reader_ends_the_stream_for_nobody():
    async def run() -> None:
        gate = asyncio.Event()

        async def gated() -> AsyncIterator[bytes]:
            yield b"a"
            await gate.wait()
            yield b"b"

        first, second = tee(gated(), 2)
        waiting = asyncio.create_task(all_of(first))
        other = asyncio.create_task(all_of(second))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gate.set()
        assert await other == b"ab"
        assert await anext(first) == b"b"

    asyncio.run(run())


def test_whatever_is_source_like_can_be_read_twice():
    async def run() -> list[bytes]:
        return await asyncio.gather(*map(all_of, tee(fill(600_000), 2)))

    assert asyncio.run(run()) == [fill(600_000)] * 2
    with pytest.raises(ValueError, match="at least one"):
        tee(b"", 0)
