"""A bundle through PipelineStorage with nothing but a role, a web identity, a login or temporary keys.

The servers check every signature. MinIO also checks session tokens and has STS itself: there all keys are
temporary ones that it made. versitygw knows no tokens: it is given its own keys by each source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import key_endpoints
import penstock
import pytest
import servers
from bundle_places import Publisher, chunks, recipe, ref
from key_endpoints import KeyEndpoints, Keys, world
from penstock.bundles.storage import PipelineStorage

OWN = Keys(servers.ACCESS_KEY, servers.SECRET_KEY)
ROLE = "arn:aws:iam::123456789012:role/tester"


def keys_of(server: Any) -> Keys:
    """Temporary ones where the server makes such."""
    if server.name != "minio":
        return OWN
    sts = boto3.client(
        "sts",
        endpoint_url=server.url,
        region_name=servers.REGION,
        aws_access_key_id=servers.ACCESS_KEY,
        aws_secret_access_key=servers.SECRET_KEY,
    )
    made = sts.assume_role(RoleArn=ROLE, RoleSessionName="test")["Credentials"]
    return Keys(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"], made["Expiration"])


def temporary(endpoints: KeyEndpoints, home: Path) -> dict[str, str]:
    """In the environment, as a job is given them."""
    keys = endpoints.give()
    names = {"AWS_ACCESS_KEY_ID": keys.access_key_id, "AWS_SECRET_ACCESS_KEY": keys.secret_access_key}
    return {**names, "AWS_SESSION_TOKEN": keys.session_token}


SOURCES = [
    temporary,
    key_endpoints.container,
    key_endpoints.instance,
    key_endpoints.web_identity,
    key_endpoints.role,
    key_endpoints.sso,
]


@pytest.fixture
def endpoints(bucket: Any) -> Iterator[KeyEndpoints]:
    keys = keys_of(bucket.server)
    with KeyEndpoints(lambda: keys) as server:
        yield server  # type: ignore[misc]


@pytest.fixture
def enter(endpoints: KeyEndpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def do(source: Callable[..., dict[str, str]], /, **more: Any) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {**world(tmp_path), **source(endpoints, tmp_path, **more)}.items():
            monkeypatch.setenv(name, value)

    return do


def complete_one(bucket: Any) -> Publisher:
    """A bundle of a small resource and one of two parts."""
    publisher = Publisher()
    storage = PipelineStorage(
        bucket.name, publisher, "out", region=servers.REGION, endpoint_url=bucket.server.url
    )

    async def run() -> None:
        context = await storage.start_bundle(ref(count=2), recipe())
        await context.add_resource("https://example.org/a.txt", "text/plain", 200, chunks(b"one ", b"two"))
        await context.add_resource("https://example.org/b.bin", None, 200, chunks(*[b"x" * 2**20] * 9))
        await context.complete({"source": "test"})

    asyncio.run(run())
    return publisher


def check(bucket: Any, publisher: Publisher) -> None:
    assert [bid for bid, _metadata, _recipe in publisher.told] == ["custom-one"]
    stored = {key.rpartition("/")[2]: bucket.body(key) for key in bucket.keys() if "/resources/" in key}  # noqa: SIM118
    assert sorted(stored.values()) == [b"one two", b"x" * 9 * 2**20]
    assert any(key.endswith("/metadata.json") for key in bucket.keys())  # noqa: SIM118


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.__name__)
def test_a_bundle_completes_with_keys_from(
    source: Any, bucket: Any, endpoints: KeyEndpoints, enter: Any
) -> None:
    enter(source)
    check(bucket, complete_one(bucket))
    asked = [request for request in endpoints.requests if request.path not in ("/latest/api/token",)]
    assert len(asked) <= 2, "one load for the whole bundle"


def test_a_bundle_completes_with_a_role_that_the_server_itself_gives_and_not_where_it_gives_none(
    bucket: Any, endpoints: KeyEndpoints, enter: Any
) -> None:
    enter(key_endpoints.role, source=OWN, sts=bucket.server.url)
    if bucket.server.name == "minio":
        check(bucket, complete_one(bucket))
        assert penstock.aws.find_credentials()[0] == f"role {ROLE} of profile default"
    else:
        with pytest.raises(Exception, match=f"role {ROLE} of profile default"):
            complete_one(bucket)
        assert bucket.keys() == []
    assert endpoints.requests == []


def test_keys_that_the_server_does_not_know_publish_nothing(
    bucket: Any, endpoints: KeyEndpoints, enter: Any
) -> None:
    endpoints.give = lambda: Keys("AKIAUNKNOWN", "wrong-secret-canary")
    enter(key_endpoints.container)
    with pytest.raises(penstock.Denied) as caught:
        complete_one(bucket)
    assert caught.value.status == 403
    assert "canary" not in repr(caught.value)
    assert bucket.keys() == []
