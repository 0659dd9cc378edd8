"""What readers may trust of a bundle, and that no change afterwards goes unnoticed: in a folder, and in each layout of
keys in a store."""

from __future__ import annotations

import hashlib
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import penstock
import pytest
from penstock.bundles import BID, BundleReader, BundleRef, FolderBundles, ObjectBundles, _places
from penstock.bundles.reader import PublishedBundle

LAYOUTS = ["doc", "fetcher", "fetcher-legacy", "manifest"]
MADE = "17571960-2065-e0cd-cf71-8196d8577b7e"


class Kept:
    """Bundles of one kind, and their parts behind the reader's back."""

    def __init__(self, kind: str, path: Path) -> None:
        self.kind = kind
        self.folder = path / "out"
        self.memory = penstock.MemoryStore()
        self.storage: Any
        if kind == "folder":
            self.storage, self.store = FolderBundles(self.folder), penstock.FolderStore(self.folder)
        else:
            self.storage = ObjectBundles(self.memory, prefix="p", layout=kind)
            self.store = self.memory

    @property
    def reader(self) -> BundleReader:
        if self.kind == "folder":
            return BundleReader(self.folder)
        return BundleReader(self.memory, prefix="p", layout=self.kind)

    def make(self, bid: str = MADE, bodies: tuple[bytes, ...] = (b"first", b"second")) -> PublishedBundle:
        with self.storage.start(BundleRef("https://h/?token=SECRET", len(bodies), BID(bid))) as bundle:
            for number, body in enumerate(bodies):
                bundle.add(f"https://h/{number}.txt", body, content_type="text/plain")
        return self.reader.open(bid)

    def read(self, key: str) -> bytes:
        return bytes(self.store.get(key).bytes())

    def problems(self, bid: str = MADE) -> list[tuple[str, str]]:
        return [(problem.kind, str(problem)) for problem in self.reader.open(bid).problems()]

    def rewrite_manifest(self, change: Any) -> None:
        """The lines changed, and the document's digest made to fit: by somebody who can write both."""
        place = self.reader.open(MADE)._place
        lines = change([json.loads(line) for line in self.read(place.manifest).splitlines()])
        text = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
        self.store.put(place.manifest, text)
        document = self.read(place.document)
        old = json.loads(document)["manifest_sha256"].encode()
        new = hashlib.sha256(text).hexdigest().encode()
        self.store.put(place.document, document.replace(old, new))


@pytest.fixture(params=["folder", *LAYOUTS])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    return Kept(request.param, tmp_path)


def only(problems: list[tuple[str, str]], words: str, kind: str = "corrupt") -> None:
    assert len(problems) == 1, problems
    assert problems[0][0] == kind
    assert words in problems[0][1]


def test_what_was_published_is_whole_and_says_what_it_holds(kept: Kept) -> None:
    bundle = kept.make()
    assert (bundle.bid, bundle.resources_count, bundle.resources_stored, bundle.bytes) == (MADE, 2, 2, 11)
    assert [(r.name, r.status_code, r.bytes) for r in bundle.resources()] == [
        ("0.txt", 200, 5),
        ("1.txt", 200, 6),
    ]
    assert bundle.open("1.txt").bytes() == b"second"
    assert list(bundle.problems()) == []
    bundle.verify()


def test_bundles_are_listed_in_the_order_of_their_ids(kept: Kept) -> None:
    bids = [str(BID.generate()) for _ in range(3)]
    for bid in reversed(bids):
        kept.make(bid)
    assert {entry.open().bid for entry in kept.reader} == {*bids}
    if kept.kind != "manifest":  # which lists by second, then by the last digits
        assert [entry.name for entry in kept.reader] == bids


def test_a_custom_id_is_found_and_an_unknown_one_is_missing(kept: Kept) -> None:
    kept.make("custom-../../x")
    assert kept.reader.open("custom-../../x").bid == "custom-../../x"
    assert kept.problems("custom-../../x") == []
    for absent in ("custom-other", MADE):
        with pytest.raises(penstock.NotFound):
            kept.reader.open(absent)


def test_a_changed_byte_is_found(kept: Kept) -> None:
    bundle = kept.make()
    kept.store.put(bundle._place.resource("0.txt"), b"fIrst")
    only(kept.problems(), "0.txt: has the SHA-256")
    with pytest.raises(penstock.Corrupt, match=r"0\.txt"):
        kept.reader.open(MADE).verify()


def test_a_byte_too_many_is_found(kept: Kept) -> None:
    kept.store.put(kept.make()._place.resource("0.txt"), b"first!")
    only(kept.problems(), "0.txt: has 6 bytes, and is to have 5")


def test_a_missing_resource_is_found(kept: Kept) -> None:
    kept.store.remove(kept.make()._place.resource("1.txt"))
    only(kept.problems(), "1.txt: is missing")


def test_what_is_no_part_of_it_is_found(kept: Kept) -> None:
    place = kept.make()._place
    kept.store.put(place.manifest.rpartition("/")[0] + "/extra", b"")
    only(kept.problems(), "extra: is no part of the bundle")


def test_a_truncated_manifest_is_found(kept: Kept) -> None:
    place = kept.make()._place
    manifest = kept.read(place.manifest)
    kept.store.put(place.manifest, manifest[:-1])
    only(kept.problems(), "ends within a line")
    kept.store.put(place.manifest, manifest[: manifest.index(b"\n") + 1])
    said = " ".join(text for _, text in kept.problems())
    for words in ("manifest_sha256", "resources_stored is 2", "bytes is 11", "1.txt: is no part"):
        assert words in said or (words.startswith("1.txt") and kept.kind == "fetcher")
    kept.store.remove(place.manifest)
    only(kept.problems(), "is missing")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "..", ".", "a/b", "a\0b"])
def test_a_name_that_leads_out_of_the_bundle_is_refused(kept: Kept, name: str) -> None:
    kept.make()
    kept.rewrite_manifest(lambda lines: [{**lines[0], "name": name}, lines[1]])
    bundle = kept.reader.open(MADE)
    with pytest.raises(penstock.Refused) as refused:
        list(bundle.resources())
    assert refused.value.code == "name"
    only(kept.problems(), "no resource may have", kind="refused")
    with pytest.raises(penstock.Refused):
        bundle.open(name)


@pytest.mark.parametrize("name", ["", "bundle.meta", "x.meta"])
def test_in_a_folder_no_resource_has_the_name_of_a_document(tmp_path: Path, name: str) -> None:
    kept = Kept("folder", tmp_path)
    kept.make()
    kept.rewrite_manifest(lambda lines: [{**lines[0], "name": name}, lines[1]])
    only(kept.problems(), "no resource may have", kind="refused")


def test_a_resource_that_is_twice_in_the_manifest_is_found(kept: Kept) -> None:
    kept.make()
    kept.rewrite_manifest(lambda lines: [lines[0], lines[0]])
    assert "0.txt: is twice in the manifest" in " ".join(text for _, text in kept.problems())


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"name":"x"}',
        b'{"name":"x","url":"u"}',
        b'{"name":"x","url":"u","size":"1","sha256":"0"}',
        b'{"name":"x","url":"u","size":true,"sha256":"0"}',
        b'{"name":"x","url":"u","failed":"lost","size":1,"sha256":"0"}',
        b"{" + b" " * 2**20 + b"}",
    ],
    ids=["list", "cut", "deep", "no-url", "no-size", "text", "bool", "both", "long"],
)
def test_a_line_that_is_none_is_corrupt(kept: Kept, line: bytes) -> None:
    kept.store.put(kept.make()._place.manifest, line + b"\n")
    with pytest.raises(penstock.Corrupt):
        list(kept.reader.open(MADE).resources())
    assert [kind for kind, _ in kept.problems()] == ["corrupt"]


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b"{}", b'{"bid":1}', b"{'bid': __import__('os')}"])
def test_a_document_that_is_none_is_corrupt(kept: Kept, document: bytes) -> None:
    kept.store.put(kept.make()._place.document, document)
    with pytest.raises(penstock.Corrupt):
        kept.reader.open(MADE)
    (entry,) = kept.reader
    with pytest.raises(penstock.Corrupt):
        entry.open()


def test_a_bundle_under_another_ones_id_is_found(kept: Kept) -> None:
    bundle, other = kept.make(), str(BID.generate())
    kept.store.put(
        bundle._place.document, kept.read(bundle._place.document).replace(MADE.encode(), other.encode())
    )
    with pytest.raises(penstock.Corrupt, match="another bundle"):
        kept.reader.open(MADE)
    (entry,) = kept.reader
    assert "is of another bundle" in " ".join(str(problem) for problem in entry.open().problems())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_marker_that_names_other_keys_is_found(layout: str, tmp_path: Path) -> None:
    kept = Kept(layout, tmp_path)
    place = kept.make()._place
    marker = kept.read(place.document)
    kept.store.put(place.document, marker.replace(b"0.txt", b"9.txt"))
    only(kept.problems(), "in its place")
    document = json.loads(marker)
    document["uploaded_keys"].append("p/more")
    kept.store.put(place.document, json.dumps(document, indent=2).encode())
    only(kept.problems(), "names keys that the manifest has not")


@pytest.mark.parametrize("layout", ["doc", "fetcher", "fetcher-legacy"])
def test_in_three_layouts_nothing_stands_beside_a_resource(layout: str, tmp_path: Path) -> None:
    assert Kept(layout, tmp_path).make()._place.sidecar("0.txt") is None


@pytest.mark.parametrize("kept", ["folder", "manifest"], indirect=True)
def test_what_stands_beside_a_resource_must_say_the_same(kept: Kept) -> None:
    beside = kept.make()._place.sidecar("0.txt")
    assert beside is not None
    kept.store.put(beside, kept.read(beside).replace(b"200", b"404"))
    only(kept.problems(), "does not say what the manifest does")
    kept.store.remove(beside)
    only(kept.problems(), "does not say what the manifest does")


def test_failed_adds_are_lines_without_bytes(kept: Kept) -> None:
    def breaking() -> Any:
        yield b"some"
        raise RuntimeError("gone")

    with kept.storage.start(BundleRef("u", 1, BID(MADE))) as bundle:
        with pytest.raises(RuntimeError, match="gone"):
            bundle.add("https://h/a", breaking())
        bundle.add("https://h/b", b"")
    read = kept.reader.open(MADE)
    assert [(line.name, line.bytes, line.failed) for line in read.resources()] == [
        ("a", None, "error"),
        ("b", 0, ""),
    ]
    assert (read.resources_stored, read.resources_failed) == (1, 1)
    assert list(read.problems()) == []


def test_a_resource_named_as_a_document_of_the_bundle_keeps_what_stands_beside_it(kept: Kept) -> None:
    with kept.storage.start(BundleRef("u", 2, BID(MADE))) as bundle:
        bundle.add("https://h/bundle", b"1")
        bundle.add("https://h/bundle.manifest", b"2")
    assert kept.problems() == []


def test_unfinished_ones_are_listed_apart_and_not_opened(tmp_path: Path) -> None:
    kept = Kept("folder", tmp_path)
    kept.make()
    (kept.folder / "incomplete_custom-old").mkdir()
    under_way = kept.storage.start(BundleRef("u", 1, BID("custom-now")))
    states = {entry.name: entry.state for entry in kept.reader.entries() if entry.state != "staged"}
    assert states == {MADE: "completed", "custom-now": "claimed", "custom-old": "quarantined"}
    assert [entry.name for entry in kept.reader.entries() if entry.state == "staged"] == ["custom-now"]
    assert [entry.name for entry in kept.reader] == [MADE]
    for entry in kept.reader.entries():
        if entry.state != "completed":
            with pytest.raises(penstock.Refused):
                entry.open()
    with pytest.raises(penstock.NotFound):
        kept.reader.open("custom-now")
    under_way.abort()


@pytest.mark.parametrize("layout", ["doc", "fetcher-legacy", "manifest"])
def test_a_prefix_without_a_marker_is_unmarked(layout: str, tmp_path: Path) -> None:
    kept = Kept(layout, tmp_path)
    kept.make()
    bundle = kept.storage.start(BundleRef("u", 1, BID("custom-now")))
    bundle.add("https://h/a", b"x")
    bundle.abort()
    assert sorted(entry.state for entry in kept.reader.entries()) == ["completed", "unmarked"]
    assert [entry.open().bid for entry in kept.reader] == [MADE]


def test_a_bundle_of_many_objects_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_places, "_SKIP_AFTER", 2)
    kept = Kept("doc", tmp_path)
    bids = [f"custom-{number}" for number in (1, 10, 2)]
    for bid in bids:
        kept.make(bid, tuple(b"%d" % number for number in range(9)))
    assert [entry.name for entry in kept.reader] == bids


def test_no_link_is_followed(tmp_path: Path) -> None:
    kept = Kept("folder", tmp_path)
    kept.make()
    folder = kept.folder / f"bundle_{MADE}"
    (tmp_path / "same").write_bytes(b"first")
    (folder / "0.txt").unlink()
    (folder / "0.txt").symlink_to(tmp_path / "same")
    only(kept.problems(), "symbolic links are not followed")
    with pytest.raises(penstock.Refused):
        kept.reader.open(MADE).open("0.txt")
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    assert list(kept.reader) == []


def test_entries_that_are_no_files_are_found(tmp_path: Path) -> None:
    kept = Kept("folder", tmp_path)
    kept.make()
    folder = kept.folder / f"bundle_{MADE}"
    (folder / "more").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / ".penstock-0").touch()
    assert [text.rpartition("/")[2] for _, text in sorted(kept.problems())] == [
        f"{name}: is no part of the bundle" for name in (".penstock-0", "more", "pipe")
    ]


def test_a_folder_in_the_older_format_is_read(tmp_path: Path) -> None:
    import asyncio

    from bundle_places import chunks, recipe, ref
    from penstock.bundles.storage import FileStorage

    async def publish() -> None:
        context = await FileStorage(tmp_path, legacy_repr=True).start_bundle(ref(), recipe())
        await context.add_resource("https://h/it's", "text/plain", 200, chunks(b"x"))
        await context.complete({})

    asyncio.run(publish())
    bundle = BundleReader(tmp_path).open("custom-one")
    assert (bundle.bytes, bundle.manifest_sha256) == (None, None)
    assert list(bundle.problems()) == []
    (tmp_path / "bundle_custom-one" / "it_s").write_bytes(b"y")
    assert len(list(bundle.problems())) == 1


def test_there_is_no_reader_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(penstock.NotFound):
        BundleReader(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_verifying_holds_a_few_bytes_a_resource(tmp_path: Path) -> None:
    kept = Kept("folder", tmp_path)
    count = 5000
    with kept.storage.start(BundleRef("u", count, BID(MADE))) as bundle:
        for number in range(count):
            bundle.add(f"https://h/{number}", b"x")
        bundle.add("https://h/large", (bytes(2**20) for _ in range(64)))
    read = kept.reader.open(MADE)
    tracemalloc.start()
    try:
        assert list(read.problems()) == []
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_what_is_shown_hides_queries_and_escapes(kept: Kept) -> None:
    bundle = kept.make()
    shown = bundle._repr_html_() + repr(bundle)
    assert "SECRET" not in shown
    assert MADE in shown
    assert "completed" in shown
    bundle.completed_at = "<script>"
    assert "<script>" not in bundle._repr_html_()
