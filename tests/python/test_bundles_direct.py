"""The core's bundles from Python: blocking, and told of on a real queue."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import uuid
from hashlib import sha256
from typing import Any

import boto3
import penstock
import pytest
from penstock import aio
from penstock.bundles import BID, BundleRef, FolderBundles, ObjectBundles
from penstock.testing import fill


def ref(bid: str | None = None) -> BundleRef:
    return BundleRef("https://h/", 1, BID(bid), meta={"k": [1]})


@pytest.fixture(params=["folder", "memory"])
def bundles(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    if request.param == "folder":
        return FolderBundles(tmp_path / "out")
    return ObjectBundles(penstock.MemoryStore(), prefix="p")


def test_a_bundle_is_finished_when_left_and_aborted_by_an_exception(bundles):
    told: list[BundleRef] = []
    with bundles.start(ref("custom-1"), on_complete=[told.append]) as bundle:
        stored = bundle.add("https://h/a", fill(5000), content_type="x/y")
        assert (stored.name, stored.bytes) == ("a", 5000)
    assert bundle.state == "completed"
    assert told[0].meta == {"k": [1]}
    assert told[0].storage_key
    left = bundles.start(ref("custom-2"))

    def fail() -> None:
        with left:
            left.add("https://h/a", b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert left.state == "abandoned"
    with pytest.raises(penstock.Refused) as raised:
        left.add("https://h/b", b"x")
    assert raised.value.code == "bundle_not_found"
    with pytest.raises(penstock.Conflict):
        bundles.start(ref("custom-1"))


def test_threads_add_to_one_bundle(bundles):
    bundle = bundles.start(ref())
    threads = [
        threading.Thread(target=bundle.add, args=(f"https://h/{n}", fill(20_000, n))) for n in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    receipt = bundle.finish({"x": 1})
    assert receipt.resources_stored == 16
    assert receipt.bytes == 16 * 20_000
    assert bundle.finish() == receipt


def test_a_callback_that_raises_is_logged_and_the_bundle_completed(bundles, caplog):
    def broken(_: BundleRef) -> None:
        raise ValueError("not me")

    bundle = bundles.start(ref(), on_complete=[broken])
    bundle.finish()
    assert bundle.state == "completed"


def test_metadata_that_is_no_json_is_an_error(bundles):
    bundle = bundles.start(ref())
    with pytest.raises(ValueError, match="JSON"):
        bundle.finish({"x": float("nan")})
    with pytest.raises(TypeError):
        bundle.finish({"x": object()})
    bundle.finish()


def test_recovery_of_nothing_reports_nothing(bundles):
    report = bundles.recover()
    assert (report.recovered, report.swept, report.out_of_time) == (0, 0, False)
    assert bundles.sweep() == 0


def test_a_queue_is_told_what_the_format_says(sqs_server, tmp_path):
    judge = boto3.client(
        "sqs",
        endpoint_url=sqs_server.url,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    name = f"done-{uuid.uuid4().hex[:12]}.fifo"
    queue_url = judge.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]
    keys = {"access_key_id": "a", "secret_access_key": "b", "region": "us-east-1"}
    queue = penstock.sqs.Queue(queue_url, endpoint=sqs_server.url, **keys)
    bid = "custom-é"
    with FolderBundles(tmp_path, queue=queue).start(ref(bid), recipe_id="fr") as bundle:
        bundle.add("https://h/a", b"abc")
    got = judge.receive_message(QueueUrl=queue_url, MessageAttributeNames=["All"], WaitTimeSeconds=5)
    (message,) = got["Messages"]
    body = json.loads(message["Body"])
    assert list(body) == [
        *("bundle_id", "recipe_id", "primary_url", "resources_count", "storage_key"),
        *("completion_timestamp", "metadata", "bundle"),
    ]
    assert body["bundle_id"] == bid
    assert body["bundle"]["bytes"] == 3
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes["bundle_id"] == bid
    assert attributes["recipe_id"] == "fr"
    assert message["Body"] == json.dumps(body, indent=2)


def test_the_twins_add_at_once_and_finish_or_abort(tmp_path):
    told: list[BundleRef] = []

    async def chunks(seed: int) -> Any:
        for begin in range(0, 300_000, 70_000):
            await asyncio.sleep(0)
            yield fill(300_000, seed)[begin : begin + 70_000]

    async def main(storage: Any) -> None:
        mine = ref("custom-1")
        async with await storage.start(mine, on_complete=[told.append]) as bundle:
            stored = await asyncio.gather(*(bundle.add(f"https://h/{n}", chunks(n)) for n in range(5)))
        assert [one.sha256 for one in stored] == [sha256(fill(300_000, n)).hexdigest() for n in range(5)]
        assert (bundle.state, bundle.receipt.bytes, told[-1].meta) == ("completed", 1_500_000, {"k": [1]})
        assert mine.storage_key == told[-1].storage_key
        left = await storage.start(ref("custom-2"))
        with pytest.raises(ZeroDivisionError):
            async with left:
                raise ZeroDivisionError
        assert left.state == "abandoned"
        with pytest.raises(penstock.Conflict):
            await storage.start(ref("custom-1"))
        assert (await storage.recover()).failed == 0
        assert await storage.sweep() == 0

    asyncio.run(main(aio.bundles.FolderBundles(tmp_path / "out")))
    asyncio.run(main(aio.bundles.ObjectBundles(penstock.MemoryStore())))
    asyncio.run(main(aio.bundles.ObjectBundles(aio.MemoryStore(), prefix="p")))


def test_a_cancelled_add_of_a_twin_leaves_nothing():
    store = penstock.MemoryStore()

    async def silent() -> Any:
        yield b"begun"
        await asyncio.sleep(3600)

    async def main() -> None:
        bundle = await aio.bundles.ObjectBundles(store).start(ref())
        adding = asyncio.create_task(bundle.add("https://h/a", silent()))
        while bundle.state != "adding":
            await asyncio.sleep(0.001)
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        receipt = await bundle.finish({"k": 1})
        assert receipt.bytes == 0

    asyncio.run(main())
    assert not [one.key for one in store.list() if "/resources/" in one.key]


@pytest.mark.parametrize("place", ["folder", "memory"])
def test_an_add_of_a_twin_cancelled_at_any_moment_is_whole_or_nothing(place, tmp_path):
    seed = random.randrange(2**32)
    moments = random.Random(seed)

    async def main() -> None:
        bundles: Any = aio.bundles.FolderBundles(tmp_path / "out")
        if place == "memory":
            bundles = aio.bundles.ObjectBundles(aio.MemoryStore())
        bundle = await bundles.start(ref())
        added = 0
        for i in range(200):
            adding = asyncio.create_task(bundle.add(f"https://h/{i}", fill(100)))
            await asyncio.sleep(moments.random() * 0.002)
            adding.cancel()
            added += not isinstance((await asyncio.gather(adding, return_exceptions=True))[0], BaseException)
        receipt = await bundle.finish()
        assert (receipt.resources_stored, receipt.bytes) == (added, 100 * added), f"seed {seed}"
        assert 0 < added < 200, f"seed {seed}: no cancellation came before, or none after"

    asyncio.run(main())


def test_a_twin_refuses_hooks_that_would_never_be_awaited(tmp_path):
    async def hook(_: BundleRef) -> None: ...

    async def main() -> None:
        with pytest.raises(penstock.Refused, match="plain one"):
            await aio.bundles.FolderBundles(tmp_path).start(ref(), on_complete=[hook])

    asyncio.run(main())
