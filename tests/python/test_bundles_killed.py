"""Killed at any step, and at any request, a bundle is whole or invisible, and whoever is to be told is told."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import killed
from bundle_places import S3, Folder, with_tests
from faults.amounts import FULL, seed
from faults.relay import Relay
from faults.wire import Answer, Request
from local_origin import wait_until

LONG = 9 * 2**20  # over one part
RESOURCES = {"a": 10, "b": 70_000, "c": 0}
URLS = [f"https://h/{name}" for name in RESOURCES]


class Program:
    """killed.py under way, and what it was told."""

    def __init__(self, process: subprocess.Popen[str], told: Path) -> None:
        self._process, self._told = process, told
        self.pid = 0

    def run(self, do: str, bid: str = "custom-one", body_bytes: int = 1000, **more: Any) -> int:
        """The child's exit status."""
        order = {"do": do, "bid": bid, "body_bytes": body_bytes, "told": str(self._told), **more}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self.pid = int(self._process.stdout.readline())
        return int(self._process.stdout.readline())

    def told(self, who: str) -> list[str]:
        """Ids of bundles, in the order they were told of."""
        lines = self._told.read_text().splitlines() if self._told.exists() else []
        return [line.partition(" ")[2] for line in lines if line.startswith(who)]


@contextmanager
def program(place: Folder | S3, told: Path, endpoint: str = "") -> Iterator[Program]:
    where = [str(place.path)] if isinstance(place, Folder) else [place.bucket.name]
    if isinstance(place, S3):
        where.append(endpoint or place.bucket.server.url)
    command = [sys.executable, killed.__file__, *where]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=with_tests()
    ) as process:
        yield Program(process, told)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0


def check_and_do_again(place: Folder | S3, by: Program, bid: str, body_bytes: int, told: str) -> bool:
    """What a killed child left is whole or invisible, and after the next run there is nothing left of it. Whether it
    was visible."""
    visible = place.visible(bid) is not None
    if visible:
        assert sizes(place, bid) == {**RESOURCES, "c": body_bytes}, told
    assert by.run("recover") == 0, told
    assert (place.visible(bid) is not None) == visible, told
    assert place.records() == [], told
    assert uploads_in_sight(place, bid) == [], told
    assert (bid in by.told("hook")) == visible, told
    if isinstance(place, S3):
        assert (bid in by.told("queue")) == visible, told
    if not visible:
        assert by.run("complete", bid, body_bytes) == 0, told
        assert sizes(place, bid) == {**RESOURCES, "c": body_bytes}, told
    assert place.problems(bid) == [], told
    assert by.run("recover") == 0, told
    assert place.records() == [], told
    assert uploads_in_sight(place, bid) == [], told
    assert not any(left.endswith("_claim") for left in place.unfinished(bid=bid)), told
    return visible


def uploads_in_sight(place: Folder | S3, bid: str) -> list[str]:
    """What a dead one must not leave even if nobody asks for its id again: on S3 its claim may wait for that, and
    uploads on a server that lists those of one exact key alone, as the core cannot know which keys."""
    if isinstance(place, S3) and place.bucket.server.name == "minio":
        return []
    return [left for left in place.unfinished(*URLS, bid=bid) if not left.endswith("_claim")]


def sizes(place: Folder | S3, bid: str) -> dict[str, int]:
    return {name: len(body) for name, body in (place.visible(bid) or {}).items()}


def test_killed_before_and_after_each_step_it_is_whole_or_invisible_and_told(
    place: Folder | S3, tmp_path: Path
) -> None:
    visible: dict[str, bool] = {}
    with program(place, tmp_path / "told") as by:
        for step in killed.STEPS:
            for when in ("before", "after"):
                bid = f"custom-{when}-{step}"
                assert by.run("complete", bid, at=step, when=when) == -signal.SIGKILL
                visible[f"{when} {step}"] = check_and_do_again(place, by, bid, 1000, f"killed {when} {step}")
        told = by.told("hook")
    order = [f"{when} {step}" for step in killed.STEPS for when in ("before", "after") if step != "begin"]
    committed = order.index("after commit")
    assert [visible[moment] for moment in order] == [at >= committed for at in range(len(order))]
    assert set(told) == {f"custom-{moment.replace(' ', '-')}" for moment in visible}
    assert max(map(told.count, told)) <= 2  # again only if it was killed meanwhile


class KillingRelay(Relay):
    """Kills a process at the request of that number, from 1, before it is carried out or after."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.left, self.before, self.pid = 0, False, lambda: 0
        self.count = 0

    def await_quiet(self) -> None:
        """Returns once all that a dead process had sent is answered: a part that is stored while its upload is
        aborted may bring the upload back, and S3 says to abort it again."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port)) as last:
            last.request("GET", "/")
            last.getresponse()  # so whoever connected before has been accepted, too
        assert wait_until(lambda: not self._open)

    def answer(self, request: Request) -> Answer:
        with self._lock:
            self.left -= 1
            self.count += 1
            kills = self.left == 0
        if not kills:
            return super().answer(request)
        if not self.before:
            super().answer(request)
        os.kill(self.pid(), signal.SIGKILL)
        return Answer(silent=True)


def test_killed_at_any_request_it_is_whole_or_invisible_and_told(s3_place: S3, tmp_path: Path) -> None:
    with (
        KillingRelay(s3_place.bucket.server.url) as relay,
        program(s3_place, tmp_path / "told", relay.url) as by,
    ):
        relay.pid = lambda: by.pid  # type: ignore[assignment]
        assert by.run("complete", "custom-whole", LONG) == 0
        requests = relay.count
        assert any("partNumber" in request.query for request in relay.requests)
        seen = []
        points = [(number, before) for number in range(1, requests + 1) for before in (True, False)]
        if not FULL:
            points = random.Random(seed()).sample(points, 8)
        for number, before in points:
            bid, told = f"custom-{number}-{before}", f"killed at request {number}, before: {before}"
            relay.left, relay.before = number, before
            assert by.run("complete", bid, LONG) == -signal.SIGKILL, told
            relay.await_quiet()
            seen.append(check_and_do_again(s3_place, by, bid, LONG, told))
    print(f"{requests} requests, {len(points)} kills, {sum(seen)} of them visible")
    assert requests >= 12
    assert False in seen
