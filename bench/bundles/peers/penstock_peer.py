"""penstock: each stream into one bundle of PipelineStorage, as a loader does it.

usage: penstock_peer.py ORIGIN ENDPOINT BUCKET COUNT SIZE CONCURRENCY RATE KIND
"""

from __future__ import annotations

from typing import Any

import penstock
from job import Job, main, stream
from penstock import aio
from penstock.bundles import BundleRef, FetcherRecipe
from penstock.bundles import storage as storages


class Nobody:
    """No queue is part of what is compared."""

    async def publish_bundle_completion(self, *_: Any) -> None: ...


def storage_of(job: Job) -> Any:
    storage = storages.PipelineStorage(
        job.bucket, Nobody(), prefix="penstock", region="us-east-1", endpoint_url=job.endpoint
    )
    # The row is given because the byte sink has none of its own: full-object CRC64NVME is part of the work.
    storage.s3_client = penstock.S3Store(
        job.bucket, endpoint=job.endpoint, region="us-east-1", provider="versitygw"
    )
    if job.gzipped and hasattr(storages, "UnzipResourceDecorator"):
        return storages.UnzipResourceDecorator(storage)
    return storage


stored: list[str] = []  # URLs, in the order of the manifest
said: dict[str, object] = {"stored": stored}


async def bundle(job: Job) -> str:
    storage = storage_of(job)
    inflates = job.gzipped and isinstance(storage, storages.PipelineStorage)
    ref = BundleRef(job.origin, job.count)
    context = await storage.start_bundle(ref, FetcherRecipe())

    async def store(url: str) -> None:
        if inflates:
            body: Any = aio.Gunzip(stream(url))
            await context.add_resource(url.removesuffix(".gz"), "text/csv", 200, body)
        else:
            kind = "application/gzip" if job.gzipped else "application/octet-stream"
            await context.add_resource(url, kind, 200, stream(url))
        stored.append(url)

    await job.each(store)
    await context.complete({"source": "bench"})
    assert ref.receipt is not None
    said["manifest_sha256"] = ref.receipt.manifest_sha256
    return str(ref.storage_key)


main(bundle, said)
