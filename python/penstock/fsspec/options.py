"""``storage_options``: the arguments of S3Store, and what s3fs calls them."""

from __future__ import annotations

from typing import Any

from penstock.errors import Refused

NAMES_OF_S3FS = {
    "key": "access_key_id",
    "aws_access_key_id": "access_key_id",
    "secret": "secret_access_key",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "endpoint_url": "endpoint",
    "region_name": "region",
    "anon": "anonymous",
}
SECRETS = frozenset(
    {"access_key_id", "secret_access_key", "session_token", "token", "sse_customer_key", "client_kwargs"}
) | {name for name in NAMES_OF_S3FS if "key" in name or "secret" in name or "token" in name}
# Listings are always asked for: what another process wrote is seen.
OF_NO_MEANING = frozenset({"use_listings_cache", "listings_expiry_time", "max_paths"})


def store_config(options: dict[str, Any]) -> dict[str, Any]:
    """The arguments of S3Store that storage options mean.

    >>> from penstock.fsspec.options import store_config
    >>> store_config({"key": "k", "secret": "s", "client_kwargs": {"endpoint_url": "http://127.0.0.1:9000"}})
    {'access_key_id': 'k', 'secret_access_key': 's', 'endpoint': 'http://127.0.0.1:9000'}
    """
    given = {**options, **(options.get("client_kwargs") or {})}
    given.pop("client_kwargs", None)
    if isinstance(given.get("token"), str):  # there the session's, here whether to write one
        given["session_token"] = given.pop("token")
    config: dict[str, Any] = {}
    for name, value in given.items():
        ours = NAMES_OF_S3FS.get(name, name)
        if name in OF_NO_MEANING or (value is None and name != ours):  # None there is "not given"
            continue
        if config.setdefault(ours, value) != value:
            raise Refused(f"{ours} is given twice, and differs")
    return config
