"""A group of a native bundle, used by several threads at once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from penstock import _core
from penstock.streams import native_source

_REF = {
    "primary_url": "https://h/",
    "resources_count": 0,
    "bid": "custom-1",
    "storage_key": None,
    "meta": "{}",
}


class Held:
    """A body that comes once it is let go."""

    def __init__(self) -> None:
        self.asked, self.free = threading.Event(), threading.Event()
        self._body = [b"body", b""]

    def read(self, _size: int) -> bytes:
        self.asked.set()
        assert self.free.wait(30)
        return self._body.pop(0) if self._body else b""


def _resource(url: str) -> dict[str, Any]:
    return {"url": url, "content_type": None, "status_code": 200}


def test_a_group_that_is_closed_under_an_add_lasts_until_the_add_has_ended(tmp_path: Path):
    bundle = _core.FolderBundles(str(tmp_path), {}).start(_REF, "r", [], _core.Call())
    group, body, stored = bundle.open_group(), Held(), []
    adds = threading.Thread(
        target=lambda: stored.append(group.add(_resource("https://h/a"), native_source(body), _core.Call()))
    )
    adds.start()
    assert body.asked.wait(30)
    group.close()
    with pytest.raises(ValueError, match="closed"):
        group.skip(_resource("https://h/b"), "closed")
    body.free.set()
    adds.join()
    assert stored[0][0] == "a"
    assert bundle.finish("{}", _core.Call())["resources_stored"] == 0
    assert not (tmp_path / "bundle_custom-1" / "a").exists()
