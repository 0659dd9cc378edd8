"""Stores on this machine: memory and folders."""

from __future__ import annotations

from os import fspath
from typing import TYPE_CHECKING

from penstock import _core
from penstock.stores.object_store import ObjectStore

if TYPE_CHECKING:
    from os import PathLike


class MemoryStore(ObjectStore):
    """Objects in this process's memory: for tests and small things."""

    def __init__(self) -> None:
        super().__init__(_core.memory_store())


class FolderStore(ObjectStore):
    """Files under a folder; written beside their place, synced, then renamed into it. No key leads out of it.

    Args:
        path: The folder; made if it is absent.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        name = fspath(path)
        name = name.rstrip("/") or name[:1]
        super().__init__(_core.folder_store(name), path=name)

    def with_bucket(self, bucket: str) -> FolderStore:
        """The subfolder of that name."""
        made = FolderStore.__new__(FolderStore)
        ObjectStore.__init__(
            made, self._native.with_bucket(bucket), path=f"{self._arguments['path']}/{bucket}"
        )
        return made
