"""``penstock doctor``: what is here and what answers; never a secret."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import penstock
from penstock import _core, aws
from penstock.errors import Error

_FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}


def run(endpoint: str | None, bucket: str | None) -> int:
    """Print the findings; 0 unless an endpoint that was asked for does not answer."""
    print(f"penstock    {penstock.__version__}, Python {platform.python_version()}, {platform.platform()}")
    print(f"libraries   {_core.library_versions()}")
    print(f"budget      {_core.format_bytes(_core.budget_statistics()['limit'])}")
    for variable, usual in _FILES.items():
        path = Path(os.environ.get(variable) or usual).expanduser()
        print(f"file        {path}: {'there' if path.exists() else 'absent'}")
    print(f"region      {_core.find_region({})}")
    found, text = credentials()
    print(f"credentials {text}")
    endpoint = endpoint or _core.find_endpoint({}, "s3") or None
    if endpoint is None and bucket is None:
        print("endpoint    none asked for: give --endpoint or --bucket")
        return 0
    return ask(endpoint, bucket, anonymous=not found)


def credentials() -> tuple[bool, str]:
    """Whether there are any; where they are from and the masked key, or why there are none."""
    try:
        source, key = aws.find_credentials()
    except Error as error:
        return False, f"none: {error}"
    return True, f"{key} from {source}"


def ask(endpoint: str | None, bucket: str | None, *, anonymous: bool) -> int:
    """Whether something that speaks S3 is there; a refusal by it is an answer, one by us is none."""
    store = penstock.S3Store(bucket or "penstock-doctor", endpoint=endpoint, anonymous=anonymous)
    name = _core.redact_url(endpoint) if endpoint else "AWS"
    try:
        store.find(".penstock-doctor", deadline="10s")
    except Error as error:
        if not error.status:
            print(f"endpoint    {name} does not answer: {error}", file=sys.stderr)
            return 5
        print(f"endpoint    {name} answers: {error.kind} {error.code}".rstrip())
        return 0 if bucket is None else 4
    print(f"endpoint    {name} answers" + (f", bucket {bucket} can be read" if bucket else ""))
    return 0
