"""Where the parts of a bundle are: in a folder, and under the keys of each layout."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from penstock import _core
from penstock.errors import NotFound
from penstock.stores import FolderStore, ObjectStore

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    State = Literal["completed", "claimed", "staged", "quarantined", "unmarked"]
    Found = tuple[str, State, str, "Place | None"]

_META = ".meta"
_SIDECAR = ".metadata.json"
_OWN = ".penstock"
_DOCUMENT, _MANIFEST = "bundle.meta", "bundle.manifest.meta"
_SKIP_AFTER = 1000
"""Keys of one bundle that a listing passes before it asks for the next bundle's: a page of S3."""


class Place(ABC):
    """One bundle's.

    Attributes:
        store: What all keys are of.
        document: What readers trust.
        manifest: The lines.
        documents: All that is of the bundle and no resource.
        has_marker: Whether the document names the keys of the resources.
        is_certain: Whether no other bundle's could be here.
    """

    store: ObjectStore
    document: str
    manifest: str
    documents: frozenset[str]
    has_marker: bool
    is_certain = True

    @abstractmethod
    def resource(self, name: str) -> str:
        """Its key."""

    @abstractmethod
    def sidecar(self, name: str) -> str | None:
        """The key of what describes it; None where there is no such thing."""

    @abstractmethod
    def main(self, key: str) -> str:
        """The key of the resource that ``key`` describes; else itself."""

    @abstractmethod
    def contents(self) -> Iterator[str]:
        """All keys that can only be of this bundle."""

    @abstractmethod
    def takes(self, name: str) -> bool:
        """Whether a resource of that name can be here."""

    @abstractmethod
    def may_be(self, bid: str) -> bool:
        """Whether a bundle of that id would be here."""


class FolderPlace(Place):
    """``bundle_{bid}/`` of a folder."""

    has_marker = False

    def __init__(self, root: Path, store: FolderStore, name: str) -> None:
        self.store, self._path, self._name = store, root / name, name
        self.document, self.manifest = f"{name}/{_DOCUMENT}", f"{name}/{_MANIFEST}"
        self.documents = frozenset((self.document, self.manifest))

    def resource(self, name: str) -> str:
        return f"{self._name}/{name}"

    def sidecar(self, name: str) -> str:
        return f"{self._name}/{name}{_META}"

    def main(self, key: str) -> str:
        return key.removesuffix(_META)

    def contents(self) -> Iterator[str]:
        # Not the store's listing, which passes over whatever is no regular file.
        with os.scandir(self._path) as entries:
            for entry in entries:
                yield self.resource(entry.name)

    def takes(self, name: str) -> bool:
        return bool(name) and not name.endswith(_META)

    def may_be(self, bid: str) -> bool:
        return self._name == folder_name(bid)


class ObjectPlace(Place):
    """The keys of a bundle whose documents begin with ``root``."""

    has_marker = True

    def __init__(self, places: ObjectPlaces, root: str, *, certain: bool = True) -> None:
        keys = _core.bundle_keys(places.layout, places.prefix, root)
        self.store, self._places, self._root = places.store, places, root
        self._content = keys["content"] + keys["separator"]
        self._bare = keys["content"]
        self._sidecars = keys["sidecars"]
        self.document, self.manifest = keys["marker"], keys["manifest"]
        # A claim may stay: of a bundle with a marker it says nothing to anybody.
        others = (keys[name] for name in ("claim", "discovered") if keys[name])
        self.documents = frozenset((self.document, self.manifest, *others))
        self.is_certain = certain

    def resource(self, name: str) -> str:
        return self._content + name if name else self._bare

    def sidecar(self, name: str) -> str | None:
        return f"{self._sidecars}{name}{_SIDECAR}" if self._sidecars else None

    def main(self, key: str) -> str:
        if not self._sidecars or not (key.startswith(self._sidecars) and key.endswith(_SIDECAR)):
            return key
        return self._content + key[len(self._sidecars) : -len(_SIDECAR)]

    def contents(self) -> Iterator[str]:
        # In the layout fetcher the resources are not under the root, but where others' may be too.
        return (found.key for found in self.store.list(self._root))

    def takes(self, name: str) -> bool:
        return bool(name) or self._places.layout.startswith("fetcher")

    def may_be(self, bid: str) -> bool:
        made = _core.bundle_root_of_bid(self._places.layout, self._places.prefix, bid)
        return _last(made) == _last(self._root) if self._places.is_dated else made == self._root


class FolderPlaces:
    """All of a folder."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise NotFound(f"there is no folder {self.path}", subject=str(self.path))
        self.store = FolderStore(self.path)

    @property
    def location(self) -> str:
        """For people."""
        return str(self.path)

    def entries(self) -> Iterator[Found]:
        """Those that are completed and claimed, then what is not under its own name."""
        for name in _folders(self.path):
            if name.startswith("bundle_"):
                yield self._found(name)
            elif name.startswith("incomplete_"):
                yield name.removeprefix("incomplete_"), "quarantined", str(self.path / name), None
        own = self.path / _OWN
        for instance in _folders(own) if own.is_dir() else ():
            if re.fullmatch("[0-9a-f]{16}", instance):
                for name in _folders(own / instance):
                    yield name, "staged", str(own / instance / name), None

    def candidates(self, bid: str) -> Iterator[Place]:
        """Where a bundle of that id is, if there is one."""
        if (self.path / folder_name(bid)).is_dir():
            yield FolderPlace(self.path, self.store, folder_name(bid))

    def _found(self, name: str) -> Found:
        place = FolderPlace(self.path, self.store, name)
        whole = (self.path / place.document).is_file()
        bid = name.removeprefix("bundle_")
        return bid, "completed" if whole else "claimed", str(self.path / name), place if whole else None


class ObjectPlaces:
    """All under a prefix of a store."""

    def __init__(self, store: Any, prefix: str, layout: str) -> None:
        self.store = store if isinstance(store, ObjectStore) else ObjectStore.of(store)
        self.prefix, self.layout = prefix, layout
        self._begin = _core.bundles_prefix(layout, prefix)
        self.is_dated = layout == "manifest"

    @property
    def location(self) -> str:
        """For people."""
        return self.store.location(self._begin)

    def entries(self) -> Iterator[Found]:
        """One a root."""
        for root in self._roots():
            place = ObjectPlace(self, root)
            whole = self.store.exists(place.document)
            name = root[len(self._begin) : -1]
            yield (
                name,
                "completed" if whole else "unmarked",
                self.store.location(root),
                place if whole else None,
            )

    def candidates(self, bid: str) -> Iterator[Place]:
        """Where a bundle of that id is; of one that holds no time, where it may be."""
        made = _core.bundle_root_of_bid(self.layout, self.prefix, bid)
        if not self.is_dated or _core.bid_time(bid.encode("utf-8", "surrogatepass")) is not None:
            yield ObjectPlace(self, made)
            return
        for root in self._roots():
            if _last(root) == _last(made):
                yield ObjectPlace(self, root, certain=False)

    def _roots(self) -> Iterator[str]:
        after: str | None = ""
        while after is not None:
            after = yield from self._roots_after(after)

    def _roots_after(self, after: str) -> Generator[str, None, str | None]:
        """Up to a bundle of many objects, which need not be passed by; returns where to go on."""
        root, passed = "", 0
        for found in self.store.list(self._begin, start_after=after):
            this = _core.bundle_root(self.layout, self.prefix, found.key)
            if this is None:
                continue
            if this != root:
                root, passed = this, 0
                yield root
            passed += 1
            if passed > _SKIP_AFTER:
                return root[:-1] + "0"  # the character after "/": behind all keys under this root
        return None


def _folders(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))


def folder_name(bid: str) -> str:
    """Of a bundle."""
    return "bundle_" + _core.safe_part(bid)


def _last(root: str) -> str:
    """Of ``22-00-20-d8577b7e/`` the end."""
    return root.rstrip("/").rpartition("-")[2]
