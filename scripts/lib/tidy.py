"""clang-tidy over the library and the bindings, remembering which files were clean.

usage: tidy.py BUILD_FOLDER   (with compile_commands.json in it)

A file is looked at again when it, one of our headers that it includes, its compile command, .clang-tidy or this script
changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLEAN = ROOT / "build/tidy"
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
COMPLAINT = re.compile(r"^(?=\S+:\d+:\d+: (?:warning|error): )", re.MULTILINE)

OPTIONS = (
    # The commands are GCC's; Clang need not know every option in them.
    *("-Wno-unknown-warning-option", "-Wno-ignored-optimization-argument"),
    # Nodes of the analyzer's graph a function. With its default of 225,000 http/exchange.cc takes 32 s, of which the
    # analyzer 23; with 10,000 it takes 12 s.
    *("-Xclang", "-analyzer-config", "-Xclang", "max-nodes=10000"),
)


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
    for part in (ROOT / ".clang-tidy", Path(__file__), *closure(file)):
        digest.update(hashlib.sha256(part.read_bytes()).digest())
    return digest.hexdigest()


def complaints(file: Path, build: Path) -> str:
    run = subprocess.run(
        [
            "clang-tidy-19",
            "--quiet",
            "-p",
            str(build),
            *(f"--extra-arg={each}" for each in OPTIONS),
            str(file),
        ],
        capture_output=True,
        text=True,
    )
    return "" if run.returncode == 0 else run.stdout + run.stderr


def tell(words: str, seen: set[str]) -> None:
    """Prints complaints; one about a header comes from every file that includes it, and is said once."""
    for complaint in COMPLAINT.split(words):
        if complaint not in seen:
            print(complaint, end="", flush=True)
            seen.add(complaint)


def main(build: Path) -> int:
    commands = json.loads((build / "compile_commands.json").read_text())
    CLEAN.mkdir(parents=True, exist_ok=True)
    todo = {}
    for entry in commands:
        file = Path(entry["directory"], entry["file"]).resolve()
        stamp = CLEAN / fingerprint(file, entry["command"])
        if not stamp.exists():
            todo[file] = stamp
    seen: set[str] = set()
    dirty = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        judged = {pool.submit(complaints, file, build): stamp for file, stamp in todo.items()}
        for each in as_completed(judged):
            if words := each.result():
                dirty += 1
                tell(words, seen)
            else:
                judged[each].touch()
    print(f"{len(commands)} files, {len(todo)} looked at, {dirty} with complaints")
    return 1 if dirty else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
