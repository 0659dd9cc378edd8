"""What all peers are given, the streams they store, and what they say at the end. The same for each of them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

READ_BYTES = 64 * 1024
TICK_SECONDS = 0.001


@dataclass(frozen=True)
class Job:
    origin: str
    endpoint: str
    bucket: str
    count: int
    size: int  # bytes of a resource, and what is stored of it
    concurrency: int
    rate: int  # bytes a second of each stream, 0: as fast as they go
    kind: str  # plain, or gzip

    @property
    def gzipped(self) -> bool:
        return self.kind == "gzip"

    def urls(self) -> list[str]:
        if self.gzipped:
            return [f"{self.origin}/files/table.csv.gz"]
        rate = f"?rate={self.rate}" if self.rate else ""
        return [f"{self.origin}/bytes/{self.size}/{number}{rate}" for number in range(self.count)]

    async def each(self, store: Callable[[str], Awaitable[None]]) -> None:
        """Every URL, so many at once."""
        left = iter(self.urls())

        async def lane() -> None:
            for url in left:
                await store(url)

        await asyncio.gather(*(lane() for _ in range(self.concurrency)))


async def stream(url: str) -> AsyncIterator[bytes]:
    """What a fetcher has: chunks of a body, as they come from a connection of asyncio."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        writer.write(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        left = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        while left:
            chunk = await reader.read(min(left, READ_BYTES))
            if not chunk:
                raise EOFError(f"{url} ended {left} bytes early")
            left -= len(chunk)
            yield chunk
    finally:
        writer.close()


class Ticker:
    """How much later than asked the loop comes back, a thousand times a second, while all streams are under way."""

    def __init__(self) -> None:
        self.late: list[float] = []  # ms

    async def run(self) -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(TICK_SECONDS)
            self.late.append((time.perf_counter() - begun - TICK_SECONDS) * 1000)

    def summary(self) -> dict[str, float]:
        ordered = sorted(self.late)
        at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        return {name: round(ordered[int(share * (len(ordered) - 1))], 2) for name, share in at.items()}


def memory_mib(field: str) -> float:
    """``VmRSS`` or ``VmHWM`` of this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(field + ":")[2].split()[0]) / 1024


async def _measured(
    job: Job, bundle: Callable[[Job], Awaitable[str]], more: dict[str, object]
) -> dict[str, object]:
    ticker = Ticker()
    ticking = asyncio.create_task(ticker.run()) if job.concurrency == job.count > 1 else None
    begin = memory_mib("VmRSS")
    storage_key = await bundle(job)
    growth = memory_mib("VmHWM") - begin
    if ticking:
        ticking.cancel()
    late = ticker.summary() if ticking else None
    return {"storage_key": storage_key, "growth": growth, "late_ms": late, **more}


def main(bundle: Callable[[Job], Awaitable[str]], more: dict[str, object] | None = None) -> None:
    """Run ``bundle``, which returns what stands before "/" and a resource's name in its key; it says ``more``."""
    origin, endpoint, bucket, *numbers, kind = sys.argv[1:]
    job = Job(origin, endpoint, bucket, *map(int, numbers), kind)
    print(json.dumps(asyncio.run(_measured(job, bundle, more if more is not None else {}))))
