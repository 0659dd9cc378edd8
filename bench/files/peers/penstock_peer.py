"""penstock: fetch_many into an S3 store.

usage: penstock_peer.py ORIGIN ENDPOINT BUCKET COUNT SIZE CONCURRENCY
"""

import sys

import penstock


def main() -> None:
    origin, endpoint, bucket = sys.argv[1:4]
    count, size, concurrency = map(int, sys.argv[4:])
    # The row is given because the byte sink has none of its own: full-object CRC64NVME is part of the work.
    store = penstock.S3Store(
        bucket,
        endpoint=endpoint,
        region="us-east-1",
        provider="versitygw",
        access_key_id="testkey",
        secret_access_key="testsecret123",
    )
    tasks = (
        penstock.files.FileTask(
            task_id=str(number),
            job_id="bench",
            url=f"{origin}/bytes/{size}/{number}",
            file_name=f"{number}.bin",
            key=f"penstock-{number}",
            digests=("sha256",),
        )
        for number in range(count)
    )
    for result in penstock.files.fetch_many(tasks, to=store, jobs=concurrency):
        if not result.success:
            sys.exit(f"{result.key}: {result.error_message}")
        print(f"{result.key} {result.digests['sha256']}")


main()
