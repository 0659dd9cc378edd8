"""Faults by somebody else's proxy: what can be borne changes nothing, what cannot is an error and shows nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import penstock
import pytest
from faults.origin import FileOrigin
from faults.toxiproxy import Spoiled

MIB = 2**20
BODY = os.urandom(5 * MIB + 300_000)  # two parts
CLOCKS = {"connect": "5s", "first_byte": "2s", "stall_window": "2s"}

# A connection that limit_data ends has carried a part, or a fifth of the body.
BEARABLE: dict[str, Callable[[Spoiled], None]] = {
    "latency": lambda p: p.add("latency", "downstream", latency=40, jitter=20),
    "bandwidth up": lambda p: p.add("bandwidth", "upstream", rate=20_000),
    "bandwidth down": lambda p: p.add("bandwidth", "downstream", rate=20_000),
    "slow_close": lambda p: p.add("slow_close", "downstream", delay=200),
    "slicer": lambda p: p.add("slicer", "downstream", average_size=20_000, size_variation=10_000, delay=10),
    "limit_data up": lambda p: p.add("limit_data", "upstream", bytes=5 * MIB + 100_000),
    "limit_data down": lambda p: p.add("limit_data", "downstream", bytes=MIB + MIB // 8),
}
UNBEARABLE: dict[str, Callable[[Spoiled], None]] = {
    "reset_peer": lambda p: p.add("reset_peer", "downstream", timeout=0),
    "timeout": lambda p: p.add("timeout", "downstream", timeout=300),
    "limit_data up": lambda p: p.add("limit_data", "upstream", bytes=200),
    "limit_data down": lambda p: p.add("limit_data", "downstream", bytes=100),
}


class Transfers:
    """One of each over a spoiled proxy; each gives the digest of what arrived."""

    def __init__(self, bucket: Any, proxy: Spoiled, client: penstock.Client) -> None:
        self.bucket, self.proxy, self.client = bucket, proxy, client
        options = {**bucket.options, "endpoint": proxy.url, "provider": bucket.server.name, "reap": True}
        self.store = penstock.S3Store(**options, part_bytes="5MiB", client=client)

    def put(self) -> str:
        self.store.put("put", BODY)
        digest: str = self.bucket.sha256("put")
        return digest

    def get(self) -> str:
        self.bucket.server.judge.put_object(Bucket=self.bucket.name, Key="get", Body=BODY)
        return hashlib.sha256(self.store.get("get").bytes()).hexdigest()

    def fetch(self) -> str:
        with FileOrigin(BODY) as origin:
            penstock.fetch(f"{origin.url}/f", self.store, key="fetch", client=self.client)
        digest: str = self.bucket.sha256("fetch")
        return digest

    def visible(self) -> list[str]:
        self.client.drain(deadline="60s")
        return [key for key in ("put", "fetch") if self.bucket.keys(key)]

    def sweep(self) -> None:
        """Of what was begun while no answer came: its id never did either, and nobody could ask for it."""
        for key in ("put", "fetch"):
            open_uploads = len(self.bucket.open_uploads(key))
            assert self.client.statistics()["uploads_orphaned"] > 0 or not open_uploads
            assert self.store.sweep_uploads(key, older_than=0, dry_run=False).aborted == open_uploads
            assert self.bucket.open_uploads(key) == []


@pytest.fixture
def transfers(wire_server: str, bucket: Any) -> Iterator[Transfers]:
    with Spoiled(wire_server, bucket.server.url) as proxy, penstock.Client(**CLOCKS) as client:
        yield Transfers(bucket, proxy, client)


@pytest.mark.parametrize("toxic", BEARABLE)
@pytest.mark.parametrize("transfer", ["put", "get", "fetch"])
def test_what_can_be_borne_changes_no_byte(transfers, transfer, toxic):
    BEARABLE[toxic](transfers.proxy)
    assert getattr(transfers, transfer)() == hashlib.sha256(BODY).hexdigest()
    transfers.client.drain()
    assert transfers.bucket.open_uploads(transfer) == []


@pytest.mark.parametrize("toxic", UNBEARABLE)
@pytest.mark.parametrize("transfer", ["put", "get", "fetch"])
def test_what_cannot_be_borne_is_lost_shows_nothing_and_succeeds_once_it_is_over(transfers, transfer, toxic):
    UNBEARABLE[toxic](transfers.proxy)
    with pytest.raises(penstock.Lost):
        getattr(transfers, transfer)()
    transfers.proxy.heal()
    assert transfers.visible() == []
    transfers.sweep()
    assert getattr(transfers, transfer)() == hashlib.sha256(BODY).hexdigest()
