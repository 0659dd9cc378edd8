"""aiobotocore on a loop: get_object; it has no upload of parts of its own, so no put.

usage: aiobotocore_peer.py ENDPOINT ranged|get COUNT SIZE CONCURRENCY OF
"""

import asyncio
from zlib import crc32

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from job import BUCKET_READ, KEYS, REGION, Unable, asked, by_tasks


async def main() -> None:
    job = asked("aiobotocore")
    async with get_session().create_client(
        "s3",
        endpoint_url=job.endpoint,
        region_name=REGION,
        aws_access_key_id=KEYS[0],
        aws_secret_access_key=KEYS[1],
        config=AioConfig(s3={"addressing_style": "path"}, max_pool_connections=job.concurrency),
    ) as client:

        async def ranged(first: int, last: int) -> int:
            got = await client.get_object(Bucket=BUCKET_READ, Key=job.read_key, Range=f"bytes={first}-{last}")
            async with got["Body"] as body:
                return crc32(await body.read())

        async def get(key: str) -> int:
            got = await client.get_object(Bucket=BUCKET_READ, Key=key)
            crc = 0
            async with got["Body"] as body:
                async for chunk in body.iter_chunks(1 << 20):
                    crc = crc32(chunk, crc)
            return crc

        async def put(key: str) -> int:
            raise Unable("it has no managed upload")

        await by_tasks(job, ranged, get, put)


asyncio.run(main())
