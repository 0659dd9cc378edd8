"""Both storages of bundles behind one face, and doubles of what stands around them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from penstock.bundles import BID, BundleRef, FetcherRecipe
from penstock.bundles.storage import FileStorage, PipelineStorage

KEYS = {"access_key_id": "testkey", "secret_access_key": "testsecret123"}


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

    def visible(self, bid: str = "custom-one") -> dict[str, bytes] | None:
        folder = self.path / f"bundle_{bid}"
        if not (folder / "bundle.meta").exists():
            return None
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".meta"}

    def manifest(self, bid: str = "custom-one") -> list[dict[str, Any]]:
        text = (self.path / f"bundle_{bid}" / "bundle.manifest.meta").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def unfinished(self) -> list[str]:
        """Whatever a bundle that is over must not have left."""
        own = self.path / ".penstock"
        left = [str(p) for p in own.glob("[0-9a-f]*/*") if p.name != "lock"]
        return left + [str(p) for p in self.path.glob("bundle_*") if not any(p.iterdir())]


class S3:
    """PipelineStorage on a real server, looked at by boto3."""

    kind = "s3"

    def __init__(self, bucket: Any, monkeypatch: Any) -> None:
        self.bucket = bucket
        self.publisher = Publisher()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["secret_access_key"])

    def storage(self, **options: Any) -> PipelineStorage:
        arguments = {"region": "us-east-1", "endpoint_url": self.bucket.server.url}
        return PipelineStorage(self.bucket.name, self.publisher, "out", **arguments, **options)

    def visible(self, bid: str = "custom-one") -> dict[str, bytes] | None:
        root = f"out/bundles/{bid}/"
        if root + "metadata.json" not in self.bucket.keys():  # noqa: SIM118
            return None
        marker = json.loads(self.bucket.body(root + "metadata.json"))
        begin = len(root + "resources/")
        return {key[begin:]: self.bucket.body(key) for key in marker["uploaded_keys"]}

    def manifest(self, bid: str = "custom-one") -> list[dict[str, Any]]:
        text = self.bucket.body(f"out/bundles/{bid}/manifest.jsonl").decode()
        return [json.loads(line) for line in text.splitlines()]

    def unfinished(self) -> list[str]:
        judge = self.bucket.server.judge
        uploads = judge.list_multipart_uploads(Bucket=self.bucket.name).get("Uploads", [])
        claims = [key for key in self.bucket.keys() if key.endswith("_claim")]  # noqa: SIM118
        return [upload["Key"] for upload in uploads] + claims


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
