"""clang-tidy over the library and the bindings, remembering which files were clean.

usage: tidy.py BUILD_FOLDER   (with compile_commands.json in it)

A file is looked at again when it, one of our headers that it includes, its compile command or .clang-tidy
changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLEAN = ROOT / "build/tidy"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


@cache
def includes(file: Path) -> tuple[Path, ...]:
    """The project's files that `file` includes directly."""
    named = INCLUDE.findall(file.read_text())
    places = (ROOT / "cpp", ROOT, file.parent)
    return tuple(p / name for name in named for p in places if (p / name).is_file())


def closure(file: Path) -> list[Path]:
    seen, todo = {file}, [file]
    while todo:
        fresh = set(includes(todo.pop())) - seen
        seen |= fresh
        todo += fresh
    return sorted(seen)


def fingerprint(file: Path, command: str) -> str:
    digest = hashlib.sha256(command.encode())
    for part in (ROOT / ".clang-tidy", *closure(file)):
        digest.update(hashlib.sha256(part.read_bytes()).digest())
    return digest.hexdigest()


def complaints(file: Path, build: Path) -> str:
    run = subprocess.run(
        # The commands are GCC's; Clang need not know every option in them.
        [
            *("clang-tidy-19", "--quiet", "-p", str(build), "--extra-arg=-Wno-unknown-warning-option"),
            *("--extra-arg=-Wno-ignored-optimization-argument", str(file)),
        ],
        capture_output=True,
        text=True,
    )
    return "" if run.returncode == 0 else run.stdout + run.stderr


def main(build: Path) -> int:
    commands = json.loads((build / "compile_commands.json").read_text())
    CLEAN.mkdir(parents=True, exist_ok=True)
    todo = {}
    for entry in commands:
        file = Path(entry["directory"], entry["file"]).resolve()
        stamp = CLEAN / fingerprint(file, entry["command"])
        if not stamp.exists():
            todo[file] = stamp
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(todo, pool.map(lambda file: complaints(file, build), todo), strict=True))
    for file, words in found.items():
        if words:
            print(words)
        else:
            todo[file].touch()
    dirty = sum(bool(words) for words in found.values())
    print(f"{len(commands)} files, {len(todo)} looked at, {dirty} with complaints")
    return 1 if dirty else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
