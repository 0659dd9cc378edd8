"""boto3: upload_fileobj from a hashing file object over urllib3. FLAVOUR: classic or unsigned.

usage: boto3_peer.py FLAVOUR ORIGIN ENDPOINT BUCKET COUNT SIZE CONCURRENCY
"""

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
import urllib3
from botocore.config import Config


class Hashing:
    """A file object that hashes what is read from it."""

    def __init__(self, body: urllib3.BaseHTTPResponse) -> None:
        self.body = body
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.body.read(None if size < 0 else size)
        self.sha256.update(data)
        return data


def main() -> None:
    flavour, origin, endpoint, bucket = sys.argv[1:5]
    count, size, concurrency = map(int, sys.argv[5:])
    s3_options = {"addressing_style": "path"}
    if flavour == "unsigned":
        s3_options["payload_signing_enabled"] = False
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="testkey",
        aws_secret_access_key="testsecret123",
        config=Config(s3=s3_options, max_pool_connections=64),
    )
    pool = urllib3.PoolManager(maxsize=64)

    def one(number: int) -> str:
        key = f"boto3-{flavour}-{number}"
        with pool.request("GET", f"{origin}/bytes/{size}/{number}", preload_content=False) as body:
            hashing = Hashing(body)
            client.upload_fileobj(hashing, bucket, key)
            body.release_conn()
        return f"{key} {hashing.sha256.hexdigest()}"

    with ThreadPoolExecutor(concurrency) as threads:
        for line in threads.map(one, range(count)):
            print(line)


main()
