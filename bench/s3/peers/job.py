"""What all peers are given, how it is spread over threads or tasks, and what they say at the end. The same for each."""

from __future__ import annotations

import asyncio
import functools
import json
import random
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TypeVar
from zlib import crc32

BUCKET_READ = "bytes"  # the origin's: what is in it is made as it is asked for
KEYS = ("testkey", "testsecret123")
REGION = "us-east-1"
SEED = 7

Done = TypeVar("Done")


@dataclass(frozen=True)
class Job:
    """``ranged``: so many pieces of ``size`` of one object; ``get``, ``put``: so many objects of that size."""

    endpoint: str
    what: str
    count: int
    size: int  # bytes
    concurrency: int
    of: str  # ranged: the object's size; put: the file; get: "-"
    name: str  # the peer's

    @property
    def read_key(self) -> str:
        return f"{self.of}/1"

    def starts(self) -> list[int]:
        """Where the pieces begin."""
        moments = random.Random(SEED)
        return [moments.randrange(int(self.of) - self.size) for _ in range(self.count)]

    def calls(
        self, ranged: Callable[[int, int], Done], get: Callable[[str], Done], put: Callable[[str], Done]
    ) -> Iterator[Callable[[], Done]]:
        """``ranged`` has the first and the last offset, ``get`` and ``put`` a key; all return a CRC32, put's is 0."""
        if self.what == "ranged":
            return (functools.partial(ranged, at, at + self.size - 1) for at in self.starts())
        if self.what == "get":
            return (functools.partial(get, f"{self.size}/{number}") for number in range(self.count))
        return (functools.partial(put, f"{self.name}-{number}") for number in range(self.count))


@dataclass
class Outcome:
    crcs: int = 0  # their sum, which no order changes
    failed: int = 0
    why: str = ""

    def failure(self, error: Exception) -> None:
        self.failed += 1
        self.why = f"{type(error).__name__}: {error}"[:200]

    def add(self, other: Outcome) -> None:
        self.crcs += other.crcs
        self.failed += other.failed
        self.why = other.why or self.why


class Checking:
    """A file object that keeps nothing but a CRC32. It cannot seek, so it is written in order."""

    def __init__(self) -> None:
        self.crc = 0

    def write(self, data: bytes) -> int:
        self.crc = crc32(data, self.crc)
        return len(data)


class Unable(Exception):
    """The peer has no such verb; run.py does not ask it to."""


def asked(name: str) -> Job:
    endpoint, what, count, size, concurrency, of = sys.argv[-6:]
    return Job(endpoint, what, int(count), int(size), int(concurrency), of, name)


def by_threads(job: Job, *verbs: Callable[..., int]) -> None:
    """All of it, on so many threads."""
    calls = iter(list(job.calls(*verbs)))  # a list, as two threads must not be in one generator

    def lane() -> Outcome:
        outcome = Outcome()
        for call in calls:
            try:
                outcome.crcs += call()
            except Exception as error:
                outcome.failure(error)
        return outcome

    told = Outcome()
    with ThreadPoolExecutor(job.concurrency) as threads:
        for part in [threads.submit(lane) for _ in range(job.concurrency)]:
            told.add(part.result())
    print(json.dumps(asdict(told)))


async def by_tasks(job: Job, *verbs: Callable[..., Awaitable[int]]) -> None:
    """All of it, in so many tasks."""
    outcome = Outcome()
    calls = job.calls(*verbs)

    async def lane() -> None:
        for call in calls:
            try:
                crc = await call()
                outcome.crcs += crc  # in one step: others add to it while this one waits
            except Exception as error:
                outcome.failure(error)

    await asyncio.gather(*(lane() for _ in range(job.concurrency)))
    print(json.dumps(asdict(outcome)))
