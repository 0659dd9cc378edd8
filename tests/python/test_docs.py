"""Every docstring that shows a call is run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import penstock
import pytest
from conftest import S3Server, new_bucket
from local_origin import Origin
from queues import KEYS, SqsServer

MODULES = sorted(
    name for _, name, _ in pkgutil.walk_packages(penstock.__path__, "penstock.") if not name.endswith("_core")
)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as made:
        yield made


@pytest.fixture
def queue_url(sqs_servers: dict[str, SqsServer], monkeypatch: pytest.MonkeyPatch) -> str:
    """A new queue, and the keys to it in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["secret_access_key"])
    return next(iter(sqs_servers.values())).make_queue().url


@pytest.fixture
def fsspec_names(s3_servers: dict[str, S3Server]) -> dict[str, Any]:
    """A new bucket, and the options that lead to its server."""
    server = next(iter(s3_servers.values()))
    made = new_bucket(server)
    return {"fsspec": fsspec, "bucket": made.name, "options": server.options}


@pytest.mark.parametrize("name", ["penstock", *MODULES])
def test_its_examples_run(name: str, origin: Origin, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    module = importlib.import_module(name)
    names = {"penstock": penstock, "server": origin, "folder": tmp_path}
    if name.endswith(".sqs"):
        names["queue_url"] = request.getfixturevalue("queue_url")
    if name.split(".")[1:2] == ["fsspec"]:
        names |= request.getfixturevalue("fsspec_names")
    result = doctest.testmod(module, extraglobs=names, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def test_the_examples_are_there() -> None:
    finder = doctest.DocTestFinder()
    shown = sum(len(test.examples) for name in MODULES for test in finder.find(importlib.import_module(name)))
    assert shown > 25
