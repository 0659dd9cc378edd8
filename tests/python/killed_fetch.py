"""A program that fetches a file into a bucket, and is killed: read by the test that looks at what it left.

Reads one JSON object a line: `task`, the fields of a FileTask, and `store`, the arguments of an S3Store. Does that in a
forked child, and prints the child's pid, and what its result was as JSON, or null if it was killed.
"""

from __future__ import annotations

import json
import os
import sys

import penstock

CLOCKS = {"connect": "5s", "first_byte": "5s", "stall_window": "5s"}


def fetch(order: dict, to: int) -> None:
    with penstock.Client(**CLOCKS) as client:
        store = penstock.S3Store(**order["store"], client=client)
        result = penstock.files.process(penstock.files.FileTask(**order["task"]), to=store, client=client)
    told = {"success": result.success, "skipped": result.skipped, "error": result.error_message}
    os.write(to, json.dumps(told).encode())


def main() -> None:
    for line in sys.stdin:
        read_end, write_end = os.pipe()
        child = os.fork()
        if not child:
            fetch(json.loads(line), write_end)
            os._exit(0)
        print(child, flush=True)
        os.close(write_end)
        with os.fdopen(read_end) as told:
            print(told.read() or "null", flush=True)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
