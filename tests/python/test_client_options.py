"""What a client is told by its caller and by the environment."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
import threading
from typing import Any

import penstock
import pytest
from bundle_places import with_tests
from conftest import Bucket
from faults.wire import Answer, Request, Wire

KEYS = {"access_key_id": "k", "secret_access_key": "s", "region": "us-east-1", "provider": "minio"}


def python(program: str, **variables: str) -> str:
    """What it prints; its error's last line if it fails."""
    environment = {**with_tests(), "AWS_EC2_METADATA_DISABLED": "true", **variables}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def test_the_environment_sets_the_attempts() -> None:
    with Wire(lambda _: Answer(503)) as wire:
        program = f"""
import penstock
try:
    penstock.S3Store("bucket", endpoint={wire.url!r}, **{KEYS!r}).put("k", b"x")
except penstock.Error as error:
    print(error.attempts)
"""
        assert python(program, AWS_MAX_ATTEMPTS="2") == "2"
    assert len([request for request in wire.requests if request.method == "PUT"]) == 2


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_MAX_ATTEMPTS", "none"), ("AWS_RETRY_MODE", "bold"), ("PENSTOCK_BUDGET", "lots")]
)
def test_a_variable_that_says_nothing_sensible_is_refused_by_its_name(name: str, value: str) -> None:
    said = python("import penstock; penstock.Client().statistics()", **{name: value})
    assert "Refused" in said
    assert name in said
    assert value in said


def test_the_environment_sets_the_budget() -> None:
    program = "import penstock; print(penstock._core.budget_statistics()['limit'])"
    assert python(program, PENSTOCK_BUDGET="48MiB") == str(48 * 2**20)
    assert python(program, PENSTOCK_BUDGET="") == str(96 * 2**20)


@pytest.mark.parametrize(
    "options",
    [
        {"connections": 0},
        {"connections_per_host": 0},
        {"ring_bytes": "16KiB"},
        {"ring_bytes": "9MiB"},
        {"max_attempts": -1},
    ],
)
def test_limits_that_let_nothing_through_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(penstock.Refused, match=next(iter(options))):
        penstock.Client(**options)


@pytest.mark.parametrize("most", [None, 2, 100])
def test_a_store_has_as_many_connections_as_its_client_says_or_64(most: int | None) -> None:
    wanted, lock = most or 64, threading.Lock()
    together, most_together, enough = 0, 0, threading.Event()

    def answer(_: Request) -> Answer:
        nonlocal together, most_together
        with lock:
            together += 1
            most_together = max(most_together, together)
            if together == wanted:
                enough.set()
        enough.wait(10)
        with lock:
            together -= 1
        return Answer(204)

    options = {} if most is None else {"connections_per_host": most}
    with Wire(answer) as wire, penstock.Client(**options) as client:
        store = penstock.S3Store("bucket", endpoint=wire.url, client=client, **KEYS)
        threads = [threading.Thread(target=store.remove, args=(f"k{n}",)) for n in range(120)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert most_together == wanted


def test_a_connection_that_is_reset_as_soon_as_it_is_made_is_lost_and_not_denied() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)

    def reset_all() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()

    kinds: set[type] = set()

    def ask(store: penstock.S3Store) -> None:
        for _ in range(500):  # one in 2,000 has no peer to be asked for when its request would go out
            with pytest.raises(penstock.Error) as raised:
                store.exists("k")
            kinds.add(raised.type)

    resetting = threading.Thread(target=reset_all)
    resetting.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with penstock.Client(max_attempts=1) as client:
        store = penstock.S3Store("bucket", endpoint=url, client=client, **KEYS)
        asking = [threading.Thread(target=ask, args=(store,)) for _ in range(8)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    resetting.join()
    assert kinds == {penstock.Lost}


@pytest.mark.parametrize("size", [1000, 6 * 2**20])
def test_a_write_may_name_its_checksum(bucket: Bucket, size: int) -> None:
    store = penstock.S3Store(**bucket.options, part_bytes="5MiB")
    for checksum, kept in {"crc32c": "ChecksumCRC32C", "crc32": "ChecksumCRC32"}.items():
        receipt = store.put(checksum, bytes(size), checksum=checksum)
        assert set(receipt.digests) == {checksum}
        head = bucket.server.judge.head_object(Bucket=bucket.name, Key=checksum, ChecksumMode="ENABLED")
        assert head.get(kept), head
    assert store.put("none", bytes(size), checksum="none").digests == {}
    with pytest.raises(penstock.Refused):
        store.put("bogus", bytes(size), checksum="bogus")


def test_a_condition_on_what_is_gone_is_a_conflict_everywhere(bucket: Bucket) -> None:
    store = penstock.S3Store(**bucket.options, part_bytes="5MiB")
    for name, body in {"put": b"x", "parts": bytes(6 * 2**20)}.items():
        with pytest.raises(penstock.Conflict):
            store.put(name, body, if_match='"0123456789abcdef0123456789abcdef"')
    assert bucket.keys() == []
    assert bucket.open_uploads("parts") == []
