"""A room includes only itself and rooms before it; two systems never include one another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ["base", "streams", "disk", "codecs", "records", "store", "http", "aws", "s3", "sqs", "pg", "kv"]
SYSTEMS = ["files", "bundles", "delta", "ingest", "sync"]
# A library's headers, and the one place that may know them.
OWNED = {
    r"curl/": "http",
    r"libpq": "pg",
    r"zlib\.h|zip\.h": "codecs",
    r"hiredis/": "kv",
    r"sqlite3": "kv",
    r"pybind11/": "bindings",
    r"Python\.h": "bindings",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
ENDINGS = {".h", ".cc", ".cpp"}


def violations(tree: Path) -> Iterator[str]:
    for file in sorted([*(tree / "cpp/penstock").rglob("*"), *(tree / "bindings").rglob("*")]):
        if file.suffix in ENDINGS:
            where = str(file.relative_to(tree))
            for ours, theirs in INCLUDE.findall(file.read_text()):
                complaint = judge(room_of(file, tree), ours, theirs)
                if complaint:
                    yield f"{where}: {complaint}"


def room_of(file: Path, tree: Path) -> str:
    parts = file.relative_to(tree).parts
    return "bindings" if parts[0] == "bindings" else parts[2]


def judge(room: str, ours: str, theirs: str) -> str | None:
    if room not in (*ROOMS, *SYSTEMS, "bindings"):
        return f"{room} is not a room of the house"
    for pattern, owner in OWNED.items():
        if re.match(pattern, theirs or ours) and room != owner:
            return f"includes {theirs or ours}, which only {owner} may know"
    if not ours or room == "bindings":
        return None
    if not ours.startswith("penstock/"):
        return f'includes "{ours}" without its room' if "/" in ours else None
    target = ours.split("/")[1]
    return None if target == room or target in rooms_before(room) else f"includes {ours} of a later room"


def rooms_before(room: str) -> list[str]:
    return ROOMS if room in SYSTEMS else ROOMS[: ROOMS.index(room)]


def test_no_arrow_points_up_or_sideways():
    assert list(violations(ROOT)) == []


def test_the_check_reads_every_room_there_is():
    seen = {room_of(file, ROOT) for file in (ROOT / "cpp/penstock").rglob("*.h")}
    assert seen >= {"base", "streams", "disk", "store", "http", "aws", "s3"}


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("cpp/penstock/base/a.h", '#include "penstock/streams/pipe.h"', "of a later room"),
        ("cpp/penstock/streams/a.cc", '  #  include "penstock/http/client.h"', "of a later room"),
        ("cpp/penstock/http/a.cc", '#include "penstock/aws/sign.h"', "of a later room"),
        ("cpp/penstock/files/a.cc", '#include "penstock/sync/store.h"', "of a later room"),
        ("cpp/penstock/s3/a.cc", "#include <curl/curl.h>", "which only http may know"),
        ("cpp/penstock/files/a.h", "#include <pybind11/pybind11.h>", "which only bindings may know"),
        ("cpp/penstock/store/a.h", "#include <libpq-fe.h>", "which only pg may know"),
        ("bindings/a.cpp", "#include <curl/multi.h>", "which only http may know"),
        ("cpp/penstock/store/a.cc", "#include <sqlite3.h>", "which only kv may know"),
        ("cpp/penstock/bundles/a.cc", "#include <hiredis/read.h>", "which only kv may know"),
        ("cpp/penstock/disk/a.cc", '#include "../http/client.h"', "without its room"),
        ("cpp/penstock/utils/a.h", "#include <string>", "not a room"),
    ],
)
def test_a_bad_include_is_found(tmp_path: Path, file: str, line: str, complaint: str):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(f"#pragma once\n{line}\n")
    found = list(violations(tmp_path))
    assert len(found) == 1
    assert file in found[0]
    assert complaint in found[0]


def test_downward_includes_are_fine(tmp_path: Path):
    (tmp_path / "cpp/penstock/files").mkdir(parents=True)
    lines = ['#include "penstock/base/error.h"', '#include "penstock/files/task.h"', "#include <curly>"]
    (tmp_path / "cpp/penstock/files/a.cc").write_text("\n".join([*lines, '#include "penstock/kv/kv.h"']))
    assert list(violations(tmp_path)) == []
