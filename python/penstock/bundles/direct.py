"""The core's bundles as C++ has them: blocking, without a loop, a recipe or a fetcher.

>>> import tempfile
>>> storage = penstock.bundles.FolderBundles(tempfile.mkdtemp())
>>> with storage.start(penstock.bundles.BundleRef("https://example.org/", 1)) as bundle:
...     bundle.add("https://example.org/a.txt", b"hello").name
'a.txt'
>>> bundle.state, bundle.receipt.bytes
('completed', 5)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from os import fspath
from typing import TYPE_CHECKING, Any, Literal

from penstock import _core, display
from penstock.bundles.core import BID, BundleReceipt, BundleRef
from penstock.bundles.core.bundle_ref import core_fields
from penstock.stores import native_store
from penstock.streams import call, native_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike

    from typing_extensions import Self

    from penstock.sqs import Queue
    from penstock.units import Span

    OnComplete = Callable[[BundleRef], object]

__all__ = ["Bundle", "FolderBundles", "ObjectBundles", "RecoveryReport", "StoredResource"]


@dataclass(frozen=True, slots=True)
class StoredResource:
    """A resource of a bundle.

    Attributes:
        name: Within the bundle.
        location: The path, or the key in the bucket.
        bytes: How many.
        sha256: 64 hex digits.
    """

    name: str
    location: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What recover() found.

    Attributes:
        recovered: Bundles that were told of again.
        discarded: Records of bundles that never became visible.
        left: Perhaps still under way elsewhere.
        malformed: Records that cannot be read; they stay.
        failed: Telling failed; their records stay.
        swept: Unfinished bundles of dead processes, moved aside or removed.
        out_of_time: The deadline passed before all were looked at.
    """

    recovered: int
    discarded: int
    left: int
    malformed: int
    failed: int
    swept: int
    out_of_time: bool


class Bundle:
    """Many resources, published once. Left normally it is finished, by an exception aborted.

    Threads: resources are added from any; dropping it unfinished aborts it.
    """

    receipt: BundleReceipt | None = None

    def __init__(self, native: _core.Bundle) -> None:
        self._native = native

    def add(
        self,
        url: str,
        data: Any,
        *,
        content_type: str | None = None,
        status_code: int = 200,
        deadline: Span | None = None,
    ) -> StoredResource:
        """All of ``data``, under a name made of ``url``.

        Args:
            url: Where it came from.
            data: Anything source-like.
            content_type: As the origin said.
            status_code: Of the response.
            deadline: Of this add.
        Raises:
            Refused: The bundle is not open any more (code ``bundle_not_found``).
            Error: It could not be stored; nothing of it remains but a line in the manifest.
        """
        resource = {"url": url, "content_type": content_type, "status_code": status_code}
        return StoredResource(*self._native.add(resource, native_source(data), call(deadline)))

    def finish(
        self, metadata: dict[str, Any] | None = None, *, deadline: Span | None = None
    ) -> BundleReceipt:
        """Make all of it visible at once, then call back. Again after a failure it does what is outstanding.

        Args:
            metadata: Any JSON object; part of the bundle.
            deadline: Of this try.
        """
        told = json.dumps(metadata or {}, allow_nan=False)
        self.receipt = BundleReceipt(**self._native.finish(told, call(deadline)))
        return self.receipt

    def abort(self, why: str = "aborted by the caller") -> None:
        """Stop the adds under way; nothing becomes visible. No effect once it is published."""
        self._native.abort(why, call())

    @property
    def state(self) -> str:
        """``open adding completing completed failed abandoned``."""
        return self._native.state

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None:
            self.abort(f"left by {kind.__name__}")
        elif self.state in ("open", "adding"):
            self.finish()

    def __repr__(self) -> str:
        return display.line("Bundle", bid=self._native.ref["bid"], state=self.state)


class Bundles:
    """What both storages do. Shared freely by threads and processes."""

    _native: _core.FolderBundles | _core.ObjectBundles

    def start(
        self,
        ref: BundleRef,
        *,
        recipe_id: str = "default",
        on_complete: Iterable[OnComplete] = (),
        deadline: Span | None = None,
    ) -> Bundle:
        """An open bundle; ``ref.storage_key`` is set if it is None.

        Args:
            ref: The bundle, as it is now: what is changed in it later is not seen.
            recipe_id: Whose pending record it gets.
            on_complete: Each is told once the bundle is visible; what it raises is logged.
            deadline: Of starting.
        Raises:
            Conflict: A bundle of that id is under way, or completed.
        """
        callbacks = [callback_of(hook) for hook in on_complete]
        native = self._native.start(core_fields(ref), recipe_id, callbacks, call(deadline))
        if ref.storage_key is None:
            ref.storage_key = native.ref["storage_key"]
        return Bundle(native)

    def recover(
        self,
        *,
        recipe_id: str = "default",
        on_complete: Iterable[OnComplete] = (),
        deadline: Span | None = 60,
    ) -> RecoveryReport:
        """Take up what dead processes left: move their bundles aside, call back for those that became visible."""
        callbacks = [callback_of(hook) for hook in on_complete]
        return RecoveryReport(**self._native.recover(recipe_id, callbacks, call(deadline)))

    def sweep(self, *, remove: bool = False, deadline: Span | None = None) -> int:
        """What dead processes left, of all recipes; how many bundles it moved aside or removed.

        Args:
            remove: In an object store finished objects of bundles that never completed, a day old; without it there is
                nothing to do there: open uploads are those of a recipe, and recover() aborts them.
            deadline: Of it.
        """
        return self._native.sweep(remove, call(deadline))


class FolderBundles(Bundles):
    """Bundles in a folder: ``bundle_{bid}/`` appears whole or not at all.

    Args:
        path: The folder.
        create: Make it if it is not there.
        abandoned: What is finished of a bundle that never completes: ``quarantine`` for 7 days, or ``discard``.
        strict: finish() is Refused if an add failed, or ``resources_count`` is not what is stored.
        queue: Told of each bundle once it is visible: up to 4 tries within 30 s, and again by recover().
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        create: bool = True,
        abandoned: Literal["quarantine", "discard"] = "quarantine",
        strict: bool = False,
        queue: Queue | None = None,
    ) -> None:
        options = {"create": create, "abandoned": abandoned, "strict": strict}
        self._native = _core.FolderBundles(fspath(path), _with_queue(options, queue))


class ObjectBundles(Bundles):
    """Bundles in an object store: resources, a manifest, and last a marker, which is what readers trust.

    Args:
        store: Any, a class of your own too.
        prefix: Of every key.
        layout: ``doc fetcher fetcher-legacy manifest``.
        strict: As of FolderBundles.
        queue: As of FolderBundles.

    >>> store = penstock.MemoryStore()
    >>> with penstock.bundles.ObjectBundles(store).start(penstock.bundles.BundleRef("u", 1)) as bundle:
    ...     bundle.add("https://example.org/a.txt", b"hello").bytes
    5
    >>> sum(key.key.endswith("/metadata.json") for key in store.list())
    1
    """

    def __init__(
        self,
        store: Any,
        *,
        prefix: str = "",
        layout: str = "doc",
        strict: bool = False,
        queue: Queue | None = None,
    ) -> None:
        options = {"prefix": prefix, "layout": layout, "strict": strict}
        self._native = _core.ObjectBundles(native_store(store), _with_queue(options, queue))


def _with_queue(options: dict[str, Any], queue: Queue | None) -> dict[str, Any]:
    return options if queue is None else {**options, "queue": queue._native}


def callback_of(hook: OnComplete) -> Callable[[dict[str, Any]], object]:
    """As the core calls back."""

    def told(fields: dict[str, Any]) -> object:
        meta = json.loads(fields["meta"])
        ref = BundleRef(
            fields["primary_url"], fields["resources_count"], BID(fields["bid"]), fields["storage_key"], meta
        )
        return hook(ref)

    return told
