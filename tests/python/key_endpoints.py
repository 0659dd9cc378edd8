"""Whoever hands out keys, imitated on loopback: a container's agent, instance metadata, STS and single sign-on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import parse_qsl

from faults.wire import Answer, Request, Wire

ROLE = "arn:aws:iam::123456789012:role/tester"
ROLES = "/latest/meta-data/iam/security-credentials/"
SESSION = "corp"
START_URL = "https://corp.awsapps.example/start"


def in_hours(hours: float) -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0) + timedelta(hours=hours)


@dataclass(frozen=True)
class Keys:
    access_key_id: str
    secret_access_key: str
    session_token: str = ""
    expires: datetime = datetime(2099, 1, 2, 3, 4, 5, tzinfo=timezone.utc)

    @property
    def until(self) -> str:
        return self.expires.strftime("%Y-%m-%dT%H:%M:%SZ")


class KeyEndpoints(Wire):
    """All of them at one address; ``give()`` decides the keys, each time anew."""

    def __init__(self, give: Callable[[], Keys]) -> None:
        super().__init__()
        self.give = give

    def answer(self, request: Request) -> Answer:
        if request.path == "/latest/api/token":
            return Answer(200, body=b"imds-token")
        if request.path == ROLES:
            return Answer(200, body=b"instance-role")
        if request.path == "/token":
            return Answer(200, body=b'{"accessToken": "renewed-token", "expiresIn": 3600}')
        answers = {"/keys": self.json, ROLES + "instance-role": self.json, "/": self.sts}
        answers["/federation/credentials"] = self.sso
        made = answers.get(request.path)
        return Answer(200, body=made(request)) if made else Answer(404)

    def json(self, _request: Request) -> bytes:
        keys = self.give()
        fields = {"Code": "Success", "AccessKeyId": keys.access_key_id, "Expiration": keys.until}
        fields |= {"SecretAccessKey": keys.secret_access_key, "Token": keys.session_token}
        return json.dumps(fields).encode()

    def sso(self, _request: Request) -> bytes:
        keys = self.give()
        fields = {"accessKeyId": keys.access_key_id, "secretAccessKey": keys.secret_access_key}
        ends = int(keys.expires.timestamp()) * 1000
        return json.dumps(
            {"roleCredentials": {**fields, "sessionToken": keys.session_token, "expiration": ends}}
        ).encode()

    def sts(self, request: Request) -> bytes:
        keys, action = self.give(), form(request)["Action"]
        return (
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>'
            f"<AccessKeyId>{keys.access_key_id}</AccessKeyId>"
            f"<SecretAccessKey>{keys.secret_access_key}</SecretAccessKey>"
            f"<SessionToken>{keys.session_token}</SessionToken><Expiration>{keys.until}</Expiration>"
            f"</Credentials></{action}Result></{action}Response>"
        ).encode()


def form(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def essence(request: Request) -> tuple[object, ...]:
    """What a request asks for and by whose right; without what any client writes as it likes."""
    said = form(request) if request.method == "POST" and request.path == "/" else request.body.decode()
    if isinstance(said, dict) and re.fullmatch(r"(botocore-session|penstock)-\d+", said["RoleSessionName"]):
        said["RoleSessionName"] = "made up"
    if request.path == "/token":
        said = json.loads(str(said))
    signer = re.sub(r".*Credential=([^/]+)/\d+/([^,]+),.*", r"\1/\2", request.header("authorization"))
    names = ("x-amz-security-token", "x-amz-sso_bearer_token", "x-aws-ec2-metadata-token")
    rights = [request.header(name) for name in (*names, "x-aws-ec2-metadata-token-ttl-seconds")]
    return request.method, request.path, sorted(request.query.items()), said, signer, rights


# --- What makes a process find its keys there: files below `home`, and the environment that is returned ---


def container(endpoints: KeyEndpoints, home: Path) -> dict[str, str]:
    (home / "auth").write_text("Bearer agent-token")
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{endpoints.url}/keys",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(home / "auth"),
    }


def instance(endpoints: KeyEndpoints, home: Path) -> dict[str, str]:
    return {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoints.url}


def web_identity(endpoints: KeyEndpoints, home: Path) -> dict[str, str]:
    (home / "web-token").write_text("header.payload+/=.signature")
    named = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(home / "web-token"), "AWS_ROLE_ARN": ROLE}
    return {**named, "AWS_ENDPOINT_URL_STS": endpoints.url}


def role(endpoints: KeyEndpoints, home: Path, source: Keys | None = None, sts: str = "") -> dict[str, str]:
    source = source or Keys("SOURCE", "source-secret", "source-token")
    token = f"aws_session_token = {source.session_token}\n" if source.session_token else ""
    write_config(
        home,
        f"[profile base]\naws_access_key_id = {source.access_key_id}\n"
        f"aws_secret_access_key = {source.secret_access_key}\n{token}"
        f"[default]\nrole_arn = {ROLE}\nsource_profile = base\nexternal_id = e 1/+\n"
        "duration_seconds = 1800\nregion = eu-west-2\n",
    )
    return {"AWS_ENDPOINT_URL_STS": sts or endpoints.url}


def role_from_environment(endpoints: KeyEndpoints, home: Path) -> dict[str, str]:
    write_config(home, f"[default]\nrole_arn = {ROLE}\ncredential_source = EcsContainer\n")
    uri = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{endpoints.url}/keys"}
    return {"AWS_ENDPOINT_URL_STS": endpoints.url, **uri}


def sso(endpoints: KeyEndpoints, home: Path, hours: float = 8) -> dict[str, str]:
    write_config(
        home,
        f"[default]\nsso_session = {SESSION}\nsso_account_id = 123456789012\nsso_role_name = dev ops\n"
        f"[sso-session {SESSION}]\nsso_region = eu-west-2\nsso_start_url = {START_URL}\n",
    )
    cache = home / ".aws/sso/cache"
    cache.mkdir(parents=True)
    token = {"accessToken": "login-token", "refreshToken": "refresh", "clientId": "c", "clientSecret": "s"}
    ends = {
        "expiresAt": f"{in_hours(hours):%Y-%m-%dT%H:%M:%SZ}",
        "registrationExpiresAt": "2099-01-01T00:00:00Z",
    }
    text = json.dumps({**token, **ends, "startUrl": START_URL, "region": "eu-west-2"})
    (cache / f"{hashlib.sha1(SESSION.encode()).hexdigest()}.json").write_text(text)
    return {"AWS_ENDPOINT_URL_SSO": endpoints.url, "AWS_ENDPOINT_URL_SSO_OIDC": endpoints.url}


def sso_to_renew(endpoints: KeyEndpoints, home: Path) -> dict[str, str]:
    return sso(endpoints, home, hours=0.1)


def write_config(home: Path, text: str) -> None:
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws/config").write_text(text)


def world(home: Path) -> dict[str, str]:
    """An environment in which nothing but what is added names credentials."""
    files = {"AWS_CONFIG_FILE": str(home / ".aws/config"), "AWS_SHARED_CREDENTIALS_FILE": str(home / "none")}
    return {
        "HOME": str(home),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
        **files,
    }
