"""Both storages of bundles behind one face, and doubles of what stands around them."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import penstock
from penstock import _core
from penstock.bundles import BID, BundleReader, BundleRef, FetcherRecipe
from penstock.bundles.storage import FileStorage, PipelineStorage

KEYS = {"access_key_id": "testkey", "secret_access_key": "testsecret123"}


def with_tests() -> dict[str, str]:
    """The environment of a program that imports what the tests do."""
    here = Path(__file__).parent
    path = [str(here), str(here.parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def ref(bid: str = "custom-one", count: int = 1) -> BundleRef:
    return BundleRef("https://example.org/", count, BID(bid))


class Publisher:
    """Told of bundles; fails as often as it is asked to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.calls = failures, 0
        self.told: list[tuple[str, dict[str, Any], str]] = []

    async def publish_bundle_completion(
        self, bundle_ref: BundleRef, metadata: dict[str, Any], recipe_id: str
    ) -> None:
        self.calls += 1
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the queue is down")
        self.told.append((str(bundle_ref.bid), metadata, recipe_id))


class Hooks:
    """A loader or locator that writes down whom it was told of."""

    def __init__(self, error: Exception | None = None) -> None:
        self.told: list[str] = []
        self.keys: list[str | None] = []
        self.error = error

    async def on_bundle_complete_hook(self, bundle_ref: BundleRef) -> None:
        self.told.append(str(bundle_ref.bid))
        self.keys.append(bundle_ref.storage_key)
        if self.error is not None:
            raise self.error


class Folder:
    """FileStorage in a folder. It has no publisher: hooks are who is told."""

    kind = "file"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.publisher = None

    def storage(self, **options: Any) -> FileStorage:
        return FileStorage(self.path, **options)

    def reader(self) -> BundleReader:
        return BundleReader(self.path)

    def visible(self, bid: str = "custom-one") -> dict[str, bytes] | None:
        """All that lies in a completed bundle, but for its documents and what stands beside a resource."""
        folder = self.path / f"bundle_{bid}"
        if not (folder / "bundle.meta").exists():
            return None
        there = {path.name: path.read_bytes() for path in folder.iterdir()}
        resources = {name for name in there if not name.endswith(".meta")}
        expected = {"bundle.meta", "bundle.manifest.meta"} | {f"{name}.meta" for name in resources}
        return {name: body for name, body in there.items() if name not in expected}

    def problems(self, bid: str = "custom-one") -> list[str]:
        """What a reader finds wrong with a completed bundle, strays included."""
        return [str(problem) for problem in self.reader().open(bid).problems()]

    def manifest(self, bid: str = "custom-one") -> list[dict[str, Any]]:
        text = (self.path / f"bundle_{bid}" / "bundle.manifest.meta").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def unfinished(self, *urls: str, bid: str = "custom-one") -> list[str]:
        """Whatever a bundle that is over must not have left, of any URL."""
        own = self.path / ".penstock"
        left = [str(p) for p in own.glob("[0-9a-f]*/*") if p.name != "lock"]
        return left + [str(p) for p in self.path.glob("bundle_*") if not any(p.iterdir())]

    def records(self) -> list[str]:
        """Of those who were not told, where no store was given."""
        return sorted(path.stem for path in (self.path / ".penstock/pending").rglob("*.json"))


class S3:
    """PipelineStorage on a real server, looked at by boto3.

    Attributes:
        endpoint: Where storages find the server, which may be a relay; None: the server itself.
    """

    kind = "s3"

    def __init__(self, bucket: Any, monkeypatch: Any) -> None:
        self.bucket = bucket
        self.publisher: Any = Publisher()
        self.endpoint: str | None = None
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["secret_access_key"])

    def storage(self, **options: Any) -> PipelineStorage:
        arguments = {"region": "us-east-1", "endpoint_url": self.endpoint or self.bucket.server.url}
        return PipelineStorage(self.bucket.name, self.publisher, "out", **arguments, **options)

    def reader(self) -> BundleReader:
        return BundleReader(penstock.S3Store(**self.bucket.options), prefix="out")

    def visible(self, bid: str = "custom-one") -> dict[str, bytes] | None:
        """All that is stored below a completed bundle's resources, whether its marker names it or not."""
        root = f"out/bundles/{bid}/"
        keys = self.bucket.keys(root)
        if root + "metadata.json" not in keys:
            return None
        begin = root + "resources/"
        return {key[len(begin) :]: self.bucket.body(key) for key in keys if key.startswith(begin)}

    def problems(self, bid: str = "custom-one") -> list[str]:
        """What a reader finds wrong with a completed bundle, strays included."""
        return [str(problem) for problem in self.reader().open(bid).problems()]

    def manifest(self, bid: str = "custom-one") -> list[dict[str, Any]]:
        text = self.bucket.body(f"out/bundles/{bid}/manifest.jsonl").decode()
        return [json.loads(line) for line in text.splitlines()]

    def unfinished(self, *urls: str, bid: str = "custom-one") -> list[str]:
        """Whatever a bundle that is over must not have left: claims, and uploads of the URLs (MinIO lists those of
        one key alone)."""
        keys = self.bucket.keys(f"out/bundles/{bid}/")
        asked = {_core.resource_key("doc", "out", bid, url) for url in urls} | {*keys, ""}
        asked |= {f"out/bundles/{bid}/manifest.jsonl", f"out/bundles/{bid}/metadata.json"}
        uploads = [upload for key in sorted(asked) for upload in self.bucket.open_uploads(key)]
        return sorted(set(uploads)) + [key for key in keys if key.endswith("_claim")]

    def records(self) -> list[str]:
        """Of those who were not told, where no store was given."""
        return sorted(
            key.rpartition("/")[2].removesuffix(".json") for key in self.bucket.keys("out/_pending/")
        )


class ForeignStore:
    """A key-value store of somebody else's: the least that is asked of one."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.ttls: dict[str, Any] = {}

    async def put(self, key: str, value: Any, ttl: Any = None, prefix: str | None = None) -> None:
        self.values[key] = json.loads(json.dumps(value))
        self.ttls[key] = ttl

    async def get(self, key: str, default: Any = None, prefix: str | None = None) -> Any:
        return self.values.get(key, default)

    async def delete(self, key: str, prefix: str | None = None) -> bool:
        return self.values.pop(key, None) is not None

    async def exists(self, key: str, prefix: str | None = None) -> bool:
        return key in self.values

    async def range_get(
        self, start_key: str, end_key: str | None = None, limit: int | None = None, prefix: str | None = None
    ) -> list[tuple[str, Any]]:
        found = [k for k in sorted(self.values) if k >= start_key and (end_key is None or k < end_key)]
        return [(key, self.values[key]) for key in found[:limit]]


class Run:
    """What a run hands to on_run_start."""

    def __init__(self, kv_store: Any = None) -> None:
        self.app_config = type("Config", (), {"kv_store": kv_store})()


def recipe(*hooks: Hooks, recipe_id: str = "fr") -> FetcherRecipe:
    return FetcherRecipe(recipe_id, list(hooks[1:]), hooks[0] if hooks else None)
