"""botocore as the judge of signatures: random keys, queries and headers, every artefact compared."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from faults.amounts import FULL, seed
from penstock import aws

CASES = 100_000 if FULL else 10_000
ACCESS_KEY, SECRET_KEY = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

# What keys are made of: structure, what URLs and shells treat specially, each UTF-8 length, composed and odd ones.
ALPHABETS = (
    "abcXYZ019",
    "/./../",
    " +%&=?#;:@!$'()*,~-_.[]{}|\\^`<>\"",
    "éßñ\u0301",
    "\u1234中文\u200b\ufeff",
    "😀𝄞\U0010fffd",
    "\t\n\r\x00\x7f\x85",
)


def random_text(rng: random.Random, most: int, least: int = 0) -> str:
    return "".join(rng.choice(rng.choice(ALPHABETS)) for _ in range(rng.randint(least, most)))


def random_header_value(rng: random.Random) -> str:
    """What may stand in a header: no control characters, and no white space that only Python counts as such."""
    text = random_text(rng, 20)
    return "".join(c for c in text if c in " \t" or not (c.isspace() or ord(c) < 32 or 127 <= ord(c) < 160))


class Case:
    """One random request."""

    def __init__(self, rng: random.Random) -> None:
        self.service = rng.choice(("s3", "s3", "sqs", "execute-api"))
        self.region = rng.choice(("us-east-1", "eu-central-1", "auto"))
        self.method = rng.choice(("GET", "PUT", "POST", "HEAD", "DELETE"))
        self.now = rng.randrange(0, 4_000_000_000)
        token = "".join(c for c in random_text(rng, 40, 1) if c.isascii() and c.isprintable() and c != " ")
        self.token = token if token and rng.random() < 0.3 else None
        host = rng.choice(
            ("bucket.s3.amazonaws.com", "Example.COM:8443", "127.0.0.1:9000", "[::1]:443", "h.example:443")
        )
        names = {random_text(rng, 8, 1) for _ in range(rng.randint(0, 5))}
        self.fields = [(name, random_text(rng, 12)) for name in sorted(names)]
        rng.shuffle(self.fields)
        query = "&".join(
            quote(name, safe="-_.~")
            + ("=" + quote(value, safe="-_.~") if value or rng.random() < 0.5 else "")
            for name, value in self.fields
        )
        path = "/" + quote(random_text(rng, 40), safe="/~")
        self.url = f"https://{host}{path}" + ("?" + query if query else "")
        self.headers = [
            (
                rng.choice(("X-Amz-Meta-", "x-", "Content-")) + rng.choice(("a", "B-1", "b_2", "z.z")),
                random_header_value(rng),
            )
            for _ in range(rng.randint(0, 5))
        ]
        self.body = rng.randbytes(rng.choice((0, 1, 100))) if self.method in ("PUT", "POST") else b""

    def request(self, *, body: bool) -> AWSRequest:
        request = AWSRequest(method=self.method, url=self.url, data=self.body if body else b"")
        for name, value in self.headers:
            request.headers[name] = value
        return request

    def ours(self) -> dict[str, Any]:
        keys = aws.Credentials(
            access_key_id=ACCESS_KEY, secret_access_key=SECRET_KEY, session_token=self.token
        )
        return {
            "headers": self.headers,
            "service": self.service,
            "region": self.region,
            "credentials": keys,
            "now": float(self.now),
        }

    def judge(self, kind: type[botocore.auth.SigV4Auth], **options: Any) -> Any:
        """An instance of `kind` that keeps the artefacts it computes."""

        class Recorder(kind):  # type: ignore[misc, valid-type]
            def string_to_sign(self, request: AWSRequest, canonical_request: str) -> str:
                self.canonical = canonical_request
                self.to_sign: str = super().string_to_sign(request, canonical_request)
                return self.to_sign

            def signature(self, string_to_sign: str, request: AWSRequest) -> str:
                self.signed: str = super().signature(string_to_sign, request)
                return self.signed

        return Recorder(Credentials(ACCESS_KEY, SECRET_KEY, self.token), self.service, self.region, **options)


def cases() -> Iterator[tuple[str, Case]]:
    """Each with what a failure says of it."""
    chosen = seed()
    rng = random.Random(chosen)
    for number in range(CASES):
        case = Case(rng)
        where = f"case {number} of seed {chosen}: {case.method} {case.url!r} {case.headers!r}"
        yield where, case


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets botocore's clock."""

    def set_clock(now: int) -> None:
        moment = datetime.datetime.fromtimestamp(now, datetime.timezone.utc)
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_a, **_k: moment)

    return set_clock


def test_signed_headers_agree_with_botocore(at: Any) -> None:
    for where, case in cases():
        at(case.now)
        kind = botocore.auth.S3SigV4Auth if case.service == "s3" else botocore.auth.SigV4Auth
        judge = case.judge(kind)
        request = case.request(body=True)
        judge.add_auth(request)
        ours = aws.sign(case.method, case.url, body=case.body, **case.ours())
        assert ours.canonical_request == judge.canonical, where
        assert ours.string_to_sign == judge.to_sign, where
        assert ours.signature == judge.signed, where
        sent = {name.lower(): value for name, value in ours.headers.items()}
        assert sent["authorization"] == request.headers["Authorization"], where
        assert sent["x-amz-date"] == request.headers["X-Amz-Date"], where


def parsed(url: str) -> tuple[str, str, str, list[tuple[str, str]]]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc, parts.path, sorted(parse_qsl(parts.query, keep_blank_values=True))


def test_presigned_urls_agree_with_botocore(at: Any) -> None:
    for where, case in cases():
        at(case.now)
        kind = botocore.auth.S3SigV4QueryAuth if case.service == "s3" else botocore.auth.SigV4QueryAuth
        expires = 1 + case.now % 604_800
        judge = case.judge(kind, expires=expires)
        request = case.request(body=False)
        judge.add_auth(request)
        url = aws.presign(case.method, case.url, expires=expires, **case.ours())
        assert parsed(url) == parsed(request.url), where
