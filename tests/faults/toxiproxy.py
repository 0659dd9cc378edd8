"""Toxiproxy, somebody else's proxy that spoils connections: one proxy of it, told by its HTTP interface."""

from __future__ import annotations

import json
import urllib.request
import uuid
from typing import Any, Literal


class Spoiled:
    """A proxy before `upstream`; a context manager. `url` is where it listens."""

    def __init__(self, interface: str, upstream: str) -> None:
        self._interface = interface
        self._name = f"p{uuid.uuid4().hex}"
        self._upstream = upstream.removeprefix("http://")

    def __enter__(self) -> Spoiled:
        made = self._ask(
            "POST", "/proxies", {"name": self._name, "listen": "127.0.0.1:0", "upstream": self._upstream}
        )
        self.url = f"http://{made['listen']}"
        return self

    def __exit__(self, *_: object) -> None:
        self._ask("DELETE", f"/proxies/{self._name}")

    def add(self, kind: str, stream: Literal["upstream", "downstream"], **attributes: int) -> None:
        self._ask(
            "POST",
            f"/proxies/{self._name}/toxics",
            {"name": f"{kind}-{stream}", "type": kind, "stream": stream, "attributes": attributes},
        )

    def heal(self) -> None:
        """Removes what spoils all proxies of this server."""
        self._ask("POST", "/reset")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._interface + path, data, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or b"null")
