"""The byte sink, a server of its own process that drops what it is sent: its memory and disk are not measured."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def byte_sink(build_folder: Path) -> Iterator[str]:
    """The URL of one, which is also an origin."""
    program = build_folder / "sink"
    compiler = [*(["ccache"] if shutil.which("ccache") else []), "g++", "-std=c++20", "-O2", "-pthread"]
    subprocess.run([*compiler, str(ROOT / "bench/servers/sink.cc"), "-o", str(program)], check=True)
    with subprocess.Popen([str(program)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            word, port = process.stdout.readline().split()
            assert word == "port"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
