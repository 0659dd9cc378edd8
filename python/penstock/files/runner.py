"""What an executor is given: it runs tasks into one store, within this process or in the one it is sent to."""

from __future__ import annotations

import os
import pickle
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from penstock import _core
from penstock.client import native_client
from penstock.files.cancellation import Calls, CancellationFile, on_cancel
from penstock.files.task import to_core
from penstock.stores import native_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.client import ClientLike
    from penstock.files.result import FileResult
    from penstock.files.task import FileTask
    from penstock.stores import ObjectStore, StoreProtocol

KEPT = 8
"""Runners that a worker process keeps, so that the next task finds its store and its connections."""


class Runner:
    """Called with a task it gives the result.

    It pickles as the arguments its store and client were made with; keys that a chain found are found again where it
    arrives, once a process. Why it could not travel is in ``stays``.
    """

    def __init__(
        self,
        to: ObjectStore | StoreProtocol,
        guard: str | None = None,
        client: ClientLike | None = None,
        budget: int | None = None,
        token: str = "",
    ) -> None:
        self._spec = to, guard, client
        self._native = native_store(to), native_client(client), guard
        self._budget = budget
        self._token = token or os.urandom(16).hex()
        self._process = os.getpid()
        self._calls = Calls()
        self._lock = threading.RLock()  # what is pickled may have the collector end another batch, or this
        self._file: CancellationFile | None = None
        self._pickled = b""
        self._cancelled = False
        self.stays: Exception | None = None
        _runners[self._token] = self

    def __call__(self, task: FileTask) -> FileResult:
        store, client, guard = self._native
        with self._calls.one() as on:
            return _core.process(to_core(task), store, on, client, guard)

    def cancel(self) -> None:
        """Stop what runs, in this process and in others of this machine. Safe to repeat."""
        if not self.is_of_this_process():
            return
        with self._lock:
            if self._cancelled:
                return
            self._cancelled = True
            if self._file is not None:
                self._file.cancel()
        self._calls.stop()

    def forget(self) -> None:
        """When no task is under way any more."""
        if self._file is not None and self.is_of_this_process():
            self._file.remove()

    def is_of_this_process(self) -> bool:
        """A forked child inherits those of its parent."""
        return self._process == os.getpid()

    def __reduce__(self) -> tuple[object, ...]:
        with self._lock:
            try:
                self._pickled = self._pickled or pickle.dumps(self._spec)
            except Exception as error:
                self.stays = error
                raise
            if self._file is None and not self._cancelled:
                self._file = CancellationFile()
            path = "" if self._file is None or self._cancelled else self._file.path
        return _arrived, (self._token, self._pickled, self._budget, path)


_runners: WeakValueDictionary[str, Runner] = WeakValueDictionary()
_kept: deque[Runner] = deque(maxlen=KEPT)


def _arrived(token: str, pickled: bytes, budget: int | None, path: str) -> Callable[[FileTask], FileResult]:
    """The runner in the process it was sent to: one for all its tasks. What keeps it from being made, each raises."""
    with _arriving:
        found = _runners.get(token)
        if found is not None and found.is_of_this_process():
            return found
        try:
            return _made(token, pickled, budget, path)
        except Exception as error:  # raised here it would end the worker, and its pool
            return partial(
                _raise, f"the store cannot be made in this process: {type(error).__name__}: {error}"
            )


def _made(token: str, pickled: bytes, budget: int | None, path: str) -> Runner:
    if budget is not None:
        # before the store is made: it takes its client, and that its Budget, when it is made
        _core.set_budget(budget)
        _core.set_default_client(_core.Client({}))
    to, guard, client = pickle.loads(pickled)
    runner = Runner(to, guard, client, budget, token)
    _kept.append(runner)
    if path:
        on_cancel(path, runner.cancel)
    else:
        runner.cancel()
    return runner


def _raise(why: str, _: FileTask) -> FileResult:
    raise RuntimeError(why)  # of any other type it may not arrive where it is sent back to


def _renew() -> None:
    global _arriving
    _arriving = threading.RLock()  # a thread of the parent may have held it


_arriving = threading.RLock()
os.register_at_fork(after_in_child=_renew)
