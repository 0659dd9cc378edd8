"""A queue that fails three times of ten and a loader that is killed: each bundle is announced, and no other."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import announcing
from bundle_places import S3, with_tests
from faults.amounts import FULL, seed
from faults.relay import Relay
from faults.wire import Answer, Request

BUNDLES = 500 if FULL else 50
KILLS = 5
FAILING = 0.3


class FailingRelay(Relay):
    """Fails so many of the requests, half of them after they were carried out, and at a chosen one calls."""

    def __init__(self, url: str, chance: random.Random) -> None:
        super().__init__(url)
        self._chance = chance
        self.share, self.failed, self.passed = FAILING, 0, 0
        self.at, self.then = 0, lambda: None

    def answer(self, request: Request) -> Answer:
        with self._lock:
            fails, carried_out = self._chance.random() < self.share, self._chance.random() < 0.5
            self.failed += fails
            self.passed += not fails
            self.at -= 1
            then: Callable[[], Any] | None = self.then if self.at == 0 else None
        if not fails:
            answer = super().answer(request)
        elif carried_out:
            super().answer(request)
            answer = Answer(silent=True, then="reset")
        else:
            answer = Answer(503)
        if then:
            then()
        return answer


def test_every_bundle_is_announced_and_no_other(bucket: Any, sqs_servers: Any, monkeypatch: Any) -> None:
    place, queue = S3(bucket, monkeypatch), sqs_servers["elasticmq"].make_queue()
    chance = random.Random(seed())
    with FailingRelay(queue.server.url, chance) as relay:
        arguments = [
            bucket.name,
            bucket.server.url,
            queue.url.replace(queue.server.url, relay.url),
            relay.url,
        ]
        command = [sys.executable, announcing.__file__, *arguments, str(BUNDLES)]
        for _ in range(KILLS):
            with subprocess.Popen(command, env=with_tests(), stderr=subprocess.DEVNULL) as process:
                relay.at, relay.then = chance.randint(1, BUNDLES // KILLS), process.kill
                assert process.wait(120) == -signal.SIGKILL
        failing = 1
        while failing:  # as somebody would who is told that it failed
            relay.share = FAILING if failing < 3 else 0.0
            ended = subprocess.run(command, env=with_tests(), capture_output=True, text=True, timeout=300)
            assert ended.returncode in (0, 3), ended.stderr
            failing = failing + 1 if ended.returncode or place.records() else 0
            assert failing < 8
    print(f"{relay.failed} of {relay.failed + relay.passed} sends failed")
    bids = {f"custom-{number}" for number in range(BUNDLES)}
    told = [message["MessageAttributes"]["bundle_id"]["StringValue"] for message in queue.received()]
    assert {*told} == bids
    assert relay.failed >= BUNDLES * FAILING / 2
    assert [bid for bid in sorted(bids) if place.problems(bid)] == []
    assert place.records() == []
