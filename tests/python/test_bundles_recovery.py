"""What a dead process left is taken up by the next run: records in every kind of store, on both storages."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from bundle_places import Folder, ForeignStore, Hooks, Publisher, Run, chunks, recipe, ref, with_tests
from faults.amounts import FULL, seed
from penstock.bundles import BID
from penstock.bundles.kv_store import RedisKeyValueStore
from test_bundles_killed import program
from test_bundles_storage import complete_one

RECORD = "sqs_notifications:pending:fr:custom-one"


def test_records_are_written_before_the_commit_and_removed_after_the_last_word(place):
    store = ForeignStore()
    seen: list[bool] = []

    class Looks(Hooks):
        async def on_bundle_complete_hook(self, bundle_ref: Any) -> None:
            seen.append(RECORD in store.values)
            assert place.visible() is not None

    asyncio.run(complete_one(place.storage(kv_store=store), to=recipe(Looks())))
    assert seen == [True]
    assert store.values == {}
    assert store.ttls == {RECORD: 2_592_000}


@pytest.mark.parametrize("kind", ["foreign", "beside"])
def test_a_bundle_nobody_was_told_of_is_told_by_the_next_run(place, kind):
    store = ForeignStore() if kind == "foreign" else None
    hooks = Hooks(RuntimeError("not yet"))

    async def crashed() -> None:
        storage = place.storage(kv_store=store, callback_errors="raise")
        context = await storage.start_bundle(ref(), recipe(hooks))
        await context.add_resource("https://h/a", None, 200, chunks(b"x"))
        with pytest.raises(RuntimeError, match="not yet"):
            await context.complete({"m": 1})

    asyncio.run(crashed())
    if store:
        record = store.values[RECORD]
        assert record["v"] == 1
        assert record["metadata"] == {"m": 1}
        assert list(record["bundle_ref"]) == ["bid", "primary_url", "resources_count", "storage_key", "meta"]
    again = Hooks()

    async def next_run() -> None:
        storage = place.storage()
        await storage.on_run_start(Run(store), recipe(again, recipe_id="other"))
        assert again.told == []
        await storage.on_run_start(Run(store), recipe(again))

    asyncio.run(next_run())
    assert again.told == ["custom-one"]
    if store:
        assert store.values == {}
    if place.publisher:
        assert place.publisher.told == [("custom-one", {"m": 1}, "fr")] * 2
    third = Hooks()

    async def idle_run() -> None:
        await place.storage().on_run_start(Run(store), recipe(third))

    asyncio.run(idle_run())
    assert third.told == []


def test_what_cannot_be_told_stays_and_does_not_stop_the_rest(place):
    store = ForeignStore()

    async def run() -> None:
        storage = place.storage(kv_store=store, callback_errors="raise")
        for name in ("custom-a", "custom-b", "custom-c"):
            with pytest.raises(RuntimeError):
                await complete_one(storage, name, recipe(Hooks(RuntimeError("no"))))
        store.values["sqs_notifications:pending:fr:broken"] = {"no": "record"}
        store.values["sqs_notifications:pending:fr:text"] = "{"

        class Second(Hooks):
            async def on_bundle_complete_hook(self, bundle_ref: Any) -> None:
                await super().on_bundle_complete_hook(bundle_ref)
                if str(bundle_ref.bid) == "custom-b":
                    raise RuntimeError("still not")

        hooks = Second()
        second = place.storage(callback_errors="raise")
        second.sqs_publisher = publisher
        await second.on_run_start(Run(store), recipe(hooks))
        assert hooks.told == ["custom-a", "custom-b", "custom-c"]

    publisher = Publisher()
    asyncio.run(run())
    assert sorted(bid for bid, _, _ in publisher.told) == ["custom-a", "custom-b", "custom-c"]
    assert sorted(key.rpartition(":")[2] for key in store.values) == ["broken", "custom-b", "text"]


def test_glob_characters_in_a_recipe_id_mean_themselves(place):
    class Scans(ForeignStore):
        patterns: ClassVar[list[str]] = []

        async def scan(self, pattern: str) -> Any:
            self.patterns.append(pattern)
            return list(self.values)

    store = Scans()

    async def run() -> None:
        with pytest.raises(RuntimeError):
            await complete_one(
                place.storage(kv_store=store, callback_errors="raise"),
                to=recipe(Hooks(RuntimeError("no")), recipe_id="f*[r]"),
            )
        hooks = Hooks()
        await place.storage().on_run_start(Run(store), recipe(hooks, recipe_id="f*[r]"))
        assert hooks.told == ["custom-one"]

    asyncio.run(run())
    assert store.patterns[0] == r"sqs_notifications:pending:f\*\[r\]:*"


def test_a_record_that_cannot_be_written_stops_the_commit(place):
    class Full(ForeignStore):
        async def put(self, key: str, value: Any, ttl: Any = None, prefix: str | None = None) -> None:
            raise OSError("full")

    async def run(policy: str, bid: str) -> None:
        await complete_one(place.storage(kv_store=Full(), pending=policy), bid, recipe(Hooks()))

    with pytest.raises(ConnectionError, match="nothing was published"):
        asyncio.run(run("required", "custom-one"))
    assert place.visible() is None
    asyncio.run(run("best_effort", "custom-two"))
    assert place.visible("custom-two") == {"a.txt": b"one two"}


def test_a_record_of_an_older_writer_is_taken_as_committed(place):
    store, hooks = ForeignStore(), Hooks()
    old = {
        "bundle_ref": {"bid": "custom-one", "primary_url": "u", "resources_count": 1},
        "metadata": {"o": 1},
    }
    store.values[RECORD] = {**old, "timestamp": "2026-01-01T00:00:00Z"}
    asyncio.run(place.storage().on_run_start(Run(store), recipe(hooks)))
    assert hooks.told == ["custom-one"]
    assert store.values == {}


PROGRAM = """
    import asyncio, json, os, signal, sys
    from pathlib import Path
    sys.path[:0] = [{tests!r}]
    from bundle_places import Folder, Hooks, chunks, recipe, ref
    from penstock.bundles.storage import FileStorage

    class Dies(Hooks):
        async def on_bundle_complete_hook(self, bundle_ref):
            if {moment!r} == "hook":
                os.kill(os.getpid(), signal.SIGKILL)

    async def bytes_then_die():
        yield b"half"
        await asyncio.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)

    async def main():
        storage = FileStorage({folder!r})
        context = await storage.start_bundle(ref(), recipe(Dies()))
        await context.add_resource("https://h/a", None, 200, chunks(b"whole"))
        if {moment!r} == "add":
            await context.add_resource("https://h/b", None, 200, bytes_then_die())
        await context.complete({{"m": 1}})

    asyncio.run(main())
"""


@pytest.mark.parametrize("moment", ["add", "hook"])
def test_a_killed_process_is_cleaned_up_after(tmp_path, moment):
    folder = tmp_path / "out"
    program = textwrap.dedent(PROGRAM).format(
        tests=str(Path(__file__).parent), folder=str(folder), moment=moment
    )
    died = subprocess.run([sys.executable, "-c", program], timeout=60)
    assert died.returncode == -signal.SIGKILL
    place, hooks = Folder(folder), Hooks()
    assert (place.visible() is not None) == (moment == "hook")
    asyncio.run(place.storage().on_run_start(Run(), recipe(hooks)))
    assert place.unfinished() == []
    assert hooks.told == (["custom-one"] if moment == "hook" else [])
    if moment == "add":  # what was finished is kept aside, what was not is gone
        assert sorted(path.name for path in (folder / "incomplete_custom-one").iterdir()) == ["a", "a.meta"]


FORKS = """
    import asyncio, gc, os, sys
    from bundle_places import Publisher, chunks, recipe, ref
    from penstock.bundles.storage import FileStorage, PipelineStorage

    kind, where, endpoint = sys.argv[1:4]
    PIECE = b"parent" * 50_000

    async def main():
        if kind == "file":
            storage = FileStorage(where)
        else:
            storage = PipelineStorage(where, Publisher(), "out", region="us-east-1", endpoint_url=endpoint)
        context = await storage.start_bundle(ref(), recipe())
        forked = []

        async def long():  # 30 MB: parts are under way when it forks
            for number in range(100):
                yield PIECE
                if number == 70:
                    if not (child := os.fork()):
                        os._exit(in_the_child())
                    forked.append(child)

        def in_the_child():
            nonlocal storage, context
            storage = context = None
            gc.collect()
            return 7

        await context.add_resource("https://h/a", None, 200, long())
        _, status = os.waitpid(forked[0], 0)
        assert os.waitstatus_to_exitcode(status) == 7
        await context.add_resource("https://h/b", None, 200, chunks(b"after"))
        await context.complete({})

    asyncio.run(main())
"""


def test_a_child_forked_amid_an_add_neither_hangs_nor_harms_its_parents_bundle(place):
    where = (place.path, "") if place.kind == "file" else (place.bucket.name, place.bucket.server.url)
    program = [sys.executable, "-c", textwrap.dedent(FORKS), place.kind, *map(str, where)]
    ended = subprocess.run(program, env=with_tests(), capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert {name: len(body) for name, body in place.visible().items()} == {"a": 30_000_000, "b": 5}
    assert place.problems() == []
    assert place.unfinished("https://h/a", "https://h/b") == []


COUNT = 1000 if FULL else 100
KILLS = 20 if FULL else 4


async def leave_untold(place: Any, store: Any, bids: list[str]) -> None:
    """Bundles that are visible, and their records."""
    at_once, storage = asyncio.Semaphore(16), place.storage(kv_store=store, callback_errors="raise")
    if place.publisher:
        place.publisher.failures = 2**31

    async def one(bid: str) -> None:
        async with at_once:
            with pytest.raises(RuntimeError):
                await complete_one(storage, bid, recipe(Hooks(RuntimeError("not yet"))))

    await asyncio.gather(*map(one, bids))
    if place.publisher:
        assert place.publisher.told == []
        place.publisher.failures = 0


@pytest.mark.parametrize("place", ["file", "versitygw"], indirect=True)
@pytest.mark.parametrize("kind", ["beside", "redis"])
def test_pending_bundles_are_told_in_a_second_a_thousand(place, kind, redis_options):
    bids = [str(BID.generate()) for _ in range(COUNT)]
    hooks = Hooks()
    seconds: list[float] = []

    def store() -> Any:
        return RedisKeyValueStore(**redis_options, key_prefix="app") if kind == "redis" else None

    async def run() -> None:
        store_of_run = store()
        storage = place.storage()
        begin = time.monotonic()
        await storage.on_run_start(Run(store_of_run), recipe(hooks))
        seconds.append(time.monotonic() - begin)
        if store_of_run:
            assert await store_of_run.range_get("") == []

    asyncio.run(leave_untold(place, store(), bids))
    assert len(place.records()) == (0 if kind == "redis" else COUNT)
    asyncio.run(run())
    print(f"{seconds[0]:.2f} s for {COUNT} records")
    assert hooks.told == bids
    if place.publisher:
        assert sorted(bid for bid, _, _ in place.publisher.told) == bids
    assert place.records() == []
    assert seconds[0] <= (1 if FULL else 3)  # of a tenth as many: for machines that do other things as well


@pytest.mark.parametrize("place", ["file", "versitygw"], indirect=True)
def test_a_recovery_that_is_killed_again_and_again_ends_the_same(place, tmp_path):
    bids = [str(BID.generate()) for _ in range(3 * KILLS)]
    chance = random.Random(seed())
    asyncio.run(leave_untold(place, None, bids))
    with program(place, tmp_path / "told") as by:
        for _ in range(KILLS):
            assert by.run("recover", hooks=chance.randint(1, 3)) == -signal.SIGKILL
        assert by.run("recover") == 0
        assert by.run("recover") == 0
        told = {who: by.told(who) for who in ("hook", "queue")}
    assert sorted({*told["hook"]}) == bids
    assert sorted({*told["queue"]}) == (bids if place.publisher else [])
    assert place.records() == []
    assert all(place.problems(bid) == [] for bid in bids)
    assert place.unfinished() == []
