"""Keys from roles, web identity, single sign-on, containers and instances: botocore as the judge of what is asked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import key_endpoints
import penstock
import pytest
from faults.s3 import ScriptedS3, error
from faults.wire import Answer, Request
from key_endpoints import KeyEndpoints, Keys, essence, world
from penstock import _core, aio
from penstock.streams import call

KEYS = Keys("TEMPORARY", "temporary/secret+", "temporary//token==")
SOURCES = [
    key_endpoints.container,
    key_endpoints.instance,
    key_endpoints.web_identity,
    key_endpoints.role,
    key_endpoints.role_from_environment,
    key_endpoints.sso,
    key_endpoints.sso_to_renew,
]
BOTOCORE = """
import json, botocore.session
keys = botocore.session.Session().get_credentials().get_frozen_credentials()
print(json.dumps([keys.access_key, keys.secret_key, keys.token]))
"""


@pytest.fixture
def endpoints() -> Iterator[KeyEndpoints]:
    with KeyEndpoints(lambda: KEYS) as server:
        yield server  # type: ignore[misc]


@pytest.fixture
def enter(endpoints: KeyEndpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the process one that finds its keys at a source."""

    def do(source: Callable[..., dict[str, str]], **more: Any) -> dict[str, str]:
        home = tmp_path / f"home-{source.__name__}"
        home.mkdir()
        variables = {**world(home), **source(endpoints, home, **more)}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return variables

    return do


def found(options: dict[str, Any] | None = None) -> list[str]:
    keys = _core.find_credentials(options or {}, call("30s"))
    return [keys.access_key_id, *keys._secret()]


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.__name__)
def test_the_same_is_asked_as_botocore_asks_and_the_same_keys_come(
    source: Any, endpoints: KeyEndpoints, enter: Any, tmp_path: Path
) -> None:
    enter(source)
    ours = found()
    asked = [essence(request) for request in endpoints.requests]
    endpoints.requests.clear()
    home = tmp_path / "home-of-botocore"
    home.mkdir()
    variables = {**world(home), **source(endpoints, home)}
    judged = subprocess.run(
        [sys.executable, "-c", BOTOCORE], env=variables, capture_output=True, text=True, timeout=120
    )
    assert judged.returncode == 0, judged.stderr
    assert (
        ours == json.loads(judged.stdout) == [KEYS.access_key_id, KEYS.secret_access_key, KEYS.session_token]
    )
    assert asked == [essence(request) for request in endpoints.requests]


def test_a_token_that_penstock_renewed_is_one_that_botocore_reads(
    endpoints: KeyEndpoints, enter: Any
) -> None:
    variables = enter(key_endpoints.sso_to_renew)
    found()
    endpoints.requests.clear()
    subprocess.run(
        [sys.executable, "-c", BOTOCORE], env=variables, check=True, capture_output=True, timeout=120
    )
    assert [request.path for request in endpoints.requests] == ["/federation/credentials"]
    assert endpoints.requests[0].header("x-amz-sso_bearer_token") == "renewed-token"


def test_mfa_is_asked_for_the_code_of_the_device(endpoints: KeyEndpoints, enter: Any) -> None:
    config = Path(enter(key_endpoints.role)["AWS_CONFIG_FILE"])
    config.write_text(config.read_text() + "mfa_serial = arn:mfa/me\n")
    with pytest.raises(penstock.Refused, match="mfa="):
        found()
    asked: list[str] = []

    def mfa(serial: str) -> str:
        asked.append(serial)
        return "654321"

    assert penstock.aws.find_credentials(mfa=mfa)[0].startswith("role ")
    assert asked == ["arn:mfa/me"]
    said = key_endpoints.form(endpoints.requests[-1])
    assert (said["SerialNumber"], said["TokenCode"]) == ("arn:mfa/me", "654321")
    with pytest.raises(penstock.Refused, match="6 digits"):
        penstock.aws.find_credentials(mfa=lambda serial: "no code")
    store = penstock.S3Store("bucket", endpoint="http://127.0.0.1:1", mfa=lambda serial: serial[:0])
    with pytest.raises(penstock.Refused, match="6 digits"):
        store.find("k")


@pytest.mark.parametrize("status", [400, 403, 404, 409, 412])
def test_no_answer_of_an_endpoint_is_taken_for_one_of_the_bucket(
    status: int, endpoints: KeyEndpoints, enter: Any
) -> None:
    enter(key_endpoints.container)
    endpoints.answer = lambda request: Answer(status)  # type: ignore[method-assign]
    with ScriptedS3() as s3:
        store = penstock.S3Store("bucket", endpoint=s3.url)
        with pytest.raises(penstock.Denied):
            store.find("k")
        assert s3.requests == []


def test_a_thousand_cold_callers_on_threads_and_loops_make_one_request(
    endpoints: KeyEndpoints, enter: Any
) -> None:
    enter(key_endpoints.container)
    threads, loops, tasks = 500, 5, 100
    begun, all_begun = 0, threading.Event()
    lock = threading.Lock()

    def begin() -> None:
        nonlocal begun
        with lock:
            begun += 1
            if begun == threads + loops * tasks:
                all_begun.set()

    def give() -> Keys:
        assert all_begun.wait(60)
        return KEYS

    endpoints.give = give
    failures: list[BaseException] = []
    with ScriptedS3() as s3:

        def blocking() -> None:
            store = penstock.S3Store("bucket", endpoint=s3.url)
            begin()
            try:
                assert store.find("k") is None
            except BaseException as error:
                failures.append(error)

        async def one(store: aio.S3Store) -> None:
            begin()
            assert await store.find("k") is None

        async def many() -> None:
            store = aio.S3Store("bucket", endpoint=s3.url)
            await asyncio.gather(*(one(store) for _ in range(tasks)))

        def loop() -> None:
            try:
                asyncio.run(many())
            except BaseException as error:
                failures.append(error)

        running = [threading.Thread(target=blocking) for _ in range(threads)]
        running += [threading.Thread(target=loop) for _ in range(loops)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        assert failures == []
        assert [request.path for request in endpoints.requests] == ["/keys"]
        assert {signer(request) for request in s3.requests} == {KEYS.access_key_id}


def signer(request: Request) -> str:
    return request.header("authorization").partition("Credential=")[2].partition("/")[0]


def test_keys_that_end_in_the_middle_of_an_upload_are_renewed_once_and_the_parts_sent_again(
    endpoints: KeyEndpoints, enter: Any
) -> None:
    enter(key_endpoints.container)
    given = iter(Keys(f"KEYS{n}", "secret", f"token-{n}") for n in range(1, 10))
    endpoints.give = lambda: next(given)
    body = bytes(range(256)) * (22 * 4096)  # 22 MiB: five parts

    def ended(request: Request, do: Callable[[], Answer]) -> Answer:
        return error(400, "ExpiredToken") if signer(request) == "KEYS1" else do()

    with ScriptedS3() as s3:
        store = penstock.S3Store("bucket", endpoint=s3.url, part_bytes="5MiB")
        s3.on("UploadPart", None, *[ended] * 20)
        store.put("k", body)
        assert s3.objects["bucket", "k"].body == body
        assert len(endpoints.requests) == 2
        parts = s3.asked("UploadPart")
        assert signer(parts[-1]) == signer(s3.asked("CompleteUpload")[0]) == "KEYS2"
        assert parts[-1].header("x-amz-security-token") == "token-2"


def test_a_refresh_that_fails_keeps_keys_that_are_still_valid(endpoints: KeyEndpoints, enter: Any) -> None:
    enter(key_endpoints.container)
    endpoints.give = lambda: Keys("SHORT", "secret", "token", key_endpoints.in_hours(1))
    with ScriptedS3() as s3:
        store = penstock.S3Store("bucket", endpoint=s3.url)
        assert store.find("k") is None
        endpoints.answer = lambda request: Answer(403)  # type: ignore[method-assign]
        s3.on("PutObject", lambda request, do: error(400, "ExpiredToken"))
        store.put("k", b"body")
        assert [request.path for request in endpoints.requests] == ["/keys", "/keys"]
        assert signer(s3.requests[-1]) == "SHORT"
