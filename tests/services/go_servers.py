"""versitygw and MinIO, the S3 servers, and Toxiproxy: built by Go, each in exactly one version."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from servers import ACCESS_KEY, HOME, REGION, SECRET_KEY, Kind, ServiceError


class GoServer(Kind):
    package: str
    needs = "needs Go to be built"

    @property
    def built_as(self) -> str:
        """Go's name of the program: the last of its package's path."""
        return self.package.rpartition("/")[2]

    @property
    def binary(self) -> Path:
        return HOME / "bin" / f"{self.name}-{self.version}"

    @property
    def installed(self) -> bool:
        return self.binary.exists()

    @property
    def possible(self) -> bool:
        return shutil.which("go") is not None

    def install(self) -> None:
        go = shutil.which("go")
        if not go:
            raise ServiceError(f"{self.name} needs Go to be built, and there is no go on this machine.")
        self.binary.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.binary.parent) as build:
            built = self._copy_of_same_version(go, Path(build)) or self._build(go, Path(build))
            built.rename(self.binary)

    def _copy_of_same_version(self, go: str, folder: Path) -> Path | None:
        """A copy of the program `go install` left behind, if its own record proves it is exactly this version."""
        asked = subprocess.run(
            [go, "env", "GOPATH"], capture_output=True, text=True, check=True
        ).stdout.strip()
        found = Path(asked.split(os.pathsep)[0]) / "bin" / self.built_as
        if not found.exists():
            return None
        record = subprocess.run(
            [go, "version", "-m", str(found)], capture_output=True, text=True
        ).stdout.split()
        # "path PACKAGE mod MODULE VERSION HASH": the main module's line follows the package's.
        proof = next((record[i : i + 5] for i, word in enumerate(record) if word == "path"), [])
        if len(proof) < 5 or proof[1] != self.package or proof[4] != self.version:
            return None
        return Path(shutil.copy2(found, folder / self.name))

    def _build(self, go: str, folder: Path) -> Path:
        result = subprocess.run(
            [go, "install", f"{self.package}@{self.version}"],
            env={**os.environ, "GOBIN": str(folder), "GOFLAGS": "-buildvcs=false"},
            capture_output=True,
            text=True,
        )
        if result.returncode:
            raise ServiceError(f"go install {self.package}@{self.version} failed:\n{result.stderr[-2000:]}")
        return folder / self.built_as


class Versitygw(GoServer):
    name = "versitygw"
    version = "v1.8.0"
    package = "github.com/versity/versitygw/cmd/versitygw"
    health = "/health"

    def command(self, address: str, folder: Path) -> list[str]:
        # Without --keep-alive it closes after every request; without --iam-dir an unknown key is a 404.
        for part in ("iam", "root"):
            (folder / part).mkdir()
        return [
            *(str(self.binary), "--access", ACCESS_KEY, "--secret", SECRET_KEY, "--port", address),
            *("--keep-alive", "--quiet", "--health", "/health", "--iam-dir", str(folder / "iam")),
            *("posix", str(folder / "root")),
        ]


class Minio(GoServer):
    name = "minio"
    version = "v0.0.0-20260212201848-7aac2a2c5b7c"  # the newest version that Go can build by its name
    package = "github.com/minio/minio"
    health = "/minio/health/cluster"  # "ready" answers before it has opened its disks
    environment: Mapping[str, str] = {
        **{"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_REGION": REGION},
        **{"MINIO_BROWSER": "off", "MINIO_UPDATE": "off"},
    }

    def command(self, address: str, folder: Path) -> list[str]:
        return [str(self.binary), "server", "--quiet", "--address", address, str(folder / "data")]


class Toxiproxy(GoServer):
    """A proxy of TCP by somebody else; `url` is that of its interface."""

    name = "toxiproxy"
    version = "v2.12.0"
    package = "github.com/Shopify/toxiproxy/v2/cmd/server"
    health = "/version"

    def command(self, address: str, folder: Path) -> list[str]:
        host, port = address.split(":")
        return [str(self.binary), "-host", host, "-port", port]
