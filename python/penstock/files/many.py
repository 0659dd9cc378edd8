"""Many files at once; a failure is a result and stops no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from penstock import _core, display
from penstock.client import native_client
from penstock.errors import Refused
from penstock.files.executors import ExecutorBatch
from penstock.files.result import FileResult
from penstock.files.runner import Runner
from penstock.files.task import to_core
from penstock.progress import Rated
from penstock.stores import native_store
from penstock.streams import call
from penstock.units import size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock.client import ClientLike
    from penstock.files.executors import ExecutorLike
    from penstock.files.task import FileTask
    from penstock.objects import Progress
    from penstock.progress import ProgressLike
    from penstock.stores import ObjectStore, StoreProtocol
    from penstock.units import Size

JOBS = 16


class fetch_many(Iterator[FileResult]):
    """Run many tasks; iterate their results as they complete.

    Args:
        tasks: FileTasks, perhaps without end: at most 2 x jobs are taken ahead, all inside ``next()``. While
            a job would be idle it asks for the next task first, so an iterator that makes it wait also delays
            results that are ready.
        to: The store; a task's ``bucket`` goes to ``with_bucket``.
        jobs: Transfers at once, 1 to 256; 16. With an executor how many workers it has, where it does not say.
        ordered: Results in the order of the tasks.
        budget: Memory for all transfers together; else the process's Budget.
        progress: A callable that receives a Progress with its ``task_id``, or True for a line a file. With an
            executor it is told of each file once, when its result is read.
        guard: As for fetch().
        client: As for fetch().
        executor: Any ``concurrent.futures.Executor``: of threads or processes, of Dask (``Client.get_executor()``)
            or Ray; a worker runs a task at a time. The store and the client travel as the arguments they were made
            with, and a worker process finds keys that were not among them itself. 2 x workers tasks are taken
            ahead. Where a worker dies or an executor breaks, each task it had is a result, UNKNOWN and retryable.
        budget_per_worker: Budget of each worker process; else its own default. Threads have this process's.

    One task's failure is its result and touches no other. Leaving the block, or close(), cancels the rest within
    200 ms; nothing of them becomes visible. That reaches the worker processes of this machine; on others what runs
    ends by itself.

    >>> tasks = [penstock.files.FileTask(task_id=str(n), job_id="j", url=server.url("/a.csv"), file_name="a",
    ...     key=f"k{n}") for n in range(3)]
    >>> with penstock.files.fetch_many(tasks, penstock.MemoryStore(), jobs=2) as results:
    ...     sorted(result.task_id for result in results)
    ['0', '1', '2']
    """

    def __init__(
        self,
        tasks: Iterable[FileTask],
        to: ObjectStore | StoreProtocol,
        *,
        jobs: int | None = None,
        ordered: bool = False,
        budget: Size | None = None,
        progress: ProgressLike = None,
        guard: str | None = None,
        client: ClientLike | None = None,
        executor: ExecutorLike | None = None,
        budget_per_worker: Size | None = None,
    ) -> None:
        self._batch: _core.Batch | ExecutorBatch
        if executor is None:
            refuse_unused(budget_per_worker=budget_per_worker)
            self._batch = native_batch(tasks, to, jobs, ordered, budget, progress, guard, client)
        else:
            refuse_unused(budget=budget)
            runner = runner_of(to, guard, client, budget_per_worker)
            self._batch = ExecutorBatch(tasks, executor, runner, jobs, ordered, teller_of(progress))
        self._over = False

    def __next__(self) -> FileResult:
        result = None if self._over else self._batch.next()
        if result is None:
            self._over = True
            raise StopIteration
        return result

    def close(self) -> None:
        """Cancel what runs and take no more tasks."""
        self._over = True
        self._batch.cancel()

    def __enter__(self) -> fetch_many:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def native_batch(
    tasks: Iterable[FileTask],
    to: ObjectStore | StoreProtocol,
    jobs: int | None,
    ordered: bool,
    budget: Size | None,
    progress: ProgressLike,
    guard: str | None,
    client: ClientLike | None,
) -> _core.Batch:
    """The native batch for the arguments of fetch_many()."""
    limit = None if budget is None else size(budget)
    records = (to_core(task) for task in tasks)
    return _core.Batch(
        records,
        native_store(to),
        JOBS if jobs is None else jobs,
        ordered,
        limit,
        _progress_of(progress),
        native_client(client),
        guard,
        call(),
    )


def runner_of(
    to: ObjectStore | StoreProtocol, guard: str | None, client: ClientLike | None, budget: Size | None
) -> Runner:
    """What the executor of fetch_many() is given."""
    return Runner(to, guard, client, None if budget is None else size(budget))


def refuse_unused(**given: Size | None) -> None:
    """Whatever is given would have no effect."""
    for name, value in given.items():
        if value is not None:
            raise Refused(f"{name}= has no effect {_WITHOUT[name]}")


_WITHOUT = {
    "budget": "with an executor: give budget_per_worker=, or set_budget() for threads",
    "budget_per_worker": "without an executor: give budget=",
}


def _progress_of(progress: ProgressLike) -> Callable[[str], Rated] | None:
    if progress is None or progress is False:
        return None
    tell = _print_ends if progress is True else progress
    return lambda task_id: Rated(tell, task_id)


def teller_of(progress: ProgressLike) -> Callable[[FileResult], object]:
    """Tells of a file once, when it has ended: what is known where a worker ran it."""
    if progress is None or progress is False:
        return lambda _: None
    tell = _print_ends if progress is True else progress
    return lambda result: tell(_at_the_end(result))


def _at_the_end(result: FileResult) -> Progress:
    from penstock.objects import Progress

    return Progress(
        state="completed" if result.success else "failed",
        bytes_done=result.bytes or 0,
        bytes_total=result.bytes,
        attempt=result.attempts,
        resumes=result.resumes,
        rate=result.rate,
        task_id=result.task_id,
    )


def _print_ends(progress: Progress) -> None:
    if progress.state in {"completed", "failed", "cancelled"}:
        import sys

        print(f"{progress.task_id}: {progress.state}, {display.size(progress.bytes_done)}", file=sys.stderr)
