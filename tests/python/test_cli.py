"""penstock fetch and penstock doctor as a person runs them."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import penstock
import pytest
from local_origin import Origin
from penstock import files
from penstock.cli.bars import Bars


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as made:
        made.bodies["/b.csv"] = b"b" * 20
        made.bodies["/dir/a.csv"] = b"other"
        yield made


def command(*arguments: str, **more: object) -> subprocess.Popen[str]:
    code = "from penstock.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,  # type: ignore[call-overload]
    )


def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    child = command(*arguments)
    out, err = child.communicate(stdin, timeout=120)
    return child.returncode, out, err


def test_one_url_into_a_named_file(origin: Origin, tmp_path: Path) -> None:
    digest = hashlib.sha256(origin.bodies["/a.csv"]).hexdigest()
    code, out, err = run(
        "fetch", origin.url("/a.csv"), "--to", f"{tmp_path.as_uri()}/x.csv", "--sha256", digest
    )
    assert code == 0, err
    assert out == ""
    assert (tmp_path / "x.csv").read_bytes() == origin.bodies["/a.csv"]


def test_several_urls_into_a_folder_with_json(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.url("/a.csv"), origin.url("/b.csv?token=SECRET")]
    code, out, err = run("fetch", *urls, "--to", f"{tmp_path.as_uri()}/", "--json")
    assert code == 0, err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]
    assert {json.loads(line)["key"] for line in out.splitlines()} == {"a.csv", "b.csv"}
    assert "SECRET" not in out + err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["/a.csv", "--sha256", "0" * 64], 3),
        (["/none.csv"], 4),
        (["/a.csv", "--max-bytes", "3"], 2),
        (["/a.csv", "--sha256", "xyz"], 2),
        (["/a.csv", "/b.csv", "--sha256", "0" * 64], 2),
        (["/a.csv", "/dir/a.csv"], 2),
        (["/a.csv", "--sha256", "0" * 64, "--checksum", "md5:" + "0" * 32], 2),
        (["/a.csv", "--expect-bytes", "12"], 3),
        (["/a.csv", "/none.csv", "/b.csv", "--max-bytes", "15"], 1),
        ([], 2),
        (["/a.csv", "--mode", "creat"], 2),
        (["/a.csv", "--guard", "publc"], 2),
    ],
    ids=[
        *("digest", "missing", "limit", "malformed", "one-digest", "clash", "two-digests", "size"),
        *("several", "nothing", "mode", "guard"),
    ],
)
def test_each_failure_has_its_exit_code(
    origin: Origin, tmp_path: Path, arguments: list[str], code: int
) -> None:
    typed = [origin.url(a) if a.startswith("/") else a for a in arguments]
    got, _, err = run("fetch", *typed, "--to", f"{tmp_path.as_uri()}/")
    assert got == code, err
    assert err.strip()


def test_two_digests_are_refused_before_anything_is_fetched(origin: Origin, tmp_path: Path) -> None:
    digests = ["--sha256", "0" * 64, "--checksum", "md5:" + "0" * 32]
    code, _, err = run("fetch", origin.url("/a.csv"), "--to", f"{tmp_path.as_uri()}/", *digests)
    assert code == 2, err
    assert "--sha256 or --checksum, not both" in err
    assert origin.seen == []


def test_nobody_home_is_lost(tmp_path: Path) -> None:
    code, _, err = run("fetch", "http://127.0.0.1:9/a.csv", "--to", f"{tmp_path.as_uri()}/")
    assert code == 5, err
    assert list(tmp_path.iterdir()) == []


def test_create_does_not_replace(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"former")
    code, _, err = run("fetch", origin.url("/a.csv"), "--to", f"{tmp_path.as_uri()}/", "--mode", "create")
    assert code == 4, err
    assert (tmp_path / "a.csv").read_bytes() == b"former"


def test_tasks_come_from_stdin(origin: Origin, tmp_path: Path) -> None:
    record = {
        "taskId": "t",
        "jobId": "j",
        "downloadUrl": origin.url("/a.csv"),
        "fileName": "a",
        "s3OutputKey": "o",
    }
    code, _, err = run(
        "fetch", "--from", "-", "--to", f"{tmp_path.as_uri()}/", stdin=json.dumps(record) + "\n"
    )
    assert code == 0, err
    assert (tmp_path / "o").read_bytes() == origin.bodies["/a.csv"]
    code, _, err = run("fetch", "--from", "-", "--to", f"{tmp_path.as_uri()}/", stdin="{broken\n")
    assert (code, "line 1" in err) == (2, True)


def record(origin: Origin, **more: object) -> str:
    names = {"task_id": "t", "job_id": "j", "url": origin.url("/a.csv"), "file_name": "a", "key": "o"}
    return json.dumps({k: v for k, v in {**names, **more}.items() if v is not None}) + "\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [({"key": None}, "key"), ({"url": None}, "url"), ({"colour": 1}, "colour")],
    ids=["key", "url", "unknown"],
)
def test_a_line_that_is_no_task_is_named_by_its_number(
    origin: Origin, tmp_path: Path, line: dict[str, object], said: str
) -> None:
    stdin = record(origin) + record(origin, **line)
    code, _, err = run("fetch", "--from", "-", "--to", f"{tmp_path.as_uri()}/", stdin=stdin)
    assert code == 2, err
    assert "line 2" in err
    assert said in err


@pytest.mark.parametrize(
    "arguments", [["--sha256", "0" * 64], ["--checksum", "md5:0"], ["--expect-bytes", "1"]]
)
def test_what_is_of_one_file_does_not_go_with_tasks(
    origin: Origin, tmp_path: Path, arguments: list[str]
) -> None:
    code, _, err = run(
        "fetch", "--from", "-", "--to", f"{tmp_path.as_uri()}/", *arguments, stdin=record(origin)
    )
    assert code == 2, err
    assert list(tmp_path.iterdir()) == []


def test_what_the_command_line_says_is_what_a_task_leaves_out(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "o").write_bytes(b"former")
    options = ["--to", f"{tmp_path.as_uri()}/", "--mode", "create", "--header", "X-Mine: 1"]
    code, _, err = run("fetch", "--from", "-", *options, stdin=record(origin))
    assert code == 4, err
    assert origin.seen[-1]["X-Mine"] == "1"
    code, _, err = run("fetch", "--from", "-", *options, stdin=record(origin, mode="overwrite"))
    assert code == 0, err
    stdin = record(origin, key="p")
    code, _, err = run("fetch", "--from", "-", *options, "--max-bytes", "10", stdin=stdin)
    assert code == 2, err
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("end", ["", "x.csv"], ids=["folder", "file"])
def test_a_file_uri_with_two_slashes_is_refused(origin: Origin, tmp_path: Path, end: str) -> None:
    code, _, err = run("fetch", origin.url("/a.csv"), "--to", f"file:/{tmp_path}/{end}")
    assert code == 2, err
    assert "file:///" in err
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_exits_130_with_nothing_visible(origin: Origin, tmp_path: Path) -> None:
    child = command("fetch", origin.url("/stall"), "--to", f"{tmp_path.as_uri()}/")
    assert origin.stalled.wait(60)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_into_a_real_server_and_back(origin: Origin, bucket: object, monkeypatch: pytest.MonkeyPatch) -> None:
    options = bucket.options  # type: ignore[attr-defined]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", options["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", options["secret_access_key"])
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", options["endpoint"])
    monkeypatch.setenv("AWS_REGION", options["region"])
    code, _, err = run("fetch", origin.url("/a.csv"), "--to", f"s3://{options['bucket']}/in/")
    assert code == 0, err
    assert bucket.body("in/a.csv") == origin.bodies["/a.csv"]  # type: ignore[attr-defined]


def test_doctor_names_what_it_finds_and_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    monkeypatch.setenv("HOME", str(tmp_path))
    code, out, err = run("doctor")
    assert code == 0, err
    assert "libcurl" in out
    assert "AKIA" in out
    assert "canary" not in out + err
    assert "AKIAIOSFODNN7EXAMPLE" not in out + err


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "foo", "https://", "http://a b"])
def test_doctor_says_when_an_endpoint_does_not_answer(endpoint: str) -> None:
    code, out, err = run("doctor", "--endpoint", endpoint)
    assert code in (2, 5), err
    assert len(err.strip().splitlines()) == 1
    assert "answers" not in out


def test_doctor_says_what_is_wrong_with_a_file_it_was_pointed_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "elsewhere"
    config.write_text("[default\nregion = x\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    code, out, err = run("doctor")
    assert code == 2, err
    assert f"{config}: there" in out
    assert "Traceback" not in err
    assert str(config) in err


def test_bars_keep_nothing_of_tasks_that_ended() -> None:
    bars = Bars(plain=False)
    for n in range(3):
        for done in (10, 30, 20, 50):  # it falls at a restart
            bars(penstock.Progress(state="downloading", bytes_done=done, task_id=str(n)))
        bars.ended(files.FileResult(success=True, task_id=str(n), job_id="j", bytes=50))
    (total,) = bars._rich.tasks
    assert total.completed == 150
    assert bars._done == {}


def taken(*sizes: int | None) -> Iterator[files.FileTask]:
    for n, size in enumerate(sizes):
        names = {"task_id": str(n), "job_id": "j", "url": "http://h/a", "file_name": "a", "key": f"k{n}"}
        yield files.FileTask(expected_bytes=size, **names)


def heard(bars: Bars, n: int, done: int, total: int | None = None) -> int | None:
    """What the total is of once that is known of a file."""
    bars(penstock.Progress(state="downloading", bytes_done=done, bytes_total=total, task_id=str(n)))
    return total_of(bars)


def ended(bars: Bars, n: int, success: bool = True) -> int | None:
    bars.ended(files.FileResult(success=success, task_id=str(n), job_id="j", error_message="cut"))
    return total_of(bars)


def total_of(bars: Bars) -> int | None:
    total = bars._rich.tasks[0].total
    return None if total is None else int(total)


def test_the_total_is_the_sum_as_soon_as_that_of_every_file_is_known() -> None:
    bars = Bars(plain=False)
    tasks = bars.counted(taken(None, None, 30))
    next(tasks), next(tasks)
    assert heard(bars, 0, 0, 50) is None
    assert heard(bars, 1, 0, 70) is None  # there may be more tasks
    assert next(tasks).expected_bytes == 30
    assert list(tasks) == []
    assert heard(bars, 0, 50, 50) == 150
    assert ended(bars, 0) == 150
    assert heard(bars, 2, 0) == 150
    assert heard(bars, 2, 5, 40) == 160  # begun again, and longer
    heard(bars, 1, 20, 70)
    assert ended(bars, 1, success=False) == 110
    heard(bars, 2, 40, 40)
    assert ended(bars, 2) == 110
    assert bars._rich.tasks[0].completed == 110
    assert bars._totals == {}


def test_there_is_no_total_while_a_file_has_none_and_one_when_it_has_ended() -> None:
    bars = Bars(plain=False)
    assert len(list(bars.counted(taken(None, 30)))) == 2
    assert heard(bars, 0, 20) is None
    heard(bars, 1, 30, 30)
    assert ended(bars, 1) is None
    heard(bars, 0, 60)
    assert ended(bars, 0) == 90


def test_tasks_of_one_name_have_no_total_before_all_have_ended() -> None:
    bars = Bars(plain=False)
    assert len(list(bars.counted([*taken(30), *taken(30)]))) == 2
    assert heard(bars, 0, 30, 30) is None
    assert ended(bars, 0) is None
    assert ended(bars, 0) == 30
