"""The options of a write, checked before the core sees them."""

from __future__ import annotations

import os
from typing import Any

from penstock.units import size

WRITE_OPTIONS = frozenset(
    {
        "cache_control",
        "checksum",
        "content_disposition",
        "content_encoding",
        "content_type",
        "expected",
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
    return {**options, **sizes, **spool_dir(options)}


def spool_dir(options: dict[str, Any]) -> dict[str, Any]:
    """The option as text, if it is given: None is a choice."""
    if options.get("spool_dir") is None:
        return {}
    return {"spool_dir": os.fspath(options["spool_dir"])}
