"""obstore: its functions, from threads or on a loop.

usage: obstore_peer.py threads|loop ENDPOINT WHAT COUNT SIZE CONCURRENCY OF
"""

import asyncio
import sys
from pathlib import Path
from zlib import crc32

import obstore
from job import BUCKET_READ, KEYS, REGION, Job, asked, by_tasks, by_threads
from obstore.store import S3Store


def store_of(job: Job) -> S3Store:
    return S3Store(
        "bench" if job.what == "put" else BUCKET_READ,
        endpoint=job.endpoint,
        region=REGION,
        access_key_id=KEYS[0],
        secret_access_key=KEYS[1],
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )


def threads(job: Job) -> None:
    store = store_of(job)

    def ranged(first: int, last: int) -> int:
        return crc32(obstore.get_range(store, job.read_key, start=first, end=last + 1))

    def get(key: str) -> int:
        crc = 0
        for chunk in obstore.get(store, key).stream():
            crc = crc32(chunk, crc)
        return crc

    def put(key: str) -> int:
        obstore.put(store, key, Path(job.of))
        return 0

    by_threads(job, ranged, get, put)


async def loop(job: Job) -> None:
    store = store_of(job)

    async def ranged(first: int, last: int) -> int:
        return crc32(await obstore.get_range_async(store, job.read_key, start=first, end=last + 1))

    async def get(key: str) -> int:
        crc = 0
        async for chunk in (await obstore.get_async(store, key)).stream():
            crc = crc32(chunk, crc)
        return crc

    async def put(key: str) -> int:
        await obstore.put_async(store, key, Path(job.of))
        return 0

    await by_tasks(job, ranged, get, put)


if sys.argv[1] == "threads":
    threads(asked("obstore"))
else:
    asyncio.run(loop(asked("obstore-aio")))
