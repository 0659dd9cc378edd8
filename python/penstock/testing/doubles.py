"""Sources that are slow or break, and the smallest store there can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.errors import Conflict, NotFound
from penstock.objects import ObjectMeta

if TYPE_CHECKING:
    from collections.abc import Iterator


def fill(count: int, seed: int = 1) -> bytes:
    """``count`` bytes that differ from place to place, the same for the same seed."""
    import random

    return random.Random(seed).randbytes(count)


class SlowSource:
    """Iterates ``data`` in pieces of ``step`` bytes."""

    def __init__(self, data: bytes, step: int = 1) -> None:
        self._data, self._step = data, step

    def __iter__(self) -> Iterator[bytes]:
        for at in range(0, len(self._data), self._step):
            yield self._data[at : at + self._step]


class BrokenSource:
    """Gives ``data``, then raises ``error`` where the end would be."""

    def __init__(self, data: bytes, error: Exception) -> None:
        self._data, self._error = data, error

    def __iter__(self) -> Iterator[bytes]:
        yield self._data
        raise self._error


class DictStore:
    """A StoreProtocol over a dict: what a store of your own may look like."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, ObjectMeta]] = {}
        self._writes = 0

    def find(self, key: str) -> ObjectMeta | None:
        found = self._objects.get(key)
        return found[1] if found else None

    def get(self, key: str, *, range: Any = (None, None, None), if_match: str = "") -> bytes:
        found = self._objects.get(key)
        if found is None:
            raise NotFound(f"no object {key!r}", subject=key)
        body, meta = found
        if if_match and if_match != meta.etag:
            raise Conflict(f"{key!r} is another version", subject=key)
        first, last, suffix = range
        if suffix is not None:
            return body[-suffix:] if suffix else b""
        return body[first or 0 : None if last is None else last + 1]

    def open_writer(self, key: str, **options: Any) -> DictWriter:
        return DictWriter(self, key, options)

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectMeta]:
        for key in sorted(self._objects, key=str.encode):
            if key.startswith(prefix) and key.encode() > start_after.encode():
                yield self._objects[key][1]

    def remove(self, key: str, *, if_match: str = "") -> None:
        found = self._objects.get(key)
        if if_match and (found is None or found[1].etag != if_match):
            raise Conflict(f"{key!r} is another version", subject=key)
        self._objects.pop(key, None)

    def publish(self, key: str, body: bytes, options: dict[str, Any]) -> ObjectMeta:
        """Make ``body`` visible, if the mode allows."""
        there = self._objects.get(key)
        if options.get("mode") == "create" and there is not None:
            raise Conflict(f"{key!r} exists", subject=key)
        wanted = options.get("if_match")
        if wanted and (there is None or there[1].etag != wanted):
            raise Conflict(f"{key!r} is another version", subject=key)
        self._writes += 1
        meta = ObjectMeta(
            key=key,
            bytes=len(body),
            etag=f'"{self._writes}"',
            content_type=options.get("content_type", ""),
            metadata=options.get("metadata", {}),
        )
        self._objects[key] = (body, meta)
        return meta


class DictWriter:
    """What DictStore.open_writer returns."""

    def __init__(self, store: DictStore, key: str, options: dict[str, Any]) -> None:
        self._store, self._key, self._options = store, key, options
        self._parts: list[bytes] = []

    def write(self, data: memoryview) -> None:
        self._parts.append(bytes(data))

    def finish(self) -> ObjectMeta:
        return self._store.publish(self._key, b"".join(self._parts), self._options)

    def abort(self, why: str) -> None:
        self._parts.clear()
