"""The rules of base over a store of the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from penstock import display
from penstock.aio._jobs import done, loop
from penstock.bundles.kv_store.base import BaseKeyValueStore, decoded, encoded, end_of, escaped
from penstock.errors import Refused
from penstock.streams import call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from penstock import _core
    from penstock.bundles.kv_store.base import Ttl

SCAN_PAGE = 256
"""Keys fetched at a time by a scan."""


class NativeKeyValueStore(BaseKeyValueStore):
    """A store whose bytes are kept by the core. Shared freely between tasks, loops and threads."""

    kind: ClassVar[str]

    def __init__(self, native: _core.KeyValue, arguments: dict[str, Any], **rules: Any) -> None:
        super().__init__(**rules)
        self._native = native
        self._arguments = {**arguments, **rules}
        self._used = False

    async def _do(self, verb: Callable[..., Any], *arguments: Any) -> Any:
        """Runs a verb of the core on a worker; a cancelled task stops it."""
        self._used = True
        on = call()
        return await done(verb(*arguments, on, loop()), on.stop)

    async def put(self, key: str, value: Any, ttl: Ttl | None = None, prefix: str | None = None) -> None:
        name = self._prefix_of(prefix) + encoded(key)
        await self._do(self._native.put, name, self._serialize(value), self._seconds(ttl))

    async def get(self, key: str, default: Any = None, prefix: str | None = None) -> Any:
        self._check_serializer()
        found: bytes | None = await self._do(self._native.get, self._prefix_of(prefix) + encoded(key))
        return default if found is None else self._deserialize(found, key)

    async def delete(self, key: str, prefix: str | None = None) -> bool:
        removed: bool = await self._do(self._native.remove, self._prefix_of(prefix) + encoded(key))
        return removed

    async def exists(self, key: str, prefix: str | None = None) -> bool:
        there: bool = await self._do(self._native.exists, self._prefix_of(prefix) + encoded(key))
        return there

    async def range_get(
        self,
        start_key: str,
        end_key: str | None = None,
        limit: int | None = None,
        prefix: str | None = None,
    ) -> list[tuple[str, Any]]:
        if limit is not None and limit < 0:
            raise Refused(f"a limit is 0 or more, not {limit}")
        self._check_serializer()
        before = self._prefix_of(prefix)
        end = end_of(before) if end_key is None else before + encoded(end_key)
        found: list[tuple[bytes, bytes]] = await self._do(
            self._native.range, before + encoded(start_key), end, limit
        )
        keys = (decoded(key[len(before) :]) for key, _ in found)
        return [(key, self._deserialize(data, key)) for key, (_, data) in zip(keys, found, strict=True)]

    async def scan(self, pattern: str = "*", prefix: str | None = None) -> AsyncIterator[str]:
        """The keys that match a pattern, fetched a page at a time, in no order; Redis may tell one twice.

        Args:
            pattern: As Redis has it: ``*`` any run, ``?`` one byte, ``[a-z]`` one of them, ``\\`` the next as it
                is. It is matched without the prefix.
            prefix: In place of key_prefix.
        """
        self._used = True
        before = self._prefix_of(prefix)
        on = call()
        found = self._native.scan(escaped(before) + encoded(pattern), on)
        while page := await done(found.page(SCAN_PAGE, loop()), on.stop):
            for key in page:
                yield decoded(key[len(before) :])

    async def get_stats(self) -> dict[str, Any]:
        """What it is, and how many entries there are, those of other prefixes included."""
        return {
            "type": self.kind,
            "location": self._native.location(),
            "keys": await self._do(self._native.count),
            "serializer": self.serializer,
            "default_ttl": self.default_ttl,
            "key_prefix": self.key_prefix,
        }

    async def close(self) -> None:
        """Close connections and files; the next call opens them again."""
        await self._do(self._native.close)
        self._used = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self._arguments)

    def __repr__(self) -> str:
        shown = {name: value for name, value in self._arguments.items() if name != "password"}
        return display.line(type(self).__name__, **shown)


def _remade(cls: type[NativeKeyValueStore], arguments: dict[str, Any]) -> NativeKeyValueStore:
    return cls(**arguments)
