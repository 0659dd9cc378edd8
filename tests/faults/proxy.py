"""Stands between a client and any server of TCP, passes every byte on, and breaks at exactly the byte it is told to.

`Proxy(url, [Fault(0, "up", 4096, "reset")])` resets the first connection once 4,096 bytes of what the client sends
have arrived at the server. A connection without a fault is passed on untouched.
"""

from __future__ import annotations

import contextlib
import fcntl
import select
import socket
import struct
import sys
import termios
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["up", "down"]
Kind = Literal["cut", "reset", "stall", "trickle", "flip", "status", "call"]

CHUNK_BYTES = 256 * 1024
TRICKLE_SECONDS = 0.005
DRAIN_SECONDS = 10.0
TICK_SECONDS = 0.02  # how soon a thread hears that the other one ended the link
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of zero: close() sends RST


@dataclass(frozen=True)
class Fault:
    """What happens to byte `at` of one direction of one connection; the bytes before it have arrived by then.

    cut      both ends see the end of the stream
    reset    both ends see a reset
    stall    nothing goes this way for `amount` seconds, then the rest does unless an end has hung up
    trickle  the next `amount` bytes go one by one, 5 ms apart
    flip     the bits of `amount` in this byte are inverted
    status   the `at`-th final answer gets the status `amount` (down, counted from 0)
    call     `do` runs before the byte goes on
    """

    connection: int  # in the order in which they were accepted, from 0
    direction: Direction
    at: int
    kind: Kind
    amount: float = 0
    do: Callable[[], object] | None = field(default=None, compare=False)


Rule = Callable[[bytes], tuple[Direction, Kind] | None]


class _Ended(Exception):
    """The link is over, by a fault or by either end."""


class Proxy:
    """Listens on 127.0.0.1 before the server at `to`.

    `rule` sees the first bytes of each request of a keep-alive client and may lose it ("up") or its answer ("down").

    Life:     a context manager; leaving it breaks what is open and joins every thread.
    Threads:  two a connection; `rule` and `do` run on them.
    """

    def __init__(self, to: str, faults: Iterable[Fault] = (), *, rule: Rule | None = None) -> None:
        there = urllib.parse.urlsplit(to)
        self._to = (there.hostname or "", there.port or 80)
        self._faults = list(faults)
        self._rule = rule
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._links: list[_Link] = []
        self.happened: list[Fault] = []

    def __enter__(self) -> Proxy:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        for link in self._links:
            link.end()

    @property
    def connections(self) -> int:
        return len(self._links)

    def passed(self, direction: Direction) -> int:
        """Bytes of all connections."""
        return sum(link.passed[direction] for link in self._links)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._to, timeout=10)
            except OSError:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                client.close()
                continue
            faults = [fault for fault in self._faults if fault.connection == len(self._links)]
            link = _Link(client, server, faults, self)
            self._links.append(link)
            link.begin()


class _Link:
    """One connection: a thread for each direction."""

    def __init__(
        self, client: socket.socket, server: socket.socket, faults: Sequence[Fault], proxy: Proxy
    ) -> None:
        self._ends: dict[Direction, tuple[socket.socket, socket.socket]] = {
            "up": (client, server),
            "down": (server, client),
        }
        for end in (client, server):
            end.settimeout(TICK_SECONDS)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._proxy = proxy
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._resets = False
        self._left = 2
        self._asking = False  # whether the last byte seen went up
        self._answers = 0
        self.passed: dict[Direction, int] = {"up": 0, "down": 0}
        self._faults: dict[Direction, list[Fault]] = {
            way: sorted((f for f in faults if f.direction == way), key=lambda f: f.at) for way in self._ends
        }
        self._threads = [threading.Thread(target=self._run, args=(way,), daemon=True) for way in self._ends]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._over.set()
        self._reset_on_close()
        for thread in self._threads:
            thread.join()

    def _run(self, way: Direction) -> None:
        source, sink = self._ends[way]
        with contextlib.suppress(OSError, _Ended):
            while piece := self._receive(source):
                self._take(way, piece)
        if not self._over.is_set():
            self._half_close(sink)  # an end that has said all may still listen
        elif not self._resets:
            self._drain(source)
        with self._lock:
            self._left -= 1
            last = not self._left
        if last:
            for end in self._ends["up"]:
                end.close()

    def _receive(self, source: socket.socket) -> bytes:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                return source.recv(CHUNK_BYTES)
        raise _Ended

    def _take(self, way: Direction, piece: bytes) -> None:
        if way == "up" and not self._asking and self._proxy._rule:
            self._ask(self._proxy._rule, piece)
        if way == "down":
            piece = self._maybe_another_status(piece)
        self._asking = way == "up"
        faults = self._faults[way]
        while faults and faults[0].kind != "status" and faults[0].at < self.passed[way] + len(piece):
            fault = faults.pop(0)
            before = max(0, fault.at - self.passed[way])
            self._pass(way, piece[:before])
            piece = self._meet(fault, piece[before:])
        self._pass(way, piece)

    def _ask(self, rule: Rule, head: bytes) -> None:
        if verdict := rule(head):
            way, kind = verdict
            self._faults[way].insert(0, Fault(-1, way, self.passed[way], kind))

    def _pass(self, way: Direction, piece: bytes) -> None:
        left = memoryview(piece)
        while left:
            if self._over.is_set():
                raise _Ended
            with contextlib.suppress(TimeoutError):
                sent = self._ends[way][1].send(left)
                left = left[sent:]
                self.passed[way] += sent

    def _maybe_another_status(self, piece: bytes) -> bytes:
        """An answer begins with the first byte that comes down after one that went up; 100 is none yet."""
        if not self._asking or not piece.startswith(b"HTTP/1.1 ") or piece.startswith(b"HTTP/1.1 1"):
            return piece
        number, self._answers = self._answers, self._answers + 1
        for fault in [f for f in self._faults["down"] if f.kind == "status"]:
            if fault.at == number:
                self._faults["down"].remove(fault)
                self._proxy.happened.append(fault)
                return b"%b%03d%b" % (piece[:9], int(fault.amount), piece[12:])
        return piece

    def _meet(self, fault: Fault, rest: bytes) -> bytes:
        """Does it; what is returned goes on."""
        self._proxy.happened.append(fault)
        match fault.kind:
            case "cut":
                self._cut()
            case "reset":
                self._reset(fault.direction)
            case "stall":
                self._stall(fault.direction, fault.amount)
            case "trickle":
                for begin in range(min(int(fault.amount), len(rest))):
                    self._pass(fault.direction, rest[begin : begin + 1])
                    time.sleep(TRICKLE_SECONDS)
                return rest[int(fault.amount) :]
            case "flip":
                return bytes([rest[0] ^ int(fault.amount)]) + rest[1:]
            case "call":
                assert fault.do, "a call needs do="
                _wait_until_acknowledged(self._ends[fault.direction][1])
                fault.do()
        return rest

    def _cut(self) -> None:
        self._over.set()
        for end in self._ends["up"]:
            self._half_close(end)
        raise _Ended

    def _reset(self, way: Direction) -> None:
        _wait_until_acknowledged(self._ends[way][1])
        self._reset_on_close()
        self._over.set()
        raise _Ended

    def _reset_on_close(self) -> None:
        self._resets = True
        for end in self._ends["up"]:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    @staticmethod
    def _half_close(end: socket.socket) -> None:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_WR)

    def _drain(self, source: socket.socket) -> None:
        """Closing with unread input would send RST instead of FIN."""
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until and not self._resets:
            try:
                if not source.recv(CHUNK_BYTES):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def _stall(self, way: Direction, seconds: float) -> None:
        """If an end hangs up meanwhile, the rest is lost to the other."""
        poll = select.poll()
        for end in self._ends[way]:
            poll.register(end, select.POLLRDHUP)
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._over.is_set():
            if poll.poll(TICK_SECONDS * 1000):
                self._cut()


def _wait_until_acknowledged(end: socket.socket) -> None:
    """All that was sent has arrived: a reset would take along what has not."""
    unsent = bytearray(4)
    deadline = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < deadline:
        fcntl.ioctl(end, termios.TIOCOUTQ, unsent)
        if not int.from_bytes(unsent, sys.byteorder):
            return
        time.sleep(0.001)
