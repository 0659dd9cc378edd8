"""Archives as zipfile and tarfile make them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import Any


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return made.getvalue()


def tarred(members: dict[str, bytes], form: int = tarfile.PAX_FORMAT, mode: Any = "w") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode, format=form) as archive:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return made.getvalue()


def with_link(members: dict[str, bytes], link: str, to: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        info = zipfile.ZipInfo(link)
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, to)
        for name, body in members.items():
            archive.writestr(name, body)
    return made.getvalue()
