"""The streams alone, read and dropped: what every other peer pays before it stores a byte.

usage: source_peer.py ORIGIN ENDPOINT BUCKET COUNT SIZE CONCURRENCY RATE KIND
"""

from __future__ import annotations

from job import Job, main, stream


async def bundle(job: Job) -> str:
    async def drop(url: str) -> None:
        async for _ in stream(url):
            pass

    await job.each(drop)
    return ""


main(bundle)
