"""What the pages name is there, and each of them is named by another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import ROOT

PAGES = [
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.ipynb")]
    if path.parent.name != "adr"
]


def named(page: Path) -> set[Path]:
    """The files of this tree that a page links to or names."""
    text = page.read_text()
    links = [page.parent / link for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text)]
    return {
        link.resolve() for link in [*links, *(ROOT / name for name in re.findall(r"`(docs/[\w./-]+)`", text))]
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    assert [path for path in named(page) if not path.exists()] == []


def test_every_page_of_docs_is_named_by_another() -> None:
    seen = {path for page in PAGES for path in named(page) - {page}}
    assert [page for page in PAGES if (ROOT / "docs") in page.parents and page not in seen] == []
