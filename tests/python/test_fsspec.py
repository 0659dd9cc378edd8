"""The file system of fsspec on real servers: fsspec's own suite, and what pandas and pyarrow do with it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import fsspec
import penstock
import penstock.fsspec
import pytest
from fsspec.tests import abstract
from fsspec_places import TREE

# --- fsspec's own suite ---


class Fixtures(abstract.AbstractFixtures):
    @pytest.fixture
    def fs_path(self, bucket: Any) -> str:
        return f"{bucket.name}/suite"

    @pytest.fixture
    def fs(self, options: dict[str, Any]) -> penstock.fsspec.FileSystem:
        return penstock.fsspec.FileSystem(**options)

    @pytest.fixture
    def fs_join(self) -> Any:
        return lambda *parts: "/".join(parts)

    @pytest.fixture
    def supports_empty_directories(self) -> bool:
        return False


class TestCopy(abstract.AbstractCopyTests, Fixtures):
    pass


class TestGet(abstract.AbstractGetTests, Fixtures):
    pass


class TestPut(abstract.AbstractPutTests, Fixtures):
    pass


class TestOpen(abstract.AbstractOpenTests, Fixtures):
    pass


class TestPipe(abstract.AbstractPipeTests, Fixtures):
    pass


# --- Finding it ---


def test_the_protocol_is_penstock_and_nobody_elses_is_taken():
    shown = "import fsspec; print(fsspec.get_filesystem_class('penstock').__module__, fsspec.available_protocols())"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("penstock.fsspec")
    known = "from fsspec.registry import known_implementations as known; print(known['s3']['class'])"
    done = subprocess.run([sys.executable, "-c", known], capture_output=True, text=True, check=True)
    assert done.stdout == "s3fs.S3FileSystem\n"


def test_other_protocols_are_taken_when_asked(fs, root, options):
    program = (
        "import fsspec, penstock.fsspec, sys\n"
        "penstock.fsspec.register('s3', 's3a', 'mine')\n"
        "for name in ('s3', 's3a', 'mine', 'penstock'):\n"
        f"    with fsspec.open(f'{{name}}://{root}/{{name}}', 'wb', **{options!r}) as file:\n"
        "        file.write(name.encode())\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert fs.cat(fs.find(root)) == {
        f"{root}/{name}": name.encode() for name in ("mine", "penstock", "s3", "s3a")
    }


def test_without_fsspec_the_error_says_what_to_install():
    program = "import sys; sys.modules['fsspec'] = None\nimport penstock\npenstock.fsspec"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'penstock[fsspec]'" in done.stderr
    assert (
        subprocess.run(
            [sys.executable, "-c", "import sys, penstock; sys.exit('fsspec' in sys.modules)"]
        ).returncode
        == 0
    )


def test_options_of_s3fs_are_understood(bucket, root):
    given = bucket.server.options
    fs = penstock.fsspec.FileSystem(
        key=given["access_key_id"],
        secret=given["secret_access_key"],
        client_kwargs={"endpoint_url": given["endpoint"], "region_name": given["region"]},
        use_listings_cache=False,
    )
    fs.pipe(f"{root}/k", b"body")
    assert bucket.body("k") == b"body"


def test_an_unknown_option_is_a_type_error():
    with pytest.raises(TypeError, match="colour"):
        fsspec.filesystem("penstock", colour="blue")


def test_no_secret_is_shown(fs, bucket):
    assert bucket.server.options["secret_access_key"] not in repr(fs)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("penstock://b/k", "b/k"),
        ("s3://b/d/", "b/d"),
        ("/b/k", "b/k"),
        ("b//k", "b//k"),
        ("b/a%20b?c", "b/a%20b?c"),
        ("b/http://x", "b/http://x"),
        ("penstock://", ""),
    ],
)
def test_a_url_is_a_bucket_and_a_raw_key(url, path):
    assert penstock.fsspec.FileSystem._strip_protocol(url) == path


# --- Looking ---


def test_levels_and_trees(fs, tree):
    assert sorted(fs.ls(tree, detail=False)) == [f"{tree}/{name}" for name in ("a", "a-b", "d", "é +&")]
    assert fs.ls(f"{tree}/a", detail=False) == [f"{tree}/a"]
    assert [e["type"] for e in fs.ls(f"{tree}/d")] == ["directory", "file", "directory"]
    assert fs.ls(f"{tree}/d/marked") == []
    assert fs.find(f"{tree}/d") == [f"{tree}/d/{name}" for name in ("e/f", "e/g.csv", "h.csv")]
    assert fs.find(tree, maxdepth=1) == [f"{tree}/a"]
    assert fs.find(f"{tree}/d", maxdepth=2) == fs.find(f"{tree}/d")
    dirs = [f"{tree}/d", f"{tree}/d/e", f"{tree}/d/marked"]
    assert [name for name in fs.find(f"{tree}/d", withdirs=True) if fs.isdir(name)] == dirs
    assert fs.find(f"{tree}/a") == [f"{tree}/a"]
    assert fs.find(f"{tree}/none") == []
    assert fs.glob(f"{tree}/d/*.csv") == [f"{tree}/d/h.csv"]
    assert fs.glob(f"{tree}/**/*.csv") == [f"{tree}/d/e/g.csv", f"{tree}/d/h.csv"]
    assert [(len(dirs), len(files)) for _, dirs, files in fs.walk(f"{tree}/d")] == [(2, 1), (0, 2), (0, 0)]
    assert fs.du(f"{tree}/d") == sum(len(key) for key in TREE if key[:2] == "d/" and key[-1] != "/")


def test_what_is_known_of_an_object(fs, tree, bucket):
    head = bucket.server.judge.head_object(Bucket=tree, Key="a")
    info = fs.info(f"penstock://{tree}/a")
    assert (info["name"], info["size"], info["type"]) == (f"{tree}/a", 1, "file")
    assert (info["ETag"], info["LastModified"]) == (head["ETag"], head["LastModified"])
    assert fs.modified(f"{tree}/a") == head["LastModified"]
    assert fs.ls(f"{tree}/a") == [info]
    listed = next(e for e in fs.ls(tree) if e["name"] == f"{tree}/a")
    assert (listed["ETag"], listed["size"]) == (info["ETag"], 1)
    assert fs.info(tree)["type"] == fs.info(f"{tree}/d/")["type"] == fs.info("")["type"] == "directory"
    assert (fs.exists(f"{tree}/none"), fs.isfile(f"{tree}/d"), fs.isdir(f"{tree}/a")) == (False, False, False)


def test_a_new_object_is_seen_at_once(fs, tree, bucket):
    fs.ls(f"{tree}/d")
    bucket.server.judge.put_object(Bucket=tree, Key="d/new", Body=b"")
    assert f"{tree}/d/new" in fs.ls(f"{tree}/d", detail=False)


# --- Failing ---


def test_what_is_not_there_is_file_not_found(fs, root):
    for verb in (fs.info, fs.ls, fs.cat_file, fs.open, fs.size, fs.modified):
        with pytest.raises(FileNotFoundError):
            verb(f"{root}/none")
    with pytest.raises(FileNotFoundError):
        fs.cp_file(f"{root}/none", f"{root}/to")
    with pytest.raises(FileNotFoundError):
        fs.get_file(f"{root}/none", "none")
    with pytest.raises(FileNotFoundError):
        fs.rm(f"{root}/none", recursive=True)
    fs.rm(f"{root}/none")
    assert not fs.exists("no-such-bucket-anywhere")
    with pytest.raises(FileNotFoundError):
        fs.mkdir("no-such-bucket-anywhere")


def test_a_wrong_secret_is_a_permission_error_and_not_absence(options, root):
    fs = penstock.fsspec.FileSystem(**{**options, "secret_access_key": "wrong"})
    for verb in (fs.exists, fs.isdir, fs.isfile, fs.ls, fs.cat_file, fs.open, lambda path: [*fs.walk(path)]):
        with pytest.raises(PermissionError):
            verb(f"{root}/k")
    with pytest.raises(PermissionError), fs.open(f"{root}/k", "wb") as file:
        file.write(b"body")


def test_no_server_is_a_connection_error_and_not_absence(options, root):
    gone = {**options, "endpoint": "http://127.0.0.1:1"}
    fs = penstock.fsspec.FileSystem(**gone)
    with pytest.raises(ConnectionError):
        fs.isdir(f"{root}/k")


def test_a_path_without_a_bucket_and_appending_are_refused(fs, root):
    for verb in (fs.ls, fs.find, fs.cat_file):
        with pytest.raises(ValueError, match="bucket"):
            verb("")
    with pytest.raises(ValueError, match="append"):
        fs.open(f"{root}/k", "ab")


def test_what_cannot_be_removed_is_an_error(fs, root):
    fs.pipe({f"{root}/a": b"1", f"{root}/b": b"2"})
    with pytest.raises(penstock.Error):
        fs.rm([f"{root}/a", "no-such-bucket-anywhere/k"])
