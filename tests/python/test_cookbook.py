"""Every recipe of the cookbook runs, and prints what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import examples
import pytest

if TYPE_CHECKING:
    from conftest import Bucket

RECIPES = examples.recipes()
OF_HTTPS = "Encrypt with a key of your own"  # run by test_customer_keys.py, which has a server behind TLS
PRINTS = {
    "Mirror a list of files that have digests": "first completed\nsecond skipped\n",
    "Take URLs from strangers": "address-guard\n",  # the origin is on loopback
    "Hear what happens": "penstock.files INFO\n" * 2,
}
MIB = 2**20


def prepare(bucket: Bucket, folder: Path) -> None:
    """What the recipes take to be there."""
    judge, name = bucket.server.judge, bucket.name
    judge.create_bucket(Bucket=f"{name}-2")
    judge.put_object(Bucket=name, Key="data.csv", Body=examples.CONTENT)
    judge.put_bucket_policy(Bucket=name, Policy=json.dumps(readable_by_all(name)))
    (folder / "big.bin").write_bytes(bytes(6 * MIB))
    upload = judge.create_multipart_upload(Bucket=name, Key="big.bin", ChecksumAlgorithm="CRC32")
    part = {"Bucket": name, "Key": "big.bin", "UploadId": upload["UploadId"], "PartNumber": 1}
    judge.upload_part(**part, Body=bytes(5 * MIB), ChecksumAlgorithm="CRC32")


def readable_by_all(name: str) -> dict[str, Any]:
    allowed = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"]}
    return {"Version": "2012-10-17", "Statement": [{**allowed, "Resource": [f"arn:aws:s3:::{name}/*"]}]}


def profile(bucket: Bucket, folder: Path) -> str:
    keys = bucket.options
    (folder / "credentials").write_text(
        f"[analytics]\naws_access_key_id = {keys['access_key_id']}\n"
        f"aws_secret_access_key = {keys['secret_access_key']}\n"
    )
    return str(folder / "credentials")


@pytest.mark.parametrize("title", [title for title in RECIPES if title != OF_HTTPS])
def test_a_recipe_prints_what_it_says(title: str, bucket: Bucket, tmp_path: Path) -> None:
    prepare(bucket, tmp_path)
    more = {"AWS_SHARED_CREDENTIALS_FILE": profile(bucket, tmp_path)}
    printed = examples.run(RECIPES[title], bucket, tmp_path, **more)
    assert printed == PRINTS.get(title, examples.said(RECIPES[title]))
    assert printed


def test_every_block_is_a_recipe() -> None:
    assert len(RECIPES) == len(examples.blocks(examples.COOKBOOK, "python")) - 1
    assert OF_HTTPS in RECIPES
    assert PRINTS.keys() <= RECIPES.keys()
