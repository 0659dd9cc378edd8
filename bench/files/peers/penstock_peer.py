"""penstock: fetch_many into an S3 store; "two-clients" gives the store a client, and so an I/O thread, of its own;
"relay" sends parts straight from the origin.

usage: penstock_peer.py [two-clients | relay] ORIGIN ENDPOINT BUCKET COUNT SIZE CONCURRENCY
"""

import sys

import penstock


def main() -> None:
    two_clients, relay = sys.argv[1] == "two-clients", sys.argv[1] == "relay"
    name = "penstock-2" if two_clients else "penstock-relay" if relay else "penstock"
    origin, endpoint, bucket, *numbers = sys.argv[1 + (two_clients or relay) :]
    count, size, concurrency = map(int, numbers)
    # The row is given because the byte sink has none of its own: full-object CRC64NVME is part of the work.
    store = penstock.S3Store(
        bucket,
        endpoint=endpoint,
        region="us-east-1",
        provider="versitygw",
        access_key_id="testkey",
        secret_access_key="testsecret123",
        client=penstock.Client() if two_clients else None,
    )
    tasks = (
        penstock.files.FileTask(
            task_id=str(number),
            job_id="bench",
            url=f"{origin}/bytes/{size}/{number}",
            file_name=f"{number}.bin",
            key=f"{name}-{number}",
            digests=("sha256",),
            relay=relay,
        )
        for number in range(count)
    )
    for result in penstock.files.fetch_many(tasks, to=store, jobs=concurrency):
        if not result.success:
            sys.exit(f"{result.key}: {result.error_message}")
        print(f"{result.key} {result.digests['sha256']}")


main()
