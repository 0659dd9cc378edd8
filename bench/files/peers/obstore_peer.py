"""obstore: an async stream from its HTTP store, hashed, into put_async (its sync calls cannot nest).

usage: obstore_peer.py ORIGIN ENDPOINT BUCKET COUNT SIZE CONCURRENCY
"""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator

import obstore
from obstore.store import HTTPStore, S3Store


async def main() -> None:
    origin, endpoint, bucket = sys.argv[1:4]
    count, size, concurrency = map(int, sys.argv[4:])
    options = {"allow_http": True}
    web = HTTPStore.from_url(origin, client_options=options)
    store = S3Store(
        bucket,
        endpoint=endpoint,
        region="us-east-1",
        access_key_id="testkey",
        secret_access_key="testsecret123",
        virtual_hosted_style_request=False,
        client_options=options,
    )
    numbers = iter(range(count))

    async def one(number: int) -> None:
        sha256 = hashlib.sha256()

        async def hashed() -> AsyncIterator[bytes]:
            got = await obstore.get_async(web, f"bytes/{size}/{number}")
            async for chunk in got.stream():
                sha256.update(chunk)
                yield chunk

        key = f"obstore-{number}"
        await obstore.put_async(store, key, hashed(), chunk_size=8 << 20, max_concurrency=4)
        print(f"{key} {sha256.hexdigest()}")

    async def lane() -> None:
        for number in numbers:
            await one(number)

    await asyncio.gather(*(lane() for _ in range(concurrency)))


asyncio.run(main())
