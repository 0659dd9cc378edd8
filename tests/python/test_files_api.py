"""penstock.fetch and penstock.files: what reaches the core, what comes back, what a callback may do."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import pickle
import threading
from collections.abc import Iterator

import penstock
import prometheus_client
import pytest
from conftest import Bucket
from local_origin import Origin, wait_until
from penstock import aio, files
from penstock.files import prometheus
from penstock.testing import DictStore, fill
from penstock.testing.doubles import DictWriter

OLD = {
    "taskId": "t1",
    "jobId": "j1",
    "downloadUrl": "http://h/a?token=SECRET",
    "fileName": "a",
    "s3OutputKey": "k",
    "s3Bucket": "b",
    "checksum": "ab",
    "checksumAlgorithm": "sha256",
    "expectedFileSize": 3,
}


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as made:
        yield made


def task(origin: Origin, key: str = "k", **more: object) -> files.FileTask:
    given = {"task_id": "t1", "job_id": "j1", "url": origin.url("/a.csv"), "file_name": "a.csv", **more}
    return files.FileTask(key=key, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("store", [penstock.MemoryStore(), DictStore()], ids=["memory", "python"])
def test_a_url_becomes_a_verified_object(origin: Origin, store: object) -> None:
    digest = hashlib.sha256(origin.bodies["/a.csv"]).hexdigest()
    receipt = penstock.fetch(origin.url("/a.csv"), store, key="k", sha256=digest)
    assert (receipt.bytes, receipt.sha256) == (11, digest)


def test_a_wrong_digest_leaves_nothing_visible(origin: Origin) -> None:
    store = penstock.MemoryStore()
    with pytest.raises(penstock.Corrupt) as raised:
        penstock.fetch(origin.url("/a.csv"), store, key="k", sha256="0" * 64)
    assert raised.value.expected == "0" * 64
    assert store.find("k") is None


def test_over_the_limit_is_refused_and_leaves_nothing(origin: Origin) -> None:
    store = penstock.MemoryStore()
    with pytest.raises(penstock.Refused) as raised:
        penstock.fetch(origin.url("/a.csv"), store, key="k", max_bytes=10)
    assert raised.value.code == "too_large"
    assert store.find("k") is None


def test_an_absent_url_is_not_found(origin: Origin) -> None:
    with pytest.raises(penstock.NotFound) as raised:
        penstock.fetch(origin.url("/none?token=SECRET"), penstock.MemoryStore(), key="k")
    assert raised.value.status == 404
    assert raised.value.side == "source"
    assert "SECRET" not in f"{raised.value}{raised.value!r}{raised.value.facts}"


def test_a_deadline_is_a_timeout(origin: Origin) -> None:
    with pytest.raises(TimeoutError):
        penstock.fetch(origin.url("/stall"), penstock.MemoryStore(), key="k", deadline="300ms")


def test_progress_ends_completed_with_every_byte(origin: Origin) -> None:
    seen: list[penstock.Progress] = []
    penstock.fetch(origin.url("/a.csv"), penstock.MemoryStore(), key="k", progress=seen.append)
    assert seen[-1].state == "completed"
    assert seen[-1].bytes_done == 11
    assert [p.bytes_done for p in seen] == sorted(p.bytes_done for p in seen)


@pytest.mark.parametrize("run", ["fetch", "process", "fetch_many"])
def test_what_a_progress_callable_raises_comes_through_and_nothing_is_visible(
    origin: Origin, run: str
) -> None:
    class MineError(Exception):
        pass

    def tell(_: penstock.Progress) -> None:
        raise MineError

    store = penstock.MemoryStore()
    runs = {
        "fetch": lambda: penstock.fetch(origin.url("/a.csv"), store, key="k", progress=tell),
        "process": lambda: files.process(task(origin), store, progress=tell),
        "fetch_many": lambda: list(files.fetch_many([task(origin)], store, progress=tell)),
    }
    with pytest.raises(MineError):
        runs[run]()
    assert store.find("k") is None


def test_process_tells_failure_in_a_record(origin: Origin) -> None:
    result = files.process(task(origin, url=origin.url("/none")), penstock.MemoryStore())
    assert not result.success
    assert (result.key, result.bytes) == (None, None)
    assert result.error_message == "Failed to download file: HTTP 404"
    assert (result.error_code, result.error_kind, result.retryable) == ("DOWNLOAD_FAILED", "missing", False)


def test_a_store_of_a_user_that_raises_is_the_sink_s_failure(origin: Origin) -> None:
    class Full(DictStore):
        def publish(self, key: str, body: bytes, options: dict[str, object]) -> object:  # type: ignore[override]
            raise PermissionError("no room for you")

    result = files.process(task(origin), Full())
    assert not result.success
    assert result.error_kind == "denied"
    assert "no room for you" in (result.error_message or "")


def test_one_bad_task_touches_no_other_and_results_come_in_order_if_asked(origin: Origin) -> None:
    paths = ["/a.csv" if n % 3 else "/none" for n in range(30)]
    tasks = [task(origin, key=f"k{n}", task_id=str(n), url=origin.url(path)) for n, path in enumerate(paths)]
    store = penstock.MemoryStore()
    results = list(files.fetch_many(tasks, store, jobs=4, ordered=True))
    assert [result.task_id for result in results] == [str(n) for n in range(30)]
    assert [result.success for result in results] == [bool(n % 3) for n in range(30)]
    assert len(list(store.list())) == 20


def test_an_endless_iterator_of_tasks_is_taken_a_little_ahead(origin: Origin) -> None:
    taken = itertools.count()

    def endless() -> Iterator[files.FileTask]:
        for n in taken:
            yield task(origin, key=f"k{n}", task_id=str(n))

    with files.fetch_many(endless(), penstock.MemoryStore(), jobs=2) as results:
        assert all(next(results).success for _ in range(10))
    assert next(taken) <= 10 + 2 * 2 + 2


def test_closing_a_batch_cancels_what_runs(origin: Origin) -> None:
    store = penstock.MemoryStore()
    tasks = [task(origin, key=f"k{n}", task_id=str(n), url=origin.url("/stall")) for n in range(3)]
    results = files.fetch_many(tasks, store, jobs=3)
    seen: list[files.FileResult] = []
    reader = threading.Thread(target=lambda: seen.extend(results))
    reader.start()
    assert origin.stalled.wait(60)
    results.close()
    reader.join(30)  # the origin would hold it for 60
    assert not reader.is_alive()
    assert {result.error_code for result in seen} == {"CANCELLED"}
    assert list(store.list()) == []
    assert list(results) == []


def test_what_the_task_iterator_raises_comes_through(origin: Origin) -> None:
    def broken() -> Iterator[files.FileTask]:
        yield task(origin)
        raise KeyError("mine")

    results = files.fetch_many(broken(), penstock.MemoryStore(), jobs=1)
    assert next(results).success
    with pytest.raises(KeyError):
        next(results)


def test_async_twins_give_the_same_results(origin: Origin) -> None:
    async def main() -> list[bool]:
        store = aio.MemoryStore()
        receipt = await aio.fetch(origin.url("/a.csv"), store, key="k")
        assert receipt.bytes == 11
        assert (await aio.files.process(task(origin), store)).success
        tasks = [task(origin, key=f"k{n}", task_id=str(n)) for n in range(5)]

        async def later():  # type: ignore[no-untyped-def]
            for each in tasks:
                yield each

        plain = [result.success async for result in aio.files.fetch_many(tasks, store, jobs=2)]
        return plain + [result.success async for result in aio.files.fetch_many(later(), store, jobs=2)]

    assert asyncio.run(main()) == [True] * 10


def test_a_task_reads_and_writes_both_spellings() -> None:
    made = files.FileTask.from_dict(OLD)
    assert (made.task_id, made.bucket, made.expected_bytes) == ("t1", "b", 3)
    assert {k: v for k, v in made.to_dict(existing=True).items() if k in OLD} == OLD
    assert files.FileTask.from_dict(made.to_dict()) == made
    for bad in ({**OLD, "task_id": "x"}, {**OLD, "colour": 1}, {"taskId": "t"}):
        with pytest.raises(penstock.Refused):
            files.FileTask.from_dict(bad)


def test_a_task_pickles_and_hides_what_is_secret() -> None:
    made = files.FileTask.from_dict({**OLD, "headers": {"Authorization": "SECRET"}})
    assert pickle.loads(pickle.dumps(made)) == made
    assert "SECRET" not in repr(made)
    assert "headers" not in made.to_dict()
    assert made.to_dict(headers=True)["headers"] == {"Authorization": "SECRET"}


def test_results_and_receipts_show_in_a_notebook(origin: Origin) -> None:
    good = files.process(task(origin), penstock.MemoryStore())
    bad = files.process(task(origin, url=origin.url("/<b>")), penstock.MemoryStore())
    html = files.Results([good, bad])._repr_html_()
    assert "completed" in html
    assert "failed" in html
    assert "<b>" not in html
    assert len(repr(bad)) < 300
    assert "published" in penstock.fetch(origin.url("/a.csv"), penstock.MemoryStore(), key="k")._repr_html_()


def test_metrics_count_what_was_done(origin: Origin) -> None:
    before = files.metrics()["penstock_files_total"].get("completed,", 0)
    files.process(task(origin), penstock.MemoryStore())
    assert files.metrics()["penstock_files_total"]["completed,"] == before + 1


def test_prometheus_reads_what_metrics_say(origin: Origin) -> None:
    files.process(task(origin), penstock.MemoryStore())
    files.process(task(origin, url=origin.url("/absent")), penstock.MemoryStore())
    registry = prometheus_client.CollectorRegistry()
    registry.register(prometheus.Collector())
    read = registry.get_sample_value
    said = files.metrics()
    for ended, count in said["penstock_files_total"].items():
        outcome, _, kind = ended.partition(",")
        assert read("penstock_files_total", {"outcome": outcome, "kind": kind}) == count > 0
    buckets = said["penstock_file_seconds"]["buckets"]
    assert read("penstock_file_seconds_bucket", {"le": "0.05"}) == buckets[0.05]
    assert read("penstock_file_seconds_count") == sum(buckets.values()) > 1
    assert read("penstock_file_seconds_sum") == said["penstock_file_seconds"]["sum"]
    assert read("penstock_bytes_total", {"direction": "in"}) == said["penstock_bytes_total"]["in"] > 0
    assert read("penstock_pool", {"state": "open"}) == said["penstock_pool"]["open"]
    for plain in ("penstock_files_in_flight", "penstock_resumes_total", "penstock_uploads_orphaned"):
        assert read(plain) == said[plain]
    names = {sample.name for family in registry.collect() for sample in family.samples}
    assert {name.removesuffix("_count") for name in names} >= said.keys() - {"penstock_retries_total"}


def test_metrics_count_fetches_and_refusals_too_and_what_is_in_flight(origin: Origin) -> None:
    def now(outcome: str) -> int:
        return files.metrics()["penstock_files_total"].get(outcome, 0)

    completed, refused, lost = now("completed,"), now("failed,refused"), now("failed,lost")
    penstock.fetch(origin.url("/a.csv"), penstock.MemoryStore(), key="k")
    files.process(task(origin, expected_bytes=2, max_bytes=1), penstock.MemoryStore())
    assert (now("completed,"), now("failed,refused")) == (completed + 1, refused + 1)
    assert files.metrics()["penstock_files_in_flight"] == 0

    stalled = [task(origin, url=origin.url("/stall"), key=f"k{n}") for n in range(3)]
    batch = threading.Thread(target=lambda: list(files.fetch_many(stalled, penstock.MemoryStore(), jobs=3)))
    batch.start()
    in_flight = wait_until(lambda: files.metrics()["penstock_files_in_flight"] == 3)
    origin.let_go.set()
    batch.join()
    assert in_flight
    assert files.metrics()["penstock_files_in_flight"] == 0
    assert now("failed,lost") == lost + 3


@pytest.mark.parametrize("how", ["bytes", "chunks"])
def test_a_put_tells_its_progress_to_the_end(how: str) -> None:
    body = b"x" * 3_000_000
    data = body if how == "bytes" else iter([body[:1_000_000], body[1_000_000:]])
    seen: list[penstock.Progress] = []
    penstock.MemoryStore().put("k", data, progress=seen.append)
    states = [each.state for each in seen]
    assert states[0] == "downloading"
    assert states[-2:] == ["publishing", "completed"]
    assert [each.bytes_done for each in seen] == sorted(each.bytes_done for each in seen)
    assert seen[-1].bytes_done == len(body)


def test_a_put_whose_progress_raises_is_not_visible() -> None:
    class MineError(Exception):
        pass

    def tell(_: penstock.Progress) -> None:
        raise MineError

    store = penstock.MemoryStore()
    with pytest.raises(MineError):
        store.put("k", b"x" * 1000, progress=tell)
    assert not store.exists("k")


def test_arguments_that_cannot_be_right_are_said_before_any_io() -> None:
    with pytest.raises(TypeError):
        penstock.fetch("http://h/a", penstock.MemoryStore())
    with pytest.raises(penstock.Refused):
        penstock.fetch("http://h/a", "ftp://h/k")
    with pytest.raises(TypeError):
        penstock.fetch("http://h/a", penstock.MemoryStore(), key="k", sha256="0" * 64, checksum="md5:00")
    with pytest.raises(penstock.Refused):
        penstock.fetch("http://user:pw@h/a", penstock.MemoryStore(), key="k")


def test_big_bodies_arrive_whole(origin: Origin) -> None:
    origin.bodies["/big"] = fill(20_000_000)
    store = penstock.MemoryStore()
    penstock.fetch(origin.url("/big"), store, key="k")
    assert store.get("k").bytes() == origin.bodies["/big"]


def test_a_content_type_that_is_no_utf_8_is_shown_and_never_raises(origin: Origin) -> None:
    origin.content_type = "text/caf\xe9"
    store, shown = penstock.MemoryStore(), "text/caf\\xe9"
    assert penstock.fetch(origin.url("/a.csv"), store, key="k").content_type == shown
    assert store.head("k").content_type == shown
    assert store.get("k").meta.content_type == shown
    assert [meta.content_type for meta in store.list()] == [shown]
    assert files.process(task(origin), store).content_type == shown
    assert [result.content_type for result in files.fetch_many([task(origin)], store)] == [shown]
    mine = DictStore()
    assert files.process(task(origin), mine).success
    found = mine.find("k")
    assert found is not None
    assert found.content_type == shown


WRONG = {
    "task_id": 5,
    "job_id": None,
    "url": 5,
    "file_name": b"a",
    "key": 7,
    "bucket": 1,
    "expected_bytes": "11",
    "max_bytes": "much",
    "checksum": b"00",
    "digests": "sha256",
    "mode": "creat",
    "on_exists": "skp",
    "headers": None,
    "metadata": {"n": 1},
    "tags": [],
    "deadline": "soon",
    "allow_unframed": 1,
    "max_redirects": "3",
}


@pytest.mark.parametrize("field", WRONG)
def test_a_field_that_cannot_be_right_is_a_result_that_names_it(origin: Origin, field: str) -> None:
    wrong = files.FileTask.from_dict({**task(origin).to_dict(), field: WRONG[field]})
    store = penstock.MemoryStore()
    good = [task(origin, key=f"k{n}", task_id=str(n)) for n in range(2)]
    batch = files.fetch_many([good[0], wrong, good[1]], store, jobs=1, ordered=True)
    first, failed, last = batch
    assert (first.success, last.success) == (True, True)
    for result in (failed, files.process(wrong, store)):
        assert (result.error_code, result.error_kind, result.retryable) == (
            "VALIDATION_FAILED",
            "refused",
            False,
        )
        assert field in (result.error_message or "")
    with pytest.raises(penstock.Refused, match=field):
        wrong.validate()
    assert sorted(meta.key for meta in store.list()) == ["k0", "k1"]
    assert len(origin.seen) == 2


@pytest.mark.parametrize("value", [-1, 2**64, True, 1.5])
def test_sizes_that_are_none_are_named(origin: Origin, value: object) -> None:
    for field in ("expected_bytes", "max_bytes"):
        result = files.process(task(origin, **{field: value}), penstock.MemoryStore())
        assert result.error_code == "VALIDATION_FAILED"
        assert field in (result.error_message or "")


def test_a_wrong_task_says_its_number_and_no_secret(origin: Origin) -> None:
    result = files.process(task(origin, task_id=17, headers={"Authorization": b"CANARY"}), DictStore())
    assert result.task_id == "17"
    result = files.process(task(origin, headers={"Authorization": b"CANARY"}), DictStore())
    assert "headers" in (result.error_message or "")
    assert "CANARY" not in (result.error_message or "")


def test_a_ceiling_may_be_text_in_a_record(origin: Origin) -> None:
    store = penstock.MemoryStore()
    assert files.process(task(origin, max_bytes="1KiB"), store).success
    result = files.process(task(origin, max_bytes="10B"), store)
    assert result.error_message == "File size 11 bytes exceeds maximum 10 bytes"


def test_a_task_done_before_is_skipped_and_its_result_names_the_same_object(
    origin: Origin, bucket: Bucket
) -> None:
    store = penstock.S3Store(prefix="raw/", **bucket.options)
    wanted = task(origin, on_exists="skip", expected_bytes=11)
    states: list[str] = []
    first = files.process(wanted, store)
    again = files.process(wanted, store, progress=lambda told: states.append(told.state))
    assert (first.skipped, again.skipped, len(origin.seen)) == (False, True, 1)
    for result in (first, again):
        assert (result.key, result.bucket, result.bytes) == ("raw/k", bucket.name, 11)
        assert result.location == f"s3://{bucket.name}/raw/k"
    assert states == ["completed"]


def test_a_fetch_with_a_misspelt_mode_is_refused_and_overwrites_nothing(origin: Origin) -> None:
    store = penstock.MemoryStore()
    store.put("k", b"former")
    with pytest.raises(penstock.Refused, match="'overwrite', 'create'"):
        penstock.fetch(origin.url("/a.csv"), store, key="k", mode="creat")
    with pytest.raises(penstock.Refused, match="'skip'"):
        penstock.fetch(origin.url("/a.csv"), store, key="k", on_exists="skp")
    assert store.get("k").bytes() == b"former"


@pytest.mark.parametrize("verb", ["open_writer", "write", "finish"])
@pytest.mark.parametrize("run", ["process", "fetch_many"])
def test_what_is_no_exception_is_no_failure_of_a_store(origin: Origin, verb: str, run: str) -> None:
    class Interrupted(DictStore):
        def open_writer(self, key: str, **options: object) -> DictWriter:
            writer = super().open_writer(key, **options)
            if verb == "open_writer":
                raise KeyboardInterrupt
            setattr(writer, verb, interrupt)
            return writer

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    store = Interrupted()
    runs = {
        "process": lambda: files.process(task(origin), store),
        "fetch_many": lambda: list(files.fetch_many([task(origin)], store)),
    }
    with pytest.raises(KeyboardInterrupt):
        runs[run]()
    assert store.find("k") is None


def test_a_result_in_doubt_says_so() -> None:
    result = files.FileResult(success=False, task_id="t", job_id="j", error_kind="in_doubt")
    assert result.state == "in doubt"
    assert "in doubt" in result._repr_html_()
    assert "failed" not in result._repr_html_()


@pytest.mark.parametrize("deadline", [float("inf"), 1e10, -1e300])
def test_a_task_takes_any_number_as_its_deadline(origin: Origin, deadline: float) -> None:
    result = files.process(task(origin, deadline=deadline), penstock.MemoryStore())
    assert result.error_code == (None if deadline > 0 else "TIMEOUT")
