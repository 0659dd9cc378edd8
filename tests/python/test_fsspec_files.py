"""Files of fsspec on real servers: what is read of them, and how what is written appears."""

from __future__ import annotations

import gzip
import os
import pickle
from typing import Any

import fsspec
import penstock
import penstock.fsspec
import pytest
from fsspec_places import BODY, MIB

# --- Reading ---


@pytest.fixture
def big(fs: penstock.fsspec.FileSystem, root: str) -> str:
    fs.pipe(f"{root}/big", BODY)
    return f"{root}/big"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, None),
        (0, 10),
        (5, None),
        (-7, None),
        (None, -7),
        (-9, -2),
        (3, -3),
        (7, 7),
        (9, 3),
        (len(BODY) - 3, len(BODY) + 100),
        (len(BODY), None),
        (len(BODY) + 5, len(BODY) + 9),
        (MIB, 9 * MIB),
    ],
)
def test_a_slice_is_as_in_python(fs, big, start, end):
    assert fs.cat_file(big, start=start, end=end) == BODY[start:end]


def test_an_empty_object_reads_empty(fs, root):
    fs.touch(f"{root}/empty")
    assert fs.cat_file(f"{root}/empty") == fs.cat_file(f"{root}/empty", 0, 10) == b""
    with fs.open(f"{root}/empty") as file:
        assert file.read() == b""


def test_ranges_are_read_at_once(fs, big, root):
    starts = [*range(0, len(BODY), MIB)]
    ends = [start + 1000 for start in starts]
    paths = [big] * len(starts)
    assert fs.cat_ranges(paths, starts, ends) == [BODY[s:e] for s, e in zip(starts, ends, strict=True)]
    (error,) = fs.cat_ranges([f"{root}/none"], [0], [1])
    assert isinstance(error, FileNotFoundError)


@pytest.mark.parametrize("cache_type", ["readahead", "none", "bytes", "blockcache", "background", "all"])
def test_a_file_seeks_through_every_cache(fs, big, cache_type):
    with fs.open(big, block_size=MIB, cache_type=cache_type) as file:
        assert file.read(10) == BODY[:10]
        file.seek(-5, os.SEEK_END)
        assert file.read() == BODY[-5:]
        file.seek(3 * MIB - 5)
        assert file.read(2 * MIB) == BODY[3 * MIB - 5 : 5 * MIB - 5]
        assert file.size == len(BODY)


def test_a_file_is_of_one_version(fs, big):
    with fs.open(big, block_size=1000, cache_type="none") as file:
        file.read(10)
        travelled = pickle.dumps(file)
        fs.pipe(big, BODY[::-1])
        for reader in (file, pickle.loads(travelled)):
            with pytest.raises(penstock.Conflict):
                reader.read(10)


def test_text_and_compression_are_read(fs, root):
    fs.pipe(f"{root}/t.gz", gzip.compress("zwölf\n".encode()))
    with fs.open(f"{root}/t.gz", "rt", compression="infer", encoding="utf-8") as file:
        assert file.read() == "zwölf\n"


# --- Writing ---


def test_a_file_appears_when_it_is_closed(fs, root, bucket):
    with fs.open(f"{root}/k", "wb", content_type="text/x") as file:
        for at in range(0, len(BODY), 300_000):
            file.write(BODY[at : at + 300_000])
        assert file.tell() == len(BODY)
        assert bucket.keys() == []
    assert bucket.body("k") == BODY
    assert bucket.server.judge.head_object(Bucket=root, Key="k")["ContentType"] == "text/x"


def half(file: Any, body: bytes) -> None:
    file.write("half" if hasattr(file, "encoding") else body)
    raise KeyError("stop")


@pytest.mark.parametrize("mode", ["wb", "wt", "xb"])
@pytest.mark.parametrize("compression", [None, "gzip", "xz", "zip"])
@pytest.mark.parametrize("how", ["of the system", "of fsspec"])
def test_an_exception_publishes_nothing(fs, root, bucket, options, mode, compression, how, caplog):
    path = f"{root}/k"
    if how == "of the system":
        opened = fs.open(path, mode, compression=compression)
    else:
        opened = fsspec.open(f"penstock://{path}", mode, compression=compression, **options)
    with pytest.raises(KeyError), opened as file:
        half(file, BODY[:200_000] if compression else BODY)
    assert bucket.keys() == []
    if how == "of fsspec":
        assert "not published: closed while KeyError is handled" in caplog.text
    penstock.Client.default().drain()
    assert bucket.open_uploads("k") == []


@pytest.mark.parametrize("mode", ["wb", "wt", "xb"])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_dropped_file_publishes_nothing(fs, root, bucket, mode, compression):
    file = fs.open(f"{root}/k", mode, compression=compression)
    file.write("half" if mode == "wt" else BODY)
    del file
    penstock.Client.default().drain()
    assert (bucket.keys(), bucket.open_uploads("k")) == ([], [])


def test_a_file_opened_and_closed_in_a_handler_is_published(fs, root, bucket):
    try:
        raise KeyError("before")
    except KeyError:
        file = fs.open(f"{root}/k", "wb")
        file.write(b"body")
        file.close()
    assert bucket.body("k") == b"body"
    file = fs.open(f"{root}/forced", "wb")
    try:
        raise KeyError("after")
    except KeyError:
        file.commit()
    assert bucket.body("forced") == b""


@pytest.mark.parametrize("compression", [None, "gzip", "bz2", "xz"])
def test_text_and_compression_are_written(fs, root, compression):
    with fs.open(f"{root}/t", "wt", compression=compression, encoding="latin-1") as file:
        file.write("zwölf\n")
    with fs.open(f"{root}/t", "rt", compression=compression, encoding="latin-1") as file:
        assert file.read() == "zwölf\n"
    with fsspec.open(f"penstock://{root}/t.gz", "wt", compression="infer", **fs.storage_options) as file:
        file.write("thirteen\n")
    assert gzip.decompress(fs.cat(f"{root}/t.gz")) == b"thirteen\n"


def test_what_is_created_replaces_nothing(fs, root, bucket):
    first, second = fs.open(f"{root}/k", "xb"), fs.open(f"{root}/k", "xb")
    first.write(b"first")
    second.write(b"second")
    first.close()
    with pytest.raises(FileExistsError) as caught:
        second.close()
    assert isinstance(caught.value.__cause__, penstock.Conflict)
    with pytest.raises(FileExistsError):
        fs.put_file(__file__, f"{root}/k", mode="create")
    assert bucket.body("k") == b"first"


def write_and_raise(fs: Any, path: str) -> None:
    with fs.open(path, "wb") as file:
        file.write(BODY)
    raise KeyError("stop")


def test_a_transaction_publishes_at_its_end_or_not_at_all(fs, root, bucket):
    with fs.transaction:
        for key in ("a", "b"):
            with fs.open(f"{root}/{key}", "wb") as file:
                file.write(key.encode())
        with fs.open(f"{root}/c", "wt", compression="gzip") as file:
            file.write("c")
        assert bucket.keys() == []
    assert [bucket.body(key) for key in ("a", "b")] == [b"a", b"b"]
    assert gzip.decompress(bucket.body("c")) == b"c"
    with pytest.raises(KeyError), fs.transaction:
        write_and_raise(fs, f"{root}/d")
    penstock.Client.default().drain()
    assert (bucket.keys(), bucket.open_uploads("d")) == (["a", "b", "c"], [])
    with fs.open(f"{root}/e", "wb") as file:
        file.write(b"e")
    assert bucket.body("e") == b"e"
