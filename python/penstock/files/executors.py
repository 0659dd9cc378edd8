"""Many files by an executor: what is submitted ahead, what became of it, in which order it is told."""

from __future__ import annotations

from collections import deque
from concurrent.futures import BrokenExecutor
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from penstock.errors import Refused
from penstock.files.result import FileResult
from penstock.files.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from penstock.files.task import FileTask

UNKNOWN_WORKERS = 16
"""Reckoned with where an executor does not say how many it has."""


class ExecutorLike(Protocol):
    """What is needed of a ``concurrent.futures.Executor``."""

    def submit(self, fn: Callable[..., FileResult], /, *args: FileTask) -> Future[FileResult]: ...


class Submitted:
    """The tasks that an executor has, and the results that nobody has read yet: 2 x workers at most.

    Threads: one at a time, but ``on_end``, which is called with a task's number from the executor's.
    """

    def __init__(
        self,
        executor: ExecutorLike,
        runner: Runner,
        workers: int | None,
        ordered: bool,
        on_end: Callable[[int], object],
    ) -> None:
        self._executor, self._runner, self._on_end = executor, runner, on_end
        self._ahead = 2 * workers_of(executor, workers)
        self._ordered = ordered
        self._running: dict[int, tuple[FileTask, Future[FileResult]]] = {}
        self._ended: dict[int, FileResult] = {}
        self._order: deque[int] = deque()
        self._count = 0
        self._cancelled = False

    @property
    def empty(self) -> bool:
        """Whether nothing is under way."""
        return not self._running

    def has_room(self) -> bool:
        """Whether one task more may be submitted."""
        return len(self._running) + len(self._ended) < self._ahead

    def submit(self, task: FileTask) -> None:
        """Once there is room. An executor that is broken makes it a result."""
        number, on_end = self._count, self._on_end
        try:
            future = self._executor.submit(self._runner, task)
        except BrokenExecutor as error:
            self._ended[number] = failed(task, error)
        else:
            self._running[number] = task, future
            future.add_done_callback(partial(_called_with, on_end, number))
        self._order.append(number)
        self._count += 1

    def end(self, number: int) -> None:
        """Take the outcome of the task with this number. Raises what keeps every task from being sent."""
        if self._cancelled:
            return
        task, future = self._running.pop(number)
        if self._runner.stays is not None:
            raise self._runner.stays
        try:
            self._ended[number] = future.result()
        except BaseException as error:
            self._ended[number] = failed(task, error)

    def take(self) -> FileResult | None:
        """A result that is due, if there is one."""
        if not self._ended:
            return None
        number = self._order[0] if self._ordered else next(iter(self._ended))
        if number not in self._ended:
            return None
        self._order.remove(number)
        return self._ended.pop(number)

    def cancel(self) -> None:
        """Stop what runs, drop what waits. Safe to repeat."""
        if self._cancelled:
            return
        self._cancelled = True
        self._runner.cancel()
        futures = [future for _, future in self._running.values()]
        self._running.clear()
        self._ended.clear()
        for future in futures:
            future.cancel()
        _when_all_ended(futures, self._runner.forget)


class ExecutorBatch:
    """The batch of fetch_many() with an executor."""

    def __init__(
        self,
        tasks: Iterable[FileTask],
        executor: ExecutorLike,
        runner: Runner,
        workers: int | None,
        ordered: bool,
        tell: Callable[[FileResult], object],
    ) -> None:
        self._tasks = iter(tasks)
        self._ends: SimpleQueue[int | None] = SimpleQueue()
        self._submitted = Submitted(executor, runner, workers, ordered, self._ends.put)
        self._tell = tell
        self._all_taken = False
        self._raised: BaseException | None = None

    def next(self) -> FileResult | None:
        """The next result; None: there are no more. What the tasks raise comes after the results before it."""
        while True:
            self._submit_ahead()
            if (result := self._submitted.take()) is not None:
                self._tell(result)
                return result
            if self._submitted.empty or (number := self._ends.get()) is None:
                break
            try:
                self._submitted.end(number)
            except BaseException:
                self.cancel()
                raise
        self.cancel()
        if self._raised is not None:
            raise self._raised
        return None

    def cancel(self) -> None:
        """Stop what runs and take no more tasks."""
        self._all_taken = True
        self._submitted.cancel()
        self._ends.put(None)

    def _submit_ahead(self) -> None:
        while not self._all_taken and self._submitted.has_room():
            try:
                self._submitted.submit(next(self._tasks))
            except StopIteration:
                self._all_taken = True
            except Exception as error:
                self._all_taken, self._raised = True, error

    def __del__(self) -> None:
        if "_submitted" in self.__dict__:
            self.cancel()


def workers_of(executor: object, said: int | None) -> int:
    """How many tasks an executor runs at once."""
    if said is not None and said < 1:
        raise Refused(f"jobs must be at least 1, not {said}")
    return said or getattr(executor, "_max_workers", None) or UNKNOWN_WORKERS


def failed(task: FileTask, error: BaseException) -> FileResult:
    """The result of a task whose worker said nothing of it."""
    return FileResult(
        success=False,
        task_id=str(task.task_id),
        job_id=str(task.job_id),
        error_message=str(error) or "Unknown error",
        error_code="UNKNOWN",
        retryable=True,
    )


def _when_all_ended(futures: list[Future[FileResult]], act: Callable[[], object]) -> None:
    left = set(range(len(futures)))

    def ended(number: int) -> None:
        left.discard(number)
        if not left:
            act()

    if not futures:
        act()
    for number, future in enumerate(futures):
        future.add_done_callback(partial(_called_with, ended, number))


def _called_with(act: Callable[[int], object], number: int, _: object) -> None:
    act(number)
