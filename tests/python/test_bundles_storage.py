"""What both storages promise, from Python: in a folder, and in a bucket on each of the real servers."""

from __future__ import annotations

import asyncio
import copy
import gc
import gzip
import io
import json
import pickle
import random
import subprocess
import sys
import tarfile
import textwrap
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import penstock
import pytest
from bundle_places import Folder, ForeignStore, Hooks, Publisher, chunks, recipe, ref, with_tests
from faults.amounts import FULL, seed
from faults.relay import Relay
from penstock.bundles import BID, BundleRef, FetcherRecipe
from penstock.bundles.exceptions import BundleConflict, BundleNotFound, StorageError
from penstock.bundles.notifications import SqsPublisher
from penstock.bundles.storage import create_storage_stack
from penstock.bundles.utils.retry import RetryConfig, RetryEngine
from penstock.testing import fill


async def complete_one(storage: Any, bid: str = "custom-one", to: FetcherRecipe | None = None) -> Any:
    bundle_ref = ref(bid)
    context = await storage.start_bundle(bundle_ref, to or recipe())
    await context.add_resource("https://example.org/a.txt", "text/plain", 200, chunks(b"one ", b"two"))
    await context.complete({"source": "test"})
    return bundle_ref


def test_a_bundle_becomes_visible_whole(place):
    async def run() -> None:
        storage = place.storage()
        bundle_ref = ref(count=3)
        context = await storage.start_bundle(bundle_ref, recipe())
        assert context.state == "open"
        await asyncio.gather(
            context.add_resource("https://h/a?page=1", None, 200, chunks(b"1")),
            context.add_resource("https://h/a?page=2", "x/y", 404, chunks(b"2")),
            context.add_resource("https://h/b", None, 200, b"buffer"),
        )
        assert list(storage._active_bundles) == ["custom-one"]
        assert len(context._completed_uploads) == 3
        assert context._pending_uploads == set()
        assert all(upload.startswith("https://h/") for upload in context._completed_uploads)
        assert place.visible() is None
        await context.complete({"k": [1, {"é": None}]})
        assert context.state == "completed"
        assert storage._active_bundles == {}
        await context.complete({"no": "effect"})
        assert bundle_ref.receipt is not None
        assert bundle_ref.receipt.resources_stored == 3
        assert bundle_ref.receipt.bytes == 8
        with pytest.raises(BundleNotFound, match=r"^Bundle not found$"):
            await context.add_resource("https://h/late", None, 200, chunks(b"x"))

    asyncio.run(run())
    found = place.visible()
    assert sorted(found.values()) == [b"1", b"2", b"buffer"]
    assert {line["status_code"] for line in place.manifest()} == {200, 404}
    assert place.problems() == []
    assert place.unfinished("https://h/a?page=1", "https://h/a?page=2", "https://h/b") == []


def test_hooks_are_told_in_order_then_the_queue(place):
    loader, locator, broken = Hooks(), Hooks(), Hooks(RuntimeError("hook"))
    bundle_ref = asyncio.run(complete_one(place.storage(), to=recipe(loader, broken, locator)))
    assert loader.told == broken.told == locator.told == ["custom-one"]
    assert locator.keys == [bundle_ref.storage_key]
    if place.publisher:
        assert place.publisher.told == [("custom-one", {"source": "test"}, "fr")]


def test_after_a_failed_announcement_only_that_is_outstanding(s3_place):
    hooks = Hooks()
    s3_place.publisher.failures = 2

    async def run() -> None:
        storage = s3_place.storage()
        context = await storage.start_bundle(ref(), recipe(hooks))
        await context.add_resource("https://h/a", None, 200, chunks(b"x"))
        for _ in range(2):
            with pytest.raises(RuntimeError, match="the queue is down"):
                await context.complete({"n": 1})
            assert context.state == "failed"
        await context.abort("it is published, so this has no effect")
        await context.complete({"n": 1})

    with Relay(s3_place.bucket.server.url) as relay:
        s3_place.endpoint = relay.url
        asyncio.run(run())
    assert puts_of_the_marker(relay) == 1
    assert hooks.told == ["custom-one"]
    assert s3_place.publisher.told == [("custom-one", {"n": 1}, "fr")]
    assert s3_place.visible() == {"a": b"x"}
    assert s3_place.records() == []


def puts_of_the_marker(relay: Relay) -> int:
    return sum(r.method == "PUT" and r.path.endswith("/metadata.json") for r in relay.requests)


def test_with_the_queue_down_completing_raises_and_once_it_is_up_ends_what_is_outstanding(
    s3_place, sqs_servers, monkeypatch
):
    hooks, queue = Hooks(), next(iter(sqs_servers.values())).make_queue()
    monkeypatch.setattr(SqsPublisher, "_retries", quick_retries())
    queue_relay = Relay(queue.server.url)
    queue_relay.take_port()

    async def run() -> None:
        storage = s3_place.storage()
        context = await storage.start_bundle(ref(), recipe(hooks))
        await context.add_resource("https://h/a", None, 200, chunks(b"x"))
        for _ in range(2):
            with pytest.raises(StorageError) as raised:
                await context.complete({"n": 1})
            assert isinstance(raised.value, (penstock.Lost, ConnectionError))
            assert context.state == "failed"
            assert s3_place.records() == ["custom-one"]
        with queue_relay:
            await context.complete({"n": 1})
        assert context.state == "completed"

    with Relay(s3_place.bucket.server.url) as relay:
        s3_place.endpoint = relay.url
        url = queue.url.replace(queue.server.url, queue_relay.url)
        s3_place.publisher = SqsPublisher(url, "us-east-1", queue_relay.url)
        asyncio.run(run())
    assert puts_of_the_marker(relay) == 1
    assert hooks.told == ["custom-one"]
    (message,) = queue.received()
    assert json.loads(message["Body"])["bundle_id"] == "custom-one"
    assert s3_place.problems() == []
    assert s3_place.records() == []


def quick_retries() -> RetryEngine:
    """As many tries as SqsPublisher makes, without its waits."""
    return RetryEngine(
        RetryConfig(max_retries=3, base_delay=0.001),
        retry_exceptions=(penstock.Busy, penstock.Lost, penstock.InDoubt),
    )


def test_what_is_said_of_a_bundle_until_it_is_completed_is_in_all_that_is_written(place):
    store = ForeignStore()
    changed = BundleRef("https://example.org/other", 2, BID("custom-one"), meta={"k": "v"})

    class Sees(Hooks):
        async def on_bundle_complete_hook(self, bundle_ref: Any) -> None:
            (self.record,) = [copy.deepcopy(value) for value in store.values.values()]

    hooks = Sees()

    async def run() -> None:
        bundle_ref = ref(count=1)
        storage = place.storage(kv_store=store, strict=True)
        context = await storage.start_bundle(bundle_ref, recipe(hooks))
        for name in "ab":
            await context.add_resource(f"https://h/{name}", None, 200, chunks(b"x"))
        bundle_ref.primary_url, bundle_ref.resources_count = changed.primary_url, 2
        bundle_ref.meta["k"] = "v"
        await context.complete({})
        changed.storage_key = bundle_ref.storage_key

    asyncio.run(run())
    bundle = place.reader().open("custom-one")
    assert (bundle.primary_url, bundle.resources_count, bundle.meta) == (changed.primary_url, 2, {"k": "v"})
    assert BundleRef.from_dict(hooks.record["bundle_ref"]) == changed


def test_metadata_that_is_no_json_publishes_nothing(place):
    async def run() -> None:
        storage = place.storage()
        context = await storage.start_bundle(ref(), recipe())
        with pytest.raises(penstock.Refused, match="cannot be written as JSON"):
            await context.complete({"x": object()})
        with pytest.raises(StorageError):
            await context.complete({"x": float("nan")})
        assert place.visible() is None
        await context.complete({})

    asyncio.run(run())
    assert place.visible() == {}


def test_a_stream_that_raises_leaves_a_note_and_its_own_exception(place):
    async def broken() -> Any:
        yield b"half"
        raise KeyError("mine")

    async def run() -> None:
        context = await place.storage().start_bundle(ref(), recipe())
        with pytest.raises(KeyError, match="mine"):
            await context.add_resource("https://h/a", None, 200, broken())
        await context.add_resource("https://h/b", None, 200, chunks(b"whole"))
        await context.complete({})

    asyncio.run(run())
    assert place.visible() == {"b": b"whole"}
    assert [("failed" in line, line["url"]) for line in place.manifest()] == [
        (True, "https://h/a"),
        (False, "https://h/b"),
    ]
    assert place.problems() == []
    assert place.unfinished("https://h/a") == []


def test_a_silent_stream_fails_its_add_so_that_complete_ends(place):
    async def silent() -> Any:
        yield b"first"
        await asyncio.Event().wait()

    async def run() -> None:
        context = await place.storage(idle_timeout=0.2).start_bundle(ref(), recipe())
        with pytest.raises(penstock.Lost) as raised:
            await context.add_resource("https://h/a?secret=1", None, 200, silent())
        assert raised.value.code == "stalled"
        assert "secret" not in str(raised.value) + raised.value.subject
        await context.complete({})

    asyncio.run(run())
    assert place.visible() == {}
    assert place.problems() == []


async def silent_after(first: bytes) -> Any:
    yield first
    await asyncio.Event().wait()


async def begun() -> Any:
    """A source that was read before it is stored."""
    source = penstock.aio.Source(silent_after(b"first"))
    assert await source.read(1) == b"f"
    return source


async def nested() -> Any:
    """An entry of an archive that comes from the loop."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("a")
        entry.size = 1000
        tar.addfile(entry, io.BytesIO(bytes(1000)))
    return await anext(penstock.aio.codecs.Tar(silent_after(archive.getvalue()[:700])))


async def staged(stage: Any, first: bytes) -> Any:
    return stage(silent_after(first))


SILENT: dict[str, Callable[[], Awaitable[Any]]] = {
    "source": partial(staged, penstock.aio.Source, b"first"),
    "digest": partial(staged, penstock.aio.Sha256, b"first"),
    "gunzip": partial(staged, penstock.aio.Gunzip, gzip.compress(b"first")[:-4]),
    "begun": begun,
    "nested": nested,
}


@pytest.mark.parametrize("kind", SILENT)
@pytest.mark.parametrize("unzip", [False, True])
def test_a_silent_stage_fails_its_add_so_that_complete_ends(tmp_path, kind, unzip):
    folder = Folder(tmp_path)

    async def run() -> None:
        storage = create_storage_stack(folder.storage(idle_timeout=0.2), unzip_resources=unzip)
        context = await storage.start_bundle(ref(), recipe())
        with pytest.raises(penstock.Lost) as raised:
            await asyncio.wait_for(context.add_resource("https://h/a", None, 200, await SILENT[kind]()), 20)
        assert raised.value.code == "stalled"
        await context.complete({})

    asyncio.run(run())
    assert folder.visible() == {}


def test_how_long_a_source_was_silent_before_it_is_stored_counts_for_nothing(tmp_path):
    async def slow() -> Any:
        yield b"12"
        await asyncio.sleep(0.8)
        yield b"3"

    async def run() -> None:
        context = await Folder(tmp_path).storage(idle_timeout=0.6).start_bundle(ref(), recipe())
        source = penstock.aio.Source(slow())
        await source.read(1)
        await asyncio.sleep(0.4)
        await context.add_resource("https://h/a", None, 200, source)
        await context.complete({})

    asyncio.run(run())
    assert Folder(tmp_path).visible() == {"a": b"23"}


WHOLE = 3


@pytest.mark.parametrize(("body_bytes", "count"), [(100_000, 40), (12_000_000, 10)])
def test_adds_cancelled_at_random_leave_nothing_and_complete_in_a_second(place, body_bytes, count):
    moments, count, data = random.Random(seed()), 1000 if FULL else count, fill(50_000)
    pieces, urls = body_bytes // len(data), [f"https://h/{number}" for number in range(count)]
    completing: list[float] = []

    async def slow(cancel_in: int = -1) -> Any:
        for number in range(pieces):
            if number == cancel_in:
                asyncio.get_running_loop().call_soon(tasks[-1].cancel)
            yield data
            await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []

    async def run() -> int:
        storage = place.storage()
        for bid in ("custom-warm", "custom-plain"):
            context = await storage.start_bundle(ref(bid), recipe())
            begin = time.monotonic()
            await context.complete({})
        completing.append(time.monotonic() - begin)
        context = await storage.start_bundle(ref(), recipe())
        takes, cancelled = 60.0, 0
        for number in range(WHOLE):
            begin = time.monotonic()
            await context.add_resource(f"https://h/whole-{number}", None, 200, slow())
            takes = min(takes, time.monotonic() - begin)
        for number, url in enumerate(urls):  # in turn: while it is read, and at any time until it is stored
            body = slow(moments.randrange(pieces)) if number % 2 else slow()
            tasks.append(asyncio.create_task(context.add_resource(url, None, 200, body)))
            if number % 2 == 0:
                await asyncio.sleep(moments.random() * takes)
                tasks[-1].cancel()
            (outcome,) = await asyncio.gather(tasks[-1], return_exceptions=True)
            assert outcome is None or isinstance(outcome, asyncio.CancelledError), outcome
            cancelled += outcome is not None
        begin = time.monotonic()
        await context.complete({})
        completing.append(time.monotonic() - begin)
        return cancelled

    cancelled = asyncio.run(run())
    plain, seconds = completing
    print(f"{cancelled} of {count} cancelled, completed in {seconds:.3f} s, {plain:.3f} s without")
    assert seconds <= 1 + plain
    assert cancelled >= count // 2
    stored = [line["name"] for line in place.manifest() if "failed" not in line]
    assert len(stored) == WHOLE + count - cancelled
    assert sorted(place.visible()) == sorted(stored)
    assert place.problems() == []
    assert place.unfinished(*urls) == []


def test_cancelled_before_the_commit_a_bundle_is_failed_and_can_be_completed(place):
    gate = asyncio.Event()

    async def held() -> Any:
        await gate.wait()
        yield b"late"

    async def run() -> None:
        context = await place.storage().start_bundle(ref(), recipe())
        adding = asyncio.create_task(context.add_resource("https://h/a", None, 200, held()))
        await asyncio.sleep(0)
        completing = asyncio.create_task(context.complete({}))
        while context.state != "completing":
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        completing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await completing
        assert context.state == "failed"
        assert place.visible() is None
        gate.set()
        await adding
        await context.complete({})

    asyncio.run(run())
    assert place.visible() == {"a": b"late"}


def test_aborted_and_dropped_bundles_are_never_visible_and_free_their_id(place):
    async def run() -> None:
        storage = place.storage()
        aborted = await storage.start_bundle(ref(), recipe())
        await aborted.add_resource("https://h/a", None, 200, chunks(b"x"))
        await aborted.abort("why not")
        assert aborted.state == "abandoned"
        with pytest.raises(BundleNotFound):
            await aborted.complete({})
        dropped = await storage.start_bundle(ref(), recipe())
        await dropped.add_resource("https://h/a", None, 200, chunks(b"x"))
        del dropped
        gc.collect()
        assert storage._active_bundles == {}
        assert place.visible() is None
        await complete_one(storage)

    asyncio.run(run())
    assert place.visible() == {"a.txt": b"one two"}
    assert [line["name"] for line in place.manifest()] == ["a.txt"]
    assert place.unfinished("https://h/a") == []


def test_closing_a_storage_abandons_what_is_open(place):
    async def run() -> None:
        storage = place.storage()
        context = await storage.start_bundle(ref(), recipe())
        await storage.aclose()
        assert context.state == "abandoned"
        with pytest.raises(BundleNotFound):
            await context.add_resource("https://h/a", None, 200, chunks(b"x"))
        with pytest.raises(penstock.Refused):
            await storage.start_bundle(ref("custom-two"), recipe())

    asyncio.run(run())
    assert place.visible() is None


def test_a_taken_id_is_a_conflict_in_the_words_people_know(place):
    async def run() -> None:
        storage, other = place.storage(), place.storage()
        context = await storage.start_bundle(ref(), recipe())
        with pytest.raises(BundleConflict, match=r"^Bundle custom-one already open$"):
            await other.start_bundle(ref(), recipe())
        await context.complete({})
        for each in (storage, other):
            with pytest.raises(BundleConflict, match=r"^Bundle custom-one already completed$"):
                await each.start_bundle(ref(), recipe())

    asyncio.run(run())


def test_a_generated_id_that_is_completed_is_a_conflict_and_its_bundle_stays(place):
    bid = BID.generate().value

    async def run() -> None:
        storage, other = place.storage(), place.storage()
        await complete_one(storage, bid)
        for each in (storage, other):
            with pytest.raises(BundleConflict, match=f"^Bundle {bid} already completed$"):
                await each.start_bundle(ref(bid), recipe())

    asyncio.run(run())
    assert place.visible(bid) == {"a.txt": b"one two"}
    assert place.problems(bid) == []


def test_of_16_at_once_with_one_id_one_completes(place):
    async def one(number: int) -> str:
        try:
            context = await place.storage().start_bundle(ref(), recipe())
            await context.add_resource("https://h/a", None, 200, chunks(b"%d" % number))
            await asyncio.sleep(0.05)
            await context.complete({})
        except penstock.Conflict:
            return "conflict"
        return "completed"

    async def run() -> list[str]:
        return await asyncio.gather(*(one(number) for number in range(16)))

    outcomes = asyncio.run(run())
    assert sorted(outcomes) == ["completed"] + ["conflict"] * 15
    assert len(place.visible()) == 1
    place.reader().open("custom-one").verify()


CONTENDERS = """
    import asyncio, os, sys
    from bundle_places import Folder, Publisher, chunks, recipe, ref
    from pathlib import Path
    import penstock
    from penstock.bundles.storage import FileStorage, PipelineStorage

    kind, where, endpoint, count = *sys.argv[1:4], int(sys.argv[4])
    begun, begin = os.pipe()

    async def contend(number):
        if kind == "file":
            storage = FileStorage(where)
        else:
            storage = PipelineStorage(where, Publisher(), "out", region="us-east-1", endpoint_url=endpoint)
        os.read(begun, 1)  # all at once
        try:
            context = await storage.start_bundle(ref(count=3), recipe())
            for name in "abc":
                await context.add_resource(f"https://h/{name}", None, 200, chunks(b"%d" % number * 1000))
            await context.complete({})
        except penstock.Conflict:
            os._exit(3)
        os._exit(0)

    children = []
    for number in range(count):
        if not (child := os.fork()):
            os.close(begin)
            asyncio.run(contend(number))
        children.append(child)
    os.close(begin)
    print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def test_of_16_processes_with_one_id_one_completes_and_is_whole(place, tmp_path):
    where = (place.path, "") if place.kind == "file" else (place.bucket.name, place.bucket.server.url)
    program = [sys.executable, "-c", textwrap.dedent(CONTENDERS), place.kind, *map(str, where), "16"]
    ended = subprocess.run(program, env=with_tests(), capture_output=True, text=True, timeout=120)
    assert sorted(ended.stdout.split()) == ["0"] + ["3"] * 15, ended.stderr
    assert sorted(place.visible()) == ["a", "b", "c"]
    assert len({*place.visible().values()}) == 1
    place.reader().open("custom-one").verify()
    assert place.unfinished("https://h/a") == []


def test_a_bundle_of_one_resource_is_written_piece_by_piece(place):
    data = fill(3_000_000)

    async def run() -> None:
        storage = place.storage()
        async with storage.open_bundle("one", {"url": "https://h/z.bin", "source": "s"}) as bundle:
            for at in range(0, len(data), 70_000):
                await bundle.write(memoryview(data)[at : at + 70_000])
            assert bundle.get_metadata()["source"] == "s"
            assert str(bundle.get_bundle_ref().bid) == "custom-one"
        await bundle.close()
        with pytest.raises(penstock.Refused):
            await bundle.write(b"late")
        opened = await storage.open_bundle("custom-two", {})
        await opened.write(b"abc")
        await storage.close_bundle(opened)

    asyncio.run(run())
    assert place.visible() == {"z.bin": data}
    assert list(place.visible("custom-two").values()) == [b"abc"]


def test_of_many_bundles_left_by_an_exception_none_is_visible(place):
    count = 1000 if FULL else 40

    async def run() -> None:
        storage = place.storage()

        async def one(number: int) -> None:
            async with storage.open_bundle(f"custom-{number}", {"url": "https://h/a"}) as bundle:
                await bundle.write(b"x" * 1000)
                if number % 2:
                    raise ZeroDivisionError

        outcomes = await asyncio.gather(*(one(n) for n in range(count)), return_exceptions=True)
        assert sum(isinstance(outcome, ZeroDivisionError) for outcome in outcomes) == count // 2
        assert storage._active_bundles == {}

    asyncio.run(run())
    assert [place.visible(f"custom-{n}") is not None for n in range(count)] == [
        n % 2 == 0 for n in range(count)
    ]


def test_a_storage_pickles_by_what_it_was_made_of(place):
    storage = place.storage(strict=True)
    if place.publisher:
        storage.sqs_publisher = Publisher()
    copied = pickle.loads(pickle.dumps(storage))
    assert repr(copied) == repr(storage)
    assert copied._strict
    asyncio.run(complete_one(copied))
    assert place.visible() == {"a.txt": b"one two"}


def test_strict_refuses_what_is_not_all(place):
    async def run() -> None:
        context = await place.storage(strict=True).start_bundle(ref(count=2), recipe())
        await context.add_resource("https://h/a", None, 200, chunks(b"x"))
        with pytest.raises(penstock.Refused, match="1 resources are stored, 0 failed, 2 were expected"):
            await context.complete({})

    asyncio.run(run())
    assert place.visible() is None


def test_a_storage_serves_many_loops(place):
    storage = place.storage()
    for number in range(3):
        asyncio.run(complete_one(storage, f"custom-{number}"))
        assert place.visible(f"custom-{number}") == {"a.txt": b"one two"}


def test_options_that_are_none_are_refused(place):
    for wrong in ({"pending": "maybe"}, {"callback_errors": 1}, {"publish_errors": "later"}):
        with pytest.raises(penstock.Refused):
            place.storage(**wrong)
