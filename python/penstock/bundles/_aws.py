"""What both ends on AWS, S3 and SQS, have in common: region, profile, credentials, and boto3 on request."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, Literal, cast

from penstock import _core
from penstock.bundles.exceptions import ConfigurationError

DEFAULT_REGION = "eu-west-2"

_PROFILE = "OC_STORAGE_PIPELINE_AWS_PROFILE"
_CLIENT = "OC_STORAGE_CLIENT"


def region(argument: str | None = None) -> str:
    """The argument, ``AWS_REGION``, or the default."""
    return argument or os.environ.get("AWS_REGION") or DEFAULT_REGION


def profile() -> str | None:
    """The profile that was named for storages; None leaves ``AWS_PROFILE`` to the chain."""
    return os.environ.get(_PROFILE) or None


def client_kind() -> Literal["native", "boto3"]:
    """Who speaks to AWS: the core, or boto3."""
    kind = os.environ.get(_CLIENT) or "native"
    if kind not in ("native", "boto3"):
        raise ConfigurationError(f"{_CLIENT} must be native or boto3, not {kind!r}", "storage")
    return cast("Literal['native', 'boto3']", kind)


def require_credentials(endpoint_url: str | None, missing: type[Exception]) -> None:
    """Raise ``missing`` for an endpoint of one's own that no environment and no file has credentials for."""
    if endpoint_url and not _core.names_credentials({"profile": profile()}):
        raise missing()


def boto3_client(service: str, region_name: str, endpoint_url: str | None) -> Any:
    """boto3's client; to an endpoint of one's own with the environment's keys, if it has some."""
    try:
        sessions = import_module("boto3.session")
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"{_CLIENT}=boto3 needs boto3: pip install boto3", "storage") from error
    name = profile() or os.environ.get("AWS_PROFILE")
    session = sessions.Session(profile_name=name) if name else sessions.Session()
    return session.client(service, region_name=region_name, **_endpoint(endpoint_url))


def _endpoint(endpoint_url: str | None) -> dict[str, str]:
    if not endpoint_url:
        return {}
    keys = {
        "aws_access_key_id": os.environ.get("AWS_ACCESS_KEY_ID"),
        "aws_secret_access_key": os.environ.get("AWS_SECRET_ACCESS_KEY"),
        "aws_session_token": os.environ.get("AWS_SESSION_TOKEN"),
    }
    if not keys["aws_access_key_id"] or not keys["aws_secret_access_key"]:
        keys.clear()
    return {"endpoint_url": endpoint_url, **{name: value for name, value in keys.items() if value}}
