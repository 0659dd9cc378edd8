"""Examples of the documentation, run as programs against a real server of S3 and an origin on loopback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faults.origin import FileOrigin

ROOT = Path(__file__).resolve().parents[2]
COOKBOOK = ROOT / "docs/cookbook.md"
CONTENT = b"id,name\n" + b"".join(b"%d,row %d\n" % (n, n) for n in range(40_000))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def recipes() -> dict[str, str]:
    """Those of the cookbook by title, each a program."""
    preamble, *_ = blocks(COOKBOOK, "python")
    titled = r"^### ([^\n]+)\n```python\n(.*?)^```$"
    found = re.findall(titled, COOKBOOK.read_text(), re.MULTILINE | re.DOTALL)
    return {title: preamble + text for title, text in found}


def said(program: str) -> str:
    """What the comments behind its prints promise."""
    return "".join(f"{line}\n" for line in re.findall(r"^ *print\(.*\)  # (.+)$", program, re.MULTILINE))


def environment(bucket: Any) -> dict[str, str]:
    """Of a machine that is set up for the bucket."""
    options = bucket.options
    return {
        **os.environ,
        "AWS_ENDPOINT_URL_S3": options["endpoint"],
        "AWS_ACCESS_KEY_ID": options["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": options["secret_access_key"],
    }


@contextmanager
def names(bucket: Any) -> Iterator[dict[str, str]]:
    """What the examples' names for bucket, endpoint and file are here."""
    with FileOrigin(CONTENT) as origin:
        origin.headers = [("Content-Type", "text/csv"), ("Accept-Ranges", "bytes")]
        yield {
            "https://example.org/data.csv": origin.file_url,
            "https://s3.example.org": bucket.options["endpoint"],
            "my-bucket": bucket.name,
        }


def localized(text: str, here: Mapping[str, str]) -> str:
    for name, meant in here.items():
        text = text.replace(name, meant)
    return text


def run(program: str, bucket: Any, folder: Path, **more: str) -> str:
    """What the program prints; it must end well."""
    with names(bucket) as here:
        command = [sys.executable, "-c", localized(program, here)]
        env = environment(bucket) | more
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout
