"""Run as a program: Ctrl-C in a blocking call, again and again; prints how long each took to be heard.

    python interrupted.py STATE ROUNDS

Every round brings the call into the state, raises SIGINT in this very process and takes the time until the
call has raised KeyboardInterrupt. The servers are threads of the same process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import penstock
from faults.s3 import ScriptedS3
from faults.wire import Answer, Request, Wire

PATIENCE_SECONDS = 60.0
SILENT = Answer(silent=True, then="stall")

Call = Callable[[], object]
Reached = Callable[[], bool]  # looked at until it is true; counts what came since the round before
State = Callable[[], "contextlib.AbstractContextManager[tuple[Call, Reached]]"]


def latency(call: Call, reached: Reached) -> float:
    """Seconds from the signal to the exception."""
    sent: list[float] = []

    def interrupt() -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not reached() and time.monotonic() < end:
            time.sleep(0.002)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    try:
        interrupter.start()
        call()
        raise AssertionError("the call returned")
    except KeyboardInterrupt:
        heard = time.monotonic()
    interrupter.join()
    assert sent[0] < heard
    return heard - sent[0]


def more(count: Callable[[], int]) -> Reached:
    """Whether the count has grown since it was last found to have."""
    seen = count()

    def grown() -> bool:
        nonlocal seen
        now = count()
        grew, seen = now > seen, max(now, seen)
        return grew

    return grown


@contextlib.contextmanager
def fetching(answer: Answer, count: Callable[[Wire, penstock.Client], int]) -> Iterator[tuple[Call, Reached]]:
    with Wire(lambda _: Answer(**vars(answer))) as origin, penstock.Client() as client:
        store = penstock.MemoryStore()
        yield (
            lambda: penstock.fetch(f"{origin.url}/a", store, key="k", client=client),
            more(lambda: count(origin, client)),
        )


def headers() -> Any:
    return fetching(SILENT, lambda origin, _: len(origin.requests))


def body() -> Any:
    half = Answer(body=b"x" * 1000, cut=500, then="stall")
    return fetching(half, lambda _, client: client.statistics()["bytes_in"])


def backoff() -> Any:
    later = Answer(503, [("Retry-After", "50")])
    return fetching(later, lambda _, client: client.statistics()["retries_by_class"].get("transient", 0))


@contextlib.contextmanager
def slot() -> Iterator[tuple[Call, Reached]]:
    """The only connection is another thread's."""
    store = penstock.MemoryStore()
    with Wire(lambda _: Answer(**vars(SILENT))) as origin:
        client = penstock.Client(connections_per_host=1)
        task = penstock.files.FileTask(
            task_id="t", job_id="j", url=f"{origin.url}/held", file_name="f", key="k"
        )
        holder = threading.Thread(
            target=penstock.files.process, args=(task, store), kwargs={"client": client}
        )
        holder.start()
        held = more(lambda: len(origin.requests))
        while not held():
            time.sleep(0.002)

        def waiting() -> bool:
            return bool(client.statistics()["hosts"][origin.url]["waiting"] == 1)

        yield lambda: penstock.fetch(f"{origin.url}/a", store, key="k", client=client), waiting
        client.close()
        holder.join()


@contextlib.contextmanager
def uploading(operation: str, size: int) -> Iterator[tuple[Call, Reached]]:
    """A store that answers all but one operation."""

    class Mute(ScriptedS3):
        def answer(self, request: Request) -> Answer:
            answer = super().answer(request)
            return Answer(**vars(SILENT)) if self.operations[-1] == operation else answer

    with penstock.Client() as client, Mute() as server:  # what goes on behind the calls ends with the server
        store = penstock.S3Store(
            "bucket", endpoint=server.url, part_bytes="5MiB", client=client, **KEYS, region="us-east-1"
        )
        yield lambda: store.put("k", bytes(size)), more(lambda: server.operations.count(operation))


@contextlib.contextmanager
def polling() -> Iterator[tuple[Call, Reached]]:
    with Wire(lambda _: Answer(**vars(SILENT))) as server, penstock.Client() as client:
        queue = penstock.sqs.Queue(f"{server.url}/1/q", **KEYS, client=client)
        yield queue.receive, more(lambda: len(server.requests))


KEYS = {"access_key_id": "testkey", "secret_access_key": "testsecret123"}


@contextlib.contextmanager
def resolution() -> Iterator[tuple[Call, Reached]]:
    """The test preloads a resolver that never answers for this name and says so on a descriptor."""
    told = int(os.environ["PENSTOCK_TEST_RESOLVING"])
    os.set_blocking(told, False)

    def asked() -> bool:
        with contextlib.suppress(BlockingIOError):
            return bool(os.read(told, 1))
        return False

    store = penstock.MemoryStore()
    yield lambda: penstock.fetch("http://slow.test/a", store, key="k"), asked


STATES: dict[str, State] = {
    "headers": headers,
    "body": body,
    "slot": slot,
    "backoff": backoff,
    "poll": polling,
    "put": lambda: uploading("PutObject", 2**20),
    "part": lambda: uploading("UploadPart", 12 * 2**20),
    "publish": lambda: uploading("CompleteUpload", 12 * 2**20),
    "resolution": resolution,
}

if __name__ == "__main__":
    with STATES[sys.argv[1]]() as (call, reached):
        seconds = [latency(call, reached) for _ in range(int(sys.argv[2]))]
    print(json.dumps(seconds))
