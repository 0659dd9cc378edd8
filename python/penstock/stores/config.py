"""The arguments of S3Store as a type."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypedDict

from penstock.aws import Credentials
from penstock.client import ClientLike
from penstock.units import Size


class S3Config(TypedDict, total=False):
    """What S3Store takes by name, all of it optional; what each means is said there.

    >>> config: penstock.S3Config = {"region": "eu-west-1", "part_bytes": "16MiB"}
    >>> penstock.S3Store("bucket", **config).location("k")
    's3://bucket/k'
    """

    prefix: str
    region: str | None
    endpoint: str | None
    provider: str | None
    addressing: str
    conditional: str
    access_key_id: str | None
    secret_access_key: str | None
    session_token: str | None
    credentials: Credentials | Callable[[], Credentials] | None
    anonymous: bool
    profile: str | None
    mfa: Callable[[str], str] | None
    sign_payload: str
    checksum: str
    part_bytes: Size
    max_parts_in_flight: int
    spool_dir: str | os.PathLike[str] | None
    token: bool
    sse_customer_key: bytes | str | None
    reap: bool
    client: ClientLike | None
