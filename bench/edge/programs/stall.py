"""How late a loop is while transfers of penstock.aio run on it; prints JSON.

usage: stall.py ORIGIN ENDPOINT BUCKET COUNT SIZE RATE
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from penstock import aio

TICK_SECONDS = 0.001
ORIGIN, ENDPOINT, BUCKET = sys.argv[1:4]
COUNT, SIZE, RATE = map(int, sys.argv[4:])


async def tick(late: list[float]) -> None:
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(TICK_SECONDS)
        late.append((time.perf_counter() - begun - TICK_SECONDS) * 1000)


async def main() -> None:
    store = aio.S3Store(BUCKET, endpoint=ENDPOINT, region="us-east-1", provider="versitygw")
    rate = f"?rate={RATE}" if RATE else ""
    late: list[float] = []
    ticking = asyncio.create_task(tick(late))
    urls = (f"{ORIGIN}/bytes/{SIZE}/{number}{rate}" for number in range(COUNT))
    begun = time.perf_counter()
    fetches = (aio.fetch(url, store, key=f"edge-{number}", sha256=None) for number, url in enumerate(urls))
    receipts = await asyncio.gather(*fetches)
    wall = time.perf_counter() - begun
    ticking.cancel()
    assert [receipt.bytes for receipt in receipts] == [SIZE] * COUNT
    late.sort()
    at = {name: round(late[int(share * (len(late) - 1))], 2) for name, share in AT.items()}
    print(json.dumps({"late_ms": at, "ticks": len(late), "wall": round(wall, 2)}))


AT = {"p50": 0.5, "p99": 0.99, "max": 1.0}
asyncio.run(main())
