"""What is there: keys as a tree, asked for each time."""

from __future__ import annotations

import os
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from fsspec.asyn import AsyncFileSystem, _run_coros_in_chunks, get_loop
from fsspec.utils import stringify_path

from penstock.errors import NotFound, Refused
from penstock.fsspec.entries import below, directory, file, parents

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Iterable
    from datetime import datetime

    from penstock import aio
    from penstock.fsspec.entries import Entry
    from penstock.stores import ObjectStore


class Tree(AsyncFileSystem):
    """Paths are ``bucket/key``. ``_store_of`` gives the store of a bucket."""

    schemes: frozenset[str]
    _pid: int
    _loop: asyncio.AbstractEventLoop | None
    _store_of: Callable[[str], aio.S3Store]

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """Where the blocking methods run: a forked child has one of its own, where fsspec would refuse."""
        if self._pid != os.getpid():
            self._loop, self._pid = None if self.asynchronous else get_loop(), os.getpid()
        return self._loop

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
        """The store of a path, and what keys below it begin with. Its last name may be empty: keys may be ``a//b``."""
        bucket, slash, key = path.partition("/")
        return (self._store_of(bucket), key + slash) if bucket else self._place(path)

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
        store, base = self._folder(path)
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
        store, base = self._folder(path)
        last = ""
        found: dict[str, Entry] = {}
        async for meta in store.list(base + prefix):
            name = meta.key[len(base) :]
            if (folder := name[: name.rfind("/") + 1]) != last:
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
        *,
        detail: bool = False,
        **_: Any,
    ) -> AsyncIterator[Any]:
        """As fsspec's, but what cannot be listed is an error, only the absent is omitted, and names may be empty."""
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        path = self._strip_protocol(path)
        try:
            entries = await self._ls(path)
        except OSError as error:
            if on_error == "raise" or (on_error == "omit" and not isinstance(error, FileNotFoundError)):
                raise
            if callable(on_error):
                on_error(error)
            entries = []
        async for step in self._steps(path, entries, maxdepth, topdown, detail):
            yield step

    async def _steps(
        self, path: str, entries: list[Entry], depth: int | None, topdown: bool, detail: bool
    ) -> AsyncIterator[tuple[str, Any, Any]]:
        """A folder and what lies below; from the top down, what is taken out of its folders is not visited."""
        found: dict[str, dict[str, Entry]] = {"directory": {}, "file": {}}
        for entry in entries:
            found[entry["type"]][entry["name"][len(path) + 1 :]] = entry
        names = {name: entry["name"] for name, entry in found["directory"].items()}
        folders, files = found["directory"], found["file"]
        step = (path, folders, files) if detail else (path, [*folders], [*files])
        if topdown:
            yield step
        for name in step[1] if depth is None or depth > 1 else ():
            children = await self._children(names[name])
            left = None if depth is None else depth - 1
            async for below_it in self._steps(names[name], children, left, topdown, detail):
                yield below_it
        if not topdown:
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
