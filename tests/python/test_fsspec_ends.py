"""How files of fsspec end, and what a move, a removal or an option may not do."""

from __future__ import annotations

import gzip
import json
import logging
from typing import Any

import penstock
import penstock.fsspec
import pytest
from fsspec_places import put


def test_a_move_onto_itself_keeps_the_object(fs, bucket):
    fs.pipe(f"{bucket.name}/d/k", b"kept")
    for to in (f"penstock://{bucket.name}/d/k", f"{bucket.name}/d/"):
        with pytest.raises(penstock.Refused, match="onto itself"):
            fs.mv(f"{bucket.name}/d/k", to)
    with pytest.raises(penstock.Refused, match="onto itself"):
        fs.cp_file(f"{bucket.name}/d/k", f"{bucket.name}/d/k")
    assert fs.cat(f"{bucket.name}/d/k") == b"kept"


def test_a_tree_moves_with_what_marks_its_folders(fs, bucket):
    for key in ("d/e/f", "d/g", "d/marked/", "d/marked/h"):
        fs.pipe(f"{bucket.name}/{key}", key.encode()) if key[-1] != "/" else put(bucket, key, b"")
    fs.mv(f"{bucket.name}/d", f"{bucket.name}/to", recursive=True)
    assert sorted(bucket.keys()) == ["to/e/f", "to/g", "to/marked/h"]
    assert bucket.body("to/e/f") == b"d/e/f"


def test_what_is_written_to_a_source_while_it_moves_is_not_lost(fs, bucket, monkeypatch):
    fs.pipe(f"{bucket.name}/a", b"first")
    inner = penstock.aio.S3Store.move

    async def rewritten(self: Any, *arguments: Any, **options: Any) -> Any:
        put(bucket, "a", b"second, and longer")
        return await inner(self, *arguments, **options)

    monkeypatch.setattr(penstock.aio.S3Store, "move", rewritten)
    fs.mv(f"{bucket.name}/a", f"{bucket.name}/b")
    assert bucket.body("b") == b"second, and longer"


def test_nested_roots_are_removed_once_and_the_others_too(fs, bucket):
    for key in ("d/e/f", "d/g", "z/q", "kept"):
        fs.pipe(f"{bucket.name}/{key}", b"x")
    fs.rm([f"{bucket.name}/d", f"{bucket.name}/d/e", f"{bucket.name}/z"], recursive=True)
    assert bucket.keys() == ["kept"]


def test_a_folder_is_removed_only_with_all_that_is_in_it(fs, bucket):
    fs.pipe(f"{bucket.name}/d/k", b"x")
    with pytest.raises(IsADirectoryError):
        fs.rm(f"{bucket.name}/d")
    assert bucket.keys() == ["d/k"]


def unclosed_in_a_transaction(fs: Any, root: str, *files: Any) -> None:
    with fs.transaction:
        for name, options, data in files:
            file = fs.open(f"{root}/{name}", **options)
            file.write(data)
            if name == "closed":
                file.close()


def test_a_transaction_publishes_nothing_of_what_was_not_closed(fs, bucket):
    half = ("half.gz", {"mode": "wb", "compression": "gzip"}, b"x" * 1000)
    closed = ("closed", {"mode": "wb"}, b"whole")
    with pytest.raises(penstock.Refused, match=r"half\.gz"):
        unclosed_in_a_transaction(fs, bucket.name, closed, half)
    assert bucket.keys() == []
    unclosed_in_a_transaction(fs, bucket.name, closed)
    assert bucket.keys() == ["closed"]


@pytest.mark.parametrize("compression", ["nope", "gzip"])
def test_a_file_that_cannot_be_opened_replaces_nothing(fs, bucket, compression, monkeypatch):
    fs.pipe(f"{bucket.name}/k", b"former")
    if compression == "gzip":

        def broken(*_: Any, **__: Any) -> Any:
            raise ValueError("broken")

        monkeypatch.setitem(fs_compressions(), "gzip", broken)
    with fs.transaction, pytest.raises(ValueError, match=r"nope|broken"):
        fs.open(f"{bucket.name}/k", "wb", compression=compression)
    assert fs.cat(f"{bucket.name}/k") == b"former"


def fs_compressions() -> dict[str, Any]:
    from fsspec.compression import compr

    return dict.__ior__(compr, {})


def opened_in_a_handler(fs: Any, path: str, text: bool = False) -> Any:
    try:
        raise ConnectionError("before")
    except ConnectionError:
        try:
            return {}[path]
        except KeyError:
            file = fs.open(path, "wt" if text else "wb")
        file.write("1" if text else b"1")
        file.close()
        return file


@pytest.mark.parametrize("text", [False, True])
def test_an_exception_from_before_a_file_was_opened_ends_no_file(fs, bucket, text):
    file = opened_in_a_handler(fs, f"{bucket.name}/k", text)
    assert file.receipt.bytes == 1
    assert bucket.body("k") == b"1"


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_file_closed_on_the_way_out_says_that_it_is_not_published(fs, bucket, compression, caplog):
    file = fs.open(f"{bucket.name}/k", "wb", compression=compression)
    file.write(b"half")
    with caplog.at_level(logging.WARNING, "penstock.fsspec"):
        try:
            raise OSError("stop")
        except OSError:
            file.close()
    assert bucket.keys() == []
    assert "k is not published: closed while OSError is handled" in caplog.text


def test_the_end_of_an_iterator_is_no_reason_not_to_publish(fs, bucket):
    file, chunks = fs.open(f"{bucket.name}/k", "wb"), iter([b"a", b"b"])
    while not file.closed:
        try:
            file.write(next(chunks))
        except StopIteration:
            file.close()
    assert bucket.body("k") == b"ab"


@pytest.mark.parametrize(
    ("how", "unpacked"),
    [
        ({"mode": "wb"}, bytes),
        ({"mode": "wt"}, bytes),
        ({"mode": "wb", "compression": "gzip"}, gzip.decompress),
        ({"mode": "wt", "compression": "gzip"}, gzip.decompress),
    ],
)
def test_commit_publishes_whatever_is_handled(fs, bucket, how, unpacked):
    file = fs.open(f"{bucket.name}/k", **how)
    try:
        raise OSError("handled, and no reason")
    except OSError:
        file.write("text" if how["mode"] == "wt" else b"text")
        file.commit()
    assert file.receipt is not None
    assert unpacked(bucket.body("k")) == b"text"


@pytest.mark.parametrize("how", [{"version_id": "1"}, {"if_match": "x"}, {"sizes": 3}])
def test_an_option_of_reading_that_means_nothing_is_refused(fs, bucket, how):
    fs.pipe(f"{bucket.name}/k", b"x")
    with pytest.raises(TypeError, match="no such option of reading"):
        fs.open(f"{bucket.name}/k", "rb", **how)
    with pytest.raises(penstock.Conflict):
        fs.open(f"{bucket.name}/k", "rb", etag='"another"')


def test_a_file_is_not_downloaded_onto_a_folder(fs, bucket, tmp_path):
    fs.pipe(f"{bucket.name}/k", b"x")
    with pytest.raises(IsADirectoryError):
        fs.get_file(f"{bucket.name}/k", str(tmp_path))


def test_a_key_that_climbs_out_of_the_destination_is_refused(scripted, tmp_path):
    s3, store = scripted
    for key in ("d/in", "d/../../out"):
        store.put(key, b"x")
    options = {name: value for name, value in store._arguments.items() if name != "bucket"}
    with pytest.raises(ValueError, match="outside"):
        penstock.fsspec.FileSystem(**options).get("bucket/d", str(tmp_path / "to"), recursive=True)
    assert ("bucket", "d/../../out") in s3.objects
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"key": "AKIAX", "secret": "s3cr3t"},
        {"client_kwargs": {"aws_access_key_id": "AKIAX", "aws_secret_access_key": "s3cr3t"}},
        {"access_key_id": "AKIAX", "secret_access_key": "s3cr3t", "session_token": "t0k3n"},
    ],
)
def test_secrets_are_kept_where_they_are_not_asked_for(options):
    fs = penstock.fsspec.FileSystem(**options, region="eu-west-1")
    for shown in (
        fs.to_json(include_password=False),
        json.dumps(fs.to_dict(include_password=False)),
        repr(fs),
    ):
        assert not any(secret in shown for secret in ("AKIAX", "s3cr3t", "t0k3n"))
    assert "eu-west-1" in fs.to_json(include_password=False)


def test_two_values_of_one_option_are_refused():
    with pytest.raises(penstock.Refused, match="endpoint is given twice"):
        penstock.fsspec.FileSystem(endpoint="http://127.0.0.1:1", endpoint_url="http://127.0.0.1:2")
    penstock.fsspec.FileSystem(endpoint="http://127.0.0.1:1", endpoint_url=None, client_kwargs=None)
