"""penstock: the store's verbs, from threads or on a loop.

usage: penstock_peer.py threads|loop ENDPOINT WHAT COUNT SIZE CONCURRENCY OF
"""

import asyncio
import sys
from pathlib import Path
from typing import Any
from zlib import crc32

import penstock
from job import BUCKET_READ, KEYS, REGION, Job, asked, by_tasks, by_threads


def options(job: Job) -> dict[str, Any]:
    # The row is given because the byte sink has none of its own: full-object CRC64NVME is part of the work.
    return {
        "bucket": "bench" if job.what == "put" else BUCKET_READ,
        "endpoint": job.endpoint,
        "region": REGION,
        "provider": "versitygw",
        "access_key_id": KEYS[0],
        "secret_access_key": KEYS[1],
        "client": penstock.Client(connections_per_host=job.concurrency),
    }


def threads(job: Job) -> None:
    store = penstock.S3Store(**options(job))

    def ranged(first: int, last: int) -> int:
        return crc32(store.get(job.read_key, range=(first, last)).bytes())

    def get(key: str) -> int:
        crc = 0
        with store.get(key) as body:
            for chunk in body:
                crc = crc32(chunk, crc)
        return crc

    def put(key: str) -> int:
        store.put(key, Path(job.of))
        return 0

    by_threads(job, ranged, get, put)


async def loop(job: Job) -> None:
    store = penstock.aio.S3Store(**options(job))

    async def ranged(first: int, last: int) -> int:
        return crc32(await (await store.get(job.read_key, range=(first, last))).bytes())

    async def get(key: str) -> int:
        crc = 0
        async with await store.get(key) as body:
            async for chunk in body:
                crc = crc32(chunk, crc)
        return crc

    async def put(key: str) -> int:
        await store.put(key, Path(job.of))
        return 0

    await by_tasks(job, ranged, get, put)


if sys.argv[1] == "threads":
    threads(asked("penstock"))
else:
    asyncio.run(loop(asked("penstock-aio")))
