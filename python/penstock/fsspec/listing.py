"""What is there: keys as a tree, asked for each time."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from fsspec.asyn import AsyncFileSystem, _run_coros_in_chunks
from fsspec.utils import stringify_path

from penstock.errors import NotFound, Refused
from penstock.fsspec.entries import below, directory, file, parents

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from datetime import datetime

    from penstock import aio
    from penstock.fsspec.entries import Entry
    from penstock.stores import ObjectStore


class Tree(AsyncFileSystem):
    """Paths are ``bucket/key``. ``_store_of`` gives the store of a bucket."""

    schemes: frozenset[str]
    _store_of: Callable[[str], aio.S3Store]

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        text = stringify_path(path)
        for mark in ("://", "::"):
            scheme, found, rest = text.partition(mark)
            if found and scheme in cls.schemes:
                text = rest
        return text.strip("/")

    def place(self, path: str) -> tuple[ObjectStore, str]:
        """The store and the key of a path."""
        store, key = self._place(path)
        return store.sync, key

    def _place(self, path: str) -> tuple[aio.S3Store, str]:
        bucket, _, key = self._strip_protocol(path).partition("/")
        if not bucket:
            raise Refused("a path is bucket/key, and this one is empty; penstock does not list buckets")
        return self._store_of(bucket), key

    def _folder(self, path: str) -> tuple[aio.S3Store, str]:
        """As _place(), of a path whose last name may be empty: keys may be ``a//b``."""
        bucket, _, key = path.partition("/")
        return (self._store_of(bucket), key) if bucket else self._place(path)

    # --- What is there ---

    async def _info(self, path: str, **_: Any) -> Entry:
        path = self._strip_protocol(path)
        if not path:
            return directory("")
        store, key = self._place(path)
        if key and (meta := await store.find(key)) is not None:
            return file(path, meta)
        listing: Any = store.list(below(key))
        async with aclosing(listing) as listed:
            async for _meta in listed:
                return directory(path)
        if key:
            raise NotFound(f"nothing is at {store.location(key)}", doing="info", subject=store.location(key))
        return directory(path)

    async def _exists(self, path: str, **_: Any) -> bool:
        return await self._type(path) is not None

    async def _isfile(self, path: str) -> bool:
        return await self._type(path) == "file"

    async def _isdir(self, path: str) -> bool:
        return await self._type(path) == "directory"

    async def _type(self, path: str) -> str | None:
        """Only absence is None: a failure is an error, not an answer."""
        try:
            kind: str = (await self._info(path))["type"]
            return kind
        except FileNotFoundError:
            return None

    async def _ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        path = self._strip_protocol(path)
        entries = await self._children(path)
        if not entries:
            info = await self._info(path)
            entries = [info] if info["type"] == "file" else []
        return entries if detail else [entry["name"] for entry in entries]

    async def _children(self, path: str, prefix: str = "") -> list[Entry]:
        """One level, of names that begin with ``prefix``."""
        store, key = self._folder(path)
        base = below(key)
        found = []
        async for meta in store.list_with_delimiter(base + prefix):
            name = f"{path}/{meta.key[len(base) :]}"
            if meta.is_prefix:
                found.append(directory(name[:-1]))
            elif meta.key != base:  # an object with the folder's own name and a slash only marks it
                found.append(file(name, meta))
        return found

    async def _find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        *,
        detail: bool = False,
        prefix: str = "",
        **_: Any,
    ) -> Any:
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        path = self._strip_protocol(path)
        found = await (self._tree(path, prefix) if maxdepth is None else self._levels(path, maxdepth, prefix))
        if not found or withdirs:
            found |= await self._root(path, withdirs)
        names = sorted(name for name, entry in found.items() if withdirs or entry["type"] == "file")
        return {name: found[name] for name in names} if detail else names

    async def _root(self, path: str, withdirs: bool) -> dict[str, Entry]:
        try:
            info = await self._info(path)
        except FileNotFoundError:
            return {}
        return {path: info} if path and (withdirs or info["type"] == "file") else {}

    async def _tree(self, path: str, prefix: str) -> dict[str, Entry]:
        """All that lies below, by one listing."""
        store, key = self._folder(path)
        base, last = below(key), ""
        found: dict[str, Entry] = {}
        async for meta in store.list(base + prefix):
            name = meta.key[len(base) :]
            if (folder := name.rpartition("/")[0]) != last:
                last = folder
                for parent in parents(name):
                    found.setdefault(f"{path}/{parent}", directory(f"{path}/{parent}"))
            if name and not name.endswith("/"):
                found[f"{path}/{name}"] = file(f"{path}/{name}", meta)
        return found

    async def _levels(self, path: str, maxdepth: int, prefix: str) -> dict[str, Entry]:
        """What lies up to so deep, without listing what lies deeper."""
        found: dict[str, Entry] = {}
        level = [path]
        for _ in range(maxdepth):
            listed = await self._in_batches(self._children(one, prefix) for one in level)
            entries = [entry for children in listed for entry in children]
            level = [e["name"] for e in entries if e["type"] == "directory" and e["name"] not in found]
            for entry in entries:
                if entry["type"] == "file" or entry["name"] not in found:
                    found[entry["name"]] = entry
            prefix = ""
        return found

    async def _walk(
        self,
        path: str,
        maxdepth: int | None = None,
        topdown: bool = True,
        on_error: Any = "omit",
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        """As fsspec's, but what cannot be listed is an error, and only what is absent is omitted."""
        on_error = _only_absent if on_error == "omit" else on_error
        async for step in super()._walk(path, maxdepth, topdown, on_error, **kwargs):
            yield step

    async def _du(
        self, path: str, total: bool = True, maxdepth: int | None = None, withdirs: bool = False, **_: Any
    ) -> Any:
        found = await self._find(path, maxdepth, withdirs, detail=True)
        sizes = {name: entry["size"] for name, entry in found.items()}
        return sum(sizes.values()) if total else sizes

    def modified(self, path: str) -> datetime:
        """When it was written, in UTC."""
        when: datetime = self.info(path)["LastModified"]
        return when

    async def _in_batches(self, coroutines: Iterable[Any]) -> list[Any]:
        done: list[Any] = await _run_coros_in_chunks([*coroutines], batch_size=self.batch_size)
        return done


def _only_absent(error: BaseException) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
