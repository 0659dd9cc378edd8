"""A scripted HTTP/1.1 server: one thread a connection, every answer decided by a function.

Life:     a context manager; leaving it closes every connection and joins every thread.
Threads:  `answer` runs on the connection's thread, several at once.
Memory:   a request's body is counted and hashed as it passes; at most `keep_bytes` of it stay.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import socket
import struct
import sys
import termios
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

HEAD_BYTES = 64 * 1024
CHUNK_BYTES = 64 * 1024
REASONS = {200: "OK", 204: "No Content", 206: "Partial Content", 404: "Not Found", 503: "Slow Down"}


@dataclass
class Request:
    method: str
    target: str  # as on the wire
    headers: list[tuple[str, str]]  # names in lower case
    body_bytes: int = 0
    body_sha256: str = ""
    body: bytes = b""  # its first `keep_bytes`

    @property
    def path(self) -> str:
        return urllib.parse.unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def header(self, name: str, default: str = "") -> str:
        return next((value for key, value in self.headers if key == name.lower()), default)

    @property
    def range(self) -> tuple[int, int | None] | None:
        """First and last offset asked for, or None."""
        unit, _, span = self.header("range").partition("=")
        if unit != "bytes":
            return None
        first, _, last = span.partition("-")
        return int(first), int(last) if last else None


@dataclass
class Answer:
    """What goes back, and how it goes wrong.

    `length` lies about the body's length; `framing` "none" sends neither length nor chunks. The body breaks
    as `then` says once `cut` bytes of it are out.
    """

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    length: int | None = None
    framing: Literal["length", "chunked", "none"] = "length"
    cut: int | None = None
    then: Literal["close", "reset", "stall"] = "close"
    trickle: tuple[int, float] | None = None  # bytes a step, seconds between steps
    delay: float = 0.0  # seconds before the head
    silent: bool = False  # no answer at all: the connection breaks as `then` says

    def wire_head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Scripted')}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        elif self.framing == "none":
            lines.append("Connection: close")
        elif self.status != 204 and not any(name.lower() == "content-length" for name, _ in self.headers):
            lines.append(f"Content-Length: {len(self.body) if self.length is None else self.length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Broken(Exception):
    """The script asked for this connection to end here."""


class Wire:
    """Listens on 127.0.0.1; a subclass or `answer=` decides what to say."""

    keep_bytes = 256 * 1024

    def __init__(self, answer: Callable[[Request], Answer] | None = None) -> None:
        self._answer = answer
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.requests: list[Request] = []
        self.connections = 0
        self.bytes_out = 0

    def take_port(self) -> None:
        """Until it is entered, whoever connects to `url` is refused."""
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Wire:
        if self._listener is None:
            self.take_port()
        self._listener.listen(256)
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, request: Request) -> Answer:
        assert self._answer, "a Wire needs answer=, or a subclass's answer()"
        return self._answer(request)

    def answer_to_head(self, request: Request) -> Answer | None:
        """Called before the body is read; an answer here leaves the body unread."""
        return None

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            with self._lock:
                self.connections += 1
                self._open.add(connection)
                self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, Broken, ValueError), connection.makefile("rb") as stream:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (request := self._read_head(stream)) is not None:
                self._exchange(connection, stream, request)
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def _read_head(self, stream) -> Request | None:
        line = stream.readline(HEAD_BYTES)
        if not line.strip():
            return None
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = []
        while (line := stream.readline(HEAD_BYTES)).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name.strip().lower(), value.strip()))
        return Request(method, target, headers)

    def _exchange(self, connection: socket.socket, stream, request: Request) -> None:
        early = self.answer_to_head(request)
        if early is None:
            if request.header("expect").lower() == "100-continue":
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._read_body(stream, request)
        with self._lock:
            self.requests.append(request)
        answer = early if early is not None else self.answer(request)
        self._send(connection, request, answer)
        if early is not None or answer.framing == "none":
            self._break(connection, "close")

    def _read_body(self, stream, request: Request) -> None:
        digest, kept = hashlib.sha256(), bytearray()
        for piece in self._pieces(stream, request):
            digest.update(piece)
            request.body_bytes += len(piece)
            kept += piece[: self.keep_bytes - len(kept)]
        request.body_sha256, request.body = digest.hexdigest(), bytes(kept)

    def _pieces(self, stream, request: Request):
        if request.header("transfer-encoding").lower() == "chunked":
            while size := int(stream.readline(HEAD_BYTES).split(b";")[0], 16):
                yield self._exactly(stream, size)
                stream.readline(HEAD_BYTES)
            while stream.readline(HEAD_BYTES).strip():
                pass
            return
        left = int(request.header("content-length", "0"))
        while left:
            piece = self._exactly(stream, min(left, CHUNK_BYTES))
            left -= len(piece)
            yield piece

    @staticmethod
    def _exactly(stream, size: int) -> bytes:
        piece: bytes = stream.read(size)
        if len(piece) < size:
            raise Broken
        return piece

    def _send(self, connection: socket.socket, request: Request, answer: Answer) -> None:
        if answer.delay:
            self._wait(answer.delay)
        if answer.silent:
            self._break(connection, answer.then)
        connection.sendall(answer.wire_head())
        if request.method == "HEAD" or answer.status in (204, 304):
            return
        body = memoryview(answer.body)
        if answer.cut is not None:
            self._send_body(connection, body[: answer.cut], answer)
            self._break(connection, answer.then)
        self._send_body(connection, body, answer)
        if answer.framing == "chunked":
            connection.sendall(b"0\r\n\r\n")
        elif answer.length is not None and answer.length != len(body):
            self._break(connection, "close")

    def _send_body(self, connection: socket.socket, body: memoryview, answer: Answer) -> None:
        step, pause = answer.trickle or (CHUNK_BYTES, 0.0)
        for begin in range(0, len(body), step):
            piece = body[begin : begin + step]
            if answer.framing == "chunked":
                connection.sendall(b"%x\r\n" % len(piece))
            connection.sendall(piece)
            if answer.framing == "chunked":
                connection.sendall(b"\r\n")
            with self._lock:
                self.bytes_out += len(piece)
            if pause:
                self._wait(pause)

    def _drain(self, connection: socket.socket) -> None:
        """Returns once the far end's kernel has acknowledged all that was sent."""
        unsent = bytearray(4)
        while True:
            fcntl.ioctl(connection, termios.TIOCOUTQ, unsent)
            if not int.from_bytes(unsent, sys.byteorder):
                return
            self._wait(0.002)

    def _wait(self, seconds: float) -> None:
        if self._closing.wait(seconds):
            raise Broken

    def _break(self, connection: socket.socket, how: str) -> None:
        if how == "stall":
            self._closing.wait()
        if how == "reset":  # close() with a zero linger sends RST, and would take unsent bytes with it
            self._drain(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            raise Broken
        # Closing with unread input would send RST and could overtake the answer: half-close, then drain.
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(5)
        while connection.recv(CHUNK_BYTES):
            pass
        raise Broken
