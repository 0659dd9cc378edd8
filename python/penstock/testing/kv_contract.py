"""The contract of a key-value store as a class: subclass it, give ``make_store``, collect or run() it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from penstock.bundles.kv_store import KeyValueStore

Value = TypeVar("Value")


class KeyValueContract(ABC):
    """Claims that hold for every store. Keys are under a prefix of each claim's own, so a shared one will do.

    >>> class TestMine(penstock.testing.KeyValueContract):
    ...     def make_store(self, **rules):
    ...         return penstock.testing.DictKeyValueStore(**rules)
    >>> TestMine().run()  # or let pytest collect the class
    """

    @abstractmethod
    def make_store(self, **rules: Any) -> KeyValueStore:
        """The store to judge; ``rules`` may be ``default_ttl`` and ``key_prefix``."""

    def run(self) -> None:
        """Check every claim without a test runner; raises at the first that does not hold."""
        for name in sorted(dir(self)):
            if name.startswith("test_"):
                getattr(type(self)(), name)()

    def _with_store(
        self, claim: Callable[[KeyValueStore], Coroutine[Any, Any, Value]], **rules: Any
    ) -> Value:
        async def judged() -> Value:
            async with self.make_store(**rules) as store:
                return await claim(store)

        return asyncio.run(judged())

    def test_what_is_put_is_what_is_got(self) -> None:
        values = [{"a": [1, 2.5, None, True]}, "text é\n", 0, False, "", [], {}, "x" * 100_000]

        async def claim(store: KeyValueStore) -> None:
            for number, value in enumerate(values):
                await store.put(f"whole/{number}", value)
            for number, value in enumerate(values):
                assert await store.get(f"whole/{number}", default="absent") == value

        self._with_store(claim)

    def test_absence_is_the_default_and_false(self) -> None:
        async def claim(store: KeyValueStore) -> None:
            assert await store.get("absent/k") is None
            assert await store.get("absent/k", default=7) == 7
            assert not await store.exists("absent/k")
            assert not await store.delete("absent/k")
            assert await store.range_get("absent/", "absent0") == []

        self._with_store(claim)

    def test_a_put_replaces_and_a_delete_says_whether_it_was_there(self) -> None:
        async def claim(store: KeyValueStore) -> None:
            await store.put("over/k", "first")
            await store.put("over/k", "second")
            assert await store.get("over/k") == "second"
            assert await store.exists("over/k")
            assert await store.delete("over/k")
            assert not await store.delete("over/k")
            assert await store.get("over/k") is None

        self._with_store(claim)

    def test_a_ttl_of_nothing_deletes(self) -> None:
        async def claim(store: KeyValueStore) -> None:
            for ttl in (0, -1, timedelta(0), timedelta(seconds=-5)):
                await store.put("ttl/k", "there")
                await store.put("ttl/k", "gone", ttl=ttl)
                assert not await store.exists("ttl/k"), ttl

        self._with_store(claim)

    def test_a_ttl_that_is_not_over_keeps_it(self) -> None:
        async def claim(store: KeyValueStore) -> None:
            for number, ttl in enumerate((3600, timedelta(days=30), 0.5, None)):
                await store.put(f"ttl/{number}", "there", ttl=ttl)
                assert await store.get(f"ttl/{number}") == "there"

        self._with_store(claim)
        self._with_store(claim, default_ttl=60)

    def test_a_range_is_in_the_order_of_the_keys_without_its_end(self) -> None:
        async def claim(store: KeyValueStore) -> None:
            for key in ("c", "a", "e", "b", "é", "a0"):
                await store.put(f"range/{key}", key.upper())
            await store.put("s", "behind")

            async def keys(*bounds: Any) -> list[str]:
                return [key.removeprefix("range/") for key, _ in await store.range_get(*bounds)]

            assert await keys("range/", "range0") == ["a", "a0", "b", "c", "e", "é"]
            assert await store.range_get("range/b", "range/e") == [("range/b", "B"), ("range/c", "C")]
            assert await keys("range/b", "range0", 2) == ["b", "c"]
            assert await keys("range/", "range0", 0) == []
            assert await keys("range/c", "range/c") == []
            assert await keys("range/c", "range/a") == []

        self._with_store(claim)

    def test_a_prefix_keeps_stores_apart_and_is_not_seen(self) -> None:
        async def claim(store: KeyValueStore) -> None:
            await store.put("k", "mine")
            await store.put("k", "other", prefix="other")
            assert await store.get("k") == "mine"
            assert await store.get("k", prefix="other") == "other"
            assert await store.get("k", prefix="other:") == "other"
            assert await store.range_get("") == [("k", "mine")]
            assert await store.range_get("", prefix="other") == [("k", "other")]
            assert await store.delete("k", prefix="other")
            assert not await store.exists("k", prefix="other")
            assert await store.exists("k")

        self._with_store(claim, key_prefix="prefixed")

    def test_glob_characters_in_a_prefix_mean_themselves(self) -> None:
        async def claim(store: KeyValueStore) -> None:
            await store.put("k", 1)
            await store.put("k", 2, prefix="wxld")
            assert await store.range_get("") == [("k", 1)]

        self._with_store(claim, key_prefix="w*ld[?]")

    def test_what_many_tasks_write_is_all_there(self) -> None:
        async def claim(store: KeyValueStore) -> None:
            await asyncio.gather(*(store.put(f"many/{number}", number) for number in range(50)))
            got = await asyncio.gather(*(store.get(f"many/{number}") for number in range(50)))
            assert got == list(range(50))

        self._with_store(claim)

    def test_it_is_a_store(self) -> None:
        from penstock.bundles.kv_store import KeyValueStore

        assert isinstance(self.make_store(), KeyValueStore)
