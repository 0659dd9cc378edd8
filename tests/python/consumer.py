"""Another CMake project that uses the installed library."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CMAKE_LISTS = """
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES CXX)
find_package(penstock 0.1 REQUIRED)
add_executable(consumer main.cc)
target_link_libraries(consumer PRIVATE penstock::penstock)
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What the command prints; an assertion with its words if it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def install_library(prefix: Path) -> None:
    """Puts the C++ library there, built as `cmake --preset release` builds it."""
    run("cmake", "--preset", "release")
    run("cmake", "--build", "--preset", "release")
    run("cmake", "--install", "build/release", "--prefix", prefix)


def build_consumer(prefix: Path, folder: Path, main: str) -> Path:
    """The program built from `main` in a project of its own."""
    (folder / "CMakeLists.txt").write_text(CMAKE_LISTS)
    (folder / "main.cc").write_text(main)
    where = f"-DCMAKE_PREFIX_PATH={prefix}"
    run("cmake", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", where, "-B", "build", cwd=folder)
    run("cmake", "--build", "build", cwd=folder)
    return folder / "build/consumer"
