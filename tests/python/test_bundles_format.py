"""The examples of docs/formats/bundles.md are what the code writes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import penstock
import pytest
from conftest import ROOT
from penstock.bundles import BID, BundleRef, FolderBundles, ObjectBundles
from penstock.bundles.notifications import SqsPublisher
from penstock.streams import call

PAGE = (ROOT / "docs/formats/bundles.md").read_text()
EXAMPLES = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
MANIFEST, META, MARKER, CLAIM, UPLOADS, PENDING, MESSAGE = EXAMPLES
MADE = "17571960-2065-e0cd-cf71-8196d8577b7e"
AT = "2026-01-15T10:30:00.123456Z"
OWNER = "{boot id}/{pid namespace}/{pid}/{start time}"
ROOT_KEY = f"captures/bundles/{MADE}/"


def ref(bid: str = MADE) -> BundleRef:
    return BundleRef("https://api.example.com/v1/siren", 2, BID(bid))


def filled(bundle: Any) -> Any:
    for number in (1, 2):
        url = f"https://api.example.com/v1/siren?page={number}"
        bundle.add(url, b'{"id":%d}' % number, content_type="application/json")
    return bundle


def as_on_the_page(text: str) -> str:
    """What differs each time, as the page has it."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", AT, text)
    text = re.sub(r'(?<="token":")[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=")', "{random UUID}", text)
    return re.sub(r'(?<="owner":")[^"]+/pid:\[\d+\]/\d+/\d+', OWNER, text)


def unbroken(example: str) -> str:
    return example.replace("\n", "")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    filled(FolderBundles("out").start(ref())).finish({"source": "http_api"})
    return tmp_path / "out" / f"bundle_{MADE}"


@pytest.fixture
def store() -> penstock.MemoryStore:
    made = penstock.MemoryStore()
    filled(ObjectBundles(made, prefix="captures").start(ref())).finish({"source": "http_api"})
    return made


def text_of(store: Any, key: str) -> str:
    return bytes(store.get(key).bytes()).decode()


def test_the_folder(folder: Path) -> None:
    names = ["bundle.manifest.meta", "bundle.meta", "v1_siren", "v1_siren.meta", "v1_siren~06448de2"]
    assert sorted(path.name for path in folder.iterdir()) == [*names, "v1_siren~06448de2.meta"]
    manifest = (folder / "bundle.manifest.meta").read_text()
    assert manifest == MANIFEST
    assert as_on_the_page((folder / "bundle.meta").read_text()) == unbroken(META)
    line = json.loads(MANIFEST.splitlines()[0])
    del line["name"]
    assert (folder / "v1_siren.meta").read_text() == json.dumps(line, separators=(",", ":"))
    assert hashlib.sha256(MANIFEST.encode()).hexdigest() in META
    assert [path.name for path in folder.parent.iterdir() if path.name != ".penstock"] == [folder.name]


def test_the_bucket(store: penstock.MemoryStore) -> None:
    resources = [f"{ROOT_KEY}resources/v1_siren", f"{ROOT_KEY}resources/v1_siren~06448de2"]
    keys = [f"{ROOT_KEY}manifest.jsonl", f"{ROOT_KEY}metadata.json", *resources]
    assert [found.key for found in store.list()] == keys
    assert text_of(store, keys[0]) == MANIFEST
    assert as_on_the_page(text_of(store, keys[1])) == MARKER.removesuffix("\n")
    assert re.fullmatch(
        "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", store.head(keys[1]).metadata["penstock-bundle"]
    )
    assert store.head(resources[0]).metadata == {
        "url": "https://api.example.com/v1/siren?page=1",
        "status_code": "200",
        "content_type": "application/json",
    }


@pytest.mark.parametrize(
    ("layout", "keys"),
    [
        ("fetcher", [f"captures/{MADE}/siren", f"captures/bundles/{MADE}/metadata.json"]),
        ("fetcher-legacy", [f"{ROOT_KEY}resources_siren", f"{ROOT_KEY}metadata.json"]),
        (
            "manifest",
            [
                "captures/data/year=2025/month=09/day=06/22-00-20-d8577b7e/content/v1_siren",
                "captures/data/year=2025/month=09/day=06/22-00-20-d8577b7e/metadata/v1_siren.metadata.json",
                "captures/data/year=2025/month=09/day=06/22-00-20-d8577b7e/metadata/_completed.json",
                "captures/data/year=2025/month=09/day=06/22-00-20-d8577b7e/metadata/_discovered.json",
                "captures/data/year=2025/month=09/day=06/22-00-20-d8577b7e/metadata/_manifest.jsonl",
            ],
        ),
    ],
)
def test_the_other_layouts(layout: str, keys: list[str]) -> None:
    store = penstock.MemoryStore()
    filled(ObjectBundles(store, prefix="captures", layout=layout).start(ref())).finish()
    assert {*keys} <= {found.key for found in store.list()}


def test_the_claim() -> None:
    store = penstock.MemoryStore()
    bundle = ObjectBundles(store, prefix="captures").start(ref("custom-one"))
    assert as_on_the_page(text_of(store, "captures/bundles/custom-one/_claim")) == unbroken(CLAIM)
    bundle.finish()
    assert not store.exists("captures/bundles/custom-one/_claim")


def test_the_uploads_note(bucket: Any) -> None:
    store = penstock.S3Store(**bucket.options)
    bundle = ObjectBundles(store, prefix="captures").start(ref(), recipe_id="fr")
    key, seen = f"captures/_uploads/fr/{MADE}.json", []

    def body() -> Iterator[bytes]:
        for _ in range(24):
            yield bytes(2**20)
            if not seen and store.exists(key):
                seen.append(text_of(store, key))
        if not seen:
            seen.append(text_of(store, key))

    bundle.add("https://h/large", body())
    assert [as_on_the_page(text) for text in seen] == [unbroken(UPLOADS)]
    bundle.finish()
    assert not store.exists(key)


def test_the_pending_record() -> None:
    native = filled(ObjectBundles(penstock.MemoryStore(), prefix="captures").start(ref()))._native
    native.begin(call())
    native.seal('{"source": "http_api"}', call())
    assert as_on_the_page(native.pending_record) == unbroken(PENDING)


def test_the_pending_record_of_a_folder(tmp_path: Path) -> None:
    native = filled(FolderBundles(tmp_path).start(ref()))._native
    native.begin(call())
    native.seal("{}", call())
    marker = json.loads(native.pending_record)["marker"]
    native.commit(call())
    digest = hashlib.sha256((tmp_path / f"bundle_{MADE}" / "bundle.meta").read_bytes()).hexdigest()
    assert marker == {"bucket": "", "key": f"bundle_{MADE}", "token": digest}


def test_the_message(store: penstock.MemoryStore) -> None:
    told = BundleRef(**{**ref().__dict__, "storage_key": f"{ROOT_KEY}resources"})
    receipt = penstock.bundles.BundleReceipt(2, 16, json.loads(MARKER)["manifest_sha256"], completed_at=AT)
    publisher = SqsPublisher("https://sqs.eu-west-2.amazonaws.com/1/done")
    body = publisher._body(told, {"source": "http_api"}, "fr", AT, receipt)
    assert body == MESSAGE.removesuffix("\n")
    assert len(re.findall(r"^```", PAGE, re.MULTILINE)) == 2 * len(EXAMPLES)
