"""Answers to CompleteMultipartUpload that never come: what is said of the object is true, whoever else writes there."""

from __future__ import annotations

import concurrent.futures
import os
import random
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import penstock
from faults.amounts import FULL, seed
from faults.proxy import Direction, Kind, Proxy

CASES = 1000 if FULL else 60  # on each server
LANES = 6  # most of the time a case waits
BODY, FOREIGN = os.urandom(300_000), os.urandom(300_000)
EVERY = 50  # more than all tries of a Complete, and what libcurl repeats


@dataclass
class Case:
    """`losses`: what becomes of each try to complete: "up" never arrives, "down" is done and its answer lost. Somebody
    else's object appears with the `foreign`-th request from the first loss on, none for 0."""

    seed: int
    key: str
    losses: list[Direction]
    kind: Kind
    create: bool
    token: bool
    foreign: int
    arrived: int = 0  # tries of which the server heard
    taken_first: bool = False  # somebody else's object was there before any of them
    _seen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def rule(self, bucket: Any, head: bytes) -> tuple[Direction, Kind] | None:
        completes = head.startswith(b"POST ") and b"uploadId=" in head.partition(b"\r\n")[0]
        with self._lock:
            if not completes and not self._seen:
                return None
            self._seen += 1
            if self._seen == self.foreign:
                self.taken_first = not self.arrived
                bucket.server.judge.put_object(Bucket=bucket.name, Key=self.key, Body=FOREIGN)
            if not completes:
                return None
            way = self.losses.pop(0) if self.losses else None
            self.arrived += way != "up"
            return (way, self.kind) if way else None


def case(number: int) -> Case:
    choice = random.Random(number)
    fails = choice.random() < 0.5
    some: list[Direction] = [*choice.choices(["up", "down"], k=choice.choice([0, 1, 2, 4])), "down"]
    return Case(
        seed=number,
        key=f"k{number}",
        losses=["up"] * EVERY if fails else some,
        kind=choice.choice(["cut", "reset"]),
        create=choice.random() < 0.5,
        token=choice.random() < 0.8,
        foreign=choice.choice([0, 0, 1, 2, 3]),
    )


def verdict(one: Case, bucket: Any, path: Path, etag: str) -> str:
    """What is wrong with what was said; "": nothing."""
    with (
        Proxy(bucket.server.url, rule=lambda head: one.rule(bucket, head)) as proxy,
        penstock.Client() as client,
    ):
        store = penstock.S3Store(
            **{**bucket.options, "endpoint": proxy.url}, client=client, token=one.token, conditional="trust"
        )
        said: Any
        try:
            said = store.put(one.key, path, relay=True, mode="create" if one.create else "overwrite")
        except penstock.Error as error:
            said = error
        client.drain()
    there = bucket.body(one.key) if bucket.keys(one.key) else None
    if bucket.open_uploads(one.key):
        return f"an open upload after {said!r}"
    if there not in (BODY, FOREIGN, None):
        return "a mixture"
    return _wrong(one, said, there, etag)


def _wrong(one: Case, said: Any, there: bytes | None, etag: str) -> str:
    told = f"{said!r}, there is {'nothing' if there is None else 'ours' if there == BODY else 'another'}"
    interfered = one.foreign and there is not None
    match said:
        case penstock.Receipt():
            adopted = said.etag != etag or not one.arrived or (one.create and one.taken_first)
            right = not adopted and (there == BODY or interfered)
        case penstock.InDoubt():
            right = bool(interfered) or not one.token
        case penstock.Conflict():
            right = one.create and there == FOREIGN
        case penstock.Lost():
            right = there != BODY
        case _:
            right = False
    return "" if right else told


def test_a_lost_answer_to_complete_is_never_misjudged(bucket, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(BODY)
    etag = penstock.S3Store(**bucket.options).put("etag", path, relay=True).etag
    first = seed()
    cases = [case(first + number) for number in range(CASES)]
    with concurrent.futures.ThreadPoolExecutor(LANES) as lanes:
        verdicts = [*lanes.map(lambda one: verdict(one, bucket, path, etag), cases)]
    wrong = [
        f"PENSTOCK_TEST_SEED={one.seed}: {said}\n  {one}"
        for one, said in zip(cases, verdicts, strict=True)
        if said
    ]
    assert not wrong, "\n".join(wrong)
    assert CASES // 4 <= sum(not one.arrived for one in cases) <= 3 * CASES // 4, "half should truly fail"
