"""What is chosen when a storage is made or by the environment, and what streams of one resource say of themselves."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import penstock
import pytest
from bundle_places import KEYS, Folder, ForeignStore, Hooks, Publisher, Run, chunks, recipe, ref
from penstock.bundles import BundleReader, ObjectBundles
from penstock.bundles.core import BID, BundleRef
from penstock.bundles.storage import (
    FileStorage,
    FileStorageBundleStream,
    KeyLayout,
    PipelineStorage,
    S3StorageBundleStream,
    _streams,
    create_storage_stack,
)
from penstock.testing import DictStore, fill
from test_bundles_recovery import leave_untold
from test_bundles_storage import complete_one

URL = "https://h/d/x.csv?page=1"
RESOURCE_KEYS = {
    "doc": "p/bundles/custom-one/resources/d_x.csv",
    "fetcher": "p/custom-one/x.csv",
    "fetcher-legacy": "p/bundles/custom-one/resources_x.csv",
}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["secret_access_key"])
    for name in ("OC_STORAGE_LAYOUT", "OC_STORAGE_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def pipeline(**options: Any) -> tuple[PipelineStorage, penstock.MemoryStore]:
    """A storage whose bucket is memory."""
    storage, store = PipelineStorage("bucket", Publisher(), "p", **options), penstock.MemoryStore()
    storage.s3_client = store
    return storage, store


def keys_of_one(storage: PipelineStorage, store: penstock.MemoryStore) -> list[str]:
    async def run() -> None:
        context = await storage.start_bundle(ref(), recipe())
        await context.add_resource(URL, None, 200, chunks(b"x"))
        bundle = storage._active_bundles["custom-one"]
        if storage._layout is not KeyLayout.MANIFEST:  # whose keys hold the second it was started in
            assert bundle.uploaded_keys == [bundle._create_s3_key(URL)]
        await context.complete({})

    asyncio.run(run())
    reader = BundleReader(store, prefix="p", layout=storage._layout.value)
    assert list(reader.open("custom-one").problems()) == []
    return [found.key for found in store.list()]


@pytest.mark.parametrize("layout", RESOURCE_KEYS)
@pytest.mark.parametrize("by", ["argument", "enum", "environment"])
def test_a_layout_is_chosen_by_argument_or_environment(
    layout: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by == "environment":
        monkeypatch.setenv("OC_STORAGE_LAYOUT", layout)
    options = {"argument": {"layout": layout}, "enum": {"layout": KeyLayout(layout)}}.get(by, {})
    assert RESOURCE_KEYS[layout] in keys_of_one(*pipeline(**options))


def test_in_layout_manifest_content_and_documents_lie_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OC_STORAGE_LAYOUT", "manifest")
    folders = {key.rpartition("/")[0].rpartition("/")[2] for key in keys_of_one(*pipeline())}
    assert folders == {"content", "metadata"}


def test_the_profile_fetcher_has_the_fetchers_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OC_STORAGE_PROFILE", "fetcher")
    assert RESOURCE_KEYS["fetcher"] in keys_of_one(*pipeline())
    monkeypatch.setenv("OC_STORAGE_LAYOUT", "doc")
    assert RESOURCE_KEYS["doc"] in keys_of_one(*pipeline())


def test_a_layout_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OC_STORAGE_LAYOUT", "mine")
    with pytest.raises(penstock.Refused, match="doc, fetcher, fetcher-legacy, manifest"):
        pipeline()


def test_a_folder_is_made_only_if_that_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(penstock.NotFound):
        FileStorage(tmp_path / "a" / "b", create_dirs=False)
    assert list(tmp_path.iterdir()) == []
    asyncio.run(complete_one(FileStorage(tmp_path / "a" / "b")))
    asyncio.run(complete_one(FileStorage(tmp_path / "a" / "b", create_dirs=False), "custom-two"))
    assert sorted(path.name for path in (tmp_path / "a" / "b").glob("bundle_*")) == [
        "bundle_custom-one",
        "bundle_custom-two",
    ]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/a/b.csv?x=1", "a_b.csv"),
        ("https://h/", "index.html"),
        ("https://h", "index.html"),
        ("https://h/con.txt", "_con.txt"),
        ("https://h/x.meta", "x.meta_"),
        ("https://h/a b%20c", "a_b_20c"),
        ("https://h/ü.txt", "ü.txt"),
        ("https://h/..", "__"),
    ],
)
def test_a_name_is_made_of_the_path(url: str, name: str, tmp_path: Path) -> None:
    async def run() -> None:
        storage = FileStorage(tmp_path)
        context = await storage.start_bundle(ref(), recipe())
        assert storage._active_bundles["custom-one"]._safe_filename(url) == name
        await context.add_resource(url, None, 200, chunks(b"x"))
        await context.complete({})

    asyncio.run(run())
    assert (tmp_path / "bundle_custom-one" / name).read_bytes() == b"x"


def test_a_stream_says_where_its_bytes_will_be(tmp_path: Path) -> None:
    async def run() -> None:
        opened = await FileStorage(tmp_path).open_bundle("one", {"url": URL})
        await opened.write(b"abc")
        assert not Path(opened.file_path).exists()
        await opened.close()
        assert Path(opened.file_path).read_bytes() == b"abc"
        storage, store = pipeline()
        opened = await storage.open_bundle("one", {"url": URL})
        assert (opened.bucket_name, opened.s3_key) == ("bucket", RESOURCE_KEYS["doc"])
        await opened.write(b"abc")
        await opened.close()
        assert store.get(opened.s3_key).bytes() == b"abc"

    asyncio.run(run())


@pytest.mark.parametrize("bundle", [False, True])
@pytest.mark.parametrize("unzip", [False, True])
def test_a_stream_over_decorators_says_where_its_bytes_will_be(
    tmp_path: Path, unzip: bool, bundle: bool
) -> None:
    options = {"unzip_resources": unzip, "bundle_resources": bundle}

    async def stored(storage: Any) -> Any:
        opened = await create_storage_stack(storage, **options).open_bundle("one", {"url": URL})
        await opened.write(b"abc")
        await opened.close()
        return opened

    async def run() -> None:
        opened = await stored(FileStorage(tmp_path))
        assert type(opened) is FileStorageBundleStream
        of_file = Path(opened.file_path).read_bytes()
        storage, store = pipeline()
        opened = await stored(storage)
        assert type(opened) is S3StorageBundleStream
        for body in (of_file, bytes(store.get(opened.s3_key).bytes())):
            assert body.startswith(b"PK") if bundle else body == b"abc"

    asyncio.run(run())


def test_a_write_waits_while_a_mebibyte_is_ahead() -> None:
    """Of a store that takes nothing until it is let."""
    gate = asyncio.Event()

    async def run() -> None:
        storage, store = pipeline()
        whole = _streams.add

        async def held(*arguments: Any) -> Any:
            await gate.wait()
            return await whole(*arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_streams, "add", held)
            opened = await storage.open_bundle("one", {"url": URL})
            await opened.write(bytes(1 << 20))
            writing = asyncio.create_task(opened.write(b"more"))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not writing.done()
            gate.set()
            await writing
            await opened.close()
        assert len(store.get(RESOURCE_KEYS["doc"]).bytes()) == (1 << 20) + 4

    asyncio.run(run())


def test_deferred_announcements_are_left_to_recovery(s3_place: Any) -> None:
    s3_place.publisher.failures = 1
    asyncio.run(complete_one(s3_place.storage(publish_errors="defer")))
    assert s3_place.visible() == {"a.txt": b"one two"}
    assert (s3_place.publisher.told, s3_place.records()) == ([], ["custom-one"])
    asyncio.run(s3_place.storage().on_run_start(Run(), recipe()))
    assert [bid for bid, _, _ in s3_place.publisher.told] == ["custom-one"]
    assert s3_place.records() == []


class Patterns(ForeignStore):
    """A store without scan(); patterns are of its own."""

    def __init__(self, key_prefix: str = "") -> None:
        super().__init__()
        self._key_prefix = key_prefix
        self.asked: list[str] = []

    async def get_keys_by_pattern(self, pattern: str) -> list[Any]:
        self.asked.append(pattern)
        beginning = "" if pattern.startswith("*") else "sqs_notifications:"
        if self._key_prefix and beginning:
            return []  # it matches the keys with their prefix
        return [f"{self._key_prefix}{key}".encode() for key in self.values]


@pytest.mark.parametrize("prefix", ["", "app:"])
def test_a_store_without_scan_is_asked_by_pattern_and_behind_its_prefix(prefix: str, tmp_path: Path) -> None:
    place, store, hooks = Folder(tmp_path), Patterns(prefix), Hooks()
    asyncio.run(leave_untold(place, store, ["custom-a", "custom-b"]))
    asyncio.run(place.storage().on_run_start(Run(store), recipe(hooks)))
    assert hooks.told == ["custom-a", "custom-b"]
    assert store.values == {}
    plain = "sqs_notifications:pending:fr:*"
    assert store.asked == ([plain, "*" + plain] if prefix else [plain])


def test_an_error_of_a_scan_is_raised(tmp_path: Path) -> None:
    class Broken(ForeignStore):
        async def scan(self, pattern: str) -> list[str]:
            raise OSError("the store is down")

    with pytest.raises(OSError, match="the store is down"):
        asyncio.run(Folder(tmp_path).storage().on_run_start(Run(Broken()), recipe(Hooks())))


def test_a_recovery_ends_at_its_deadline_and_the_next_goes_on(tmp_path: Path) -> None:
    place, store, bids = Folder(tmp_path), ForeignStore(), ["custom-a", "custom-b", "custom-c"]
    asyncio.run(leave_untold(place, store, bids))

    class Slow(Hooks):
        async def on_bundle_complete_hook(self, bundle_ref: BundleRef) -> None:
            await super().on_bundle_complete_hook(bundle_ref)
            await asyncio.sleep(1.5)

    slow, hooks = Slow(), Hooks()
    begin = time.monotonic()
    asyncio.run(place.storage(recovery_deadline=1).on_run_start(Run(store), recipe(slow)))
    assert time.monotonic() - begin < 5
    assert slow.told == ["custom-a"]
    asyncio.run(place.storage().on_run_start(Run(store), recipe(hooks)))
    assert {*slow.told, *hooks.told} == {*bids}
    assert store.values == {}


def test_only_a_sweep_that_is_told_to_removes_finished_objects_once_they_are_old(s3_place: Any) -> None:
    async def leave(bid: str) -> None:
        context = await s3_place.storage().start_bundle(ref(bid), recipe())
        await context.add_resource("https://h/a", None, 200, chunks(b"x"))
        await context.abort("left")

    asyncio.run(leave("custom-left"))
    asyncio.run(complete_one(s3_place.storage(), "custom-done"))
    left = "out/bundles/custom-left/resources/a"
    assert asyncio.run(s3_place.storage(sweep_after=0).sweep()) == 0
    assert asyncio.run(s3_place.storage().sweep(delete=True)) == 0  # it is not a day old
    assert s3_place.bucket.keys(left) == [left]
    assert asyncio.run(s3_place.storage(sweep_after=0).sweep(delete=True)) == 1
    assert s3_place.bucket.keys("out/bundles/custom-left/") == []
    assert s3_place.problems("custom-done") == []


def test_a_store_of_ones_own_keeps_bundles() -> None:
    """The first kind of custom storage: an ObjectStore, and every promise holds."""
    store: Any = DictStore()
    with ObjectBundles(store, prefix="p").start(BundleRef("u", 1, BID("custom-one"))) as bundle:
        bundle.add(URL, fill(9_000_000))
    read = BundleReader(store, prefix="p").open("custom-one")
    assert (read.resources_stored, read.bytes, list(read.problems())) == (1, 9_000_000, [])
    with pytest.raises(penstock.Conflict):
        ObjectBundles(store, prefix="p").start(BundleRef("u", 1, BID("custom-one")))


def test_boto3_itself_uploads_parts(s3_place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OC_STORAGE_CLIENT", "boto3")
    data = fill(20_000_000)

    async def run() -> None:
        context = await s3_place.storage().start_bundle(ref(), recipe())
        await context.add_resource("https://h/a", None, 200, chunks(data[:9_000_000], data[9_000_000:]))
        await context.complete({})

    asyncio.run(run())
    assert s3_place.visible() == {"a": data}
    assert s3_place.problems() == []
    etag = s3_place.bucket.server.judge.head_object(
        Bucket=s3_place.bucket.name, Key="out/bundles/custom-one/resources/a"
    )["ETag"]
    assert "-" in etag  # of many parts
    assert s3_place.unfinished("https://h/a") == []
