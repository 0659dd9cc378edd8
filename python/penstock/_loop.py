"""Native completions reach their event loops here: one wake-up a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

Settled = list[tuple["asyncio.Future[Any]", Any, "BaseException | None"]]


def settle(loop: asyncio.AbstractEventLoop, settled: Settled) -> None:
    """Called on the notifier thread. A loop that is closed meanwhile no longer wants to know."""
    try:
        loop.call_soon_threadsafe(_settle, settled)
    except RuntimeError:
        if not loop.is_closed():
            raise


def _settle(settled: Settled) -> None:
    for future, value, error in settled:
        if future.done():
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)
