"""Loggers that take an event and its fields: structlog's where it is installed, else the standard library's.

>>> logger = penstock.bundles._log.get_logger("penstock.bundles.example")
>>> logger.info("BUNDLE_STARTED", bundle_id="test-1")
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any, Protocol, cast

from penstock import _log as _quiet  # noqa: F401  (its handler keeps logging from printing unasked)


class EventLogger(Protocol):
    """What a module of this package calls on its ``logger``."""

    def debug(self, event: str, **fields: Any) -> Any: ...
    def info(self, event: str, **fields: Any) -> Any: ...
    def warning(self, event: str, **fields: Any) -> Any: ...
    def exception(self, event: str, **fields: Any) -> Any: ...


class StandardLogger:
    """Writes ``EVENT name=value ..`` to the logger of that name."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: Any) -> None:
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._log(logging.WARNING, event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """As an error, with the exception that is being handled."""
        self._log(logging.ERROR, event, fields, exc_info=True)

    def _log(self, level: int, event: str, fields: dict[str, Any], exc_info: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            told = " ".join([event, *(f"{name}={value!r}" for name, value in fields.items())])
            self._logger.log(level, "%s", told, exc_info=exc_info, stacklevel=3)


def get_logger(name: str) -> EventLogger:
    """The logger of the module ``name``."""
    try:
        structlog = import_module("structlog")
    except ModuleNotFoundError:
        return StandardLogger(name)
    return cast("EventLogger", structlog.get_logger(name))


__all__ = ["EventLogger", "StandardLogger", "get_logger"]
