"""A real server of one's own that is stopped, continued, killed, and started again where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import servers


class MortalServer:
    """One of `kind` with its data below `parent`; a context manager."""

    def __init__(self, kind: Any, parent: Path) -> None:
        self._kind = kind
        self._folder = parent / kind.name
        self._folder.mkdir(parents=True)
        address = f"127.0.0.1:{servers.free_port()}"
        self.url = f"{kind.scheme}://{address}"
        self._command = kind.command(address, self._folder)

    def __enter__(self) -> MortalServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on()
        self._end(signal.SIGTERM)

    def start(self) -> None:
        """On the same port, with the same data; returns once it serves."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, **self._kind.environment},
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + servers.START_SECONDS
        while not self._kind.is_healthy(self.url):
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = (self._folder / "log").read_text(errors="replace")[-1000:]
                raise servers.ServiceError(f"{self._kind.name} did not come up. Its log ends:\n{tail}")
            time.sleep(0.02)

    def stand_still(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, sign: signal.Signals) -> None:
        self._process.send_signal(sign)
        self._process.wait(servers.STOP_SECONDS)
