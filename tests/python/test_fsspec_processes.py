"""A file system of fsspec in children, however these are started."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import pytest
from fsspec_places import BODY, MIB

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
PATIENCE_SECONDS = 60


def answer_of(how: str, target: Callable[..., None], *arguments: Any) -> Any:
    """What a child sends that is started so."""
    context = multiprocessing.get_context(how)
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=target, args=(there, *arguments))
    child.start()
    there.close()  # else the end of a child that sends nothing would not be seen
    try:
        assert here.poll(PATIENCE_SECONDS)
        return here.recv()
    finally:
        child.join(PATIENCE_SECONDS)
        assert child.exitcode == 0


def read(to: Connection, fs: Any, path: str) -> None:
    with fs.open(path) as file:
        start = file.read(5)
        file.seek(-3, 2)
        to.send((fs.cat_file(path, start=3, end=10), start, file.read(), fs.find(path)))


def write(to: Connection, fs: Any, path: str, body: bytes) -> None:
    fs.pipe(f"{path}/piped", b"piped")
    with fs.open(f"{path}/written", "wb") as file:
        file.write(body)
    to.send([name.rpartition("/")[2] for name in fs.ls(path, detail=False)])


@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
def test_a_child_reads_and_writes_with_what_its_parent_used(
    fs: Any, root: str, bucket: Any, how: str
) -> None:
    path = f"{root}/k"
    fs.pipe(path, BODY)
    assert answer_of(how, read, fs, path) == (BODY[3:10], BODY[:5], BODY[-3:], [path])
    assert answer_of(how, write, fs, f"{root}/d", BODY) == ["piped", "written"]
    assert bucket.body("d/written") == BODY
    assert fs.cat_file(path, start=-3) == BODY[-3:]  # and the parent goes on


def go_on_reading(to: Connection, file: Any) -> None:
    to.send(file.read())


def test_a_file_that_is_read_goes_on_in_a_forked_child(fs: Any, root: str) -> None:
    fs.pipe(f"{root}/k", BODY)
    with fs.open(f"{root}/k") as file:
        assert file.read(MIB) == BODY[:MIB]
        assert answer_of("fork", go_on_reading, file) == BODY[MIB:]
        assert file.read() == BODY[MIB:]
