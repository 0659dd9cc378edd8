"""BIDs, and what a fetcher's parts hand to each other."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import Any

import penstock
import pytest
from penstock.bundles.core import (
    BID,
    BundleReceipt,
    BundleRef,
    BundleRefValidationError,
    FetchRunContext,
    RequestMeta,
    RequestParameterLocator,
    ResourceMeta,
    create_fetcher_config,
)
from penstock.bundles.exceptions import ValidationError

DOCUMENTED = "17571960-2065-e0cd-cf71-8196d8577b7e"


class TestBid:
    def test_three_ways_make_a_new_one(self) -> None:
        first, second, third = BID(), BID(None), BID.generate()
        assert first < second < third

    def test_it_is_made_now(self) -> None:
        before = datetime.now(timezone.utc) - timedelta(milliseconds=10)
        made = BID().time
        assert made is not None
        assert before <= made <= datetime.now(timezone.utc) + timedelta(milliseconds=10)

    def test_readers_of_older_ids_decode_it_alike(self) -> None:
        text = str(BID())
        assert datetime.fromtimestamp(int(text[0:8] + text[9:13]) / 100, timezone.utc) == BID(text).time

    def test_the_documented_one_is_of_its_documented_time(self) -> None:
        assert BID(DOCUMENTED).time == datetime(2025, 9, 6, 22, 0, 20, 650_000, timezone.utc)

    @pytest.mark.parametrize("text", ["test-1", "custom-x", "1757196f-2065-e0cd-cf71-8196d8577b7e"])
    def test_what_says_no_time_has_none(self, text: str) -> None:
        assert BID(text).time is None

    def test_it_shows_its_text(self) -> None:
        bid = BID(DOCUMENTED)
        assert (bid.value, str(bid), repr(bid)) == (DOCUMENTED, DOCUMENTED, f"BID('{DOCUMENTED}')")

    def test_equality_is_of_the_exact_text_and_never_with_a_str(self) -> None:
        assert BID("test-a") == BID("test-a")
        assert hash(BID("test-a")) == hash(BID("test-a"))
        assert BID("deadbeef-2065-e0cd-cf71-8196d8577b7e") != BID("DEADBEEF-2065-e0cd-cf71-8196d8577b7e")
        assert BID("test-a") != "test-a"

    def test_order_is_that_of_the_text(self) -> None:
        low, high = BID("test-a"), BID("test-b")
        assert low < high
        assert low <= high
        assert high > low
        assert high >= low
        assert not low < copy.copy(low)
        with pytest.raises(TypeError):
            low < "test-b"  # noqa: B015

    @pytest.mark.parametrize(
        "text",
        [DOCUMENTED, "DEADBEEF-00aa-BBcc-0123-456789ABCDEF", "test-", "custom-../../x", "test-é" + "x" * 193],
    )
    def test_a_valid_text_is_kept(self, text: str) -> None:
        assert BID(text).value == text

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "invalid-format",
            "Test-1",
            DOCUMENTED[:-1],
            DOCUMENTED + "0",
            DOCUMENTED[:-1] + "g",
            "test-\n",
            "test-\0",
            "test-\x7f",
            "test-\x9f",
            "test-\ud800",
            "test-é" + "x" * 194,
            b"test-1",
            7,
            BID("test-1"),
            False,
        ],
        ids=repr,
    )
    def test_anything_else_is_refused(self, value: Any) -> None:
        with pytest.raises(ValidationError) as raised:
            BID(value)
        assert str(raised.value) == "Invalid BID format"
        assert (raised.value.field, raised.value.error_code) == ("bid", "VALIDATION_ERROR")
        assert isinstance(raised.value, penstock.Refused)

    @pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda bid: pickle.loads(pickle.dumps(bid))])
    def test_copies_are_equal(self, again: Any) -> None:
        assert again(BID(DOCUMENTED)) == BID(DOCUMENTED)

    def test_threads_get_rising_ids_and_none_twice(self) -> None:
        def make(_: int) -> list[BID]:
            return [BID() for _ in range(2_000)]

        with ThreadPoolExecutor(16) as pool:
            made = list(pool.map(make, range(16)))
        for one in made:
            assert one == sorted(one)
        assert len({str(bid)[:18] for one in made for bid in one}) == 32_000

    def test_a_forked_child_draws_other_bits(self) -> None:
        BID()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, b"".join(str(BID())[19:].encode() for _ in range(8)))
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        theirs = os.read(reader, 8 * 17)
        os.close(reader)
        os.close(writer)
        assert len(theirs) == 8 * 17
        assert not any(str(BID())[19:].encode() in theirs for _ in range(8))


class TestBundleRef:
    def test_it_is_mutable_unchecked_and_equal_by_value(self) -> None:
        ref = BundleRef("", -1, BID("test-1"))
        ref.resources_count = 3
        ref.storage_key = "out"
        assert ref == BundleRef("", 3, BID("test-1"), "out", {})
        assert BundleRef("u", 1) != BundleRef("u", 1)

    def test_a_receipt_is_no_part_of_its_value(self) -> None:
        ref = BundleRef("u", 1, BID("test-1"))
        ref.receipt = BundleReceipt(2, 16, "ab")
        assert ref == BundleRef("u", 1, BID("test-1"))
        assert "receipt" not in asdict(ref)
        assert pickle.loads(pickle.dumps(ref)).receipt == ref.receipt

    def test_what_is_documented_of_it(self) -> None:
        ref = BundleRef("u", 1, BID(DOCUMENTED), meta={"k": 1})
        assert (ref.get_bundle_id(), ref.get_location(), ref.get_metadata()) == (DOCUMENTED, "", {"k": 1})
        assert (ref.get_size(), ref.get_created_at()) == (0, BID(DOCUMENTED).time)
        ref.storage_key, ref.receipt = "out/x", BundleReceipt(2, 16, "ab")
        assert (ref.get_location(), ref.get_size()) == ("out/x", 16)

    def test_its_dictionary_comes_back(self) -> None:
        ref = BundleRef("https://example.org", 2, BID(DOCUMENTED), "key", {"k": [1]})
        assert ref.to_dict() == {
            "bid": DOCUMENTED,
            "primary_url": "https://example.org",
            "resources_count": 2,
            "storage_key": "key",
            "meta": {"k": [1]},
        }
        assert BundleRef.from_dict(ref.to_dict()) == ref

    def test_key_and_meta_may_be_left_out(self) -> None:
        ref = BundleRef.from_dict({"bid": "test-1", "primary_url": "u", "resources_count": 0})
        assert ref == BundleRef("u", 0, BID("test-1"))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"bid": ...}, "BundleRef data must contain 'bid' field"),
            ({"primary_url": ...}, "BundleRef data must contain 'primary_url' field"),
            ({"resources_count": ...}, "BundleRef data must contain 'resources_count' field"),
            ({"bid": "nonsense"}, "Invalid BID format"),
            ({"bid": None}, "Invalid BID format"),
            ({"bid": 7}, "Invalid BID format"),
            ({"primary_url": ""}, "primary_url must be a non-empty string"),
            ({"primary_url": " "}, "primary_url must be a non-empty string"),
            ({"primary_url": None}, "primary_url must be a non-empty string"),
            ({"resources_count": -1}, "resources_count must be a non-negative integer"),
            ({"resources_count": 1.0}, "resources_count must be a non-negative integer"),
            ({"resources_count": True}, "resources_count must be a non-negative integer"),
            ({"storage_key": 7}, "storage_key must be a string or None"),
            ({"meta": None}, "meta must be a dictionary"),
            ({"meta": []}, "meta must be a dictionary"),
        ],
        ids=str,
    )
    def test_a_wrong_dictionary_is_refused_by_field(self, change: dict[str, Any], message: str) -> None:
        data = {"bid": "test-1", "primary_url": "u", "resources_count": 1, "storage_key": None, "meta": {}}
        data = {name: value for name, value in (data | change).items() if value is not ...}
        with pytest.raises(BundleRefValidationError) as raised:
            BundleRef.from_dict(data)
        assert str(raised.value) == message
        assert raised.value.field == "bundle_ref"

    def test_what_is_no_dictionary_is_refused(self) -> None:
        with pytest.raises(BundleRefValidationError) as raised:
            BundleRef.from_dict([])  # type: ignore[arg-type]
        assert str(raised.value) == "Data must be a dictionary"


@pytest.mark.parametrize(
    ("make", "field", "message"),
    [
        (lambda: RequestMeta(""), "url", "url must be a non-empty string"),
        (lambda: RequestMeta(7), "url", "url must be a non-empty string"),  # type: ignore[arg-type]
        (lambda: RequestMeta("u", depth=-1), "depth", "depth must be a non-negative integer"),
        (lambda: RequestMeta("u", depth="1"), "depth", "depth must be a non-negative integer"),  # type: ignore[arg-type]
        (lambda: RequestMeta("u", referer=""), "referer", "referer must be a non-empty string or None"),
        (lambda: RequestMeta("u", headers=[]), "headers", "headers must be a dictionary"),  # type: ignore[arg-type]
        (lambda: RequestMeta("u", flags=None), "flags", "flags must be a dictionary"),  # type: ignore[arg-type]
        (lambda: ResourceMeta("  "), "url", "url must be a non-empty string"),
        (
            lambda: ResourceMeta("u", status=99),
            "status",
            "status must be a valid HTTP status code (100-599) or None",
        ),
        (
            lambda: ResourceMeta("u", status=600),
            "status",
            "status must be a valid HTTP status code (100-599) or None",
        ),
        (
            lambda: ResourceMeta("u", content_type=""),
            "content_type",
            "content_type must be a non-empty string or None",
        ),
        (lambda: ResourceMeta("u", headers=1), "headers", "headers must be a dictionary"),  # type: ignore[arg-type]
        (lambda: ResourceMeta("u", note=" "), "note", "note must be a non-empty string or None"),
    ],
)
def test_a_wrong_request_or_resource_is_refused_by_field(make: Any, field: str, message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        make()
    assert (str(raised.value), raised.value.field) == (message, field)
    assert raised.value.kind == "refused"


def test_the_least_and_the_greatest_status_pass() -> None:
    assert [ResourceMeta("u", status=status).status for status in (100, 599, None)] == [100, 599, None]


def test_a_locator_hands_out_ten_at_a_time_until_none_is_left() -> None:
    requests = [RequestMeta(f"https://example.org/{n}") for n in range(23)]
    locator = RequestParameterLocator(requests)
    context = FetchRunContext("run")

    async def drained() -> list[list[RequestMeta]]:
        return [await locator.get_next_urls(context) for _ in range(4)]

    pages = asyncio.run(drained())
    assert [len(page) for page in pages] == [10, 10, 3, 0]
    assert [request for page in pages for request in page] == requests
    assert locator.requests is requests
    asyncio.run(locator.handle_url_processed(requests[0], [], context))


def test_a_recipe_is_built_of_a_loader_and_locators() -> None:
    loader, first, second = object(), object(), object()
    builder = create_fetcher_config().use_bundle_loader(loader).add_bundle_locator(first)
    recipe = builder.add_bundle_locator(second).with_recipe_id("fr").build()
    assert (recipe.recipe_id, recipe.bundle_loader, recipe.bundle_locators) == ("fr", loader, [first, second])
    builder.add_bundle_locator(object())
    assert len(recipe.bundle_locators) == 2


def test_a_recipe_without_a_loader_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^Bundle loader required$") as raised:
        create_fetcher_config().build()
    assert isinstance(raised.value, penstock.Refused)


def test_a_receipt_fits_a_line_and_a_notebook():
    receipt = BundleReceipt(
        2, 16, "6b37" + "0" * 60, 1, "out/<b>", "out/<b>/bundle.meta", "2026-01-15T10:30:00Z"
    )
    assert repr(receipt) == (
        "BundleReceipt(resources_stored=2, bytes=16, resources_failed=1, location='out/<b>/bundle.meta')"
    )
    shown = receipt._repr_html_()
    assert "out/&lt;b&gt;/bundle.meta" in shown
    for fact in ("2, 1 failed", "16 bytes", "6b3700000000…0000", "2026-01-15", "#1a7f37'>completed"):
        assert fact in shown
    assert "failed" not in BundleReceipt(1, 1, "")._repr_html_()
