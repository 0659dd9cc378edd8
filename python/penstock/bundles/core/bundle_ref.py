"""A bundle as everyone around it names it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock import display
from penstock.bundles._log import get_logger
from penstock.bundles.core.bid import BID
from penstock.bundles.core.request import Url
from penstock.bundles.exceptions import BundleRefValidationError, ValidationError

if TYPE_CHECKING:
    from datetime import datetime

logger = get_logger(__name__)

_REQUIRED = ("bid", "primary_url", "resources_count")


@dataclass(frozen=True)
class BundleReceipt:
    """What a completed bundle holds.

    Attributes:
        resources_stored: Lines of the manifest with bytes behind them.
        bytes: Of all of them.
        manifest_sha256: 64 hex digits.
        resources_failed: Whose adding failed.
        storage_key: The folder, or the prefix of the resources.
        location: Of what readers trust: ``bundle.meta``, or the marker.
        completed_at: ``2026-01-15T10:30:00.123456Z``.
    """

    resources_stored: int
    bytes: int
    manifest_sha256: str
    resources_failed: int = 0
    storage_key: str = ""
    location: str = ""
    completed_at: str = ""

    def __repr__(self) -> str:
        return display.line(
            "BundleReceipt",
            resources_stored=self.resources_stored,
            bytes=self.bytes,
            resources_failed=self.resources_failed or None,
            location=self.location,
        )

    def _repr_html_(self) -> str:
        stored = f"{self.resources_stored}, {self.resources_failed} failed"
        rows: list[display.Row] = [
            ("location", self.location),
            ("resources", stored if self.resources_failed else str(self.resources_stored)),
            ("size", display.size(self.bytes)),
            ("manifest", display.short(self.manifest_sha256)),
            ("completed", self.completed_at),
            ("state", display.state("completed")),
        ]
        return display.table((name, value) for name, value in rows if value)


@dataclass
class BundleRef:
    """A bundle: mutable, equal by value, and unchecked unless it comes from a dictionary.

    Attributes:
        primary_url: What it was fetched for.
        resources_count: How many resources the caller says it has.
        bid: Its id.
        storage_key: Where it lies; None until completed, unless the caller chose.
        meta: The caller's.

    >>> ref = penstock.bundles.BundleRef("https://example.org/a", 2, storage_key="out/x")
    >>> penstock.bundles.BundleRef.from_dict(ref.to_dict()) == ref
    True
    """

    primary_url: Url
    resources_count: int
    bid: BID = field(default_factory=BID.generate)
    storage_key: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> BundleRef:
        """The bundle that to_dict() wrote down.

        Raises:
            BundleRefValidationError: A field is missing, or not of its kind.
        """
        if not isinstance(data, dict):
            raise BundleRefValidationError("Data must be a dictionary")
        for name in _REQUIRED:
            if name not in data:
                raise BundleRefValidationError(f"BundleRef data must contain '{name}' field")
        primary_url, count = data["primary_url"], data["resources_count"]
        if not isinstance(primary_url, str) or not primary_url.strip():
            raise BundleRefValidationError("primary_url must be a non-empty string")
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise BundleRefValidationError("resources_count must be a non-negative integer")
        bid = _parsed(data["bid"])
        storage_key, meta = data.get("storage_key"), data.get("meta", {})
        if storage_key is not None and not isinstance(storage_key, str):
            raise BundleRefValidationError("storage_key must be a string or None")
        if not isinstance(meta, dict):
            raise BundleRefValidationError("meta must be a dictionary")
        return cls(primary_url, count, bid, storage_key, dict(meta))

    def to_dict(self) -> dict[str, Any]:
        """As pending records and messages have it."""
        return {
            "bid": str(self.bid),
            "primary_url": self.primary_url,
            "resources_count": self.resources_count,
            "storage_key": self.storage_key,
            "meta": self.meta,
        }

    @property
    def receipt(self) -> BundleReceipt | None:
        """What was stored, once it is completed. No part of the value: equality does not see it."""
        found: BundleReceipt | None = self.__dict__.get("_receipt")
        return found

    @receipt.setter
    def receipt(self, receipt: BundleReceipt | None) -> None:
        self.__dict__["_receipt"] = receipt

    def get_bundle_id(self) -> str:
        """The text of ``bid``."""
        return str(self.bid)

    def get_location(self) -> str:
        """``storage_key``, or "" while there is none."""
        return self.storage_key or ""

    def get_metadata(self) -> dict[str, Any]:
        """``meta``."""
        return self.meta

    def get_size(self) -> int:
        """Bytes stored; 0 until it is completed."""
        return self.receipt.bytes if self.receipt else 0

    def get_created_at(self) -> datetime | None:
        """When its id was made; None for an id that does not say."""
        return self.bid.time


def core_fields(bundle_ref: BundleRef) -> dict[str, Any]:
    """As the core takes it: ``meta`` as text, what is no JSON of it as its ``str``."""
    return {**bundle_ref.to_dict(), "meta": json.dumps(bundle_ref.meta, default=str)}


def _parsed(value: object) -> BID:
    # A BID made of None is a new one, which would be another bundle.
    if not isinstance(value, str):
        raise BundleRefValidationError("Invalid BID format")
    try:
        return BID(value)
    except ValidationError as error:
        raise BundleRefValidationError("Invalid BID format") from error
