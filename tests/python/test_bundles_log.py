"""Loggers of events with fields, with structlog and without."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
from bundle_places import recipe, ref
from penstock.bundles._log import get_logger
from penstock.bundles.storage import FileStorage
from test_bundles_completion import SOON


@pytest.fixture
def no_structlog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "structlog", None)


@pytest.mark.usefixtures("no_structlog")
def test_an_event_is_a_line_with_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    logger = get_logger("penstock.bundles.test")
    with caplog.at_level(logging.DEBUG, "penstock"):
        logger.debug("STARTED", bid="test-1", count=2)
        logger.info("DONE")
        logger.warning("ODD", url="a b")
    lines = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    assert lines == [
        ("penstock.bundles.test", "DEBUG", "STARTED bid='test-1' count=2"),
        ("penstock.bundles.test", "INFO", "DONE"),
        ("penstock.bundles.test", "WARNING", "ODD url='a b'"),
    ]
    assert {record.filename for record in caplog.records} == {"test_bundles_log.py"}


@pytest.mark.usefixtures("no_structlog")
def test_an_exception_is_an_error_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise RuntimeError("why")
    except RuntimeError:
        get_logger("penstock.bundles.test").exception("FAILED", percent="100%s")
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("ERROR", "FAILED percent='100%s'")
    assert record.exc_info
    assert str(record.exc_info[1]) == "why"


@pytest.mark.usefixtures("no_structlog")
def test_what_nobody_listens_to_is_not_written_out() -> None:
    asked: list[str] = []

    class Field:
        def __repr__(self) -> str:
            asked.append("repr")
            return "a"

    get_logger("penstock.bundles.test").debug("STARTED", field=Field())
    assert asked == []


async def dropped(storage: Any) -> None:
    await storage.start_bundle(ref(), recipe())
    gc.collect()


async def aborted(storage: Any) -> None:
    await (await storage.start_bundle(ref(), recipe())).abort("mine")


async def replaced(storage: Any) -> None:
    first = await storage.start_bundle(ref(), recipe())
    second = await storage.start_bundle(ref(), recipe())
    await second.complete({})
    assert first.state == "abandoned"


async def closed(storage: Any) -> None:
    context = await storage.start_bundle(ref(), recipe())
    await storage.aclose()
    assert context.state == "abandoned"


WHY = {
    dropped: "it was dropped unfinished",
    aborted: "mine",
    replaced: "another bundle of the same BID was started",
    closed: "the storage was closed",
}


@pytest.mark.parametrize("end", WHY)
def test_a_bundle_that_is_abandoned_is_an_event(
    end: Any, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: SimpleQueue[tuple[str, dict[str, Any]]] = SimpleQueue()

    class Logger:
        def __getattr__(self, _: str) -> Any:
            return lambda *_, **__: None

        def warning(self, event: str, **fields: Any) -> None:
            events.put((event, fields))

    monkeypatch.setitem(sys.modules, "structlog", SimpleNamespace(get_logger=lambda _: Logger()))
    asyncio.run(end(place.storage()))
    told = {"bundle_id": "custom-one", "why": WHY[end]}
    assert events.get(timeout=SOON) == ("BUNDLE_ABANDONED", told)
    assert events.empty()


@pytest.mark.usefixtures("no_structlog")
def test_a_bundle_that_is_abandoned_is_a_line_without_structlog(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(aborted(FileStorage(tmp_path)))
    until = time.monotonic() + SOON
    while not caplog.records and time.monotonic() < until:
        time.sleep(0.01)  # told by a thread of the core's
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("penstock.bundles", "WARNING")
    assert record.getMessage() == "BUNDLE_ABANDONED bundle_id='custom-one' why='mine'"


def test_structlog_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    logger = object()

    def of(name: str) -> object:
        names.append(name)
        return logger

    monkeypatch.setitem(sys.modules, "structlog", SimpleNamespace(get_logger=of))
    assert get_logger("a.b") is logger
    assert names == ["a.b"]
