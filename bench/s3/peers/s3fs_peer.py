"""s3fs from threads, as pandas and dask use it: cat_file for pieces, a file without read-ahead for whole objects.

usage: s3fs_peer.py ENDPOINT WHAT COUNT SIZE CONCURRENCY OF
"""

from zlib import crc32

import s3fs
from job import BUCKET_READ, KEYS, REGION, asked, by_threads

BLOCK_BYTES = 8 << 20


def main() -> None:
    job = asked("s3fs")
    fs = s3fs.S3FileSystem(
        key=KEYS[0],
        secret=KEYS[1],
        endpoint_url=job.endpoint,
        client_kwargs={"region_name": REGION},
        config_kwargs={"s3": {"addressing_style": "path"}, "max_pool_connections": max(10, job.concurrency)},
    )

    def ranged(first: int, last: int) -> int:
        return crc32(fs.cat_file(f"{BUCKET_READ}/{job.read_key}", start=first, end=last + 1))

    def get(key: str) -> int:
        crc = 0
        with fs.open(f"{BUCKET_READ}/{key}", "rb", cache_type="none") as file:
            while chunk := file.read(BLOCK_BYTES):
                crc = crc32(chunk, crc)
        return crc

    def put(key: str) -> int:
        fs.put_file(job.of, f"bench/{key}")
        return 0

    by_threads(job, ranged, get, put)


main()
