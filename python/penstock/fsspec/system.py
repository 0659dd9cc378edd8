"""The file system: paths are ``bucket/key``, folders are what keys have in common up to a slash."""

from __future__ import annotations

import errno
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec.asyn import sync
from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.core import has_magic

from penstock import aio, display
from penstock.errors import NotFound, Refused
from penstock.fsspec.entries import below, parents
from penstock.fsspec.files import (
    CompressedFile,
    Published,
    ReadFile,
    TextFile,
    WriteFile,
    beyond_the_end,
    codec_of,
    exclusive,
)
from penstock.fsspec.listing import Tree
from penstock.fsspec.options import SECRETS, store_config
from penstock.stores.object_store import masked

if TYPE_CHECKING:
    import asyncio


STORES = 64  # buckets whose stores are kept
REMOVED_AT_ONCE = 1000  # keys in one request


class FileSystem(Tree):
    """Buckets of S3, or of whatever speaks it, for fsspec.

    Listings are not cached: what another process wrote is seen. Buckets are neither made, removed nor listed.
    What is written appears whole or not at all; see WriteFile. Errors are those of penstock, of which NotFound is
    a FileNotFoundError, Denied a PermissionError and Lost a ConnectionError; an ``xb`` or ``mode="create"`` that
    finds something is FileExistsError.

    Args:
        asynchronous: Whether the methods with an underscore are awaited on the caller's loop.
        loop: Of the blocking methods; else fsspec's own.
        batch_size: Transfers at once in get, put, cat, copy; else fsspec's setting.
        default_block_size: Of files opened to read, in bytes.
        default_cache_type: Of the same; a name of fsspec's caches.
        storage_options: Arguments of penstock.S3Store. ``key secret token anon endpoint_url client_kwargs`` mean
            what they do for s3fs.

    >>> fs = penstock.fsspec.FileSystem(**options)
    >>> _ = fs.pipe(f"{bucket}/deep/down/k", b"0123456789")
    >>> fs.cat_file(f"{bucket}/deep/down/k", start=-4), fs.isdir(f"{bucket}/deep"), fs.du(bucket)
    (b'6789', True, 10)
    """

    protocol = "penstock"
    transaction_type = Published
    schemes: frozenset[str] = frozenset({"penstock", "s3", "s3a"})

    def __init__(
        self,
        *,
        asynchronous: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        batch_size: int | None = None,
        default_block_size: int | None = None,
        default_cache_type: str = "readahead",
        **storage_options: Any,
    ) -> None:
        super().__init__(asynchronous=asynchronous, loop=loop, batch_size=batch_size)
        self.default_block_size, self.default_cache_type = default_block_size, default_cache_type
        self._config = store_config(storage_options)
        self._store_of = lru_cache(STORES)(lambda bucket: aio.S3Store(bucket, **self._config))
        self._store_of("any")  # a wrong option is told now, not at the first use

    # --- Whole objects ---

    async def _cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **options: Any
    ) -> bytes:
        store, key = self._place(path)
        asked = await self._range(path, start, end)
        if asked == slice(0, 0):
            return b""
        try:
            async with await store.get(key, range=asked, **options) as body:
                # One more than there is: what was read is compared at the end.
                length = body.meta.bytes if body.remaining is None else body.remaining
                return await body.read(length + 1)
        except Refused as error:
            return beyond_the_end(error)

    async def _range(self, path: str, start: int | None, end: int | None) -> Any:
        """What Python's slice means, as a range of S3; slice(0, 0) if nothing."""
        if not start and end is None:
            return None
        if end is None and start is not None and start < 0:
            return start
        if (start or 0) < 0 or (end or 0) < 0:
            start, end, _ = slice(start, end).indices((await self._info(path))["size"])
        first = start or 0
        return slice(0, 0) if end is not None and first >= end else slice(first, end)

    async def _pipe_file(self, path: str, value: Any, mode: str = "overwrite", **options: Any) -> None:
        store, key = self._place(path)
        with exclusive(mode == "create", path):
            await store.put(key, value, mode=mode, **options)

    async def _put_file(
        self,
        lpath: Any,
        rpath: str,
        mode: str = "overwrite",
        callback: Any = DEFAULT_CALLBACK,
        **options: Any,
    ) -> None:
        if Path(lpath).is_dir():
            await self._makedirs(rpath, exist_ok=True)
            return
        store, key = self._place(rpath)
        callback.set_size(Path(lpath).stat().st_size)
        with exclusive(mode == "create", rpath):
            receipt = await store.put(key, Path(lpath), mode=mode, progress=_told(callback), **options)
        callback.absolute_update(receipt.bytes)

    async def _get_file(
        self, rpath: str, lpath: Any, callback: Any = DEFAULT_CALLBACK, **options: Any
    ) -> None:
        refuse_unnamed(rpath, os.fspath(lpath))
        if Path(lpath).is_dir():
            if await self._isdir(rpath):
                return
            raise IsADirectoryError(errno.EISDIR, "a folder is there", os.fspath(lpath))
        store, key = self._place(rpath)
        Path(lpath).parent.mkdir(parents=True, exist_ok=True)
        try:
            receipt = await store.get_file(key, os.fspath(lpath), progress=_told(callback), **options)
        except NotFound:
            if not await self._isdir(rpath):
                raise
            Path(lpath).mkdir(exist_ok=True)
            return
        callback.set_size(receipt.bytes)
        callback.absolute_update(receipt.bytes)

    def mv(
        self, path1: Any, path2: Any, recursive: bool = False, maxdepth: int | None = None, **options: Any
    ) -> None:
        """Object by object: copied, looked at, and removed only in the version that was copied."""
        moves = "tree" if recursive else "object"
        self.copy(path1, path2, recursive, "raise", maxdepth=maxdepth, moves=moves, **options)
        if recursive and maxdepth is None and isinstance(path1, str) and not has_magic(path1):
            sync(self.loop, self._rm_markers, path1)

    async def _rm_markers(self, path: str) -> None:
        """Objects with a folder's own name, of folders from which all has gone; the deepest first."""
        store, key = self._place(path)
        markers = [meta.key async for meta in store.list(below(key)) if meta.key.endswith("/")]
        for marker in reversed(markers):
            await store.remove(marker)

    async def _cp_file(self, path1: str, path2: str, *, moves: str | None = None, **options: Any) -> None:
        """By the server, with all that is said of the object."""
        store, key = self._place(path1)
        to, to_key = self._place(path2)
        if (store, key) == (to, to_key):
            raise Refused(f"{path1} cannot be copied onto itself", subject=store.location(key))
        if moves is not None:
            await self._move(path1, path2, of_a_tree=moves == "tree", **options)
            return
        try:
            await to.copy(key, to_key, source=store, **options)
        except NotFound:
            if not await self._isdir(path1):  # a folder is there as soon as something is in it
                raise

    async def _move(self, path1: str, path2: str, *, of_a_tree: bool, **options: Any) -> None:
        store, key = self._place(path1)
        to, to_key = self._place(path2)
        try:
            source = await store.head(key)
        except NotFound:
            if of_a_tree:  # a folder: its objects move by themselves
                return
            raise
        if store is to:
            await store.move(key, to_key, **options)
            return
        await to.copy(key, to_key, source=store, from_if_match=source.etag, **options)
        await store.remove(key, if_match=source.etag)

    async def _rm_file(self, path: str, **options: Any) -> None:
        store, key = self._place(path)
        await store.remove(key, **options)

    async def _rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None, **_: Any) -> None:
        """Absence is success, except of what is to be removed with all that lies below."""
        if recursive and maxdepth is None:
            roots = set(await self._expand_path(path))
            for root in sorted(one for one in roots if roots.isdisjoint(parents(one))):
                await self._rm_tree(root)
            return
        found = await self._expand_path(path, recursive=recursive, maxdepth=maxdepth)
        if not recursive and found == [self._strip_protocol(path)] and await self._isdir(found[0]):
            raise IsADirectoryError(errno.EISDIR, "a folder goes with recursive=True", found[0])
        by_bucket: dict[str, list[str]] = {}
        for one in found:
            by_bucket.setdefault(one.partition("/")[0], []).append(one)
        for bucket, paths in by_bucket.items():
            keys = [key for _, key in map(self._place, paths) if key]
            for at in range(0, len(keys), REMOVED_AT_ONCE):
                await _remove(self._store_of(bucket), keys[at : at + REMOVED_AT_ONCE])

    async def _rm_tree(self, path: str) -> None:
        store, key = self._place(path)
        keys = [key] if key and await store.exists(key) else []
        found = bool(keys)
        async for meta in store.list(below(key)):
            found = True
            keys.append(meta.key)
            if len(keys) == REMOVED_AT_ONCE:
                await _remove(store, keys)
                keys = []
        await _remove(store, keys)
        if key and not found:
            raise NotFound(f"nothing is at {store.location(key)}", doing="rm", subject=store.location(key))

    async def _mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Folders need not be made, and who may write may not be allowed to look; a bucket must be there."""
        path = self._strip_protocol(path)
        if "/" not in path:
            await self._info(path)

    async def _makedirs(self, path: str, exist_ok: bool = False) -> None:
        await self._mkdir(path)

    def sign(self, path: str, expiration: int = 100, **options: Any) -> str:
        """A URL that reads the object for ``expiration`` seconds without credentials."""
        bucket, _, key = self._strip_protocol(path).partition("/")
        return self._store_of(bucket).sync.presign("GET", key, expires=expiration, **options)

    # --- Files ---

    def open(
        self,
        path: Any,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: dict[str, Any] | None = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """As fsspec's; what is written ends as WriteFile says, also through text and compression."""
        if "b" not in mode:
            kwargs["encoding"] = kwargs.get("encoding") or "utf-8"
        reading = "r" in mode or ("b" in mode and compression is None)
        if reading:
            return super().open(path, mode, block_size, cache_options, compression, **kwargs)
        codec = codec_of(self._strip_protocol(path), compression)  # before anything is opened
        text = {name: kwargs.pop(name, None) for name in ("encoding", "errors", "newline")}
        target = super().open(path, mode.replace("t", "").replace("b", "") + "b", **kwargs)
        try:
            target = target if codec is None else CompressedFile(codec(target, mode="wb"), target)
            return target if "b" in mode else TextFile(target, **text)
        except BaseException:
            target.abort("it could not be opened")
            raise

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        cache_type: str | None = None,
        **options: Any,
    ) -> ReadFile | WriteFile:
        if mode == "rb":
            if unknown := options.keys() - {"size", "etag", "trim"}:
                raise TypeError(f"no such option of reading: {', '.join(sorted(unknown))}")
            return ReadFile(
                self,
                path,
                block_size=block_size or self.default_block_size,
                cache_type=cache_type or self.default_cache_type,
                cache_options=cache_options,
                **options,
            )
        if mode not in ("wb", "xb"):
            raise Refused(f"mode is rb, wb or xb, not {mode!r}: nothing is appended to an object")
        store, key = self.place(path)
        if mode == "xb":
            options["mode"] = "create"
            if store.exists(key):
                raise FileExistsError(errno.EEXIST, "something is there already", path)
        return WriteFile(self, path, mode, store.open_writer(key, **options), autocommit)

    # --- The rest ---

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        """As fsspec's, where ``include_password`` is about every secret."""
        told: dict[str, Any] = super().to_dict(include_password=include_password)
        return told if include_password else {name: told[name] for name in told.keys() - SECRETS}

    def __repr__(self) -> str:
        return display.line("FileSystem", **masked(self._config))


def refuse_unnamed(rpath: str, lpath: str) -> None:
    """``a//b`` would become ``a/b``, and replace what that key became."""
    _, found, rest = lpath.rpartition("//")
    if found and rpath.endswith(f"//{rest}"):
        raise Refused(f"no folder here has an empty name, as in {rpath}: download that by its own name")


async def _remove(store: aio.S3Store, keys: list[str]) -> None:
    if not keys:
        return
    for error in (await store.remove_many(keys)).errors.values():
        raise error


def _told(callback: Any) -> Any:
    """Progress as a callback of fsspec is told it; None for the one that tells nobody."""
    if callback is DEFAULT_CALLBACK:
        return None
    return lambda progress: callback.absolute_update(progress.bytes_done)
