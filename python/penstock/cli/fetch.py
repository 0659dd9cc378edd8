"""``penstock fetch``: tasks from the command line, a batch, an exit code."""

from __future__ import annotations

import json
import re
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from penstock import files
from penstock.cli.bars import Bars
from penstock.errors import Refused
from penstock.stores import FolderStore, S3Store
from penstock.units import size
from penstock.uris import file_path, store_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from penstock.stores import ObjectStore
    from penstock.stores.config import S3Config

_CODES = {
    "refused": 2,
    "corrupt": 3,
    "missing": 4,
    "denied": 4,
    "conflict": 4,
    "lost": 5,
    "busy": 5,
    "in_doubt": 6,
    "cancelled": 130,
}


@dataclass(frozen=True)
class Options:
    """What was typed."""

    urls: list[str]
    to: str
    sha256: str | None
    checksum: str | None
    expect_bytes: int | None
    max_bytes: str
    jobs: int
    budget: str | None
    relay: bool
    mode: str
    tasks: str
    headers: list[str]
    guard: str
    endpoint: str | None
    json: bool
    quiet: bool


def run(options: Options) -> int:
    """Fetch all; the exit code."""
    store, prefix = target(options)
    kinds = set()
    show = nullcontext(None) if options.quiet else Bars(plain=not sys.stderr.isatty())
    tasks = tasks_of(options, prefix)
    with show as bars:
        guard = None if options.guard == "any" else options.guard
        with files.fetch_many(
            tasks if bars is None else bars.counted(tasks),
            store,
            jobs=options.jobs,
            budget=options.budget,
            progress=bars,
            guard=guard,
        ) as results:
            for result in results:
                report(result, options, bars)
                kinds.add(0 if result.success else exit_code(result.error_kind))
    kinds.discard(0)
    return 0 if not kinds else kinds.pop() if len(kinds) == 1 else 1


def exit_code(kind: str | None) -> int:
    """The code of one kind of failure; 1 for what has none."""
    return _CODES.get(kind or "", 1)


def report(result: files.FileResult, options: Options, bars: Bars | None) -> None:
    """One line of JSON on stdout; failures in words on stderr."""
    if options.json:
        print(json.dumps(result.to_dict(), default=dict), flush=True)
    if bars is not None:
        bars.ended(result)


def target(options: Options) -> tuple[ObjectStore, str]:
    """The store, and what goes before each name: or the one object's key if the URI names one."""
    if not options.to:
        raise Refused("--to is needed: s3://bucket/prefix/, file:///dir/ or the URI of one object")
    if options.to.startswith("file://") and options.to.endswith("/"):
        return FolderStore(file_path(options.to)), ""
    config: S3Config = {"endpoint": options.endpoint} if options.to.startswith("s3://") else {}
    store, key = store_at(options.to, **config)
    if isinstance(store, S3Store) and not key:
        return store, ""
    return store, key


def tasks_of(options: Options, prefix: str) -> Iterator[files.FileTask]:
    """The tasks, lazily from a file or stdin, else one a URL."""
    if options.tasks:
        if options.urls:
            raise Refused("give URLs or --from, not both")
        if options.sha256 or options.checksum or options.expect_bytes is not None:
            raise Refused(
                "--sha256, --checksum and --expect-bytes are of one file: write them into the tasks"
            )
        return read_tasks(options, prefix)
    if not options.urls:
        raise Refused("nothing to fetch: give URLs or --from")
    return iter(url_tasks(options, prefix))


def url_tasks(options: Options, prefix: str) -> list[files.FileTask]:
    """One task a URL; names come from the URLs, and a clash is an error."""
    if len(options.urls) > 1 and (options.sha256 or options.checksum or options.expect_bytes is not None):
        raise Refused("--sha256, --checksum and --expect-bytes are of one file: give one URL")
    if options.sha256 and options.checksum:
        raise Refused("give --sha256 or --checksum, not both")
    folder = options.to.endswith("/") or not prefix
    if len(options.urls) > 1 and not folder:
        raise Refused(f"several URLs need a folder: end --to with a slash, as in {options.to}/")
    names = unclashing(options.urls) if folder else [""]
    headers = dict(parse_header(text) for text in options.headers)
    return [
        files.FileTask(
            task_id=str(number),
            job_id="command-line",
            url=url,
            file_name=name or prefix.rpartition("/")[2],
            key=prefix + name,
            checksum=options.sha256 or options.checksum,
            checksum_algorithm="sha256" if options.sha256 else None,
            digests=("sha256",),
            expected_bytes=options.expect_bytes,
            max_bytes=size(options.max_bytes),
            mode=options.mode,
            relay=options.relay,
            headers=headers,
        )
        for number, (url, name) in enumerate(zip(options.urls, names, strict=True), 1)
    ]


def unclashing(urls: Iterable[str]) -> list[str]:
    """A name for each URL, all different."""
    taken: dict[str, str] = {}
    for url in urls:
        name = clean_name(url)
        if name in taken:
            raise Refused(f"two URLs end in {name!r}: fetch them into different folders")
        taken[name] = url
    return list(taken)


def clean_name(url: str) -> str:
    """A file name from the URL's last segment: no separators, no control characters, no leading dot.

    >>> clean_name("http://h/a/b%20c.csv?token=1"), clean_name("http://h/"), clean_name("http://h/..%2F.x")
    ('b c.csv', 'download', '_.x')
    """
    last = unquote(urlsplit(url).path.rpartition("/")[2], errors="replace")
    clean = re.sub(r"[\x00-\x1f\x7f/\\:]+", "_", last).lstrip(". ").rstrip(" .")
    while len(clean.encode()) > 200:
        clean = clean[:-1]
    return clean or "download"


def parse_header(text: str) -> tuple[str, str]:
    """``K:V`` as a pair."""
    name, colon, value = text.partition(":")
    if not colon:
        raise Refused("--header takes NAME:VALUE")
    return name.strip(), value.strip()


def read_tasks(options: Options, prefix: str) -> Iterator[files.FileTask]:
    """Tasks of NDJSON, a line at a time; what a line leaves out is as the command line says."""
    name = options.tasks
    defaults = {
        "max_bytes": size(options.max_bytes),
        "mode": options.mode,
        "relay": options.relay,
        "headers": dict(parse_header(text) for text in options.headers),
    }
    with nullcontext(sys.stdin) if name == "-" else Path(name).open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                task = task_of(json.loads(line), prefix, defaults)
            except ValueError as error:
                raise Refused(f"line {number} of the tasks: {error}") from error
            yield task


def task_of(record: Any, prefix: str, defaults: dict[str, Any]) -> files.FileTask:
    """The task of one line."""
    if not isinstance(record, dict):
        raise Refused("not a JSON object")
    spelt = "key" if "key" in record else "s3OutputKey"
    key = record.get(spelt)
    if not isinstance(key, str):
        raise Refused("it has no key: give key or s3OutputKey, as text")
    return files.FileTask.from_dict({**defaults, **record, spelt: prefix + key})
