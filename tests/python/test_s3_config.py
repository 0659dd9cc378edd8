"""A store of what the environment or a URL names, and its arguments as a type."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_type_hints

import penstock
import pytest
from penstock import aio

NAMES = ("PENSTOCK_BUCKET", "S3_BUCKET_NAME", "PENSTOCK_PREFIX", "S3_PREFIX")
STORES = [penstock.S3Store, aio.S3Store]


@pytest.fixture(params=STORES, ids=["blocking", "awaited"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Each kind of store, in an environment that names nothing."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return request.param


@pytest.mark.parametrize(
    ("environment", "given", "location"),
    [
        ({"PENSTOCK_BUCKET": "ours"}, {}, "s3://ours/k"),
        ({"S3_BUCKET_NAME": "theirs", "S3_PREFIX": "raw/"}, {}, "s3://theirs/raw/k"),
        ({"PENSTOCK_BUCKET": "ours", "S3_BUCKET_NAME": "theirs"}, {}, "s3://ours/k"),
        ({"PENSTOCK_BUCKET": "", "S3_BUCKET_NAME": "theirs"}, {}, "s3://theirs/k"),
        (
            {"PENSTOCK_BUCKET": "ours", "PENSTOCK_PREFIX": "a%20b?/", "S3_PREFIX": "raw/"},
            {},
            "s3://ours/a%20b?/k",
        ),
        ({"PENSTOCK_BUCKET": "ours", "PENSTOCK_PREFIX": "raw/"}, {"prefix": "given/"}, "s3://ours/given/k"),
        ({"PENSTOCK_BUCKET": "ours", "PENSTOCK_PREFIX": "raw/"}, {"prefix": ""}, "s3://ours/k"),
        ({"PENSTOCK_BUCKET": "ours", "PENSTOCK_PREFIX": "raw/"}, {"bucket": "given"}, "s3://given/raw/k"),
        ({}, {"bucket": "given"}, "s3://given/k"),
    ],
)
def test_an_argument_wins_over_the_environment(
    kind: Any,
    environment: dict[str, str],
    given: dict[str, str],
    location: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    store = kind.from_env(region="eu-west-1", **given)
    assert type(store) is kind
    assert store.location("k") == location


def test_an_environment_without_a_bucket_is_refused_by_the_names_it_lacks(kind: Any) -> None:
    with pytest.raises(penstock.Refused, match="set PENSTOCK_BUCKET or S3_BUCKET_NAME"):
        kind.from_env()


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("s3://bucket", "s3://bucket/k"),
        ("s3://bucket/", "s3://bucket/k"),
        ("s3://bucket/raw/", "s3://bucket/raw/k"),
        ("s3://bucket/a%20b?c#d/", "s3://bucket/a%20b?c#d/k"),
        ("s3://bucket//a", "s3://bucket//ak"),
    ],
)
def test_a_url_names_bucket_and_raw_prefix(kind: Any, url: str, location: str) -> None:
    store = kind.from_url(url, region="eu-west-1")
    assert type(store) is kind
    assert store.location("k") == location


@pytest.mark.parametrize(
    "url", ["https://user:canary@bucket/k?sig=canary", "bucket/raw", "S3//bucket", "memory://bucket/k", ""]
)
def test_another_url_is_refused_without_its_secrets(kind: Any, url: str) -> None:
    with pytest.raises(penstock.Refused, match="s3://bucket/prefix") as seen:
        kind.from_url(url)
    assert "canary" not in str(seen.value)


def test_what_both_forms_make_is_what_the_constructor_makes(kind: Any, bucket: Any, tmp_path: Path) -> None:
    config = {name: value for name, value in bucket.options.items() if name != "bucket"}
    made = [
        kind.from_env(bucket=bucket.name, prefix="in/", **config),
        kind.from_url(f"s3://{bucket.name}/in/", **config),
    ]
    for number, store in enumerate(made):
        sync = getattr(store, "sync", store)
        sync.put(f"{number}", b"body")
        assert repr(store) == repr(kind(bucket.name, prefix="in/", **config))
    assert bucket.keys() == ["in/0", "in/1"]


def test_the_type_has_every_argument_of_the_store() -> None:
    of_the_store = {
        name: parameter.annotation
        for name, parameter in inspect.signature(penstock.S3Store).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    written = {
        name: getattr(annotation, "__forward_arg__", annotation)
        for name, annotation in penstock.S3Config.__annotations__.items()
    }
    assert written == of_the_store
    assert penstock.S3Config.__required_keys__ == frozenset()


def test_the_type_can_be_asked_for_at_run_time() -> None:
    hints = get_type_hints(penstock.S3Config)
    assert hints["anonymous"] is bool
    assert len(hints) == len(penstock.S3Config.__annotations__)
