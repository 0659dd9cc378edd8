"""Redis, from Debian: a server of our own beside the one its package may start."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from servers import Kind, ServiceError


class Redis(Kind):
    name = "redis"
    scheme = "redis"
    needs = "comes with Debian's package redis-server, which scripts/install installs"

    @property
    def version(self) -> str:
        if not self.installed:
            return ""
        said = subprocess.run(
            ["redis-server", "--version"], capture_output=True, text=True, check=True
        ).stdout
        found = re.search(r"v=(\S+)", said)
        return found[1] if found else said.strip()

    @property
    def installed(self) -> bool:
        return shutil.which("redis-server") is not None

    @property
    def possible(self) -> bool:
        return self.installed

    def install(self) -> None:
        raise ServiceError(f"{self.name} {self.needs}.")

    def command(self, address: str, folder: Path) -> list[str]:
        host, port = address.split(":")
        return [
            *("redis-server", "--bind", host, "--port", port, "--dir", str(folder)),
            *("--save", "", "--appendonly", "no", "--daemonize", "no"),
        ]

    def is_healthy(self, url: str) -> bool:
        where = urlsplit(url)
        try:
            with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as asked:
                asked.sendall(b"PING\r\n")
                return asked.recv(64).startswith(b"+PONG")
        except OSError:
            return False
