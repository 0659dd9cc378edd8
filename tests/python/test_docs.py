"""Every docstring that shows a call is run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import penstock
import pytest
from local_origin import Origin

MODULES = sorted(
    name for _, name, _ in pkgutil.walk_packages(penstock.__path__, "penstock.") if not name.endswith("_core")
)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as made:
        yield made


@pytest.mark.parametrize("name", ["penstock", *MODULES])
def test_its_examples_run(name: str, origin: Origin, tmp_path: Path) -> None:
    module = importlib.import_module(name)
    names = {"penstock": penstock, "server": origin, "folder": tmp_path}
    result = doctest.testmod(module, extraglobs=names, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def test_the_examples_are_there() -> None:
    finder = doctest.DocTestFinder()
    shown = sum(len(test.examples) for name in MODULES for test in finder.find(importlib.import_module(name)))
    assert shown > 25
