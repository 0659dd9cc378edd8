"""What the tests of fsspec write, and where."""

from __future__ import annotations

import os
from typing import Any

MIB = 2**20
BODY = os.urandom(11 * MIB)  # three parts of 5 MiB, the last one shorter
TREE = ["a", "a-b/c", "d/e/f", "d/e/g.csv", "d/h.csv", "d/marked/", "é +&/%2F"]


def options_of(bucket: Any) -> dict[str, Any]:
    return {**bucket.server.options, "part_bytes": "5MiB"}


def put(bucket: Any, key: str, body: bytes) -> None:
    """By another program."""
    bucket.server.judge.put_object(Bucket=bucket.name, Key=key, Body=body)
