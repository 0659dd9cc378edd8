"""``penstock bundle``: what readers may trust, whether it is still so, and what dead processes left."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock import _core, display
from penstock.bundles import BundleReader, BundleRef, FolderBundles, ObjectBundles
from penstock.bundles.notifications import SqsPublisher
from penstock.cli.fetch import exit_code
from penstock.display import printable
from penstock.errors import Corrupt, Error, Refused
from penstock.stores import S3Store
from penstock.streams import call
from penstock.uris import file_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from penstock.bundles.reader import BundleEntry, ManifestLine, PublishedBundle


@dataclass(frozen=True)
class Target:
    """Where the bundles are, as it was typed."""

    text: str
    layout: str
    endpoint: str | None

    @property
    def folder(self) -> Path | None:
        """Its path; None for a bucket."""
        if self.text.startswith("file://"):
            return Path(file_path(self.text))
        if "://" in self.text and not self.text.startswith("s3://"):
            raise Refused(f"neither a folder nor s3://bucket/prefix: {_core.redact_url(self.text)}")
        return None if self.text.startswith("s3://") else Path(self.text)

    def reader(self) -> BundleReader:
        """Who looks."""
        if (folder := self.folder) is not None:
            return BundleReader(folder)
        store, prefix = self._bucket()
        return BundleReader(store, prefix=prefix, layout=self.layout)

    def bundles(self) -> FolderBundles | ObjectBundles:
        """Who puts in order."""
        if (folder := self.folder) is not None:
            return FolderBundles(folder, create=False)
        store, prefix = self._bucket()
        return ObjectBundles(store, prefix=prefix, layout=self.layout)

    def _bucket(self) -> tuple[S3Store, str]:
        bucket, _, prefix = self.text.removeprefix("s3://").partition("/")
        return S3Store(bucket, endpoint=self.endpoint), prefix


def ls(target: Target, *, everything: bool, as_json: bool) -> int:
    """One line a bundle. What cannot be read is said, and the rest still listed."""
    codes = set()
    reader = target.reader()
    for entry in reader.entries() if everything else reader:
        try:
            bundle = entry.open() if entry.state == "completed" else None
        except Error as error:
            print(f"penstock bundle ls: {printable(str(error))}", file=sys.stderr)
            codes.add(exit_code(error.kind))
            continue
        print(json.dumps(_entry_facts(entry, bundle)) if as_json else _entry_line(entry, bundle), flush=True)
    return one_code(codes)


def show(target: Target, bid: str, *, as_json: bool) -> int:
    """What readers trust, then a line a resource."""
    bundle = target.reader().open(bid)
    if as_json:
        print(json.dumps(bundle.document))
        for line in bundle.resources():
            print(json.dumps(line.written))
        return 0
    for name, value in bundle.document.items():
        print(f"{printable(name):<20}{_shown(value)}")
    for line in bundle.resources():
        print(_resource_line(line))
    return 0


def verify(target: Target, bids: list[str], *, as_json: bool, quiet: bool) -> int:
    """Read everything again; a line a bundle, and one for each thing that is not as it was published."""
    reader, codes = target.reader(), set()
    for name, opened in _chosen(reader, bids):
        problems, failure = 0, None
        try:
            bundle = opened()
            name = bundle.bid
            for problem in bundle.problems():
                problems += 1
                codes.add(exit_code(problem.kind))
                if as_json:
                    print(json.dumps({"bid": name, **asdict(problem)}), flush=True)
                else:
                    print(f"{printable(name)}: {problem}", file=sys.stderr)
        except Error as error:
            failure = error
            codes.add(exit_code(error.kind))
            print(f"penstock bundle verify: {printable(name)}: {printable(str(error))}", file=sys.stderr)
        verdict = (
            f"not verified: {failure.kind}" if failure else f"{problems} problems" if problems else "whole"
        )
        if as_json:
            print(json.dumps({"bid": name, "whole": verdict == "whole", "problems": problems}), flush=True)
        elif not quiet:
            print(f"{printable(name)}  {verdict}", flush=True)
    return one_code(codes)


def recover(target: Target, recipe_id: str, queue_url: str | None, *, drop: bool, as_json: bool) -> int:
    """Take up what dead processes left; the queue is told of bundles that it was not told of.

    The record of what is told stays, unless it is to be dropped: hooks are called by the program that has them.
    """
    if drop and not queue_url:
        raise Refused("--drop is for what the queue is told of: give --queue-url")
    native = target.bundles()._native
    counts = dict.fromkeys(("swept", "told", "discarded", "left", "malformed", "failed", "waiting"), 0)
    counts["swept"] = native.sweep_recipe(recipe_id, call())
    publisher = SqsPublisher(queue_url, endpoint_url=_endpoint_of(queue_url)) if queue_url else None
    codes = set()
    for text in native.pending(recipe_id, call()):
        bid = "a pending record stays"
        try:
            ref, metadata = _record(text)
            bid = str(ref.bid)
            outcome = _recovered(native, text, publisher is not None)
            if outcome == "told" and publisher is not None:
                asyncio.run(publisher.publish_bundle_completion(ref, metadata, recipe_id))
            if outcome == "discarded" or (outcome == "told" and drop):
                for error in native.remove_pending(recipe_id, [bid], call()).values():
                    raise error
        except Error as error:
            outcome = "malformed" if isinstance(error, Corrupt) else "failed"
            codes.add(exit_code(error.kind))
            print(f"penstock bundle recover: {printable(bid)}: {printable(str(error))}", file=sys.stderr)
        counts[outcome] += 1
    print(json.dumps(counts) if as_json else "\n".join(f"{name:<10}{n}" for name, n in counts.items()))
    return one_code(codes | _said_of_what_stays(counts, drop=drop))


def _said_of_what_stays(counts: dict[str, int], *, drop: bool) -> set[int]:
    hooks = "hooks are called by the program that has them, in on_run_start()"
    if counts["told"] and not drop:
        print(
            f"penstock bundle recover: {counts['told']} records stay: {hooks}, which tells the queue again; "
            "--drop removes them",
            file=sys.stderr,
        )
    if not counts["waiting"]:
        return set()
    print(
        f"penstock bundle recover: {counts['waiting']} wait to be told of: give --queue-url to announce them; {hooks}",
        file=sys.stderr,
    )
    return {exit_code("refused")}


def sweep(target: Target, *, delete: bool, as_json: bool) -> int:
    """Move aside, or remove, what dead processes left."""
    swept = target.bundles().sweep(remove=delete)
    print(json.dumps({"swept": swept}) if as_json else f"swept {swept}")
    return 0


def one_code(codes: Iterable[int]) -> int:
    """That of all; 1 for several."""
    different = {*codes} - {0}
    return 0 if not different else different.pop() if len(different) == 1 else 1


def _chosen(reader: BundleReader, bids: list[str]) -> Iterator[tuple[str, Any]]:
    if bids:
        for bid in bids:
            yield bid, lambda bid=bid: reader.open(bid)
    else:
        for entry in reader:
            yield entry.name, entry.open


def _record(text: str) -> tuple[BundleRef, dict[str, Any]]:
    try:
        record = json.loads(text)
        return BundleRef.from_dict(record["bundle_ref"]), record.get("metadata") or {}
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Corrupt(f"it is none: {error}") from error


def _recovered(native: Any, text: str, can_tell: bool) -> str:
    """What is to become of a record."""
    outcomes = {"tell": "told" if can_tell else "waiting", "discard": "discarded", "leave": "left"}
    (verdict,) = native.judge([text], call())
    if isinstance(verdict, Error):
        raise verdict
    return outcomes[verdict]


def _endpoint_of(queue_url: str) -> str | None:
    """Of a service that is not AWS: it is in the URL of the queue."""
    scheme, _, rest = queue_url.partition("://")
    host = rest.partition("/")[0]
    return None if ".amazonaws.com" in host else f"{scheme}://{host}"


def _entry_facts(entry: BundleEntry, bundle: PublishedBundle | None) -> dict[str, Any]:
    facts: dict[str, Any] = {"bid": bundle.bid if bundle else entry.name, "state": entry.state}
    if bundle is not None:
        facts |= {
            "completed_at": bundle.completed_at,
            "resources_stored": bundle.resources_stored,
            "resources_failed": bundle.resources_failed,
            "bytes": bundle.bytes,
            "primary_url": _core.redact_url(bundle.primary_url),
        }
    return {**facts, "location": entry.location}


def _entry_line(entry: BundleEntry, bundle: PublishedBundle | None) -> str:
    if bundle is None:
        return f"{printable(entry.name):<36}  {entry.state}"
    size = "?" if bundle.bytes is None else display.size(bundle.bytes)
    stored = "?" if bundle.resources_stored is None else bundle.resources_stored
    at = printable(bundle.completed_at or "?")
    return f"{printable(bundle.bid):<36}  {at:<27}  {stored:>7}  {size:>10}"


def _resource_line(line: ManifestLine) -> str:
    url = printable(_core.redact_url(line.url))
    if line.bytes is None:
        why = f"failed: {line.failed}" if line.failed else f"skipped: {line.skipped}"
        return f"{'-':<64}  {'-':>10}  {printable(line.name or '-')}  {url}  {printable(why)}"
    return f"{line.sha256}  {display.size(line.bytes):>10}  {printable(line.name or '-')}  {url}"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return printable(_core.redact_url(value) if "://" in value else value)
    return printable(json.dumps(value, ensure_ascii=False))
