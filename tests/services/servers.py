"""The real S3 servers that judge penstock: how each is installed, started, found well, and stopped.

Standard library only: `scripts/services` runs it before there is a virtual environment. Every server listens
on 127.0.0.1 on a free port, keeps its data in a folder of its own, and is stopped by its own process id.
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
from collections.abc import Callable
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


@dataclass(frozen=True)
class Kind:
    name: str
    health: str
    command: Callable[[str, Path], list[str]]  # (address, data folder) -> arguments
    environment: dict[str, str]
    module: str = ""  # Go package; "": a Python program
    version: str = ""

    @property
    def binary(self) -> Path:
        return HOME / "bin" / f"{self.name}-{self.version}"

    @property
    def installed(self) -> bool:
        return self.binary.exists() if self.module else (ROOT / ".venv/bin/moto_server").exists()


def _versitygw(address: str, folder: Path) -> list[str]:
    # Without --keep-alive it closes after every request; without --iam-dir an unknown key is a 404.
    for part in ("iam", "root"):
        (folder / part).mkdir()
    return [
        *(str(VERSITYGW.binary), "--access", ACCESS_KEY, "--secret", SECRET_KEY, "--port", address),
        *("--keep-alive", "--quiet", "--health", "/health", "--iam-dir", str(folder / "iam")),
        *("posix", str(folder / "root")),
    ]


def _minio(address: str, folder: Path) -> list[str]:
    return [str(MINIO.binary), "server", "--quiet", "--address", address, str(folder / "data")]


def _moto(address: str, folder: Path) -> list[str]:
    host, port = address.split(":")
    return [str(ROOT / ".venv/bin/moto_server"), "-H", host, "-p", port]


VERSITYGW = Kind(
    "versitygw", "/health", _versitygw, {}, "github.com/versity/versitygw/cmd/versitygw", "v1.8.0"
)
MINIO = Kind(
    "minio",
    "/minio/health/ready",
    _minio,
    {
        **{"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_REGION": REGION},
        **{"MINIO_BROWSER": "off", "MINIO_UPDATE": "off"},
    },
    "github.com/minio/minio",
    "v0.0.0-20260212201848-7aac2a2c5b7c",  # the newest version that Go can build by its name
)
MOTO = Kind("moto", "/moto-api/", _moto, {})
JUDGES = (VERSITYGW, MINIO)
KINDS = {kind.name: kind for kind in (*JUDGES, MOTO)}


# --- Installing ---


def install(kind: Kind) -> str:
    """Puts the server's program in place and returns what was done."""
    if kind.installed:
        return "is installed"
    if not kind.module:
        return _install_moto()
    go = shutil.which("go")
    if not go:
        raise ServiceError(f"{kind.name} needs Go to be built, and there is no go on this machine.")
    kind.binary.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kind.binary.parent) as build:
        built = _copy_of_same_version(kind, go, Path(build)) or _build(kind, go, Path(build))
        built.rename(kind.binary)
    return f"installed {kind.version}"


def _copy_of_same_version(kind: Kind, go: str, folder: Path) -> Path | None:
    """A copy of the program `go install` left behind, if its own record proves it is exactly this version."""
    gopath = subprocess.run([go, "env", "GOPATH"], capture_output=True, text=True, check=True).stdout.strip()
    found = Path(gopath.split(os.pathsep)[0]) / "bin" / kind.name
    if not found.exists():
        return None
    record = subprocess.run([go, "version", "-m", str(found)], capture_output=True, text=True).stdout.split()
    # "path PACKAGE mod MODULE VERSION HASH": the main module's line follows the package's.
    proof = next((record[i : i + 5] for i, word in enumerate(record) if word == "path"), [])
    if len(proof) < 5 or proof[1] != kind.module or proof[4] != kind.version:
        return None
    return Path(shutil.copy2(found, folder / kind.name))


def _build(kind: Kind, go: str, folder: Path) -> Path:
    result = subprocess.run(
        [go, "install", f"{kind.module}@{kind.version}"],
        env={**os.environ, "GOBIN": str(folder), "GOFLAGS": "-buildvcs=false"},
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise ServiceError(f"go install {kind.module}@{kind.version} failed:\n{result.stderr[-2000:]}")
    return folder / kind.name


def _install_moto() -> str:
    requirements = ROOT / "scripts/requirements-moto.txt"
    pip = [str(ROOT / ".venv/bin/python"), "-m", "pip", "install", "-q", "-r", str(requirements)]
    if subprocess.run(pip).returncode:
        raise ServiceError("pip could not install moto (scripts/requirements-moto.txt).")
    return "installed"


# --- Starting and stopping ---


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
        url = f"http://{address}"
        if _becomes_healthy(process, url + kind.health):
            # It outlives this object, which would warn of that; its pid is what is kept.
            process.returncode = 0
            return Running(kind.name, url, process.pid, _born(process.pid) or 0, str(folder))
        _end(process.pid, _born(process.pid))
        tail = (folder / "log").read_text(errors="replace")[-1000:]
        shutil.rmtree(folder, ignore_errors=True)
    raise ServiceError(f"{kind.name} did not come up in {START_ATTEMPTS} attempts. Its log ends:\n{tail}")


def _becomes_healthy(process: subprocess.Popen[bytes], url: str) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if answers(url):
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


def which_judges() -> tuple[list[Kind], list[Kind]]:
    """The servers this machine can be judged by, and those it must do without."""
    if shutil.which("go"):
        return list(JUDGES), []
    present = [kind for kind in JUDGES if kind.installed]
    missing = [kind for kind in JUDGES if not kind.installed]
    return (present or [MOTO]), missing
