"""A clock that stands still, and the smallest key-value store there can be."""

from __future__ import annotations

import copy
import math
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from penstock import _core
from penstock.units import span

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from penstock.units import Span


class ManualClock:
    """Time that goes by when told: for the ``clock`` of a store.

    >>> import asyncio
    >>> from penstock.bundles.kv_store import InMemoryKeyValueStore
    >>> clock = ManualClock()
    >>> async def main():
    ...     store = InMemoryKeyValueStore(clock=clock)
    ...     await store.put("k", "v", ttl=60)
    ...     clock.advance("59s")
    ...     before = await store.exists("k")
    ...     clock.advance("1s")
    ...     return before, await store.exists("k")
    >>> asyncio.run(main())
    (True, False)
    """

    def __init__(self, wall: float = 1_800_000_000.0) -> None:
        self._native = _core.ManualClock(wall)

    def advance(self, by: Span) -> None:
        """Let so much time go by."""
        self._native.advance(span(by))


class DictKeyValueStore:
    """A KeyValueStore over a dict: what a store of your own may look like."""

    def __init__(
        self,
        default_ttl: float | timedelta | None = None,
        key_prefix: str = "",
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._entries: dict[str, tuple[Any, float]] = {}
        self._default_ttl, self._key_prefix, self._now = default_ttl, key_prefix, now

    def _before(self, prefix: str | None) -> str:
        chosen = self._key_prefix if prefix is None else prefix
        return f"{chosen.removesuffix(':')}:" if chosen else ""

    def _alive(self) -> dict[str, Any]:
        now = self._now()
        return {key: value for key, (value, until) in self._entries.items() if now < until}

    async def put(
        self, key: str, value: Any, ttl: float | timedelta | None = None, prefix: str | None = None
    ) -> None:
        chosen = self._default_ttl if ttl is None else ttl
        seconds = math.inf if chosen is None else span(chosen)
        seconds = seconds if math.isinf(seconds) else math.ceil(seconds)
        self._entries[self._before(prefix) + key] = (copy.deepcopy(value), self._now() + seconds)

    async def get(self, key: str, default: Any = None, prefix: str | None = None) -> Any:
        return copy.deepcopy(self._alive().get(self._before(prefix) + key, default))

    async def delete(self, key: str, prefix: str | None = None) -> bool:
        there = self._before(prefix) + key in self._alive()
        self._entries.pop(self._before(prefix) + key, None)
        return there

    async def exists(self, key: str, prefix: str | None = None) -> bool:
        return self._before(prefix) + key in self._alive()

    async def range_get(
        self,
        start_key: str,
        end_key: str | None = None,
        limit: int | None = None,
        prefix: str | None = None,
    ) -> list[tuple[str, Any]]:
        before = self._before(prefix)
        alive = {
            key.removeprefix(before): value for key, value in self._alive().items() if key.startswith(before)
        }
        keys = sorted(alive, key=str.encode)
        start, end = start_key.encode(), None if end_key is None else end_key.encode()
        meant = [key for key in keys if start <= key.encode() and (end is None or key.encode() < end)]
        return [(key, copy.deepcopy(alive[key])) for key in meant[:limit]]

    async def close(self) -> None:
        """Nothing to let go of."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
