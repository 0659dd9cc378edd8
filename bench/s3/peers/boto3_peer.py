"""boto3 from threads: get_object for pieces, download_fileobj and upload_file for whole objects.

usage: boto3_peer.py ENDPOINT WHAT COUNT SIZE CONCURRENCY OF
"""

from zlib import crc32

import boto3
from botocore.config import Config
from job import BUCKET_READ, KEYS, REGION, Checking, asked, by_threads


def main() -> None:
    job = asked("boto3")
    client = boto3.client(
        "s3",
        endpoint_url=job.endpoint,
        region_name=REGION,
        aws_access_key_id=KEYS[0],
        aws_secret_access_key=KEYS[1],
        config=Config(s3={"addressing_style": "path"}, max_pool_connections=max(10, job.concurrency)),
    )

    def ranged(first: int, last: int) -> int:
        got = client.get_object(Bucket=BUCKET_READ, Key=job.read_key, Range=f"bytes={first}-{last}")
        return crc32(got["Body"].read())

    def get(key: str) -> int:
        target = Checking()
        client.download_fileobj(BUCKET_READ, key, target)
        return target.crc

    def put(key: str) -> int:
        client.upload_file(job.of, "bench", key)
        return 0

    by_threads(job, ranged, get, put)


main()
