"""Loggers of events with fields, with structlog and without."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace

import pytest
from penstock.bundles._log import get_logger


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


def test_structlog_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    logger = object()

    def of(name: str) -> object:
        names.append(name)
        return logger

    monkeypatch.setitem(sys.modules, "structlog", SimpleNamespace(get_logger=of))
    assert get_logger("a.b") is logger
    assert names == ["a.b"]
