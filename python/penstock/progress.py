"""``progress=True`` is a bar, a callable receives Progress; both get rate and time left from here."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from penstock import display

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock.objects import Progress

    ProgressLike = bool | Callable[[Progress], object] | None

WIDTH = 24


class Rated:
    """Adds rate and time left to what the core reports."""

    def __init__(self, tell: Callable[[Progress], object], task_id: str = "") -> None:
        self._tell = tell
        self._task_id = task_id
        self._began = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        from dataclasses import replace  # late: ``import penstock`` is spared it

        spent = time.monotonic() - self._began
        rate = progress.bytes_done / spent if spent > 0 else 0.0
        left = None
        if progress.bytes_total is not None and rate > 0:
            left = max(0.0, (progress.bytes_total - progress.bytes_done) / rate)
        self._tell(replace(progress, rate=rate, eta=left, task_id=self._task_id))


class Bar:
    """One line of plain text on stderr, redrawn in place on a terminal and in a notebook."""

    def __init__(self, name: str, file: TextIO | None = None) -> None:
        self._name = name if len(name) <= 32 else f"…{name[-31:]}"
        self._file = file if file is not None else sys.stderr
        self._redraws = self._file.isatty() or "ipykernel" in sys.modules
        self._drawn = ""

    def __call__(self, progress: Progress) -> None:
        self._drawn = f"{self._name} {line(progress)}"
        if self._redraws:
            print(f"\r{self._drawn:<79}", end="", file=self._file, flush=True)

    def close(self) -> None:
        """Leave the last state on a line of its own."""
        if self._redraws and self._drawn:
            print(file=self._file)
        elif self._drawn:
            print(self._drawn, file=self._file)


def line(progress: Progress) -> str:
    """``[####    ] 1.5 MiB of 3 MiB, 1 MiB/s, 2 s left``."""
    done = display.size(progress.bytes_done)
    rate = display.rate(progress.rate)
    if progress.bytes_total is None:
        return f"{done}, {rate}"
    part = min(1.0, progress.bytes_done / progress.bytes_total) if progress.bytes_total else 1.0
    filled = "#" * int(WIDTH * part)
    left = f", {progress.eta:.0f} s left" if progress.eta else ""
    return f"[{filled:<{WIDTH}}] {done} of {display.size(progress.bytes_total)}, {rate}{left}"


@contextmanager
def reporter(progress: ProgressLike, name: str) -> Iterator[Rated | None]:
    """What the core calls for a ``progress=`` argument; the bar is closed at the end."""
    if progress is None or progress is False:
        yield None
    elif progress is True:
        bar = Bar(name)
        try:
            yield Rated(bar, name)
        finally:
            bar.close()
    else:
        yield Rated(progress, name)
