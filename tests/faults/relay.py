"""Stands before a real server, passes everything on, and loses the answers it is told to lose."""

from __future__ import annotations

import contextlib
import http.client
import urllib.parse

from faults.wire import Answer, Request, Wire

OF_ONE_HOP = {"connection", "content-length", "keep-alive", "transfer-encoding"}


class Relay(Wire):
    """A lost answer is one whose request the server has carried out."""

    keep_bytes = 16 * 2**20

    def __init__(self, url: str) -> None:
        super().__init__()
        self._host = urllib.parse.urlsplit(url).netloc
        self._to_lose = 0
        self.lost = 0

    def lose(self, count: int = 1) -> None:
        """The next answers never arrive."""
        self._to_lose = count

    def answer(self, request: Request) -> Answer:
        answer = self._pass_on(request)
        with self._lock:
            if not self._to_lose:
                return answer
            self._to_lose -= 1
            self.lost += 1
        return Answer(silent=True, then="reset")

    def _pass_on(self, request: Request) -> Answer:
        with contextlib.closing(http.client.HTTPConnection(self._host, timeout=60)) as server:
            server.request(request.method, request.target, request.body, dict(request.headers))
            response = server.getresponse()
            headers = [
                (name, value) for name, value in response.getheaders() if name.lower() not in OF_ONE_HOP
            ]
            return Answer(response.status, headers, response.read())
