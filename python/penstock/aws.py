"""Signature version 4: headers that sign a request, URLs that carry their signature."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from penstock import _core
from penstock.fields import joined, pairs
from penstock.streams import call
from penstock.units import span

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from typing_extensions import Buffer

    from penstock.fields import Fields
    from penstock.units import Span


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A key, its secret, and for temporary keys the session token and when they end (seconds since 1970).

    >>> penstock.aws.Credentials(access_key_id="AKIAIOSFODNN7EXAMPLE", secret_access_key="secret")
    Credentials(access_key_id='AKIA***')
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires: float | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"Credentials(access_key_id={_core.mask(self.access_key_id)!r})"


class SignedRequest(NamedTuple):
    """A signed request and the artefacts on the way: compare them with the server's when it disagrees."""

    url: str
    headers: dict[str, str]
    canonical_request: str
    string_to_sign: str
    signature: str


def sign(
    method: str,
    url: str,
    *,
    headers: Fields = None,
    body: Buffer = b"",
    service: str = "s3",
    region: str = "us-east-1",
    credentials: Credentials | None = None,
    now: datetime | float | None = None,
    payload: str = "auto",
    normalize: bool | None = None,
) -> SignedRequest:
    """Sign a request in its headers.

    Args:
        method: As it goes on the wire.
        url: As it goes on the wire. s3 signs the path untouched; other services normalise and encode it once
            more.
        headers: A dict, or pairs where a name repeats.
        body: What is sent; hashed.
        service: The name in the credential scope.
        region: The region in it.
        credentials: Else the chain's: environment, roles, single sign-on, files, processes, container, instance.
        now: Aware datetime or seconds since 1970; else the clock.
        payload: auto (the body's hash), unsigned, or 64 hex digits.
        normalize: The path; None: by service.
    Returns:
        SignedRequest: ``headers`` has everything to send, Authorization included.
    Source:
        AWS Signature Version 4, "Create a signed request".

    >>> keys = penstock.aws.Credentials(access_key_id="AKIDEXAMPLE", secret_access_key="secret")
    >>> request = penstock.aws.sign("GET", "https://b.s3.amazonaws.com/k", credentials=keys, now=0)
    >>> len(request.signature)
    64
    """
    url, fields, canonical, to_sign, signature = _core.sign(
        _to_core(credentials),
        method,
        url,
        pairs(headers),
        body,
        service,
        region,
        _seconds(now),
        payload,
        normalize,
    )
    return SignedRequest(url, joined(fields), canonical, to_sign, signature)


def presign(
    method: str,
    url: str,
    *,
    expires: Span = 3600,
    headers: Fields = None,
    body: Buffer = b"",
    service: str = "s3",
    region: str = "us-east-1",
    credentials: Credentials | None = None,
    now: datetime | float | None = None,
    normalize: bool | None = None,
) -> str:
    """A URL that carries its signature in the query.

    Args:
        method: What the URL may be used for.
        url: As in sign().
        expires: 1 to 604,800 seconds, within the life of temporary keys.
        headers: Whoever uses the URL must send exactly these.
        body: As in sign(); s3 URLs are signed with UNSIGNED-PAYLOAD.
        service: As in sign().
        region: As in sign().
        credentials: As in sign().
        now: As in sign().
        normalize: As in sign().
    Raises:
        Refused: ``expires`` is out of range.
    """
    return _core.presign(
        _to_core(credentials),
        method,
        url,
        int(span(expires)),
        pairs(headers),
        body,
        service,
        region,
        _seconds(now),
        normalize,
    )


def find_credentials(
    profile: str | None = None, *, mfa: Callable[[str], str] | None = None
) -> tuple[str, str]:
    """Where the chain finds credentials and the masked key: ``("environment", "AKIA***")``.

    Args:
        profile: Of ~/.aws; else AWS_PROFILE, ``default``.
        mfa: For a role that asks for a device: is given its serial, returns the six digits.
    Raises:
        Denied: There are none, or what is configured gives none.
    """
    found = _core.find_credentials({"profile": profile, "mfa": mfa}, call("30s"))
    return found.source, _core.mask(found.access_key_id)


def _to_core(credentials: Any) -> _core.Credentials:
    if credentials is None:
        return _core.find_credentials({}, call("60s"))
    expires = getattr(credentials, "expires", None)
    return _core.Credentials(
        credentials.access_key_id,
        credentials.secret_access_key,
        getattr(credentials, "session_token", None) or "",
        None if expires is None else _seconds(expires),
    )


def _seconds(at: datetime | float | None) -> float:
    if at is None:
        from time import time

        return time()
    return float(at) if isinstance(at, (int, float)) else at.timestamp()
