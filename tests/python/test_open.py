"""penstock.open: objects as files of Python's, on every kind of store."""

from __future__ import annotations

import asyncio
import gc
import gzip
import os
import uuid
from pathlib import Path
from typing import Any

import penstock
import pytest

BODY = os.urandom(11 * 2**20)


@pytest.fixture(params=["memory", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A URI that names nothing yet, and how to look at it."""
    uri = f"memory://{uuid.uuid4().hex}/k" if request.param == "memory" else (tmp_path / "k").as_uri()
    return uri


def seen(uri: str, config: Any = None) -> bytes | None:
    store, key = penstock.store_at(uri, **(config or {}))
    return store.get(key).bytes() if store.exists(key) else None


def write_half(uri: str, mode: str, half: bytes = b"half", **options: Any) -> None:
    """Is left by an exception in the middle of writing."""
    with penstock.open(uri, mode, **options) as file:
        file.write(half if mode == "wb" else half.decode())
        raise KeyError("stop")


def create(uri: str, mode: str, text: str) -> None:
    with penstock.open(uri, mode) as file:
        file.write(text.encode() if mode == "xb" else text)


def test_bytes_and_text_come_back(place):
    with penstock.open(place, "wb") as file:
        assert file.write(b"one") == 3
        assert seen(place) is None
    assert file.receipt.bytes == 3
    with penstock.open(place, "rb") as file:
        assert file.read() == b"one"
    with penstock.open(place, "wt", newline="") as file:
        print("Gräfe", file=file)
    with penstock.open(place, "rt") as file:
        assert list(file) == ["Gräfe\n"]
    assert seen(place) == "Gräfe\n".encode()


@pytest.mark.parametrize("mode", ["wb", "wt"])
def test_an_exception_leaves_what_was_there(place, mode):
    penstock.put(place, b"former")
    with pytest.raises(KeyError):
        write_half(place, mode)
    assert seen(place) == b"former"


@pytest.mark.parametrize("mode", ["wb", "wt"])
def test_a_file_that_is_dropped_unclosed_is_not_published(place, mode):
    file = penstock.open(place, mode)
    file.write(b"half" if mode == "wb" else "half")
    del file
    gc.collect()
    assert seen(place) is None


@pytest.mark.parametrize("mode", ["xb", "xt"])
def test_a_file_that_is_created_replaces_nothing(place, mode):
    create(place, mode, "first")
    with pytest.raises(penstock.Conflict):
        create(place, mode, "second")
    assert seen(place) == b"first"


def test_reading_seeks(place):
    penstock.put(place, BODY)
    with penstock.open(place) as file:
        file.seek(-5, os.SEEK_END)
        assert file.read() == BODY[-5:]
        file.seek(2**20)
        assert file.read(10) == BODY[2**20 : 2**20 + 10]
        assert file.tell() == 2**20 + 10
        assert file.seekable()


def test_nothing_to_read_is_not_found(place):
    with pytest.raises(penstock.NotFound):
        penstock.open(place)
    with pytest.raises(FileNotFoundError):
        penstock.open(place, "rt")


@pytest.mark.parametrize("mode", ["r", "w", "a", "ab", "rb+", ""])
def test_another_mode_is_refused(place, mode):
    with pytest.raises(penstock.Refused):
        penstock.open(place, mode)


def test_on_s3_a_file_is_an_upload_that_appears_when_it_is_closed(bucket):
    config = {name: value for name, value in bucket.options.items() if name != "bucket"}
    uri = f"s3://{bucket.name}/dir/k.gz"
    with penstock.open(uri, "wb", config=config, part_bytes="5MiB", content_type="text/x") as file:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as packed:
            packed.write(BODY)
        assert bucket.keys() == []
    assert gzip.decompress(bucket.body("dir/k.gz")) == BODY
    with penstock.open(uri, config=config) as file, gzip.open(file) as unpacked:
        assert unpacked.read() == BODY
    with pytest.raises(KeyError):
        write_half(uri, "wb", BODY, config=config, part_bytes="5MiB")
    assert gzip.decompress(bucket.body("dir/k.gz")) == BODY
    penstock.Client.default().drain()
    assert bucket.open_uploads("dir/k.gz") == []


async def write_half_in_aio(uri: str) -> None:
    async with await penstock.aio.open(uri, "wb") as file:
        await file.write(b"half")
        raise KeyError("stop")


def test_files_are_opened_in_aio(place):
    async def main() -> None:
        async with await penstock.aio.open(place, "xb") as file:
            await file.write(BODY)
        async with await penstock.aio.open(place) as file:
            await file.seek(-5, os.SEEK_END)
            assert await file.read(10) == BODY[-5:]
        with pytest.raises(KeyError):
            await write_half_in_aio(place)
        with pytest.raises(penstock.Refused):
            await penstock.aio.open(place, "rt")

    asyncio.run(main())
    assert seen(place) == BODY


@pytest.mark.parametrize("mode", ["wb", "wt"])
def test_a_write_that_fails_publishes_nothing_of_it(place, mode):
    penstock.put(place, b"former")

    def too_much() -> None:
        with penstock.open(place, mode, length=3) as file:
            file.write("abcde" if mode == "wt" else b"abcde")

    with pytest.raises(penstock.Corrupt):
        too_much()
    file = penstock.open(place, mode, length=3)
    with pytest.raises(penstock.Corrupt):
        file.write(b"abcde") if mode == "wb" else (file.write("abcde"), file.flush())
    file.close()
    assert seen(place) == b"former"


def test_encodings_are_for_text(place):
    with pytest.raises(penstock.Refused, match="text"):
        penstock.open(place, "wb", encoding="utf-8")
