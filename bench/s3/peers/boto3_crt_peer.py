"""s3transfer's CRT manager, which boto3 uses; taken directly because boto3's own path ignores endpoint_url.

usage: boto3_crt_peer.py ENDPOINT get|put COUNT SIZE CONCURRENCY OF
"""

import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials
from job import BUCKET_READ, KEYS, REGION, Checking, Unable, asked, by_threads
from s3transfer.crt import (
    BotocoreCRTCredentialsWrapper,
    BotocoreCRTRequestSerializer,
    CRTTransferManager,
    create_s3_crt_client,
)


def main() -> None:
    job = asked("boto3-crt")
    credentials = BotocoreCRTCredentialsWrapper(Credentials(*KEYS))
    client = create_s3_crt_client(
        REGION, crt_credentials_provider=credentials.to_crt_credentials_provider(), use_ssl=False
    )
    serializer = BotocoreCRTRequestSerializer(
        botocore.session.get_session(),
        {
            "region_name": REGION,
            "endpoint_url": job.endpoint,
            "config": Config(s3={"addressing_style": "path"}),
        },
    )
    with CRTTransferManager(client, serializer) as manager:

        def ranged(first: int, last: int) -> int:
            raise Unable("it has no verb for a piece")

        def get(key: str) -> int:
            target = Checking()
            manager.download(BUCKET_READ, key, target).result()
            return target.crc

        def put(key: str) -> int:
            manager.upload(job.of, "bench", key).result()
            return 0

        by_threads(job, ranged, get, put)


main()
