"""What scripts/wheel makes: an sdist that builds, and a wheel that needs neither compiler nor Debian's packages."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from certificates import self_signed
from conftest import ROOT, Bucket
from local_origin import Origin

MIB = 2**20
CONTENT = os.urandom(9 * MIB)  # two parts
DIGEST = hashlib.sha256(CONTENT).hexdigest()
SYSTEM = {"ld-linux-x86-64", "libc", "libm", "libresolv", "libstdc++", "libgcc_s", "libz"}
LOADED = """
import sys
import penstock
maps = {line.split()[-1] for line in open("/proc/self/maps")}
sys.stdout.write("\\n".join(path for path in maps if ".so" in path))
"""
FETCH = """
import json, sys
import penstock
url, to, options = json.loads(sys.argv[1])
to = {"to": to} if isinstance(to, str) else {"to": penstock.S3Store(**options), "key": "k"}
sys.stdout.write(penstock.fetch(url, **to).sha256)
"""
BY_PENSTOCK = "import penstock\nread = penstock.fetch({url!r}, {to!r}).bytes\nassert read == 4, read\n"
REFUSED = """
import sys
import penstock
try:
    penstock.fetch({url!r}, {to!r})
except penstock.Refused as error:
    sys.stdout.write(error.code)
"""
BY_PYTHON = """
import ssl, urllib.request
context = ssl.create_default_context(cafile={authority!r})
assert urllib.request.urlopen({url!r}, context=context).read() == b"some"
"""


def run(*command: str | Path, **environment: str) -> str:
    """What it prints, with nothing of this machine in its environment but where there is no compiler."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={"PATH": "", **environment}
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and with the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run([ROOT / "scripts/wheel", folder], capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return folder


@pytest.fixture(scope="module")
def wheel(made: Path) -> Path:
    (path,) = made.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of a new environment with the wheel in it."""
    folder = tmp_path_factory.mktemp("bare")
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin/python", "-m", "pip", "install", "--no-index", wheel)
    return folder / "bin/python"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1, with its key beside it."""
    folder = tmp_path_factory.mktemp("certificates")
    self_signed(folder / "public.crt", folder / "private.key")
    return folder / "public.crt"


@pytest.fixture(scope="module")
def secure(authority: Path) -> Iterator[Origin]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, authority.with_name("private.key"))
    with Origin(context) as origin:
        origin.bodies["/k"] = b"some"
        yield origin


def fetch(python: Path, url: str, to: str | None, options: dict[str, Any] | None = None) -> str:
    return run(python, "-c", FETCH, json.dumps([url, to, options]))


def test_the_sdist_holds_what_the_wheel_is_built_from_and_no_more(made: Path) -> None:
    (path,) = made.glob("*.tar.gz")
    with tarfile.open(path) as packed:
        names = {name.split("/")[1] for name in packed.getnames()}
    folders = {"bindings", "cpp", "python"}
    assert names == {*folders, "CMakeLists.txt", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}


def test_the_wheel_is_at_most_16_mib(wheel: Path) -> None:
    assert wheel.stat().st_size <= 16 * MIB
    assert "manylinux" in wheel.name


def test_it_tells_the_licence_of_every_library_it_carries(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        listed = BytesParser().parsebytes(packed.read(metadata)).get_all("License-File", [])
    licences = metadata.replace("METADATA", "licenses/")
    assert sorted(listed) == sorted(
        name.removeprefix(licences) for name in names if name.startswith(licences)
    )
    assert {"LICENSE", "libcurl4.txt", "libssl3.txt", "common/LGPL-2.1", "pybind11.txt"} <= {*listed}
    libraries = [name for name in names if name.startswith("penstock.libs/")]
    assert len(libraries) > 30


def test_it_loads_no_library_of_the_system_but_those_of_glibc_and_gcc_and_zlib(python: Path) -> None:
    environment = python.parents[1]
    loaded = [Path(path) for path in run(python, "-c", LOADED).split("\n")]
    carried = [path for path in loaded if environment in path.parents]
    assert any(path.name.startswith("libcurl") for path in carried)
    foreign = {path.name.partition(".so")[0] for path in loaded if environment not in path.parents}
    assert {name for name in foreign if "python" not in name} <= SYSTEM


def test_without_a_compiler_it_fetches_into_a_folder(python: Path, tmp_path: Path) -> None:
    with Origin() as origin:
        origin.bodies["/k"] = CONTENT
        assert fetch(python, origin.url("/k"), f"file://{tmp_path}/k") == DIGEST
    assert (tmp_path / "k").read_bytes() == CONTENT


def test_without_a_compiler_it_fetches_into_a_bucket(python: Path, bucket: Bucket) -> None:
    with Origin() as origin:
        origin.bodies["/k"] = CONTENT
        assert fetch(python, origin.url("/k"), None, bucket.options) == DIGEST
    assert bucket.sha256("k") == DIGEST


def test_its_openssl_trusts_whom_the_environment_names(
    python: Path, secure: Origin, authority: Path, tmp_path: Path
) -> None:
    program = BY_PENSTOCK.format(url=secure.url("/k"), to=f"file://{tmp_path}/k")
    run(python, "-c", program, SSL_CERT_FILE=str(authority))
    assert run(python, "-c", REFUSED.format(url=secure.url("/k"), to=f"file://{tmp_path}/k")) == "tls"


@pytest.mark.parametrize("first", ["penstock", "python"])
def test_its_openssl_and_that_of_python_work_in_one_process(
    first: str, python: Path, secure: Origin, authority: Path, tmp_path: Path
) -> None:
    ours = BY_PENSTOCK.format(url=secure.url("/k"), to=f"file://{tmp_path}/k")
    theirs = BY_PYTHON.format(url=secure.url("/k"), authority=str(authority))
    both = ours + theirs if first == "penstock" else theirs + ours
    run(python, "-c", both + both, SSL_CERT_FILE=str(authority))


def test_it_finds_the_authorities_where_another_distribution_keeps_them(
    python: Path, secure: Origin, authority: Path, tmp_path: Path
) -> None:
    """openSUSE's place is in the same folder as Debian's, which it hides here."""
    suse = tmp_path / "ssl"
    suse.mkdir()
    (suse / "ca-bundle.pem").write_bytes(authority.read_bytes())
    program = BY_PENSTOCK.format(url=secure.url("/k"), to=f"file://{tmp_path}/k")
    hidden = 'mount --bind "$0" /etc/ssl && exec "$@"'
    run("/usr/bin/unshare", "-m", "/bin/sh", "-c", hidden, suse, python, "-c", program, PATH="/usr/bin:/bin")
