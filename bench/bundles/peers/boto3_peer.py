"""Temp file and boto3: each stream into a file, inflated into a second one, ``upload_file``; last a metadata.json.

What blocks runs in a thread, which not everybody who does it this way thinks of.

usage: boto3_peer.py ORIGIN ENDPOINT BUCKET COUNT SIZE CONCURRENCY RATE KIND
"""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from job import Job, main, stream


def inflate(packed: str, to: Any) -> None:
    with gzip.open(packed) as file:
        shutil.copyfileobj(file, to, 1 << 20)
    to.flush()


async def bundle(job: Job) -> str:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(32))
    client = boto3.client(
        "s3",
        endpoint_url=job.endpoint,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=64),
    )
    root = f"boto3/bundles/{uuid.uuid4()}"

    async def upload(path: str, url: str) -> None:
        name = urlsplit(url).path[1:].replace("/", "_").removesuffix(".gz")
        extra = {"ContentType": "application/octet-stream", "Metadata": {"url": url, "status_code": "200"}}
        await asyncio.to_thread(
            client.upload_file, path, job.bucket, f"{root}/resources/{name}", ExtraArgs=extra
        )

    async def store(url: str) -> None:
        with NamedTemporaryFile() as packed, NamedTemporaryFile() as unpacked:
            async for chunk in stream(url):
                packed.write(chunk)
            packed.flush()
            if job.gzipped:
                await asyncio.to_thread(inflate, packed.name, unpacked)
            await upload(unpacked.name if job.gzipped else packed.name, url)

    await job.each(store)
    text = json.dumps({"source": "bench", "resources_count": job.count}, indent=1).encode()
    await asyncio.to_thread(client.put_object, Bucket=job.bucket, Key=f"{root}/metadata.json", Body=text)
    return f"{root}/resources"


main(bundle)
