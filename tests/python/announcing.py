"""A loader that is killed and run again, as a program: each time it makes of its bundles those that are not there.

    python announcing.py BUCKET S3 QUEUE SQS COUNT

It ends once each is completed and told; on a failing queue by raising, then the next run goes on.
"""

from __future__ import annotations

import asyncio
import sys

from bundle_places import Run, chunks, recipe, ref
from penstock.bundles.exceptions import BundleConflict, StorageError
from penstock.bundles.notifications import SqsPublisher
from penstock.bundles.storage import PipelineStorage
from penstock.bundles.utils.retry import RetryConfig, RetryEngine

AT_ONCE = 8


async def main(bucket: str, s3: str, queue: str, sqs: str, count: int) -> None:
    SqsPublisher._retries = RetryEngine(RetryConfig(max_retries=0))  # each failure is the bundle's
    publisher = SqsPublisher(queue, "us-east-1", sqs)
    storage = PipelineStorage(bucket, publisher, "out", region="us-east-1", endpoint_url=s3)
    await storage.on_run_start(Run(), recipe())
    left, failed = iter(range(count)), 0

    async def lane() -> None:
        nonlocal failed
        for number in left:
            try:
                context = await storage.start_bundle(ref(f"custom-{number}"), recipe())
            except BundleConflict:
                continue  # made by a run before
            await context.add_resource("https://h/a", None, 200, chunks(b"%d" % number))
            try:
                await context.complete({"number": number})
            except StorageError as error:  # of the queue: the record stays
                print(error, file=sys.stderr)
                failed += 1

    await asyncio.gather(*(lane() for _ in range(AT_ONCE)))
    sys.exit(3 if failed else 0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5], int(sys.argv[5])))
