"""Many files by an executor: what is submitted ahead, what became of it, in which order it is told."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import contextmanager, suppress
from functools import cache, partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from penstock.errors import Refused
from penstock.files.result import FileResult
from penstock.files.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from penstock.files.task import FileTask

UNKNOWN_WORKERS = 16
"""Reckoned with where an executor does not say how many it has."""


class ExecutorLike(Protocol):
    """What is needed of a ``concurrent.futures.Executor``."""

    def submit(self, fn: Callable[..., FileResult], /, *args: FileTask) -> Future[FileResult]: ...


class Submitted:
    """The tasks that an executor has, and the results that nobody has read yet: 2 x workers at most.

    What there is to do next it says: ask for a task, take the result that is due, or wait for an end.

    Threads: cancel() any; the rest one reader at a time. ``on_end`` is called with a task's number, perhaps from the
    executor's threads, and must not hold what owns this.
    """

    def __init__(
        self,
        executor: ExecutorLike,
        runner: Runner,
        workers: int | None,
        ordered: bool,
        on_end: Callable[[int], object],
        tell: Callable[[FileResult], object],
    ) -> None:
        self._executor, self._runner, self._on_end, self._tell = executor, runner, on_end, tell
        self._workers = workers_of(executor, workers)
        self._ordered = ordered
        self._lock = threading.RLock()
        self._running: dict[int, tuple[FileTask, Future[FileResult]]] = {}
        self._ended: dict[int, FileResult] = {}
        self._order: deque[int] = deque()
        self._count = 0
        self._told: int | None = None
        self._all_taken = self._cancelled = self._read = False
        self._raised: Exception | None = None
        _end_at_exit(self)

    @contextmanager
    def one_reader(self) -> Iterator[None]:
        """For as long as a result is waited for."""
        with self._lock:
            if self._read:
                raise RuntimeError("this batch is being used by another thread or task")
            self._read = True
        try:
            yield
        finally:
            self._read = False

    def wants_task(self) -> bool:
        """Whether there is room for one, and either a worker to be idle without it or no result to be given first."""
        with self._lock:
            if self._all_taken or len(self._running) + len(self._ended) >= 2 * self._workers:
                return False
            return len(self._running) < self._workers or self.due() is None

    def no_more(self, error: Exception | None = None) -> None:
        """There are no more tasks, or asking for one raised this."""
        self._all_taken, self._raised = True, error

    def submit(self, task: FileTask) -> None:
        """Once it is wanted. An executor that is broken makes it a result."""
        with self._lock:
            if self._cancelled:
                return
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
        with self._lock:
            if number not in self._running:
                return  # cancelled
            task, future = self._running.pop(number)
            if self._runner.stays is not None:
                raise self._runner.stays
            error = CancelledError() if future.cancelled() else future.exception()
            self._ended[number] = future.result() if error is None else failed(task, error)

    def due(self) -> int | None:
        """The number of the result to be given next, if it is there."""
        with self._lock:
            if not self._ended:
                return None
            number = self._order[0] if self._ordered else next(iter(self._ended))
            return number if number in self._ended else None

    def take(self, number: int) -> FileResult | None:
        """The result that is due, of which is told once; None: cancelled. Where telling raises, it stays due."""
        with self._lock:
            result = self._ended.get(number)
        if result is not None and self._told != number:
            self._told = number
            self._tell(result)
        with self._lock:
            if self._ended.pop(number, None) is not None:
                self._order.remove(number)
        return result

    def is_waited_for(self) -> bool:
        """Whether a task is under way. If none is and none is due, all has been given."""
        return bool(self._running)

    def finish(self) -> None:
        """When all has been given. Raises what asking for tasks raised, once."""
        self.cancel()
        error, self._raised = self._raised, None
        if error is not None:
            raise error

    def cancel(self) -> None:
        """Stop what runs, drop what waits, ask for no more. Safe to repeat."""
        if not self._runner.is_of_this_process():
            return  # inherited by a fork: locks in there may be held by threads that are not
        self._all_taken = True
        self._runner.cancel()  # first: an executor may run a task within submit()
        with self._lock:
            if self._cancelled:
                return
            self._cancelled = True
            futures = [future for _, future in self._running.values()]
            self._running.clear()
            self._ended.clear()
            self._order.clear()
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
        self._submitted = Submitted(executor, runner, workers, ordered, self._ends.put, tell)

    def next(self) -> FileResult | None:
        """The next result; None: there are no more. What the tasks raise comes after the results before it."""
        with self._submitted.one_reader():
            try:
                number = self._wait()
            except (
                BaseException
            ):  # of Ctrl-C too: who leaves the executor's block would wait for what it runs
                self.cancel()
                raise
            return None if number is None else self._submitted.take(number)

    def cancel(self) -> None:
        """Stop what runs and take no more tasks. From any thread."""
        self._submitted.cancel()
        self._ends.put(None)

    def _wait(self) -> int | None:
        submitted = self._submitted
        while True:
            while submitted.wants_task():
                self._submit_next()
            if (number := submitted.due()) is not None:
                return number
            if not submitted.is_waited_for():
                submitted.finish()
                return None
            if (number := self._ends.get()) is not None:
                submitted.end(number)

    def _submit_next(self) -> None:
        try:
            self._submitted.submit(next(self._tasks))
        except StopIteration:
            self._submitted.no_more()
        except Exception as error:
            self._submitted.no_more(error)

    def __del__(self) -> None:
        if "_submitted" in self.__dict__:
            self.cancel()


_live: WeakSet[Submitted] = WeakSet()


def _end_at_exit(submitted: Submitted) -> None:
    """Before concurrent.futures waits for its workers, which is before any function of atexit is called."""
    if not _live:
        _register()
    _live.add(submitted)


@cache
def _register() -> None:
    import concurrent.futures.process
    import concurrent.futures.thread  # noqa: F401  what they have registered is called after ours, the last first

    register: Callable[[Callable[[], None]], None] | None = getattr(threading, "_register_atexit", None)
    if register is not None:
        with suppress(RuntimeError):  # at exit already
            register(_cancel_all)


def _cancel_all() -> None:
    for submitted in [*_live]:
        submitted.cancel()


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
