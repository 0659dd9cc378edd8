"""What a power loss may leave of what a program did to a folder: its system calls, replayed in part.

strace writes down each call. A change is sure to survive once what it was made to was fsynced: a file for its bytes, a
folder for the names in it. Until then any of the changes may be missing, whichever came later, so a state is a point
where the power went and a choice among the changes that were not sure then. That is harsher than any one file system:
whoever survives it relies on nothing but fsync.
"""

from __future__ import annotations

import codecs
import hashlib
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

CALLS = "openat,mkdirat,mkdir,renameat,renameat2,rename,unlinkat,unlink,write,pwrite64,fsync,fdatasync,syncfs"
ACKNOWLEDGED = "acknowledged"
_LINE = re.compile(
    r"^(?P<pid>\d+) +(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)(?:<(?P<path>[^>]*)>)?"
)
_UNFINISHED = re.compile(r"^(?P<pid>\d+) +(?P<begin>.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)$")
_FD = r"(?:AT_FDCWD|\d+)(?:<([^>]*)>)?"
_WRITTEN = re.compile(r'\d+<([^>]*)>, "((?:[^"\\]|\\.)*)"')
_AT = re.compile(rf'{_FD}, "([^"]*)"')


@dataclass
class Change:
    """One thing that was done. `needs`: the path whose fsync makes it sure; `sure_at`: the step of that fsync."""

    kind: str
    path: str
    to: str = ""
    data: bytes = b""
    step: int = 0
    needs: str = ""
    sure_at: int | None = None


@dataclass
class Trace:
    """All changes below a folder, and the steps at which the program said that it is done."""

    folder: Path
    changes: list[Change] = field(default_factory=list)
    steps: int = 0
    acknowledged_at: int | None = None


def record(program: list[str], folder: Path, log: Path) -> Trace:
    """Runs the program under strace; it writes ACKNOWLEDGED to its standard output when it may rely on what it did."""
    strace = ["strace", "-f", "-y", "-s", str(2**20), "-e", f"trace={CALLS}", "-o", str(log)]
    subprocess.run([*strace, *program], check=True, timeout=120, stdout=subprocess.DEVNULL)
    return _parse(log.read_text(errors="replace"), folder)


def _whole_lines(text: str) -> Iterator[str]:
    begun: dict[str, str] = {}
    for line in text.splitlines():
        if unfinished := _UNFINISHED.match(line):
            begun[unfinished["pid"]] = unfinished["begin"]
        elif resumed := _RESUMED.match(line):
            yield f"{resumed['pid']} {begun.pop(resumed['pid'], '')}{resumed['rest']}"
        else:
            yield line


def _parse(text: str, folder: Path) -> Trace:
    trace, root = Trace(folder), str(folder)
    for line in _whole_lines(text):
        found = _LINE.match(line)
        if not found or found["result"].startswith("-"):
            continue
        trace.steps += 1
        call, arguments = found["call"], found["arguments"]
        if call == "write" and arguments.startswith("1<") and ACKNOWLEDGED in arguments:
            trace.acknowledged_at = trace.steps
        for change in _changes(call, arguments, found["path"]):
            if change.path.startswith(root + "/") or change.path == root or change.kind == "syncfs":
                change.step = trace.steps
                _take(trace, change)
    return trace


def _changes(call: str, arguments: str, result_path: str | None) -> Iterator[Change]:
    if call == "openat" and "O_CREAT" in arguments and result_path:
        yield Change("create", result_path, needs=_parent(result_path))
    elif call in ("mkdirat", "mkdir"):
        path = _paths(arguments)[0]
        yield Change("mkdir", path, needs=_parent(path))
    elif call in ("renameat", "renameat2", "rename"):
        before, after = _paths(arguments)[:2]
        yield Change("rename", before, to=after, needs=_parent(after))
    elif call in ("unlinkat", "unlink"):
        path = _paths(arguments)[0]
        yield Change("remove", path, needs=_parent(path))
    elif call in ("write", "pwrite64") and (written := _WRITTEN.match(arguments)):
        data = codecs.decode(written[2], "unicode_escape").encode("latin-1")
        yield Change("write", written[1], data=data, needs=written[1])
    elif call in ("fsync", "fdatasync"):
        yield Change("fsync", arguments.partition("<")[2].partition(">")[0])
    elif call == "syncfs":
        yield Change("syncfs", "")


def _paths(arguments: str) -> list[str]:
    return [
        f"{folder}/{name}" if folder and not name.startswith("/") else name
        for folder, name in _AT.findall(arguments)
    ] or re.findall(r'"([^"]*)"', arguments)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _take(trace: Trace, change: Change) -> None:
    if change.kind in ("fsync", "syncfs"):
        for before in trace.changes:
            if before.sure_at is None and (change.kind == "syncfs" or before.needs == change.path):
                before.sure_at = trace.steps
        return
    if change.kind == "create" and any(c.kind == "create" and c.path == change.path for c in trace.changes):
        return  # opened again
    trace.changes.append(change)
    if change.kind == "rename":  # what is done to it from now on is seen under the new name
        for before in trace.changes:
            if before.needs == change.path or before.needs.startswith(change.path + "/"):
                before.needs = change.to + before.needs[len(change.path) :]


Tree = dict[str, Any]  # a folder is a Tree, a file a bytearray


def points(trace: Trace) -> list[int]:
    """Steps after which something was different."""
    sure = {change.sure_at for change in trace.changes if change.sure_at is not None}
    return sorted({change.step for change in trace.changes} | sure)


def left(trace: Trace, step: int, keep: float, seed: int) -> Tree:
    """What is left if the power goes after `step` and each change that was not sure survives by chance `keep`, of
    a write perhaps the beginning alone."""
    choice = random.Random(seed)
    tree: Tree = {}
    for change in trace.changes:
        if change.step > step:
            break
        sure = change.sure_at is not None and change.sure_at <= step
        if sure or choice.random() < keep:
            _apply(tree, change if sure else _torn(change, choice), str(trace.folder))
    return tree


def _torn(change: Change, choice: random.Random) -> Change:
    """The same, or of what is written only the beginning, every other time."""
    if change.kind != "write" or choice.random() < 0.5:
        return change
    return replace(change, data=change.data[: choice.randrange(len(change.data) + 1)])


def digest(tree: Tree) -> bytes:
    """The same for the same names and bytes only."""
    hashed = hashlib.sha256()
    for name, node in sorted(tree.items()):
        inner = digest(node) if isinstance(node, dict) else hashlib.sha256(node).digest()
        hashed.update(b"%d %d %b" % (isinstance(node, dict), len(name.encode()), name.encode()) + inner)
    return hashed.digest()


def build(tree: Tree, into: Path) -> None:
    """As files."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    _write(tree, into)


def _write(tree: Tree, into: Path) -> None:
    for name, node in tree.items():
        if isinstance(node, dict):
            (into / name).mkdir()
            _write(node, into / name)
        else:
            (into / name).write_bytes(bytes(node))


def _apply(tree: Tree, change: Change, root: str) -> None:
    """A change whose place is missing is missing too."""
    parts = change.path[len(root) + 1 :].split("/") if change.path != root else []
    if not parts:
        return
    folder = _folder(tree, parts[:-1])
    if folder is None:
        return
    name = parts[-1]
    node = folder.get(name)
    if change.kind == "create":
        folder.setdefault(name, bytearray())
    elif change.kind == "mkdir":
        folder.setdefault(name, {})
    elif change.kind == "write" and isinstance(node, bytearray):
        node += change.data
    elif change.kind == "remove":
        if node is not None and not (isinstance(node, dict) and node):
            del folder[name]
    elif change.kind == "rename" and node is not None:
        target_parts = change.to[len(root) + 1 :].split("/")
        target = _folder(tree, target_parts[:-1])
        if target is None or (isinstance(there := target.get(target_parts[-1]), dict) and there):
            return
        del folder[name]
        target[target_parts[-1]] = node


def _folder(tree: Tree, parts: list[str]) -> Tree | None:
    for part in parts:
        below = tree.get(part)
        if not isinstance(below, dict):
            return None
        tree = below
    return tree
