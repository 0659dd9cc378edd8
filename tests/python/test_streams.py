"""Sources, stages and sinks from Python."""

from __future__ import annotations

import array
import gc
import hashlib
import io
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import penstock
import pytest
from penstock.testing import BrokenSource, SlowSource, fill


def test_every_source_like_thing_gives_the_same_bytes(tmp_path: Path) -> None:
    body = fill(700_001)
    path = tmp_path / "body"
    path.write_bytes(body)
    store = penstock.MemoryStore()
    store.put("k", body)
    with path.open("rb") as file:
        likes = [
            body,
            bytearray(body),
            memoryview(body),
            path,
            file,
            io.BytesIO(body),
            SlowSource(body, 1000),
            iter([body[:1], b"", body[1:]]),
            penstock.Source(body),
            penstock.FileSource(path),
            store.get("k"),
        ]
        for like in likes:
            assert penstock.Source(like).bytes() == body, type(like)


def test_a_typed_array_is_a_buffer() -> None:
    numbers = array.array("I", [1, 2, 3])
    assert penstock.Source(numbers).bytes() == numbers.tobytes()


@pytest.mark.parametrize("data", ["text", 5, None, io.StringIO("text")])
def test_what_is_not_bytes_is_a_type_error(data: object) -> None:
    with pytest.raises(TypeError):
        penstock.Source(data)
    with pytest.raises(TypeError):
        penstock.MemoryStore().put("k", data)


def test_an_iterator_that_gives_text_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        penstock.MemoryStore().put("k", iter(["text"]))


def test_read_gives_exactly_n_until_the_end() -> None:
    source = penstock.Source(SlowSource(b"0123456789", 3))
    assert [source.read(4), source.read(4), source.read(4), source.read(4)] == [b"0123", b"4567", b"89", b""]
    with pytest.raises(ValueError, match="limit"):
        source.read(-1)


def test_a_limit_passes_its_bytes_and_refuses_one_more() -> None:
    assert penstock.Limit(b"123", 3).bytes() == b"123"
    with pytest.raises(penstock.Refused) as raised:
        penstock.Limit(b"1234", 3).bytes()
    assert raised.value.code == "too_large"
    with pytest.raises(penstock.Refused):
        penstock.Source(b"1234").bytes(limit=3)


def test_digests_agree_with_hashlib_whatever_the_chunks() -> None:
    body = fill(10_000)
    for step in (1, 7, 4096, 10_000):
        hashed = penstock.Hash(SlowSource(body, step), ["sha256", "sha512", "sha1", "md5"])
        assert hashed.bytes() == body
        for name, digest in hashed.digests.items():
            assert digest == hashlib.new(name, body).hexdigest(), (name, step)


def test_stages_stack_and_each_keeps_its_own_facts() -> None:
    counted = penstock.Count(SlowSource(b"hello world", 4))
    hashed = penstock.Sha256(penstock.Limit(counted, "1KiB"))
    with hashed:
        assert b"".join(hashed) == b"hello world"
    assert counted.count == 11
    assert hashed.hexdigest() == hashlib.sha256(b"hello world").hexdigest()


def test_a_tee_writes_what_it_passes(tmp_path: Path) -> None:
    sink = penstock.FileSink(tmp_path / "copy")
    assert penstock.Tee(b"both", sink).bytes() == b"both"
    assert not (tmp_path / "copy").exists()
    sink.finish()
    assert (tmp_path / "copy").read_bytes() == b"both"


def test_mark_and_rewind_give_the_same_bytes_and_digest() -> None:
    hashed = penstock.Sha256(io.BytesIO(b"0123456789"))
    assert hashed.read(3) == b"012"
    hashed.mark()
    assert hashed.read(4) == b"3456"
    hashed.rewind()
    assert hashed.bytes() == b"3456789"
    assert hashed.hexdigest() == hashlib.sha256(b"0123456789").hexdigest()


def test_a_closed_source_says_so() -> None:
    source = penstock.Source(b"abc")
    source.close()
    with pytest.raises(ValueError, match="closed"):
        source.read(1)


def test_the_exception_of_a_producer_comes_through_unchanged() -> None:
    raised = KeyError("mine")
    source = penstock.Sha256(BrokenSource(b"abc", raised))
    assert next(source) == b"abc"
    with pytest.raises(KeyError) as seen:
        next(source)
    assert seen.value is raised


def test_a_file_sink_left_by_an_exception_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"former")
    sink = penstock.FileSink(tmp_path / "f")
    sink.write(b"half")

    def leave() -> None:
        with sink:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        leave()
    assert (tmp_path / "f").read_bytes() == b"former"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_file_sink_left_normally_is_finished_once(tmp_path: Path) -> None:
    with penstock.FileSink(tmp_path / "f") as sink:
        sink.write(b"whole")
    assert sink.receipt is not None
    assert sink.receipt.bytes == 5
    with pytest.raises(ValueError, match="ended"):
        sink.write(b"more")


def test_pump_is_source_to_sink_and_finish(tmp_path: Path) -> None:
    assert penstock.pump([b"a", b"b"], penstock.FileSink(tmp_path / "f")).bytes == 2
    with pytest.raises(KeyError):
        penstock.pump(BrokenSource(b"half", KeyError("x")), penstock.FileSink(tmp_path / "g"))
    assert not (tmp_path / "g").exists()


def test_a_borrowed_buffer_is_given_back() -> None:
    data = bytearray(b"abc")
    source = penstock.Source(data)
    with pytest.raises(BufferError):
        data.append(1)
    source.close()
    data.append(1)
    penstock.MemoryStore().put("k", data)
    data.append(1)


def test_chunks_sources_and_stages_do_not_leak() -> None:
    def once() -> None:
        chunk = bytearray(1000)
        penstock.Sha256(penstock.Limit(iter([chunk]), 5000)).bytes()
        penstock.MemoryStore().put("k", chunk)

    marker = bytearray(10)
    before = sys.getrefcount(marker)
    for _ in range(100):
        penstock.Source(marker).bytes()
    gc.collect()
    assert sys.getrefcount(marker) == before
    once()
    gc.collect()
    blocks = sys.getallocatedblocks()
    for _ in range(2000):
        once()
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 500


@pytest.mark.parametrize("n", [10**12, 2**62])
def test_asking_for_much_takes_only_what_comes(n: int, tmp_path: Path) -> None:
    body = fill(3_000_001)
    (tmp_path / "body").write_bytes(body)
    for like in (body, iter([body[:1], body[1:]]), tmp_path / "body"):
        assert penstock.Source(like).read(n) == body
    assert penstock.Source(b"").read(n) == b""


def test_a_long_read_ends_at_n_and_goes_on_there() -> None:
    body = fill(5_000_000)
    source = penstock.Source(iter([body]))
    assert source.read(2_500_000) == body[:2_500_000]
    assert source.read(2_500_001) == body[2_500_000:]


class Held:
    """A store whose writer waits inside write(), and says what was called."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.entered, self.go = threading.Event(), threading.Event()

    def open_writer(self, key: str, **options: object) -> Held:
        return self

    def write(self, data: memoryview) -> None:
        self.said.append("write begins")
        self.entered.set()
        self.go.wait(60)
        self.said.append("write ends")

    def finish(self) -> None:
        self.said.append("finish")

    def abort(self, why: str) -> None:
        self.said.append("abort")


def test_an_abort_during_a_write_waits_until_the_write_has_left() -> None:
    held = Held()
    sink = penstock.ObjectStore.of(held).open_writer("k")  # type: ignore[arg-type]
    writer = threading.Thread(target=sink.write, args=(b"x",))
    writer.start()
    try:
        assert held.entered.wait(60)
        sink.abort()
        assert held.said == ["write begins"]
        with pytest.raises(ValueError, match="ended"):
            sink.write(b"more")
    finally:
        held.go.set()
        writer.join(60)
    assert held.said == ["write begins", "write ends", "abort"]


def test_an_abort_ends_a_write_from_another_thread() -> None:
    begun = threading.Event()

    def endless() -> Iterator[bytes]:
        while True:
            begun.set()
            yield b"x" * 1000

    store = penstock.MemoryStore()
    sink = store.open_writer("k")
    raised: list[BaseException] = []

    def write() -> None:
        try:
            sink.write_from(endless())
        except BaseException as error:
            raised.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(60)
    sink.abort()
    writer.join(60)
    assert [type(error) for error in raised] == [penstock.Cancelled]
    assert not store.exists("k")


def test_a_source_that_is_being_read_answers_no_other_thread() -> None:
    entered, go = threading.Event(), threading.Event()

    def chunks() -> Iterator[bytes]:
        entered.set()
        go.wait(60)
        yield b"x"

    source = penstock.Source(chunks())
    reader = threading.Thread(target=source.read, args=(1,))
    reader.start()
    try:
        assert entered.wait(60)
        read = partial(source.read, 1)
        for use in (read, source.mark, source.rewind, lambda: source.remaining, lambda: source.rewindable):
            with pytest.raises(RuntimeError, match="another thread"):
                use()
    finally:
        go.set()
        reader.join(60)


@pytest.mark.parametrize("deadline", [float("inf"), 1e10, 1e300])
def test_a_deadline_beyond_every_clock_is_far_away(deadline: float) -> None:
    store = penstock.MemoryStore()
    store.put("k", b"body", deadline=deadline)
    assert store.get("k", deadline=deadline).bytes() == b"body"


def test_a_deadline_that_is_no_number_is_refused() -> None:
    with pytest.raises(penstock.Refused):
        penstock.MemoryStore().find("k", deadline=float("nan"))


def test_a_misspelt_mode_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"former")
    with pytest.raises(penstock.Refused, match="'overwrite', 'create'"):
        penstock.FileSink(tmp_path / "f", mode="creat")
    assert (tmp_path / "f").read_bytes() == b"former"
