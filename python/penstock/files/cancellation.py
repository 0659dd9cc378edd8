"""Cancelling what is under way, in this process and in the others of this machine."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

from penstock.streams import call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from penstock import _core


POLL_SECONDS = 0.05


class Calls:
    """The calls that run within this process; stop() ends them within 200 ms, and those that begin later at once."""

    def __init__(self) -> None:
        self._running: set[_core.Call] = set()
        self._stopped = False

    @contextmanager
    def one(self) -> Iterator[_core.Call]:
        """A call, for as long as the block lasts."""
        on = call()
        self._running.add(on)
        if self._stopped:  # looked at after it was added: either stop() saw it, or it sees stop()
            on.stop()
        try:
            yield on
        finally:
            self._running.discard(on)

    def stop(self) -> None:
        """Safe to repeat, from any thread."""
        self._stopped = True
        for on in self._running.copy():
            on.stop()


class CancellationFile:
    """An empty file, locked until cancel(), or until the process that made it is gone, however it went.

    A lock of fcntl belongs to its process, so workers that are forked meanwhile do not hold it too.
    """

    def __init__(self) -> None:
        self._file, self.path = mkstemp(prefix="penstock-running-")
        fcntl.lockf(self._file, fcntl.LOCK_EX)

    def cancel(self) -> None:
        """Tell whoever watches. Once."""
        os.close(self._file)

    def remove(self) -> None:
        """When nobody will look for it any more."""
        Path(self.path).unlink(missing_ok=True)


def on_cancel(path: str, act: Callable[[], object]) -> None:
    """Calls ``act`` on a thread of its own when the CancellationFile at ``path`` is cancelled.

    Where there is no such file, on another machine, that is never.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return
    threading.Thread(target=_wait, args=(file, act), name="penstock-cancel", daemon=True).start()


def _wait(file: int, act: Callable[[], object]) -> None:
    try:
        fcntl.lockf(file, fcntl.LOCK_SH)
    except OSError as error:
        if error.errno != errno.EDEADLK:
            raise
        _poll(file)
    finally:
        os.close(file)
    act()


def _poll(file: int) -> None:
    """Where the kernel sees two processes that wait for each other's locks: those of two batches."""
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(POLL_SECONDS)
        else:
            return
