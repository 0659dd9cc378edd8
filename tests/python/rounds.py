"""Run as a program: one thing that must never hang, again and again in one process.

    python rounds.py NAME ROUNDS

A round that takes longer than PATIENCE_SECONDS ends the program with every thread's traceback.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import faulthandler
import itertools
import multiprocessing
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import penstock
from executed import pool
from local_origin import Origin, wait_until
from penstock import aio, files
from penstock.testing import fill

PATIENCE_SECONDS = 60
BODY = fill(200_000)
Round = Callable[[], None]


@contextlib.contextmanager
def transfers(origin: Origin, count: int) -> Iterator[None]:
    """So many threads that fetch without a pause; each fetch must succeed."""
    over, store = threading.Event(), penstock.MemoryStore()
    failures: list[files.FileResult] = []

    def fetch(number: int) -> None:
        task = files.FileTask(
            task_id=str(number), job_id="j", url=origin.url("/b"), file_name="b", key=f"k{number}"
        )
        while not over.is_set():
            result = files.process(task, store)
            failures.extend([result] if not result.success else [])

    threads = [threading.Thread(target=fetch, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    assert wait_until(lambda: len(origin.seen) >= count)
    yield
    over.set()
    for thread in threads:
        thread.join()
    assert not failures, failures


@contextlib.contextmanager
def served() -> Iterator[Origin]:
    with Origin() as origin:
        origin.bodies["/b"] = BODY
        yield origin


def everything(url: str, folder: str) -> None:
    """What a new process does first: a blocking call, an awaited one, and whatever its exit does."""
    store = penstock.FolderStore(folder)
    assert penstock.fetch(url, store, key=f"a{os.getpid()}").bytes == len(BODY)
    receipt = asyncio.run(aio.fetch(url, aio.MemoryStore(), key="b"))
    assert receipt.bytes == len(BODY)


@contextlib.contextmanager
def forked() -> Iterator[Round]:
    def one() -> None:
        if (child := os.fork()) == 0:
            signal.alarm(PATIENCE_SECONDS)
            code = 1
            try:
                everything(origin.url("/b"), folder)
                atexit._run_exitfuncs()
                code = 7
            finally:
                os._exit(code)  # the threads and the server of the parent are not here to be ended
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7

    with served() as origin, TemporaryDirectory() as folder, transfers(origin, 4):
        yield one


@contextlib.contextmanager
def started(method: str) -> Iterator[Round]:
    """A process of multiprocessing, to which a store and a client are sent."""
    context: Any = multiprocessing.get_context(method)

    def one() -> None:
        given = (origin.url("/b"), penstock.FolderStore(folder), penstock.Client(first_byte="20s"))
        process = context.Process(target=sent, args=given)
        process.start()
        process.join()
        assert process.exitcode == 0

    with served() as origin, TemporaryDirectory() as folder, transfers(origin, 2):
        yield one


def sent(url: str, store: penstock.FolderStore, client: penstock.Client) -> None:
    assert penstock.fetch(url, store, key=f"s{os.getpid()}", client=client).bytes == len(BODY)


@contextlib.contextmanager
def threads() -> Iterator[Round]:
    """Eight threads share a client and a store; the client is closed while they use it."""

    def one() -> None:
        store, ends = penstock.MemoryStore(), []
        client = penstock.Client()

        def fetch(number: int) -> None:
            try:
                penstock.fetch(origin.url("/b"), store, key=f"k{number}", client=client)
                ends.append("whole")
            except penstock.Error as error:
                ends.append(error.kind)

        running = [threading.Thread(target=fetch, args=(number,)) for number in range(8)]
        before = len(origin.seen)
        for thread in running:
            thread.start()
        wait_until(lambda: len(origin.seen) > before)
        client.close()
        for thread in running:
            thread.join()
        assert len(ends) == 8
        assert {store.get(meta.key).bytes() for meta in store.list()} <= {BODY}
        assert ends.count("whole") == sum(1 for _ in store.list()), ends

    with served() as origin:
        yield one


@contextlib.contextmanager
def closed_loop() -> Iterator[Round]:
    """A loop is closed while transfers run that it waits for: a fetch, an upload from an iterator, a batch.

    They go on without it, until their origin lets go of them.
    """

    async def endless() -> Any:
        while True:
            yield BODY
            await asyncio.sleep(0.01)

    async def begin(origin: Origin, store: aio.MemoryStore) -> list[asyncio.Task[Any]]:
        many = aio.files.fetch_many(stalled(origin.url("/stall")), store, jobs=2, client=once)
        running = [
            asyncio.ensure_future(aio.fetch(origin.url("/stall"), store, key="fetched", client=once)),
            asyncio.ensure_future(store.put("put", endless())),
            asyncio.ensure_future(anext(many)),
        ]
        while len(origin.seen) < 3:
            await asyncio.sleep(0.001)
        return running

    def one() -> None:
        loop = asyncio.new_event_loop()
        store = aio.MemoryStore()
        with served() as origin:
            running = loop.run_until_complete(begin(origin, store))
            loop.set_exception_handler(lambda *_: None)  # asyncio tells of each task that is left
            loop.close()
        assert wait_until(lambda: files.metrics()["penstock_files_in_flight"] == 0)
        del running
        assert list(store.sync.list()) == []

    once = penstock.Client(max_attempts=1)
    yield one


def stalled(url: str) -> Iterator[files.FileTask]:
    for number in itertools.count():
        yield files.FileTask(task_id=str(number), job_id="j", url=url, file_name="f", key=f"s{number}")


@contextlib.contextmanager
def exiting() -> Iterator[Round]:
    """An interpreter ends while transfers run: of daemon threads, of a loop that is gone, of batches half read."""

    def slow() -> Iterator[bytes]:
        while True:
            yield BODY
            threading.Event().wait(0.005)

    def child() -> None:
        store, stall = penstock.MemoryStore(), origin.url("/stall")
        calls = [lambda n=n: penstock.fetch(stall, store, key=f"k{n}") for n in range(3)]
        for call in (*calls, lambda: store.put("p", slow())):
            threading.Thread(target=call, daemon=True).start()

        async def main() -> None:
            left.append(asyncio.ensure_future(aio.fetch(stall, aio.MemoryStore(), key="a")))
            await asyncio.sleep(0.01)

        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        whole = files.FileTask(task_id="t", job_id="j", url=origin.url("/b"), file_name="f", key="m")
        batch = files.fetch_many(
            itertools.chain([whole], stalled(stall)), store, jobs=4, progress=left.append
        )
        left.append(batch)
        next(batch)
        for kind in ("thread", "fork"):
            executor = pool(kind, 1)
            tasks = itertools.chain([whole], stalled(stall))
            read = files.fetch_many(tasks, penstock.FolderStore(folder), executor=executor)
            left.extend([executor, read])
            next(read)

    def one() -> None:
        if (pid := os.fork()) == 0:
            signal.alarm(PATIENCE_SECONDS)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # threads and tasks say that theirs were cancelled
            child()
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        shutil.rmtree(folder)

    left: list[Any] = []
    folder = str(Path(mkdtemp()) / "store")
    origin = Origin()
    origin.bodies["/b"] = BODY
    origin.__enter__()  # no block: a child would leave it too, and wait there for the thread of its parent's server
    yield one
    origin.__exit__()


ROUNDS: dict[str, Callable[[], contextlib.AbstractContextManager[Round]]] = {
    "fork": forked,
    "spawn": lambda: started("spawn"),
    "forkserver": lambda: started("forkserver"),
    "threads": threads,
    "closed_loop": closed_loop,
    "exit": exiting,
}

if __name__ == "__main__":
    faulthandler.register(signal.SIGALRM, chain=True)  # a watchdog that a forked child does not inherit
    with ROUNDS[sys.argv[1]]() as one:
        for _ in range(int(sys.argv[2])):
            signal.alarm(PATIENCE_SECONDS)
            one()
    signal.alarm(0)
    print("done", sys.argv[2])
