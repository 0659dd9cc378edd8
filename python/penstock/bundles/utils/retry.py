"""Tries again, after delays that grow.

>>> engine = penstock.bundles.utils.create_retry_engine(max_retries=2, jitter=False)
>>> [engine.calculate_delay(attempt) for attempt in range(3)]
[1.0, 2.0, 4.0]
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from penstock.bundles._log import get_logger
from penstock.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Exceptions = tuple[type[Exception], ...]

P = ParamSpec("P")
T = TypeVar("T")

logger = get_logger(__name__)

__all__ = [
    "RetryConfig",
    "RetryEngine",
    "async_retry_with_backoff",
    "create_aggressive_retry_engine",
    "create_connection_retry_engine",
    "create_operation_retry_engine",
    "create_retry_engine",
    "sync_retry_with_backoff",
]


@dataclass
class RetryConfig:
    """How often, and after what delays.

    Attributes:
        max_retries: Tries after the first.
        base_delay: Seconds before the first retry.
        max_delay: Seconds, before jitter.
        exponential_base: What each further delay is multiplied by.
        jitter: Whether a delay is multiplied by a random number out of ``jitter_range``.
        jitter_range: From, to.
    Raises:
        Refused: A ValueError, naming the field.
    """

    max_retries: int = 3
    base_delay: float = 1.0
    max_delay: float = 60.0
    exponential_base: float = 2.0
    jitter: bool = True
    jitter_range: tuple[float, float] = (0.5, 1.5)

    def __post_init__(self) -> None:
        if self.max_retries < 0:
            raise Refused("max_retries must be non-negative")
        if self.base_delay <= 0:
            raise Refused("base_delay must be positive")
        if self.max_delay <= 0:
            raise Refused("max_delay must be positive")
        if self.exponential_base <= 1:
            raise Refused("exponential_base must be greater than 1")
        if self.jitter_range[0] >= self.jitter_range[1]:
            raise Refused("jitter_range must be (min, max) where min < max")


class RetryEngine:
    """Calls a function until it returns, at most ``max_retries`` times more.

    Args:
        config: How often, and after what delays.
        retry_exceptions: What is worth another try; anything else is raised at once.
        sleep: What waits between calls of execute_with_retry_sync().
        sleep_async: What waits between those of execute_with_retry_async().
        uniform: Draws the jitter.
    """

    def __init__(
        self,
        config: RetryConfig,
        *,
        retry_exceptions: Exceptions = (Exception,),
        sleep: Callable[[float], object] | None = None,
        sleep_async: Callable[[float], Awaitable[object]] | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.config = config
        self._retry_exceptions = retry_exceptions
        self._sleep = sleep
        self._sleep_async = sleep_async
        self._uniform = uniform

    def calculate_delay(self, attempt: int) -> float:
        """Seconds to wait after try ``attempt``, counted from 0."""
        config = self.config
        try:
            delay = min(config.base_delay * config.exponential_base**attempt, config.max_delay)
        except OverflowError:
            delay = config.max_delay
        return delay * self._uniform(*config.jitter_range) if config.jitter else delay

    async def execute_with_retry_async(
        self, func: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What ``func`` returns, awaited; else the last exception."""
        for attempt in count():
            try:
                return await func(*args, **kwargs)
            except self._retry_exceptions as error:
                delay = self._before_next(attempt, error)
                if delay is None:
                    raise
            await (asyncio.sleep if self._sleep_async is None else self._sleep_async)(delay)
        raise AssertionError("a count has no end")

    def execute_with_retry_sync(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``func`` returns; else the last exception."""
        for attempt in count():
            try:
                return func(*args, **kwargs)
            except self._retry_exceptions as error:
                delay = self._before_next(attempt, error)
                if delay is None:
                    raise
            (time.sleep if self._sleep is None else self._sleep)(delay)
        raise AssertionError("a count has no end")

    def _before_next(self, attempt: int, error: Exception) -> float | None:
        """Seconds until the next try; None if this was the last."""
        if attempt >= self.config.max_retries:
            return None
        delay = self.calculate_delay(attempt)
        logger.warning(
            "RETRY",
            attempt=attempt + 1,
            max_retries=self.config.max_retries,
            delay_seconds=round(delay, 3),
            error=str(error),
            error_type=type(error).__name__,
        )
        return delay


def create_retry_engine(
    max_retries: int = 3,
    base_delay: float = 1.0,
    max_delay: float = 60.0,
    exponential_base: float = 2.0,
    *,
    jitter: bool = True,
    jitter_range: tuple[float, float] = (0.5, 1.5),
) -> RetryEngine:
    """An engine of these settings."""
    config = RetryConfig(max_retries, base_delay, max_delay, exponential_base, jitter, jitter_range)
    return RetryEngine(config)


def create_connection_retry_engine() -> RetryEngine:
    """For making connections."""
    return create_retry_engine(3, 1.0, 60.0)


def create_operation_retry_engine() -> RetryEngine:
    """For single operations."""
    return create_retry_engine(3, 0.5, 30.0)


def create_aggressive_retry_engine() -> RetryEngine:
    """For what must come through."""
    return create_retry_engine(5, 0.1, 120.0, 3.0)


def async_retry_with_backoff(
    max_retries: int = 3,
    base_delay: float = 1.0,
    max_delay: float = 60.0,
    exponential_base: float = 2.0,
    *,
    jitter: bool = True,
    jitter_range: tuple[float, float] = (0.5, 1.5),
    retry_exceptions: Exceptions = (Exception,),
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """Has a coroutine function tried again when it raises one of ``retry_exceptions``."""
    config = RetryConfig(max_retries, base_delay, max_delay, exponential_base, jitter, jitter_range)
    engine = RetryEngine(config, retry_exceptions=retry_exceptions)

    def decorate(func: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        @functools.wraps(func)
        async def retried(*args: P.args, **kwargs: P.kwargs) -> T:
            return await engine.execute_with_retry_async(func, *args, **kwargs)

        return retried

    return decorate


def sync_retry_with_backoff(
    max_retries: int = 3,
    base_delay: float = 1.0,
    max_delay: float = 60.0,
    exponential_base: float = 2.0,
    *,
    jitter: bool = True,
    jitter_range: tuple[float, float] = (0.5, 1.5),
    retry_exceptions: Exceptions = (Exception,),
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Has a function tried again when it raises one of ``retry_exceptions``."""
    config = RetryConfig(max_retries, base_delay, max_delay, exponential_base, jitter, jitter_range)
    engine = RetryEngine(config, retry_exceptions=retry_exceptions)

    def decorate(func: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(func)
        def retried(*args: P.args, **kwargs: P.kwargs) -> T:
            return engine.execute_with_retry_sync(func, *args, **kwargs)

        return retried

    return decorate
