"""A bar a file and a total on a terminal, plain lines otherwise; all on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as RichProgress

from penstock import display

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Self

    from penstock.files import FileResult, FileTask
    from penstock.objects import Progress


class Bars:
    """Called with each Progress; told of each end.

    The total has a sum, and so a time left, as soon as that of every file is known: no task is to come, and those
    under way have a length. It keeps nothing of tasks that ended.
    """

    def __init__(self, *, plain: bool) -> None:
        self._plain = plain
        self._bars: dict[str, TaskID] = {}
        self._done: dict[str, int] = {}  # of tasks under way
        self._totals: dict[str, int | None] = {}  # of tasks that were taken and have not ended
        self._waiting = 0  # how many these are, also where two have one name
        self._all_taken = False
        self._ended = 0  # bytes of tasks that ended
        self._sum = 0
        self._rich = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=plain,
        )
        self._total = self._rich.add_task("total", total=None)

    def __enter__(self) -> Self:
        self._rich.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._rich.stop()

    def counted(self, tasks: Iterable[FileTask]) -> Iterator[FileTask]:
        """The tasks, of which the last is known when it has been taken."""
        for task in tasks:
            if not self._plain:
                self._totals[task.task_id] = task.expected_bytes
                self._waiting += 1
            yield task
        self._all_taken = True
        self._add_up()

    def __call__(self, progress: Progress) -> None:
        if self._plain:
            return
        bar = self._bars.get(progress.task_id)
        if bar is None:
            bar = self._bars[progress.task_id] = self._rich.add_task(
                progress.task_id, total=progress.bytes_total
            )
        self._rich.update(bar, completed=progress.bytes_done, total=progress.bytes_total)
        self._sum += progress.bytes_done - self._done.get(progress.task_id, 0)
        self._done[progress.task_id] = progress.bytes_done
        self._rich.update(self._total, completed=self._sum)
        if progress.bytes_total not in (None, self._totals.get(progress.task_id)):
            self._totals[progress.task_id] = progress.bytes_total
            self._add_up()

    def ended(self, result: FileResult) -> None:
        """One line a file: what it became."""
        where = result.location or result.key or result.task_id
        if result.success:
            text = f"{result.state}: {where}, {display.size(result.bytes or 0)}, {display.rate(result.rate)}"
        else:
            text = f"{result.state}: {result.task_id}: {result.error_message}"
        if self._plain:
            print(text, file=sys.stderr, flush=True)
            return
        self._ended += self._done.pop(result.task_id, 0)
        self._totals.pop(result.task_id, None)
        self._waiting -= 1
        self._add_up()
        if (bar := self._bars.pop(result.task_id, None)) is not None:
            self._rich.remove_task(bar)
        self._rich.console.print(text, markup=False, highlight=False)

    def _add_up(self) -> None:
        known = [total for total in tuple(self._totals.values()) if total is not None]
        if self._all_taken and len(known) == self._waiting:
            self._rich.update(self._total, total=self._ended + sum(known))
