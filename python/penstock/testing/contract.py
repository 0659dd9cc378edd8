"""The contract of an object store as a class: subclass it, give ``make_store``, collect or run() it."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from penstock.errors import Conflict, Corrupt, NotFound, Refused
from penstock.stores import ObjectStore
from penstock.testing.doubles import BrokenSource, SlowSource, fill

if TYPE_CHECKING:
    from penstock.stores import StoreProtocol


class StoreContract(ABC):
    """Claims that hold for every store. Keys are under a prefix of each claim's own, so a shared bucket will
    do.

    Override ``conditional = False`` where the backing cannot do create and if_match: it must refuse them then, since
    a condition that is ignored overwrites.
    """

    conditional = True
    big = 9 * 2**20 + 1
    """Larger than one part of a multipart upload."""

    @abstractmethod
    def make_store(self) -> ObjectStore | StoreProtocol:
        """The store to judge: one of ours, or an object with StoreProtocol's methods."""

    @property
    def store(self) -> ObjectStore:
        """The store with all verbs; made once."""
        if "_store" not in self.__dict__:
            made: Any = self.make_store()
            self._store = made if isinstance(made, ObjectStore) else ObjectStore.of(made)
        return self._store

    def run(self) -> None:
        """Check every claim without a test runner; raises at the first that does not hold."""
        for name in sorted(dir(self)):
            if name.startswith("test_"):
                getattr(type(self)(), name)()

    def test_what_is_put_is_what_is_read(self) -> None:
        body = fill(1000)
        receipt = self.store.put("whole/k", body)
        assert receipt.bytes == 1000
        assert self.store.get("whole/k").bytes() == body

    def test_an_empty_object_is_an_object(self) -> None:
        self.store.put("empty/k", b"")
        assert self.store.head("empty/k").bytes == 0
        assert self.store.get("empty/k").bytes() == b""

    def test_a_stream_of_unknown_length_larger_than_a_part_arrives_whole(self) -> None:
        body = fill(self.big)
        self.store.put("big/k", SlowSource(body, 100_000))
        assert self.store.head("big/k").bytes == self.big
        digest = hashlib.sha256()
        for chunk in self.store.get("big/k"):
            digest.update(chunk)
        assert digest.hexdigest() == hashlib.sha256(body).hexdigest()

    def test_overwriting_replaces(self) -> None:
        self.store.put("over/k", b"first version")
        self.store.put("over/k", b"second")
        assert self.store.get("over/k").bytes() == b"second"

    def test_nothing_is_visible_before_finish(self) -> None:
        writer = self.store.open_writer("hidden/k")
        writer.write(b"half")
        assert self.store.find("hidden/k") is None
        writer.finish()
        assert self.store.get("hidden/k").bytes() == b"half"

    def test_an_aborted_write_leaves_nothing(self) -> None:
        writer = self.store.open_writer("aborted/k")
        writer.write(b"half")
        writer.abort()
        assert self.store.find("aborted/k") is None

    def test_an_exception_leaves_what_was_there(self) -> None:
        self.store.put("kept/k", b"former")
        try:
            with self.store.open_writer("kept/k") as writer:
                writer.write(b"half")
                raise KeyError("stop")
        except KeyError:
            pass
        assert self.store.get("kept/k").bytes() == b"former"

    def test_a_source_that_breaks_leaves_nothing_and_its_error_comes_through(self) -> None:
        raised = ZeroDivisionError("mine")
        seen = _raises(ZeroDivisionError, lambda: self.store.put("broken/k", BrokenSource(b"half", raised)))
        assert seen is raised
        assert self.store.find("broken/k") is None

    def test_another_length_than_said_is_corrupt_and_invisible(self) -> None:
        for said in (3, 5):
            _raises(Corrupt, lambda said=said: self.store.put("length/k", SlowSource(b"four"), length=said))
            assert self.store.find("length/k") is None

    def test_another_digest_than_expected_is_corrupt_and_invisible(self) -> None:
        wrong = hashlib.sha256(b"other").hexdigest()
        _raises(Corrupt, lambda: self.store.put("digest/k", SlowSource(b"body"), expected={"sha256": wrong}))
        assert self.store.find("digest/k") is None
        right = hashlib.sha256(b"body").hexdigest()
        self.store.put("digest/k", SlowSource(b"body"), expected={"sha256": right})
        assert self.store.get("digest/k").bytes() == b"body"

    def test_absence_is_none_or_not_found_or_success(self) -> None:
        assert self.store.find("absent/k") is None
        assert not self.store.exists("absent/k")
        absent = _raises(NotFound, lambda: self.store.head("absent/k"))
        assert isinstance(absent, NotFound)
        assert absent.code == "NoSuchKey"
        _raises(NotFound, lambda: self.store.get("absent/k"))
        self.store.remove("absent/k")

    def test_a_range_is_exactly_that(self) -> None:
        self.store.put("range/k", b"0123456789")
        assert self.store.get("range/k", range=(2, 4)).bytes() == b"234"
        assert self.store.get("range/k", range=slice(7, None)).bytes() == b"789"
        assert self.store.get("range/k", range=-3).bytes() == b"789"
        assert self.store.get("range/k", range=(2, 4)).meta.bytes == 10

    def test_a_reader_seeks_and_reads_anywhere(self) -> None:
        body = fill(1_000_000)
        self.store.put("reader/k", body)
        with self.store.open_reader("reader/k") as reader:
            assert reader.meta.bytes == len(body)
            assert reader.read(3) == body[:3]
            for place in (999_990, 10, 600_000, 600_100, 999_999, 0):
                assert reader.seek(place) == place
                assert reader.read(7) == body[place : place + 7]
            assert reader.seek(-5, 2) == reader.tell() == len(body) - 5
            assert reader.read() == body[-5:]
            assert reader.read(1) == b""
            reader.seek(2_000_000)
            assert reader.read(1) == b""
        _raises(NotFound, lambda: self.store.open_reader("reader/none"))

    def test_a_file_is_the_object_or_is_not_there(self) -> None:
        body = fill(self.big)
        self.store.put("file/k", body)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "f"
            got = self.store.get_file("file/k", path)
            assert (got.bytes, got.etag) == (self.big, self.store.head("file/k").etag)
            assert path.read_bytes() == body
            _raises(Conflict, lambda: self.store.get_file("file/k", path, mode="create"))
            _raises(NotFound, lambda: self.store.get_file("file/none", Path(folder) / "g"))
            assert [entry.name for entry in Path(folder).iterdir()] == ["f"]

    def test_list_is_in_order_of_bytes_under_the_prefix(self) -> None:
        keys = ["list/b", "list/a/2", "list/a/10", "list/é", "list/z"]
        for key in keys:
            self.store.put(key, key.encode())
        listed = [meta.key for meta in self.store.list("list/")]
        assert listed == sorted(keys, key=str.encode)
        assert [meta.key for meta in self.store.list("list/", start_after="list/b")] == ["list/z", "list/é"]
        assert [meta.bytes for meta in self.store.list("list/a/")] == [len("list/a/10"), len("list/a/2")]

    def test_a_listing_by_delimiter_rolls_up_what_lies_deeper(self) -> None:
        for key in ("a", "b-", "b/1", "b/2/3", "b0", "c/d/e", "c/f"):
            self.store.put("level/" + key, b"x")
        listed = [(meta.key, meta.is_prefix) for meta in self.store.list_with_delimiter("level/")]
        rolled_up = [("a", False), ("b-", False), ("b/", True), ("b0", False), ("c/", True)]
        assert listed == [("level/" + key, is_prefix) for key, is_prefix in rolled_up]
        deeper = self.store.list_with_delimiter("level/c/", start_after="level/c/d/e")
        assert [meta.key for meta in deeper] == ["level/c/f"]
        assert list(self.store.list_with_delimiter("level/none/")) == []
        _raises(Refused, lambda: list(self.store.list_with_delimiter("level/", delimiter="")))

    def test_remove_many_removes_and_counts(self) -> None:
        keys = [f"many/{n}" for n in range(5)]
        for key in keys:
            self.store.put(key, b"x")
        report = self.store.remove_many(keys)
        assert not report.errors
        assert list(self.store.list("many/")) == []

    def test_copy_keeps_both_and_move_keeps_one(self) -> None:
        self.store.put("copy/a", b"body", content_type="text/plain")
        self.store.copy("copy/a", "copy/b")
        assert self.store.get("copy/a").bytes() == self.store.get("copy/b").bytes() == b"body"
        self.store.move("copy/b", "copy/c")
        assert self.store.find("copy/b") is None
        assert self.store.get("copy/c").bytes() == b"body"

    def test_create_does_not_overwrite(self) -> None:
        if not self.conditional:
            return self._refuses_to_put(mode="create")
        self.store.put("create/k", b"first", mode="create")
        _raises(Conflict, lambda: self.store.put("create/k", b"second", mode="create"))
        assert self.store.get("create/k").bytes() == b"first"

    def test_if_match_replaces_only_that_version(self) -> None:
        if not self.conditional:
            return self._refuses_to_put(if_match='"etag"')
        self.store.put("match/k", b"first")
        etag = self.store.head("match/k").etag
        self.store.put("match/k", b"second", if_match=etag)
        _raises(Conflict, lambda: self.store.put("match/k", b"third", if_match=etag))
        assert self.store.get("match/k").bytes() == b"second"

    def _refuses_to_put(self, **condition: Any) -> None:
        self.store.put("refuse/k", b"first")
        _raises(Refused, lambda: self.store.put("refuse/k", b"second", **condition))
        assert self.store.get("refuse/k").bytes() == b"first"

    def test_a_key_that_cannot_be_is_refused(self) -> None:
        for key in ("", "nul\0", "x" * 1025):
            _raises(Refused, lambda key=key: self.store.put(key, b""))


def _raises(kind: type[Exception], act: Any) -> Exception:
    try:
        act()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was not raised")
