"""Trying again: how often, after what, and when not."""

from __future__ import annotations

import asyncio
from typing import Any

import penstock
import pytest
from penstock.bundles.utils import retry
from penstock.bundles.utils.retry import RetryConfig, RetryEngine

FIELDS = ("max_retries", "base_delay", "max_delay", "exponential_base", "jitter", "jitter_range")


class Failing:
    """Raises `failures` times, then returns what it was called with."""

    def __init__(self, failures: int, error: type[Exception] = RuntimeError) -> None:
        self.failures, self.error, self.calls = failures, error, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error(f"failure {self.calls}")
        return args, kwargs

    async def later(self, *args: Any, **kwargs: Any) -> Any:
        return self(*args, **kwargs)


class Waits(list[float]):
    """Sleeps no time, and remembers for how long."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)

    async def later(self, seconds: float) -> None:
        self.append(seconds)


def engine(waits: Waits, **settings: Any) -> RetryEngine:
    more = {name: settings.pop(name) for name in ("retry_exceptions",) if name in settings}
    config = RetryConfig(**{"jitter": False, **settings})
    return RetryEngine(config, sleep=waits, sleep_async=waits.later, **more)


def call(made: RetryEngine, how: str, function: Failing, *args: Any, **kwargs: Any) -> Any:
    if how == "sync":
        return made.execute_with_retry_sync(function, *args, **kwargs)
    return asyncio.run(made.execute_with_retry_async(function.later, *args, **kwargs))


@pytest.mark.parametrize("how", ["sync", "async"])
class TestEngine:
    def test_what_returns_at_once_is_called_once(self, how: str) -> None:
        waits, function = Waits(), Failing(0)
        assert call(engine(waits), how, function, 1, k=2) == ((1,), {"k": 2})
        assert (function.calls, waits) == (1, [])

    def test_delays_double(self, how: str) -> None:
        waits, function = Waits(), Failing(3)
        assert call(engine(waits), how, function) == ((), {})
        assert (function.calls, waits) == (4, [1.0, 2.0, 4.0])

    def test_the_last_exception_is_raised(self, how: str) -> None:
        waits, function = Waits(), Failing(99)
        with pytest.raises(RuntimeError, match=r"^failure 3$"):
            call(engine(waits, max_retries=2), how, function)
        assert waits == [1.0, 2.0]

    def test_other_exceptions_are_raised_at_once(self, how: str) -> None:
        waits, function = Waits(), Failing(1, KeyError)
        with pytest.raises(KeyError):
            call(engine(waits, retry_exceptions=(RuntimeError,)), how, function)
        assert (function.calls, waits) == (1, [])

    def test_no_retries_is_one_call(self, how: str) -> None:
        function = Failing(1)
        with pytest.raises(RuntimeError):
            call(engine(Waits(), max_retries=0), how, function)
        assert function.calls == 1


def test_a_delay_is_capped_before_it_is_multiplied() -> None:
    drawn: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        return 1.25

    made = RetryEngine(RetryConfig(max_delay=5.0, jitter_range=(0.8, 1.4)), uniform=uniform)
    assert [made.calculate_delay(attempt) for attempt in (0, 2, 10, 100_000)] == [1.25, 5.0, 6.25, 6.25]
    assert drawn == [(0.8, 1.4)] * 4


def test_jitter_stays_in_its_range() -> None:
    made = RetryEngine(RetryConfig())
    delays = {made.calculate_delay(1) for _ in range(200)}
    assert len(delays) > 1
    assert min(delays) >= 1.0
    assert max(delays) <= 3.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_retries": -1}, "max_retries must be non-negative"),
        ({"base_delay": 0}, "base_delay must be positive"),
        ({"max_delay": -1}, "max_delay must be positive"),
        ({"exponential_base": 1.0}, "exponential_base must be greater than 1"),
        ({"jitter_range": (1.0, 0.5)}, "jitter_range must be (min, max) where min < max"),
        ({"jitter_range": (1.0, 1.0)}, "jitter_range must be (min, max) where min < max"),
    ],
)
def test_a_setting_out_of_range_is_a_value_error(settings: dict[str, Any], message: str) -> None:
    for make in (RetryConfig, retry.create_retry_engine, retry.sync_retry_with_backoff):
        with pytest.raises(ValueError) as raised:  # noqa: PT011  (compared below)
            make(**settings)
        assert str(raised.value) == message
        assert isinstance(raised.value, penstock.Refused)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (retry.create_retry_engine, (3, 1.0, 60.0, 2.0, True, (0.5, 1.5))),
        (retry.create_connection_retry_engine, (3, 1.0, 60.0, 2.0, True, (0.5, 1.5))),
        (retry.create_operation_retry_engine, (3, 0.5, 30.0, 2.0, True, (0.5, 1.5))),
        (retry.create_aggressive_retry_engine, (5, 0.1, 120.0, 3.0, True, (0.5, 1.5))),
        (
            lambda: retry.create_retry_engine(7, 2.0, 9.0, 4.0, jitter=False, jitter_range=(0.1, 0.2)),
            (7, 2.0, 9.0, 4.0, False, (0.1, 0.2)),
        ),
    ],
)
def test_factories_have_their_settings(make: Any, expected: tuple[Any, ...]) -> None:
    assert tuple(getattr(make().config, name) for name in FIELDS) == expected


class TestDecorators:
    @pytest.fixture
    def waits(self, monkeypatch: pytest.MonkeyPatch) -> Waits:
        waits = Waits()
        monkeypatch.setattr(retry.time, "sleep", waits)
        monkeypatch.setattr(retry.asyncio, "sleep", waits.later)
        return waits

    def test_a_function_is_tried_again(self, waits: Waits) -> None:
        failing = Failing(2)

        @retry.sync_retry_with_backoff(2, 0.25, jitter=False)
        def named(value: int) -> Any:
            """Its docstring."""
            return failing(value)

        assert named(1) == ((1,), {})
        assert waits == [0.25, 0.5]
        assert (named.__name__, named.__doc__) == ("named", "Its docstring.")

    def test_a_coroutine_function_is_tried_again(self, waits: Waits) -> None:
        failing = Failing(2)

        @retry.async_retry_with_backoff(2, 0.25, jitter=False)
        async def named(value: int) -> Any:
            return failing(value)

        assert asyncio.run(named(1)) == ((1,), {})
        assert waits == [0.25, 0.5]
        assert named.__name__ == "named"

    def test_which_exceptions_is_honoured(self, waits: Waits) -> None:
        sync, later = Failing(1, KeyError), Failing(1, KeyError)

        @retry.async_retry_with_backoff(retry_exceptions=(ValueError,))
        async def awaited() -> Any:
            return later()

        with pytest.raises(KeyError):
            retry.sync_retry_with_backoff(retry_exceptions=(ValueError,))(sync.__call__)()
        with pytest.raises(KeyError):
            asyncio.run(awaited())
        assert (sync.calls, later.calls, waits) == (1, 1, [])
