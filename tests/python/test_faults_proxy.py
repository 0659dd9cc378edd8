"""The proxy breaks at exactly the byte it is told to, and is otherwise not there."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from faults.origin import FileOrigin
from faults.proxy import TRICKLE_SECONDS, Fault, Proxy

CONTENT = os.urandom(600_000)
OFFSETS = [0, 1, 70_000, 262_144, 599_999]
GUARD_SECONDS = 60.0


class Peer:
    """The far end of one connection: sends or receives all of it, and remembers how it ended."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.received = bytearray()
        self.end = ""

    def serve(self, to_send: bytes) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(GUARD_SECONDS)
        self.end = exchange(connection, to_send, self.received)

    def close(self) -> None:
        self._listener.close()


def exchange(connection: socket.socket, to_send: bytes, received: bytearray) -> str:
    """Sends, says that it has sent all, and reads to the end; how that came is "end" or "reset"."""
    with connection:
        try:
            if to_send:
                connection.sendall(to_send)
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65_536):
                received += piece
            return "end"
        except TimeoutError:
            raise
        except OSError:  # ECONNRESET, or EPIPE and ENOTCONN where that came between two calls
            with contextlib.suppress(OSError):  # what had arrived before
                while piece := connection.recv(65_536):
                    received += piece
            return "reset"


def through(direction: str, *faults: Fault) -> tuple[bytearray, str, str]:
    """What of CONTENT arrived over a proxy with these faults, and how sender and receiver saw the end."""
    peer, here = Peer(), bytearray()
    up = direction == "up"
    server = threading.Thread(target=peer.serve, args=(b"" if up else CONTENT,))
    server.start()
    with Proxy(peer.url, faults) as proxy:
        connection = socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2])))
        connection.settimeout(GUARD_SECONDS)
        end = exchange(connection, CONTENT if up else b"", here)
        server.join()
        assert proxy.happened == list(faults)
    peer.close()
    return (peer.received, end, peer.end) if up else (here, peer.end, end)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_without_a_fault_every_byte_passes(direction):
    assert through(direction) == (CONTENT, "end", "end")


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("at", OFFSETS)
def test_a_cut_ends_the_stream_at_its_byte(direction, at):
    arrived, _, receiver = through(direction, Fault(0, direction, at, "cut"))
    assert (arrived, receiver) == (CONTENT[:at], "end")


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("at", OFFSETS)
def test_a_reset_comes_after_its_byte_and_to_both_ends(direction, at):
    arrived, sender, receiver = through(direction, Fault(0, direction, at, "reset"))
    assert (arrived, sender, receiver) == (CONTENT[:at], "reset", "reset")


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("at", OFFSETS)
def test_a_flip_changes_its_byte_alone(direction, at):
    arrived, _, _ = through(direction, Fault(0, direction, at, "flip", 0x20))
    assert arrived == CONTENT[:at] + bytes([CONTENT[at] ^ 0x20]) + CONTENT[at + 1 :]


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("at", OFFSETS)
def test_a_call_is_made_when_the_bytes_before_it_have_passed(direction, at):
    seen: list[int] = []
    peer = Peer()
    up = direction == "up"
    server = threading.Thread(target=peer.serve, args=(b"" if up else CONTENT,))
    server.start()
    fault = Fault(0, direction, at, "call", do=lambda: seen.append(proxy.passed(direction)))
    with Proxy(peer.url, [fault]) as proxy:
        connection = socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2])))
        connection.settimeout(GUARD_SECONDS)
        assert exchange(connection, CONTENT if up else b"", bytearray()) == "end"
        server.join()
    peer.close()
    assert seen == [at]


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_stall_and_a_trickle_delay_and_lose_nothing(direction):
    begun = time.monotonic()
    faults = [Fault(0, direction, 1000, "stall", 0.2), Fault(0, direction, 2000, "trickle", 50)]
    assert through(direction, *faults) == (CONTENT, "end", "end")
    assert time.monotonic() - begun >= 0.2 + 50 * TRICKLE_SECONDS


def test_faults_of_one_connection_meet_no_other_and_come_in_order_of_their_bytes():
    faults = [Fault(0, "down", 9, "flip", 2), Fault(0, "down", 3, "flip", 1), Fault(1, "down", 0, "cut")]
    with FileOrigin(CONTENT) as origin, Proxy(origin.url, faults) as proxy:
        with socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2]))) as connection:
            connection.sendall(b"GET /f HTTP/1.1\r\nHost: x\r\n\r\n")
            head = connection.recv(12, socket.MSG_WAITALL)
        assert head[:9] == b"HTTQ/1.1 "
        assert head[9] == ord("2") ^ 2
        assert proxy.happened == [faults[1], faults[0]]


def answers(proxy: Proxy, count: int) -> Iterator[tuple[int, bytes]]:
    """Over one connection."""
    with contextlib.closing(
        http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=GUARD_SECONDS)
    ) as connection:
        for _ in range(count):
            connection.request("GET", "/f")
            response = connection.getresponse()
            yield response.status, response.read()


def test_an_answer_gets_another_status_and_stays_as_it_is():
    with FileOrigin(CONTENT) as origin, Proxy(origin.url, [Fault(0, "down", 1, "status", 503)]) as proxy:
        assert [*answers(proxy, 3)] == [(200, CONTENT), (503, CONTENT), (200, CONTENT)]
        assert proxy.connections == 1


@pytest.mark.parametrize(("way", "arrived"), [("up", 1), ("down", 2)])
def test_a_rule_loses_a_request_or_the_answer_to_it(way, arrived):
    number = iter(range(9))
    with (
        FileOrigin(CONTENT) as origin,
        Proxy(origin.url, rule=lambda _head: (way, "reset") if next(number) == 1 else None) as proxy,
    ):
        got = answers(proxy, 2)
        assert next(got) == (200, CONTENT)
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            next(got)
        assert len(origin.requests) == arrived


def test_what_connects_while_the_server_is_away_is_reset():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with Proxy(url) as proxy:
        got = answers(proxy, 1)
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            next(got)
        assert proxy.connections == 0


def test_random_offsets_are_met_exactly():
    choice = random.Random(11)
    for _ in range(50):
        at = choice.randrange(len(CONTENT))
        arrived, _, end = through("down", Fault(0, "down", at, "reset"))
        assert (len(arrived), end) == (at, "reset")
