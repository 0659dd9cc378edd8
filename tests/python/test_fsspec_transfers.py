"""Whole objects through fsspec on real servers: transfers, many at once, pandas and pyarrow."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

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
from fsspec_places import BODY, TREE

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


def batches_until_it_breaks(rows: int) -> Iterator[pa.RecordBatch]:
    for n in range(5):
        yield pa.record_batch([pa.array(range(n * rows, (n + 1) * rows))], schema=ROWS)
    raise KeyError("stop")


ROWS = pa.schema([("id", pa.int64())])


@pytest.mark.parametrize("of_a_file", [None, 200_000], ids=["one", "several"])
def test_a_dataset_of_a_generator_that_raises_has_no_half_file(fs, root, bucket, of_a_file):
    limits = {} if of_a_file is None else {"max_rows_per_file": of_a_file, "max_rows_per_group": of_a_file}
    with pytest.raises(KeyError):
        pyarrow.dataset.write_dataset(
            batches_until_it_breaks(100_000),
            f"{root}/set",
            schema=ROWS,
            filesystem=fs,
            format="parquet",
            **limits,
        )
    whole = {pyarrow.parquet.read_table(path, filesystem=fs).num_rows for path in fs.find(root)}
    assert whole <= {of_a_file}


def test_a_table_left_by_an_exception_is_not_published(fs, root, bucket):
    def half() -> None:
        with pyarrow.parquet.ParquetWriter(f"{root}/t.parquet", ROWS, filesystem=fs) as writer:
            for batch in batches_until_it_breaks(100_000):
                writer.write_batch(batch)

    with pytest.raises(KeyError):
        half()
    assert bucket.keys() == []


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
