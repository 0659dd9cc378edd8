"""Keys with empty segments through fsspec: each is itself, or refused. On moto: of the other two servers one makes
``a/b`` of ``a//b``, the other refuses it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import penstock
import penstock.fsspec
import pytest
from conftest import Bucket, S3Server, new_bucket
from fsspec_places import options_of, put
from queues import SqsServer

KEYS = ["/k", "a///c", "a//b", "a//d/e", "a/b", "m//", "plain"]


@pytest.fixture
def bucket(sqs_servers: dict[str, SqsServer]) -> Bucket:
    return new_bucket(S3Server("moto", sqs_servers["moto"].url))


@pytest.fixture
def fs(bucket: Bucket) -> penstock.fsspec.FileSystem:
    return penstock.fsspec.FileSystem(**options_of(bucket))


@pytest.fixture
def root(bucket: Bucket) -> str:
    for key in KEYS:
        put(bucket, key, key.encode())
    return bucket.name


FILES = ["/k", "a///c", "a//b", "a//d/e", "a/b", "plain"]  # the other one marks a folder


@pytest.mark.parametrize("key", ["/k", "a//b", "a///c", "new///deep//k"])
def test_a_key_comes_back_under_its_own_name(fs: Any, root: str, bucket: Bucket, key: str) -> None:
    path = f"{root}/{key}"
    fs.pipe(path, b"piped")
    assert (bucket.body(key), fs.cat_file(path), fs.info(path)["name"]) == (b"piped", b"piped", path)
    with fs.open(path, "wb") as file:
        file.write(b"written")
    with fs.open(path) as file:
        assert (file.read(), bucket.body(key)) == (b"written", b"written")
    fs.mv(path, f"{root}//moved//k")
    assert not fs.exists(path)
    assert bucket.body("/moved//k") == b"written"
    fs.rm(f"{root}//moved//k")
    assert set(bucket.keys()) == {*KEYS} - {key}


def test_every_way_of_looking_finds_all_of_them(fs: Any, root: str) -> None:
    files = [f"{root}/{key}" for key in FILES]
    assert fs.find(root) == files
    assert fs.cat(files) == {f"{root}/{key}": key.encode() for key in FILES}
    assert sorted(f"{path}/{name}" for path, _, names in fs.walk(root) for name in names) == files
    assert fs.find(root, withdirs=True) == fs.find(root, maxdepth=9, withdirs=True)
    assert fs.find(root, maxdepth=2) == [f"{root}//k", f"{root}/a/b", f"{root}/plain"]
    assert {*files} < {*fs.glob(f"{root}/**")}
    assert fs.du(root) == sum(map(len, FILES))


def test_a_walk_goes_through_folders_without_a_name(fs: Any, root: str) -> None:
    down = [
        (root, ["", "a", "m"], ["plain"]),
        (f"{root}/", [], ["k"]),
        (f"{root}/a", [""], ["b"]),
        (f"{root}/a/", ["", "d"], ["b"]),
        (f"{root}/a//", [], ["c"]),
        (f"{root}/a//d", [], ["e"]),
        (f"{root}/m", [""], []),
        (f"{root}/m/", [], []),
    ]
    assert [*fs.walk(root)] == down
    assert sorted(fs.walk(root, topdown=False)) == sorted(down)
    assert [path for path, _, _ in fs.walk(root, maxdepth=2)] == [
        f"{root}{rest}" for rest in ("", "/", "/a", "/m")
    ]
    (one, *_), detailed = down, next(iter(fs.walk(root, detail=True)))
    assert (one[0], one[1], one[2]) == (detailed[0], [*detailed[1]], [*detailed[2]])
    assert detailed[1]["a"]["type"] == "directory"


def test_a_walk_leaves_out_what_is_taken_out_of_its_folders(fs: Any, root: str) -> None:
    seen = []
    for path, folders, _ in fs.walk(root):
        seen.append(path)
        folders[:] = [name for name in folders if name != ""]
    assert seen == [root, f"{root}/a", f"{root}/m"]


@pytest.mark.parametrize("rest", ["", "/", "//"])
def test_a_path_without_a_key_is_refused(fs: Any, root: str, rest: str) -> None:
    with pytest.raises(penstock.Refused, match='the key "": it is empty'):
        fs.pipe(root + rest, b"x")
    with pytest.raises(penstock.Refused, match='the key "": it is empty'):
        fs.open(root + rest, "wb")


def test_a_tree_that_no_folder_can_hold_is_not_downloaded(fs: Any, root: str, tmp_path: Path) -> None:
    with pytest.raises(penstock.Refused, match="no folder here has an empty name"):
        fs.get(f"{root}/a", str(tmp_path / "tree"), recursive=True)
    fs.get(f"{root}/a//b", str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == b"a//b"
    fs.get([f"{root}/a///c", f"{root}//k"], str(tmp_path / "some"))
    assert {path.read_bytes() for path in (tmp_path / "some").iterdir()} == {b"a///c", b"/k"}


def test_a_tree_is_copied_and_removed_whole(fs: Any, root: str, bucket: Bucket) -> None:
    fs.cp(f"{root}/a", f"{root}/copy", recursive=True)
    assert bucket.keys("copy") == ["copy///c", "copy//b", "copy//d/e", "copy/b"]
    fs.rm(f"{root}/a", recursive=True)
    assert bucket.keys("a/") == []
    assert {"/k", "copy//b", "m//", "plain"} <= set(bucket.keys())
