"""s3transfer's CRT manager, which boto3 uses; taken directly because boto3's own path ignores endpoint_url.

usage: boto3_crt_peer.py ORIGIN ENDPOINT BUCKET COUNT SIZE CONCURRENCY
"""

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor

import botocore.session
import urllib3
from botocore.config import Config
from botocore.credentials import Credentials
from s3transfer.crt import (
    BotocoreCRTCredentialsWrapper,
    BotocoreCRTRequestSerializer,
    CRTTransferManager,
    create_s3_crt_client,
)

REGION = "us-east-1"


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
    origin, endpoint, bucket = sys.argv[1:4]
    count, size, concurrency = map(int, sys.argv[4:])
    credentials = BotocoreCRTCredentialsWrapper(Credentials("testkey", "testsecret123"))
    client = create_s3_crt_client(
        REGION, crt_credentials_provider=credentials.to_crt_credentials_provider(), use_ssl=False
    )
    serializer = BotocoreCRTRequestSerializer(
        botocore.session.get_session(),
        {
            "region_name": REGION,
            "endpoint_url": endpoint,
            "config": Config(s3={"addressing_style": "path"}),
        },
    )
    pool = urllib3.PoolManager(maxsize=64)

    with CRTTransferManager(client, serializer) as manager, ThreadPoolExecutor(concurrency) as threads:

        def one(number: int) -> str:
            key = f"boto3-crt-{number}"
            with pool.request("GET", f"{origin}/bytes/{size}/{number}", preload_content=False) as body:
                hashing = Hashing(body)
                manager.upload(hashing, bucket, key).result()
                body.release_conn()
            return f"{key} {hashing.sha256.hexdigest()}"

        for line in threads.map(one, range(count)):
            print(line)


main()
