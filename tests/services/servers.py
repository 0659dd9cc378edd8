"""A real server that judges penstock: what a kind of them is, and how one is started, found well, and stopped.

Standard library only: `scripts/services` runs it before there is a virtual environment. Every server listens
on 127.0.0.1 on a free port, keeps its data in a folder of its own, and is stopped by its own process id.
Which kinds there are: `judges.py`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".services"
ACCESS_KEY = "testkey"
SECRET_KEY = "testsecret123"
REGION = "us-east-1"
START_SECONDS = 60.0
START_ATTEMPTS = 3
STOP_SECONDS = 10.0


class ServiceError(Exception):
    """A sentence for the person at the terminal."""


@dataclass(frozen=True)
class Running:
    """A started server. `born` is its start in clock ticks since boot: with the pid it names one process."""

    name: str
    url: str
    pid: int
    born: int
    folder: str


class Kind(ABC):
    """A kind of server: how its program comes to this machine, and what starts one."""

    name: str
    version: str
    scheme = "http"
    health: str  # a path that answers 2xx once it serves
    environment: Mapping[str, str] = {}
    needs: str  # said where it is missing

    @property
    @abstractmethod
    def installed(self) -> bool: ...

    @property
    @abstractmethod
    def possible(self) -> bool:
        """Whether this machine has what installing and running it takes."""

    @abstractmethod
    def install(self) -> None:
        """Puts the program in place, whole or not at all."""

    @abstractmethod
    def command(self, address: str, folder: Path) -> list[str]:
        """What starts one on `address` with its data in `folder`, which is new and its own."""

    def is_healthy(self, url: str) -> bool:
        """Whether the one at `url` serves."""
        return answers(url + self.health)

    @property
    def available(self) -> bool:
        return self.installed or self.possible


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(kind: Kind, parent: Path) -> Running:
    """Starts the server with its data in a new folder under `parent`, and returns once it is healthy."""
    if not kind.installed:
        raise ServiceError(f"{kind.name} is not installed; run scripts/services install.")
    parent.mkdir(parents=True, exist_ok=True)
    # Another program may take the port between our choosing it and the server's bind.
    for _attempt in range(START_ATTEMPTS):
        folder = Path(tempfile.mkdtemp(prefix=f"{kind.name}-", dir=parent))
        address = f"127.0.0.1:{free_port()}"
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                kind.command(address, folder),
                env={**os.environ, **kind.environment},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C at the terminal is for the tests
            )
        url = f"{kind.scheme}://{address}"
        if _becomes_healthy(process, kind, url):
            # It outlives this object, which would warn of that; its pid is what is kept.
            process.returncode = 0
            return Running(kind.name, url, process.pid, _born(process.pid) or 0, str(folder))
        _end(process.pid, _born(process.pid))
        tail = (folder / "log").read_text(errors="replace")[-1000:]
        shutil.rmtree(folder, ignore_errors=True)
    raise ServiceError(f"{kind.name} did not come up in {START_ATTEMPTS} attempts. Its log ends:\n{tail}")


def _becomes_healthy(process: subprocess.Popen[bytes], kind: Kind, url: str) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if kind.is_healthy(url):
            return True
        time.sleep(0.05)
    return False


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Whether a GET of `url` is answered by a 2xx, without any proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return bool(200 <= response.status < 300)
    except (OSError, urllib.error.URLError):
        return False


def alive(server: Running) -> bool:
    return _born(server.pid) == server.born


def stop(server: Running) -> None:
    """Ends the process if it is still the one we started, and removes its folder. Safe to repeat."""
    _end(server.pid, server.born)
    shutil.rmtree(server.folder, ignore_errors=True)


def _end(pid: int, born: int | None) -> None:
    for sign, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        if born is None or _born(pid) != born:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
        deadline = time.monotonic() + seconds
        while _born(pid) == born and time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)  # ours if we are the parent; else init's
            time.sleep(0.02)


def _born(pid: int) -> int | None:
    """The start time in /proc/PID/stat; None when there is no such process or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])
