"""Ctrl-C at a terminal (F19): exit 130, nothing visible, no open upload, the terminal as it was."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from dataclasses import replace

from faults.origin import FileOrigin
from faults.wire import Answer

MIB = 2**20
PATIENCE_SECONDS = 60.0
COMMAND = "from penstock.cli import main; main()"


def slow_after_two_parts(answer: Answer) -> Answer:
    """20 MiB come at once, then nothing: an upload is open when Ctrl-C is typed."""
    return replace(answer, cut=20 * MIB, then="stall")


def read_until(descriptor: int, condition) -> bytes:
    said, deadline = b"", time.monotonic() + PATIENCE_SECONDS
    while not condition() and time.monotonic() < deadline:
        if select.select([descriptor], [], [], 0.05)[0]:
            said += os.read(descriptor, 4096)
    assert condition(), said.decode(errors="replace")
    return said


def test_ctrl_c_in_an_upload_leaves_nothing_and_restores_the_terminal(bucket):
    options = bucket.server.options
    environment = {
        **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
        **{
            "AWS_ACCESS_KEY_ID": options["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": options["secret_access_key"],
        },
        **{"AWS_ENDPOINT_URL_S3": options["endpoint"], "AWS_REGION": options["region"], "TERM": "xterm"},
    }
    leader, follower = pty.openpty()
    before = termios.tcgetattr(follower)
    with FileOrigin(os.urandom(30 * MIB), script=[slow_after_two_parts]) as origin:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "fetch", origin.file_url, "--to", f"s3://{bucket.name}/k"],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        try:
            read_until(leader, lambda: process.poll() is not None or bool(bucket.open_uploads("k")))
            assert process.poll() is None
            os.write(leader, b"\x03")  # the terminal turns it into SIGINT
            said = read_until(leader, lambda: process.poll() is not None)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 130, said.decode(errors="replace")
        assert b"Traceback" not in said
        assert termios.tcgetattr(follower) == before
    os.close(follower)
    os.close(leader)
    assert bucket.keys() == []
    assert bucket.open_uploads("k") == []
