"""An HTTP origin on loopback with a few bodies, for what needs no faults: doctests, the CLI, progress."""

from __future__ import annotations

import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, address: Any) -> None:
        """A client that goes away mid-answer is what some tests are about."""


class Origin:
    """``bodies`` by path; ``/stall`` sends its head and three bytes, then nothing; others are 404."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.bodies: dict[str, bytes] = {"/a.csv": b"name,n\na,1\n"}
        self.content_type = "text/csv"  # sent as Latin-1
        self.let_go = threading.Event()
        self.stalled = threading.Event()
        self.waited_out = threading.Event()
        self.seen: list[dict[str, str]] = []
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def url(self, path: str) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}{path}"

    def __enter__(self) -> Origin:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(origin) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                origin.seen.append(dict(self.headers.items()))
                path = self.path.partition("?")[0]
                if path == "/stall":
                    return self.stall()
                body = origin.bodies.get(path)
                if body is None:
                    return self.answer(404, b"no such thing")
                return self.answer(200, body)

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", origin.content_type)
                self.send_header("ETag", f'"{len(body)}"')
                self.end_headers()
                self.wfile.write(body)

            def stall(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "1000000")
                self.end_headers()
                self.wfile.write(b"abc")
                self.wfile.flush()
                origin.stalled.set()
                if not origin.let_go.wait(60):
                    origin.waited_out.set()
                self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def wait_until(true: Any, seconds: float = 30) -> bool:
    """Whether ``true()`` came to be; for what another process or thread does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.01)
    return bool(true())
