"""The options of a write, checked before the core sees them."""

from __future__ import annotations

import os
from typing import Any

from penstock.errors import Refused
from penstock.units import size

WRITE_OPTIONS = frozenset(
    {
        "cache_control",
        "checksum",
        "content_disposition",
        "content_encoding",
        "content_type",
        "expected",
        "from_if_match",
        "from_sse_customer_key",
        "from_version",
        "if_match",
        "kms_key_id",
        "length",
        "length_hint",
        "max_parts_in_flight",
        "metadata",
        "mode",
        "part_bytes",
        "relay",
        "spool_dir",
        "sse",
        "sse_customer_key",
        "storage_class",
        "tags",
        "token",
    }
)


def write_options(options: dict[str, Any]) -> dict[str, Any]:
    """Checked and with plain numbers, as the core takes them."""
    if unknown := options.keys() - WRITE_OPTIONS:
        raise TypeError(
            f"no such option: {', '.join(sorted(unknown))}; there are {', '.join(sorted(WRITE_OPTIONS))}"
        )
    sizes = {
        name: size(options[name]) for name in ("length", "length_hint", "part_bytes") if options.get(name)
    }
    keys = {
        name: customer_key(options[name])
        for name in ("sse_customer_key", "from_sse_customer_key")
        if options.get(name)
    }
    return {**options, **sizes, **keys, **spool_dir(options)}


class _CustomerKey(bytes):
    """Shows itself to nobody: a TypeError of the core repeats its arguments."""

    def __repr__(self) -> str:
        return "<sse_customer_key>"

    __str__ = __repr__


def customer_key(key: bytes | str | None) -> bytes:
    """The 32 bytes of an SSE-C key given as such or in base64; empty for none.

    >>> from penstock.stores.options import customer_key
    >>> customer_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=") == bytes(range(32))
    True
    """
    if not key:
        return b""
    if isinstance(key, bytes):
        raw = key
    else:
        from base64 import b64decode

        try:
            raw = b64decode(key, validate=True)
        except ValueError:
            raise Refused("sse_customer_key is neither 32 bytes nor their base64") from None
    if len(raw) != 32:
        raise Refused(f"sse_customer_key must be 32 bytes (AES-256), not {len(raw)}")
    return _CustomerKey(raw)


def spool_dir(options: dict[str, Any]) -> dict[str, Any]:
    """The option as text, if it is given: None is a choice."""
    if options.get("spool_dir") is None:
        return {}
    return {"spool_dir": os.fspath(options["spool_dir"])}
