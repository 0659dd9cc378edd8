"""What objects in a bucket are called, said before they are there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bundle_places import Publisher, chunks, recipe, ref
from penstock import _core
from penstock.bundles.storage import KeyLayout, PipelineStorage
from test_bundles_clients import Client


def pipeline(**options: Any) -> PipelineStorage:
    storage = PipelineStorage("bucket", Publisher(), "p", **options)
    storage.s3_client = Client()
    return storage


def test_a_layout_that_is_given_wins_over_that_of_the_environment(monkeypatch):
    monkeypatch.setenv("OC_STORAGE_LAYOUT", "fetcher")

    async def run() -> None:
        storage = pipeline(layout=KeyLayout.DOC)
        context = await storage.start_bundle(ref(), recipe())
        await context.add_resource("https://h/a", None, 200, chunks(b"x"))
        bundle = storage._active_bundles["custom-one"]
        assert bundle.uploaded_keys == [bundle._create_s3_key("https://h/a")]
        assert bundle.uploaded_keys == ["p/bundles/custom-one/resources/a"]
        await context.complete({})

    asyncio.run(run())


@pytest.mark.parametrize("layout", ["fetcher", "fetcher-legacy"])
def test_in_layouts_by_basename_the_longest_name_is_stored_as_it_was_told(layout):
    url = f"https://h/{'n' * 300}.csv"

    async def run() -> None:
        storage = pipeline(layout=layout)
        context = await storage.start_bundle(ref(), recipe())
        await context.add_resource(url, None, 200, chunks(b"x"))
        bundle = storage._active_bundles["custom-one"]
        assert bundle.uploaded_keys == [bundle._create_s3_key(url)]
        opened = await storage.open_bundle("custom-two", {"url": url})
        await opened.write(b"y")
        await opened.close()
        assert opened.s3_key in storage.s3_client.objects
        assert opened.s3_key.endswith("n" * 300 + ".csv")

    asyncio.run(run())


@pytest.mark.parametrize("storage_key", [None, "chosen"])
def test_in_layout_manifest_keys_of_a_custom_id_are_of_the_time_it_was_started(storage_key, monkeypatch):
    async def run() -> None:
        storage = pipeline(layout="manifest")
        bundle_ref = ref()
        bundle_ref.storage_key = storage_key
        context = await storage.start_bundle(bundle_ref, recipe())
        await context.add_resource("https://h/a", None, 200, chunks(b"x"))
        bundle = storage._active_bundles["custom-one"]
        monkeypatch.setattr(_core, "resource_key", lambda *_: "of another second")
        told = bundle._create_s3_key("https://h/a")
        assert told == (bundle.uploaded_keys[0] if storage_key is None else "of another second")
        opened = await storage.open_bundle("custom-two", {"url": "https://h/b"})
        await opened.write(b"y")
        await opened.close()
        assert opened.s3_key in storage.s3_client.objects

    asyncio.run(run())
