"""Real servers of queues: what penstock needs to reach them, and boto3 on them as the second opinion."""

from __future__ import annotations

import functools
import uuid
from dataclasses import dataclass
from typing import Any

import boto3
import servers
from botocore.config import Config

KEYS = {"access_key_id": servers.ACCESS_KEY, "secret_access_key": servers.SECRET_KEY}


@dataclass(frozen=True)
class SqsServer:
    name: str
    url: str

    @property
    def judge(self) -> Any:
        """A boto3 client."""
        return _judge(self.url)

    def make_queue(self, *, fifo: bool = False, **attributes: str) -> TestQueue:
        name = f"test-{uuid.uuid4().hex[:20]}{'.fifo' if fifo else ''}"
        more = {"FifoQueue": "true"} if fifo else {}
        made = self.judge.create_queue(QueueName=name, Attributes={**more, **attributes})
        return TestQueue(self, made["QueueUrl"])


@functools.cache  # making one takes longer than most of what it is asked
def _judge(url: str) -> Any:
    return boto3.client(
        "sqs",
        endpoint_url=url,
        region_name=servers.REGION,
        aws_access_key_id=servers.ACCESS_KEY,
        aws_secret_access_key=servers.SECRET_KEY,
        config=Config(retries={"max_attempts": 0}),
    )


@dataclass(frozen=True)
class TestQueue:
    __test__ = False  # no class of tests
    server: SqsServer
    url: str

    @property
    def options(self) -> dict[str, Any]:
        return {"queue_url": self.url, "region": servers.REGION, **KEYS}

    def send(self, body: str, **more: Any) -> dict[str, Any]:
        """Sent by boto3."""
        answer: dict[str, Any] = self.server.judge.send_message(QueueUrl=self.url, MessageBody=body, **more)
        return answer

    def received(self) -> list[dict[str, Any]]:
        """All that boto3 receives until there is nothing more, deleted as it comes."""
        judge, all_of_them = self.server.judge, []
        while messages := judge.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages"):
            for message in messages:
                judge.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            all_of_them += messages
        return all_of_them
