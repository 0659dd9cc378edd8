"""Another CMake project finds the installed library and uses it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from consumer import build_consumer, run

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


def test_another_project_hashes_with_the_installed_library(installed: Path, tmp_path: Path):
    text = os.urandom(8).hex()
    output = run(build_consumer(installed, tmp_path, MAIN), text)
    assert output == f"16 {hashlib.sha256(text.encode()).hexdigest()}"
