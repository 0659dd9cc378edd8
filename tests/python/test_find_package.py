"""Another CMake project finds the installed library and uses it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CMAKE_LISTS = """
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES CXX)
find_package(penstock 0.1 REQUIRED)
add_executable(consumer main.cc)
target_link_libraries(consumer PRIVATE penstock::penstock)
"""
MAIN = """
#include <iostream>

#include "penstock/http/client.h"
#include "penstock/streams/hash.h"
#include "penstock/streams/memory.h"

int main(int, char** argv) {
  penstock::http::Client client;  // pulls in every library the core links
  penstock::MemorySource text{penstock::as_bytes(argv[1])};
  penstock::Hash hashed{text, {penstock::Algorithm::sha256}};
  penstock::MemorySink sink;
  std::cout << penstock::pump(hashed, sink).bytes << ' ' << hashed.digest(penstock::Algorithm::sha256).hex();
}
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix with the C++ library in it, built as `cmake --preset release` builds it."""
    prefix = tmp_path_factory.mktemp("prefix")
    run("cmake", "--preset", "release")
    run("cmake", "--build", "--preset", "release")
    run("cmake", "--install", "build/release", "--prefix", prefix)
    return prefix


def build_consumer(prefix: Path, folder: Path, main: str) -> Path:
    (folder / "CMakeLists.txt").write_text(CMAKE_LISTS)
    (folder / "main.cc").write_text(main)
    where = f"-DCMAKE_PREFIX_PATH={prefix}"
    run("cmake", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", where, "-B", "build", cwd=folder)
    run("cmake", "--build", "build", cwd=folder)
    return folder / "build/consumer"


def test_another_project_hashes_with_the_installed_library(installed: Path, tmp_path: Path):
    text = os.urandom(8).hex()
    output = run(build_consumer(installed, tmp_path, MAIN), text)
    assert output == f"16 {hashlib.sha256(text.encode()).hexdigest()}"
