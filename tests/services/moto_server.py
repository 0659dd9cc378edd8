"""moto, the lenient one: the second server of queues, and of S3 where there is no Go. It checks no signatures."""

from __future__ import annotations

import subprocess
from pathlib import Path

from servers import ROOT, Kind, ServiceError

REQUIREMENTS = ROOT / "scripts/requirements-moto.txt"
VENV = ROOT / ".venv"


class Moto(Kind):
    name = "moto"
    version = REQUIREMENTS.read_text().rpartition("==")[2].strip()
    health = "/moto-api/"
    needs = "needs the .venv that scripts/install makes"

    @property
    def installed(self) -> bool:
        return any(VENV.glob(f"lib/python3*/site-packages/moto-{self.version}.dist-info"))

    @property
    def possible(self) -> bool:
        return (VENV / "bin/python").exists()

    def install(self) -> None:
        if not self.possible:
            raise ServiceError(f"{self.name} {self.needs}.")
        pip = [str(VENV / "bin/python"), "-m", "pip", "install", "-q", "-r", str(REQUIREMENTS)]
        if subprocess.run(pip).returncode:
            raise ServiceError(f"pip could not install moto ({REQUIREMENTS.relative_to(ROOT)}).")

    def command(self, address: str, folder: Path) -> list[str]:
        host, port = address.split(":")
        return [str(VENV / "bin/moto_server"), "-H", host, "-p", port]
