"""The file system of fsspec on real servers: fsspec's own suite, and what pandas and pyarrow do with it."""

from __future__ import annotations

import asyncio
import gzip
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import fsspec
import pandas as pd
import penstock
import penstock.fsspec
import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
import pytest
from fsspec.callbacks import Callback
from fsspec.tests import abstract

MIB = 2**20
BODY = os.urandom(11 * MIB)  # three parts of 5 MiB, the last one shorter


def options_of(bucket: Any) -> dict[str, Any]:
    return {**bucket.server.options, "part_bytes": "5MiB"}


@pytest.fixture
def options(bucket: Any) -> dict[str, Any]:
    return options_of(bucket)


@pytest.fixture
def fs(options: dict[str, Any]) -> penstock.fsspec.FileSystem:
    return penstock.fsspec.FileSystem(**options)


@pytest.fixture
def root(bucket: Any) -> str:
    return bucket.name


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

TREE = ["a", "a-b/c", "d/e/f", "d/e/g.csv", "d/h.csv", "d/marked/", "é +&/%2F"]


@pytest.fixture
def tree(bucket: Any) -> str:
    for key in TREE:
        bucket.server.judge.put_object(
            Bucket=bucket.name, Key=key, Body=b"" if key[-1] == "/" else key.encode()
        )
    return bucket.name


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


# --- Moving whole objects ---


def test_copies_keep_what_is_said_of_the_object_also_between_buckets(fs, root, bucket):
    other = f"{root}-2"
    bucket.server.judge.create_bucket(Bucket=other)
    fs.pipe_file(f"{root}/a", b"body", content_type="text/x")
    fs.cp(f"{root}/a", f"{other}/b")
    fs.mv(f"{root}/a", f"{root}/c")
    assert bucket.keys() == ["c"]
    for name, key in ((other, "b"), (root, "c")):
        head = bucket.server.judge.head_object(Bucket=name, Key=key)
        assert (head["ContentType"], head["ContentLength"]) == ("text/x", 4)


def test_a_tree_is_removed_with_its_markers(fs, tree, bucket):
    fs.rm(f"{tree}/d", recursive=True)
    assert not fs.exists(f"{tree}/d")
    assert sorted(bucket.keys()) == sorted(key for key in TREE if key[0] != "d")
    fs.rm(f"{tree}/a*")
    assert not fs.exists(f"{tree}/a")
    fs.rm(tree, recursive=True)
    assert bucket.keys() == []
    assert fs.exists(tree)


def test_more_keys_than_one_request_takes_are_removed(fs, root, bucket):
    fs.pipe({f"{root}/many/{n}": b"" for n in range(1001)})
    assert len(fs.find(f"{root}/many")) == 1001
    fs.rm(f"{root}/many", recursive=True)
    assert bucket.keys() == []


class Told(Callback):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def absolute_update(self, value: int) -> None:
        self.seen.append(value)
        super().absolute_update(value)


def test_files_come_and_go_and_progress_is_told(fs, root, tmp_path):
    (tmp_path / "from").write_bytes(BODY)
    up, down = Told(), Told()
    fs.put_file(tmp_path / "from", f"{root}/k", callback=up)
    fs.get_file(f"{root}/k", tmp_path / "deep/down/to", callback=down)
    assert (tmp_path / "deep/down/to").read_bytes() == BODY
    for told in (up, down):
        assert (told.size, told.seen[-1]) == (len(BODY), len(BODY))


def test_a_url_that_is_signed_reads(fs, root):
    from urllib.request import urlopen

    fs.pipe(f"{root}/k", b"body")
    with urlopen(fs.sign(f"{root}/k", expiration=60)) as answer:
        assert answer.read() == b"body"


# --- Many at once ---


def test_threads_share_one_file_system(fs, root):
    def round_trip(n: int) -> bool:
        body = BODY[n * 1000 : n * 1000 + 5000]
        with fs.open(f"{root}/{n}", "wb") as file:
            file.write(body)
        with fs.open(f"{root}/{n}") as file:
            return file.read() == body == fs.cat_file(f"{root}/{n}")

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(round_trip, range(64)))


def test_more_reads_than_there_are_threads_go_on_at_once(options, root):
    fs = penstock.fsspec.FileSystem(**options, batch_size=400)
    fs.pipe({f"{root}/{n}": b"%d" % n for n in range(400)})
    assert fs.cat(fs.find(root)) == {f"{root}/{n}": b"%d" % n for n in range(400)}


def test_it_is_awaited_on_the_loop_of_the_caller(options, root):
    async def main() -> None:
        fs = penstock.fsspec.FileSystem(**options, asynchronous=True)
        await asyncio.gather(*(fs._pipe_file(f"{root}/{n}", b"%d" % n) for n in range(20)))
        assert await fs._cat(await fs._find(root)) == {f"{root}/{n}": b"%d" % n for n in range(20)}
        with fs.open(f"{root}/file", "wb") as file:
            file.write(b"body")
        with fs.open(f"{root}/file") as file:
            assert file.read() == b"body"

    asyncio.run(main())


def test_it_pickles_and_is_one_for_equal_options(fs, root, options):
    fs.pipe(f"{root}/k", b"body")
    again = pickle.loads(pickle.dumps(fs))
    assert again is fs is fsspec.filesystem("penstock", **options)
    program = "import pickle, sys; print(pickle.load(sys.stdin.buffer).cat(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, f"{root}/k"], input=pickle.dumps(fs), capture_output=True, check=True
    )
    assert done.stdout == b"b'body'\n"


def test_a_mapper_is_a_dict_of_bytes(fs, root):
    mapper = fs.get_mapper(f"{root}/zarr")
    mapper["a/0"] = b"0"
    mapper["a/1"] = b"1"
    assert dict(mapper) == {"a/0": b"0", "a/1": b"1"}
    del mapper["a/0"]
    assert [*mapper] == ["a/1"]
    with pytest.raises(KeyError):
        mapper["a/0"]


# --- pandas and pyarrow ---

FRAME = pd.DataFrame(
    {
        "id": range(50_000),
        "name": [f"name {n}" for n in range(50_000)],
        "part": [n % 3 for n in range(50_000)],
    }
)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.json.xz"])
def test_pandas_writes_and_reads_text(root, options, name):
    url = f"penstock://{root}/dir/{name}"
    if "csv" in name:
        FRAME.to_csv(url, index=False, storage_options=options)
        back = pd.read_csv(url, storage_options=options)
    else:
        FRAME.to_json(url, orient="records", lines=True, storage_options=options)
        back = pd.read_json(url, orient="records", lines=True, storage_options=options)
    pd.testing.assert_frame_equal(back, FRAME)


def test_pandas_reads_in_chunks(root, options):
    url = f"penstock://{root}/t.csv"
    FRAME.to_csv(url, index=False, storage_options=options)
    with pd.read_csv(url, chunksize=20_000, storage_options=options) as chunks:
        assert [len(chunk) for chunk in chunks] == [20_000, 20_000, 10_000]


def test_pandas_writes_and_reads_parquet(root, options):
    url = f"penstock://{root}/t.parquet"
    FRAME.to_parquet(url, storage_options=options)
    pd.testing.assert_frame_equal(pd.read_parquet(url, storage_options=options), FRAME)
    some = pd.read_parquet(url, columns=["id"], filters=[("part", "==", 2)], storage_options=options)
    assert some["id"].tolist() == [*range(2, 50_000, 3)]


def test_pandas_partitions(root, options, bucket):
    url = f"penstock://{root}/parts"
    FRAME.to_parquet(url, partition_cols=["part"], storage_options=options)
    stored = bucket.keys()
    assert {key.split("/")[1] for key in stored} == {"part=0", "part=1", "part=2"}
    back = pd.read_parquet(url, storage_options=options).sort_values("id")
    assert back["name"].tolist() == FRAME["name"].tolist()


class Unwritable:
    def __str__(self) -> str:
        raise KeyError("stop")


def test_pandas_publishes_no_half_table(root, options, bucket):
    broken = pd.DataFrame({"a": [*range(200_000), Unwritable()]})
    with pytest.raises(KeyError):
        broken.to_csv(f"penstock://{root}/t.csv", storage_options=options)
    assert bucket.keys() == []


TABLE = pa.Table.from_pandas(FRAME)


def test_pyarrow_writes_and_reads_a_dataset(fs, root, bucket):
    parts = pyarrow.dataset.partitioning(pa.schema([("part", pa.int64())]), flavor="hive")
    pyarrow.dataset.write_dataset(
        TABLE, f"{root}/set", filesystem=fs, format="parquet", partitioning=parts, max_rows_per_group=5000
    )
    assert len(bucket.keys()) == 3
    found = pyarrow.dataset.dataset(f"{root}/set", filesystem=fs, partitioning=parts)
    assert found.to_table().sort_by("id").select(TABLE.column_names).equals(TABLE.replace_schema_metadata())
    some = found.to_table(columns=["id"], filter=pyarrow.dataset.field("part") == 1)
    assert some["id"].to_pylist() == [*range(1, 50_000, 3)]


def test_a_dataset_is_replaced(fs, root, bucket):
    for rows in (TABLE, TABLE.slice(0, 10)):
        pyarrow.dataset.write_dataset(
            rows, f"{root}/set", filesystem=fs, format="parquet", existing_data_behavior="delete_matching"
        )
    assert pyarrow.dataset.dataset(f"{root}/set", filesystem=fs).count_rows() == 10


def test_pyarrow_reads_row_groups_out_of_one_file(fs, root):
    with fs.open(f"{root}/t.parquet", "wb") as file:
        pyarrow.parquet.write_table(TABLE, file, row_group_size=5000)
    with fs.open(f"{root}/t.parquet") as file:
        found = pyarrow.parquet.ParquetFile(file)
        assert found.num_row_groups == 10
        assert found.read_row_group(7)["id"][0].as_py() == 35_000


def test_pyarrow_sees_a_file_system(fs, root):
    arrow = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(fs))
    fs.pipe(f"{root}/dir/k", b"body")
    arrow.create_dir(f"{root}/dir/sub")
    arrow.copy_file(f"{root}/dir/k", f"{root}/dir/k2")
    arrow.move(f"{root}/dir/k2", f"{root}/dir/k3")
    (info, none) = arrow.get_file_info([f"{root}/dir/k3", f"{root}/none"])
    assert (info.size, info.type, none.type) == (4, pyarrow.fs.FileType.File, pyarrow.fs.FileType.NotFound)
    assert abs(info.mtime.timestamp() - fs.modified(f"{root}/dir/k3").timestamp()) < 1
    found = arrow.get_file_info(pyarrow.fs.FileSelector(root, recursive=True))
    assert sorted(one.path for one in found if one.is_file) == [f"{root}/dir/k", f"{root}/dir/k3"]
    arrow.delete_dir(f"{root}/dir")
    assert fs.find(root) == []
