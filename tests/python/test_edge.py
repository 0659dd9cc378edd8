"""Where Python and the core meet: signals, forks, exits, pickles, import."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import penstock
import pytest
from local_origin import Origin


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as made:
        yield made


def run(code: str, *arguments: str, **more: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,  # type: ignore[call-overload]
    )


def test_ctrl_c_stops_a_fetch_that_waits_for_a_stalled_origin(origin: Origin) -> None:
    child = run(
        """
        import sys, penstock
        store = penstock.MemoryStore()
        try:
            penstock.fetch(sys.argv[1], store, key="k")
        except KeyboardInterrupt:
            print("interrupted", store.find("k"))
        """,
        origin.url("/stall"),
    )
    assert origin.stalled.wait(60)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out.strip()) == (0, "interrupted None"), err


def test_ctrl_c_stops_a_process_call_too(origin: Origin) -> None:
    child = run(
        """
        import sys, penstock
        from penstock import files
        task = files.FileTask(task_id="t", job_id="j", url=sys.argv[1], file_name="a", key="k")
        try:
            print(files.process(task, penstock.MemoryStore()))
        except KeyboardInterrupt:
            print("interrupted")
        """,
        origin.url("/stall"),
    )
    assert origin.stalled.wait(60)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out.strip()) == (0, "interrupted"), err


def test_the_interpreter_exits_with_a_transfer_live(origin: Origin) -> None:
    child = run(
        """
        import asyncio, sys, threading, penstock
        from penstock import aio
        async def main():
            asyncio.create_task(aio.fetch(sys.argv[1], aio.MemoryStore(), key="k"))
            await asyncio.sleep(1)
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()  # the transfer goes on without its loop
        print("end")
        """,
        origin.url("/stall"),
    )
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out.strip()) == (0, "end"), err


def test_a_forked_child_uses_a_client_of_its_own(origin: Origin) -> None:
    child = run(
        """
        import os, sys, penstock
        store = penstock.MemoryStore()
        penstock.fetch(sys.argv[1], store, key="before")
        pid = os.fork()
        if pid == 0:
            penstock.fetch(sys.argv[1], store, key="child")
            import asyncio
            from penstock import aio
            asyncio.run(aio.fetch(sys.argv[1], aio.MemoryStore(), key="child"))
            sys.exit(7 if store.exists("child") else 8)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        penstock.fetch(sys.argv[1], store, key="after")
        print(store.exists("after"), store.exists("child"))
        """,
        origin.url("/a.csv"),
    )
    out, err = child.communicate(timeout=90)
    assert (child.returncode, out.split()) == (0, ["7", "True", "False"]), err


FORK_WITH_TRANSFERS_LIVE = """
import atexit, os, sys, threading
sys.path.insert(0, sys.argv[1])
import penstock
from faults.wire import Answer, Wire

go = threading.Event()


def answer(request):
    if request.target == "/held":
        go.wait(60)
    return Answer(body=request.target.encode())


with Wire(answer) as origin:
    store = penstock.MemoryStore()
    threads = [
        threading.Thread(target=penstock.fetch, args=(f"{origin.url}/held", store), kwargs={"key": f"k{n}"})
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    while len(origin.requests) < 8:
        pass
    ended = []
    for _ in range(6):
        if (pid := os.fork()) == 0:
            mine = penstock.MemoryStore()
            penstock.fetch(f"{origin.url}/child", mine, key="c")
            atexit._run_exitfuncs()
            os._exit(7 if mine.get("c").bytes() == b"/child" else 8)  # the server above is the parent's
        ended.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    go.set()
    for thread in threads:
        thread.join()
    print(ended, {store.get(f"k{n}").bytes() for n in range(8)}, penstock.files.metrics()["penstock_files_in_flight"])
"""


def test_a_fork_while_transfers_live_hangs_nobody_and_cuts_none() -> None:
    child = run(FORK_WITH_TRANSFERS_LIVE, str(Path(__file__).resolve().parents[1]))
    out, err = child.communicate(timeout=120)
    assert (child.returncode, out.strip()) == (0, "[7, 7, 7, 7, 7, 7] {b'/held'} 0"), err


def test_log_lines_reach_the_logger_penstock(caplog: pytest.LogCaptureFixture, origin: Origin) -> None:
    from local_origin import wait_until
    from penstock import files

    task = files.FileTask(task_id="t9", job_id="j9", url=origin.url("/a.csv"), file_name="a.csv", key="k")
    with caplog.at_level("DEBUG", logger="penstock"):
        files.process(task, penstock.MemoryStore())
        assert wait_until(lambda: any("Processing file task t9" in line for line in caplog.messages))
    assert all(record.name.startswith("penstock") for record in caplog.records)


def test_stores_pickle_by_their_arguments(tmp_path: os.PathLike[str]) -> None:
    folder = penstock.FolderStore(tmp_path)
    folder.put("k", b"body")
    assert pickle.loads(pickle.dumps(folder)).get("k").bytes() == b"body"
    given = penstock.S3Store(
        "bucket",
        prefix="p/",
        endpoint="http://127.0.0.1:9",
        access_key_id="AKIAIOSFODNN7EXAMPLE",
        secret_access_key="canary-secret",
    )
    copy = pickle.loads(pickle.dumps(given))
    assert copy.location("k") == given.location("k") == "s3://bucket/p/k"
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(penstock.MemoryStore())


def test_a_store_does_not_pickle_what_it_found_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDCANARY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    data = pickle.dumps(penstock.S3Store("bucket"))
    assert b"CANARY" not in data
    assert b"canary" not in data


def test_no_repr_shows_a_secret() -> None:
    store = penstock.S3Store(
        "bucket",
        access_key_id="AKIAIOSFODNN7EXAMPLE",
        secret_access_key="canary-secret",
        session_token="canary",
    )
    keys = penstock.aws.Credentials(access_key_id="AKIAIOSFODNN7EXAMPLE", secret_access_key="canary-secret")
    assert "canary" not in f"{store!r}{keys!r}{store.with_bucket('other')!r}"
    assert len(repr(store)) < 200
    client = penstock.Client(proxy="http://user:canary@127.0.0.1:9")
    behind = penstock.S3Store("bucket", client=client)
    assert "canary" not in f"{client!r}{behind!r}"
    assert "127.0.0.1:9" in repr(client)
    for uri in ("https://h/k?X-Amz-Signature=canary", "file://user:canary@h/k?sig=canary"):
        with pytest.raises(penstock.Refused) as raised:
            penstock.fetch("http://127.0.0.1:9/a", uri)
        assert "canary" not in f"{raised.value}{raised.value!r}{raised.value.facts}"


def test_a_misspelt_word_is_refused_with_the_words_there_are() -> None:
    with pytest.raises(penstock.Refused, match="'standard', 'legacy', not 'legcy'"):
        penstock.Client(retry_mode="legcy")
    with pytest.raises(penstock.Refused, match="'auto', 'path', 'virtual'"):
        penstock.S3Store("bucket", addressing="paht")
    with pytest.raises(penstock.Refused, match="'row', 'trust'"):
        penstock.S3Store("bucket", conditional="tust")


def test_without_a_handler_nothing_is_logged_to_stderr(origin: Origin) -> None:
    child = run(
        """
        import sys, penstock
        from penstock import files
        task = files.FileTask(task_id="t", job_id="j", url=sys.argv[1], file_name="a", key="k")
        assert not files.process(task, penstock.MemoryStore()).success
        """,
        origin.url("/none"),
    )
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (0, "", "")


def test_import_loads_nothing_heavy() -> None:
    heavy = ("asyncio", "dataclasses", "inspect", "logging", "typer", "rich", "boto3")
    child = run(f"import sys, penstock; print(*[name for name in {heavy} if name in sys.modules])")
    out, err = child.communicate(timeout=60)
    assert (out.strip(), err) == ("", "")


def test_an_s3_store_is_made_without_io() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        penstock.S3Store("bucket", endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}")
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    ("text", "count"), [("64MiB", 64 * 2**20), ("10MB", 10_000_000), (11, 11), ("1.5GiB", 3 * 2**29)]
)
def test_sizes_are_read_as_people_write_them(text: int | str, count: int) -> None:
    from penstock.units import size

    assert size(text) == count


def test_spans_are_read_as_people_write_them() -> None:
    from datetime import timedelta

    from penstock.units import span

    assert [span("30s"), span("250ms"), span(2), span(timedelta(minutes=1))] == [30.0, 0.25, 2.0, 60.0]
    with pytest.raises(penstock.Refused):
        span("soon")


def test_unknown_options_are_named() -> None:
    with pytest.raises(TypeError, match="colour"):
        penstock.MemoryStore().put("k", b"", colour="red")
    with pytest.raises(ValueError, match="mode"):
        penstock.MemoryStore().put("k", b"", mode="append")
    with pytest.raises(TypeError, match="colour"):
        penstock.Client(colour="red")
