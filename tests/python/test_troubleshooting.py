"""What the page on troubleshooting names is there, and comes about as it says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import examples
import penstock
import pytest
from conftest import ROOT
from faults.s3 import ScriptedS3, error, instead

if TYPE_CHECKING:
    from conftest import Bucket

PAGE = (ROOT / "docs/troubleshooting.md").read_text()
FILES = [*(ROOT / "cpp").rglob("*.cc"), *(ROOT / "cpp").rglob("*.h"), *(ROOT / "python").rglob("*.py")]
DOCTOR = [sys.executable, "-c", "from penstock.cli import main; main()", "doctor", "--bucket"]
SOURCE = re.sub(r'"\s*"', "", "".join(path.read_text() for path in FILES))  # literals in pieces are one


def rows(title: str) -> list[list[str]]:
    """The cells of the table below a title."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def codes(title: str) -> dict[str, str]:
    """Each code of a table, and the class beside it."""
    return {code: row[1] for row in rows(title) for code in re.findall(r"`([^`]+)`", row[0])}


OURS, THEIRS = codes("Codes of penstock"), codes("Codes of the service")
SAYINGS = [row[0].strip('"') for row in rows("Messages without a code")]


def test_the_tables_are_read() -> None:
    assert min(len(OURS) - 30, len(THEIRS) - 10, len(SAYINGS) - 8) >= 0


@pytest.mark.parametrize("code", OURS)
def test_a_code_of_ours_is_in_the_source(code: str) -> None:
    assert f'"{code}"' in SOURCE


@pytest.mark.parametrize(
    "code", re.findall(r'k\w+ =\s+"([\w-]+)"', (ROOT / "cpp/penstock/base/error.h").read_text())
)
def test_a_code_that_any_room_may_give_is_told(code: str) -> None:
    assert code in OURS


@pytest.mark.parametrize("name", sorted({*OURS.values(), *THEIRS.values()}))
def test_a_class_is_there(name: str) -> None:
    assert issubclass(getattr(penstock, name), penstock.Error)


@pytest.mark.parametrize("saying", SAYINGS)
def test_a_message_is_in_the_source(saying: str) -> None:
    assert saying in SOURCE


@pytest.mark.parametrize("code", THEIRS)
def test_a_code_of_the_service_is_of_its_class(code: str) -> None:
    keys = {"access_key_id": "testkey", "secret_access_key": "testsecret123", "region": "us-east-1"}
    with ScriptedS3() as server, penstock.Client(max_attempts=1) as client:
        for operation in ("GetObject", "HeadBucket"):
            server.on(operation, *[instead(error(400, code))] * 3)
        store = penstock.S3Store("bucket", endpoint=server.url, client=client, **keys)
        with pytest.raises(penstock.Error) as raised:
            store.get("k")
    assert (raised.value.code, type(raised.value).__name__) == (code, THEIRS[code])


def taken(options: dict[str, Any]) -> None:
    for _ in range(2):
        penstock.S3Store(**options).put("k", b"", mode="create")


def get(**changed: str) -> Callable[[dict[str, Any]], object]:
    return lambda options: penstock.S3Store(**options | changed).get("absent")


REAL: dict[str, Callable[[dict[str, Any]], object]] = {
    "InvalidAccessKeyId": get(access_key_id="nobodyskey"),
    "NoSuchBucket": get(bucket="penstock-absent-bucket"),
    "NoSuchKey": get(),
    "PreconditionFailed": taken,
    "SignatureDoesNotMatch": get(secret_access_key="wrong"),
}


@pytest.mark.parametrize("code", REAL)
def test_a_real_service_says_so(code: str, bucket: Bucket) -> None:
    with pytest.raises(penstock.Error) as raised:
        REAL[code](bucket.options)
    assert (raised.value.code, type(raised.value).__name__) == (code, THEIRS[code])


def test_doctor_prints_the_lines_that_are_told(bucket: Bucket) -> None:
    command = [*DOCTOR, bucket.name]
    env = examples.environment(bucket)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)
    assert done.returncode == 0, done.stderr
    told = {name for row in rows("`penstock doctor`") for name in re.findall(r"`(\w+)`", row[0])}
    assert {line.split()[0] for line in done.stdout.splitlines()} == told


def test_a_bucket_that_cannot_be_read_is_exit_4(bucket: Bucket) -> None:
    command = [*DOCTOR, bucket.name]
    env = examples.environment(bucket) | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)
    assert (done.returncode, done.stderr) == (4, "")
    assert "answers: denied" in done.stdout.splitlines()[-1]
