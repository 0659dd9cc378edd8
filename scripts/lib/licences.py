"""Puts into a repaired wheel the licences of the libraries it carries, as Debian states them.

usage: licences.py WHEEL
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

COMMON = Path("/usr/share/common-licenses")
# Compiled into the extension module, so no library shows them; pybind11 came by pip.
HEADERS = ("nlohmann-json3-dev", "libxxhash-dev")
PYBIND11 = "build/wheel/tree/.venv/lib/python3*/site-packages/pybind11-*.dist-info/licenses/LICENSE"


def package_of(library: str) -> str:
    """The Debian package of a library that auditwheel has renamed: libssl-59d05945.so.3 was libssl.so.3."""
    name = re.sub(r"-[0-9a-f]{8}(?=\.)", "", Path(library).name)
    found = subprocess.run(["dpkg-query", "-S", f"*/{name}"], capture_output=True, text=True)
    if found.returncode:
        sys.exit(f"{sys.argv[0]}: {name} is of no Debian package, so nothing here tells its licence")
    return found.stdout.partition(":")[0]


def texts(packages: list[str]) -> dict[str, bytes]:
    """By the name under licenses/: what the packages state, and the texts this refers to."""
    stated = {f"{name}.txt": Path(f"/usr/share/doc/{name}/copyright").read_bytes() for name in packages}
    (pybind11,) = Path().glob(PYBIND11)
    stated["pybind11.txt"] = pybind11.read_bytes()
    meant = set(re.findall(rf"{COMMON}/([\w.+-]*\w)", b"".join(stated.values()).decode()))
    return stated | {
        f"common/{name}": (COMMON / name).read_bytes() for name in meant if (COMMON / name).exists()
    }


def record_line(path: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(content)}\n"


def member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.external_attr = 0o644 << 16
    return info


def add(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        members = {info.filename: info for info in packed.infolist() if not info.is_dir()}
        contents = {name: packed.read(name) for name in members}
    libraries = [name for name in members if name.startswith("penstock.libs/")]
    (record,) = (name for name in members if name.endswith(".dist-info/RECORD"))
    folder = record.removesuffix("RECORD")
    added = texts(sorted({*map(package_of, libraries), *HEADERS}))
    own, listed = b"License-File: LICENSE\n", "".join(f"License-File: {name}\n" for name in sorted(added))
    stated = contents[folder + "METADATA"].replace(own, own + listed.encode(), 1)
    contents |= {folder + "METADATA": stated} | {
        f"{folder}licenses/{name}": text for name, text in added.items()
    }
    del contents[record]
    lines = [record_line(name, content) for name, content in contents.items()]
    contents[record] = "".join([*lines, f"{record},,\n"]).encode()
    with zipfile.ZipFile(wheel, "w") as packed:
        for name, content in contents.items():
            packed.writestr(members.get(name) or member(name), content, zipfile.ZIP_DEFLATED, compresslevel=9)


add(Path(sys.argv[1]))
