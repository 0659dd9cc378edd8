"""Bundles as their readers may trust them: what is there, what is in it, and whether it still is what was published.

>>> import tempfile
>>> path = tempfile.mkdtemp()
>>> with penstock.bundles.FolderBundles(path).start(penstock.bundles.BundleRef("https://example.org/", 1)) as made:
...     _ = made.add("https://example.org/a.txt", b"hello")
>>> reader = penstock.bundles.BundleReader(path)
>>> [entry.state for entry in reader]
['completed']
>>> bundle = next(iter(reader)).open()
>>> [(line.name, line.bytes) for line in bundle.resources()], bundle.open("a.txt").bytes()
([('a.txt', 5)], b'hello')
>>> list(bundle.problems())
[]
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from penstock import _core, display
from penstock.bundles import _places
from penstock.bundles._documents import (
    MAX_LINE_BYTES,
    ManifestLine,
    check_name,
    lines_of,
    optional,
    parse_line,
    read_document,
    required,
    uploaded_keys,
)
from penstock.bundles._name_set import NameSet
from penstock.bundles.core import BID
from penstock.errors import Corrupt, NotFound, Refused
from penstock.streams import Sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.stores import GetResult

__all__ = ["BundleEntry", "BundleReader", "ManifestLine", "Problem", "PublishedBundle"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was published.

    Attributes:
        kind: ``corrupt``; ``refused`` for a name that no resource may have.
        subject: A resource, a key, or a document.
        what: In words.
    """

    kind: Literal["corrupt", "refused"]
    subject: str
    what: str

    def __str__(self) -> str:
        return f"{display.printable(self.subject)}: {self.what}"


class PublishedBundle:
    """A bundle that is whole, by what readers trust: ``bundle.meta``, or the marker. See BundleReader.open().

    Attributes:
        bid: Its id, as text.
        primary_url: What it was fetched for.
        resources_count: How many resources its maker said it has.
        meta: Its maker's, from the beginning.
        completion_metadata: The same, from the end.
        resources_stored: Lines of the manifest with bytes behind them; None where an older format does not say, and so
            the next four.
        resources_failed: Whose adding failed.
        bytes: Of all that is stored.
        manifest_sha256: 64 hex digits.
        completed_at: ``2026-01-15T10:30:00.123456Z``.
        location: Of what readers trust.
        document: All that is written there, but for the keys of the resources.
    """

    def __init__(self, place: _places.Place) -> None:
        self._place = place
        self.location = place.store.location(place.document)
        self.document = document = read_document(place)
        self.bid = required(document, "bid", str, self.location)
        self.primary_url: str = required(document, "primary_url", str, self.location)
        self.resources_count: int = required(document, "resources_count", int, self.location)
        self.meta: Any = document.get("meta") or {}
        self.completion_metadata: Any = document.get("completion_metadata") or {}
        self.resources_stored: int | None = optional(document, "resources_stored", int, self.location)
        self.resources_failed: int | None = optional(document, "resources_failed", int, self.location)
        self.bytes: int | None = optional(document, "bytes", int, self.location)
        self.manifest_sha256: str | None = optional(document, "manifest_sha256", str, self.location)
        self.completed_at: str | None = optional(document, "completed_at", str, self.location)

    def resources(self) -> Iterator[ManifestLine]:
        """The lines of the manifest, one at a time.

        Raises:
            Corrupt: A line cannot be read, or the last one is cut off.
            Refused: A name is none of a resource, such as ``../x``; code ``name``.
        """
        with self._place.store.get(self._place.manifest) as manifest:
            for number, line in enumerate(lines_of(manifest, MAX_LINE_BYTES, self._place.manifest), 1):
                yield parse_line(line, f"{self._place.manifest}, line {number}", self._place)

    def open(self, name: str) -> GetResult:
        """The bytes of one resource, not compared with the manifest: problems() does that for all. A zip's members
        are in the zip.

        Raises:
            NotFound: There is none of that name.
            Refused: No resource may have that name.
        """
        check_name(name, name, self._place)
        return self._place.store.get(self._place.resource(name))

    def problems(self) -> Iterator[Problem]:
        """All that is not as it was published; nothing if the bundle is whole.

        Read again and compared: the manifest's SHA-256, every resource's size and SHA-256, what stands beside
        it, the totals, and that nothing else is there. What cannot be read for another reason is raised.

        Memory: 16 bytes a resource.
        """
        if not self._place.may_be(self.bid):
            yield Problem("corrupt", self._place.document, f"is of another bundle, {self.bid}")
        known = NameSet()
        try:
            yield from self._compare_resources(known)
        except (Corrupt, Refused) as error:  # of the manifest: what follows could not be judged
            kind: Literal["corrupt", "refused"] = "refused" if isinstance(error, Refused) else "corrupt"
            yield Problem(kind, self._place.manifest, str(error))
            return
        except NotFound:
            yield Problem("corrupt", self._place.manifest, "is missing")
            return
        for name in self._place.contents():
            if self._place.main(name) not in known and name not in self._place.documents:
                yield Problem("corrupt", name, "is no part of the bundle")

    def verify(self) -> None:
        """Raise Corrupt, or Refused, for the first of problems()."""
        for problem in self.problems():
            error = Corrupt if problem.kind == "corrupt" else Refused
            raise error(f"{self.location} is not as it was published: {problem}", subject=self.location)

    def _compare_resources(self, known: NameSet) -> Iterator[Problem]:
        stored = failed = total = 0
        uploaded = uploaded_keys(self._place)
        with Sha256(self._place.store.get(self._place.manifest)) as manifest:
            for number, text in enumerate(lines_of(manifest, MAX_LINE_BYTES, self._place.manifest), 1):
                line = parse_line(text, f"{self._place.manifest}, line {number}", self._place)
                failed += bool(line.failed)
                if line.name is None or line.bytes is None:
                    continue
                if line.members is None:  # a zip's members are counted, not the zip
                    stored += 1
                    total += line.bytes
                if not line.member_of:
                    yield from self._compare(line, known, uploaded)
            digest = manifest.hexdigest()
        if uploaded is not None and next(uploaded, None) is not None:
            yield Problem("corrupt", self._place.document, "names keys that the manifest has not")
        for name, counted in (
            ("manifest_sha256", digest),
            ("resources_stored", stored),
            ("resources_failed", failed),
            ("bytes", total),
        ):
            said = getattr(self, name)
            if said is not None and said != counted:
                yield Problem("corrupt", self._place.document, f"{name} is {said}, and is to be {counted}")

    def _compare(
        self, line: ManifestLine, known: NameSet, uploaded: Iterator[str] | None
    ) -> Iterator[Problem]:
        name = line.name or ""
        key, beside = self._place.resource(name), self._place.sidecar(name)
        if not known.add(key):
            yield Problem("corrupt", name, "is twice in the manifest")
        if uploaded is not None and next(uploaded, None) != key:
            yield Problem("corrupt", key, f"is not what {self._place.document} has in its place")
        if wrong := self._unlike(line, key):
            yield Problem("corrupt", name, wrong)
        if beside is None:
            return
        if self._sidecar(beside) not in (None, {k: v for k, v in line.written.items() if k != "name"}):
            yield Problem("corrupt", beside, "does not say what the manifest does")

    def _unlike(self, line: ManifestLine, key: str) -> str:
        """In which way the bytes are not those of the line, or ""."""
        try:
            with Sha256(self._place.store.get(key)) as body:
                found, digest = sum(len(chunk) for chunk in body), body.hexdigest()
        except NotFound:
            return "is missing"
        except (Corrupt, Refused) as error:  # a link, or what the store itself knows to be something else
            return str(error)
        if found != line.bytes:
            return f"has {found} bytes, and is to have {line.bytes}"
        return "" if digest == line.sha256 else f"has the SHA-256 {digest}, and is to have {line.sha256}"

    def _sidecar(self, key: str) -> Any:
        """What it says; None for one in an older format."""
        try:
            text = self._place.store.get(key).bytes(MAX_LINE_BYTES)
            return None if text.startswith(b"{'") else json.loads(text)
        except (NotFound, Corrupt, ValueError, RecursionError):
            return False

    def __repr__(self) -> str:
        return display.line(
            "PublishedBundle", bid=self.bid, resources=self.resources_stored, bytes=self.bytes
        )

    def _repr_html_(self) -> str:
        rows: list[display.Row] = [
            ("bundle", self.bid),
            ("for", _core.redact_url(self.primary_url)),
            ("location", self.location),
            ("resources", _counted(self.resources_stored, self.resources_failed)),
            ("size", "" if self.bytes is None else display.size(self.bytes)),
            ("manifest", display.short(self.manifest_sha256 or "")),
            ("completed", self.completed_at or ""),
            ("state", display.state("completed")),
        ]
        return display.table((name, value) for name, value in rows if value)


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """A bundle that was found.

    Attributes:
        name: Its id, or what is left of one: as in the path or key.
        state: ``completed``; ``claimed``: somebody is about to fill it, or died; ``staged``: under way, or left by
            a dead process; ``quarantined``: what was finished of one that never completed; ``unmarked``: in a
            bucket, one of the last three.
        location: Where it is.
    """

    name: str
    state: Literal["completed", "claimed", "staged", "quarantined", "unmarked"]
    location: str
    _place: _places.Place | None = field(repr=False, compare=False, default=None)

    def open(self) -> PublishedBundle:
        """What is in it.

        Raises:
            Refused: It is not completed.
            Corrupt: What readers trust cannot be read.
        """
        if self._place is None:
            raise Refused(f"{self.location} is {self.state}: nothing of it may be trusted")
        return PublishedBundle(self._place)


class BundleReader:
    """The bundles of a folder or of an object store. Reads only; shared freely.

    Args:
        where: The folder's path, or a store.
        prefix: Of every key in the store.
        layout: Of the keys: ``doc fetcher fetcher-legacy manifest``.
    Raises:
        NotFound: There is no such folder.
    """

    def __init__(self, where: str | PathLike[str] | Any, *, prefix: str = "", layout: str = "doc") -> None:
        self._where: _places.FolderPlaces | _places.ObjectPlaces
        if isinstance(where, (str, PathLike)):
            self._where = _places.FolderPlaces(where)
        else:
            self._where = _places.ObjectPlaces(where, prefix, layout)

    def __iter__(self) -> Iterator[BundleEntry]:
        """Those that are completed, in the order of their names."""
        return (entry for entry in self.entries() if entry.state == "completed")

    def entries(self) -> Iterator[BundleEntry]:
        """Those that are not completed as well. In a bucket of the layout ``fetcher`` those leave no trace to find."""
        for name, state, location, place in self._where.entries():
            yield BundleEntry(name, state, location, place)

    def open(self, bid: BID | str) -> PublishedBundle:
        """A completed bundle.

        Raises:
            NotFound: There is none of that id, or it is not completed.
            Corrupt: What readers trust cannot be read, or is another bundle's.
        """
        text = str(bid)
        for place in self._where.candidates(text):
            try:
                found = PublishedBundle(place)
            except NotFound:
                continue
            if found.bid == text:
                return found
            if place.is_certain:
                raise Corrupt(f"{found.location} is of another bundle, {found.bid}", subject=found.location)
        raise NotFound(f"there is no completed bundle {display.printable(text)} in {self._where.location}")

    def __repr__(self) -> str:
        return f"BundleReader({self._where.location!r})"


def _counted(stored: int | None, failed: int | None) -> str:
    return "" if stored is None else f"{stored}, {failed} failed" if failed else str(stored)
