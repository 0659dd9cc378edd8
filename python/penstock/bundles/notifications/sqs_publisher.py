"""A message on a queue of SQS for each completed bundle."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import datetime, timezone
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from penstock import _core
from penstock.bundles import _aws
from penstock.bundles._log import get_logger
from penstock.bundles.core import BundleReceipt
from penstock.bundles.exceptions import LocalStackCredentialsError, StorageFailure, storage_failure
from penstock.bundles.utils.retry import RetryConfig, RetryEngine
from penstock.errors import Busy, Error, InDoubt, Lost, Refused

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from penstock.bundles.core import BundleRef

logger = get_logger(__name__)

__all__ = ["LocalStackCredentialsError", "SqsPublisher"]

_SERVICE = "sqs"
_ID_CHARACTERS = 128  # of a group or deduplication id of SQS
_LONGEST = BundleReceipt(2**64, 2**64, "0" * 64)


class SqsPublisher:
    """Announces bundles on one queue. Delivery is at least once: a consumer drops repeats by ``bundle_id``.

    Args:
        queue_url: As SQS names it; FIFO if it ends in ``.fifo``.
        region: Else ``AWS_REGION``, else eu-west-2.
        endpoint_url: Of a service that is not AWS.
        dedup_id: Whether a FIFO queue is given an id to drop repeats by; without, it must have
            ContentBasedDeduplication.
        max_message_bytes: A longer body is Refused.
    Attributes:
        sqs_client: What sends: the core, or boto3's client with ``OC_STORAGE_CLIENT=boto3``. Any object with
            boto3's ``send_message`` may take its place; that is called in a worker thread.
    Raises:
        LocalStackCredentialsError: An ``endpoint_url``, and nothing in environment or files names credentials.

    >>> publisher = penstock.bundles.notifications.SqsPublisher("https://sqs.eu-west-2.amazonaws.com/1/done")
    >>> publisher
    SqsPublisher('https://sqs.eu-west-2.amazonaws.com/1/done')
    """

    _retries: ClassVar[RetryEngine] = RetryEngine(
        RetryConfig(max_retries=3, base_delay=0.5, max_delay=30.0), retry_exceptions=(Busy, Lost, InDoubt)
    )
    _all_tries_seconds: ClassVar[float] = 30.0

    def __init__(
        self,
        queue_url: str,
        region: str | None = None,
        endpoint_url: str | None = None,
        *,
        dedup_id: bool = True,
        max_message_bytes: int = 262_144,
    ) -> None:
        self.queue_url = queue_url
        self.region = region
        self.endpoint_url = endpoint_url
        self.dedup_id = dedup_id
        self.max_message_bytes = max_message_bytes
        self._make_client()

    async def publish_bundle_completion(
        self, bundle_ref: BundleRef, metadata: dict[str, Any], recipe_id: str
    ) -> None:
        """Send the message for one bundle: up to 4 tries within 30 s while the queue is busy or out of reach.

        Raises:
            StorageFailure: Not sent, or in doubt; Refused for metadata that is no JSON, or too long.
            Exception: Of a client that took the place of ours, as it came.
        """
        bundle_id = str(bundle_ref.bid)
        try:
            await self._publish(bundle_ref, metadata, recipe_id)
        except Exception as error:
            logger.exception(
                "FAILED_TO_SEND_BUNDLE_COMPLETION_NOTIFICATION_TO_SQS",
                bundle_id=bundle_id,
                recipe_id=recipe_id,
                error=str(error),
            )
            raise
        logger.info("BUNDLE_COMPLETION_NOTIFICATION_SENT_TO_SQS", bundle_id=bundle_id, recipe_id=recipe_id)

    def check_message(self, bundle_ref: BundleRef, metadata: dict[str, Any], recipe_id: str) -> None:
        """Refuse metadata that could not be announced, before anything is visible.

        Raises:
            StorageRefused: It is no JSON, or too long, what is said of the stored resources included.
        """
        try:
            self._body(bundle_ref, metadata, recipe_id, _timestamp(), bundle_ref.receipt or _LONGEST)
        except Refused as error:
            raise storage_failure(error, _SERVICE) from None

    async def _publish(self, bundle_ref: BundleRef, metadata: dict[str, Any], recipe_id: str) -> None:
        receipt = bundle_ref.receipt
        timestamp = (receipt and receipt.completed_at) or _timestamp()
        attributes = {
            "bundle_id": str(bundle_ref.bid),
            "recipe_id": recipe_id,
            "completion_timestamp": timestamp,
        }
        try:
            body = self._body(bundle_ref, metadata, recipe_id, timestamp, receipt)
            sending = self._retries.execute_with_retry_async(
                self._send,
                body,
                {name: value for name, value in attributes.items() if value},
                *self._fifo_ids(bundle_ref, recipe_id),
            )
            await self._in_time(sending)
        except StorageFailure:
            raise
        except Error as error:
            raise storage_failure(error, _SERVICE) from error

    async def _in_time(self, sending: Coroutine[Any, Any, None]) -> None:
        """No ``wait_for``: its TimeoutError could be one of the client's."""
        task = asyncio.ensure_future(sending)
        try:
            await asyncio.wait({task}, timeout=self._all_tries_seconds)
            if task.done():
                return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        raise InDoubt(
            f"the queue did not answer within {self._all_tries_seconds:g} s; the message may be on it",
            code="deadline",
            doing="send message",
            subject=_core.redact_url(self.queue_url),
        )

    def _body(
        self,
        bundle_ref: BundleRef,
        metadata: dict[str, Any],
        recipe_id: str,
        timestamp: str,
        receipt: BundleReceipt | None,
    ) -> str:
        message: dict[str, Any] = {
            "bundle_id": str(bundle_ref.bid),
            "recipe_id": recipe_id,
            "primary_url": bundle_ref.primary_url,
            "resources_count": bundle_ref.resources_count,
            "storage_key": bundle_ref.storage_key,
            "completion_timestamp": timestamp,
            "metadata": metadata,
        }
        if receipt:
            message["bundle"] = {
                "resources_stored": receipt.resources_stored,
                "bytes": receipt.bytes,
                "manifest_sha256": receipt.manifest_sha256,
            }
        try:
            body = json.dumps(message, indent=2, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise Refused(
                f"the metadata cannot be written as JSON: {error}", doing="encode metadata"
            ) from None
        if len(body) > self.max_message_bytes:  # ASCII
            raise Refused(
                f"the message has {len(body)} bytes, more than max_message_bytes={self.max_message_bytes}: "
                "shorten the metadata",
                code="too_large",
                doing="encode metadata",
            )
        return body

    def _fifo_ids(self, bundle_ref: BundleRef, recipe_id: str) -> tuple[str, str]:
        """Group and deduplication id; "" for what is not to be said."""
        if not self.queue_url.endswith(".fifo"):
            return "", ""
        return _fifo_id(recipe_id or "default"), _fifo_id(str(bundle_ref.bid)) if self.dedup_id else ""

    async def _send(self, body: str, attributes: dict[str, str], group_id: str, dedup_id: str) -> None:
        """One try."""
        if isinstance(self.sqs_client, _NativeClient):
            await self.sqs_client.send(body, attributes, group_id, dedup_id)
            return
        ids = {"MessageGroupId": group_id, "MessageDeduplicationId": dedup_id}
        await asyncio.to_thread(
            self.sqs_client.send_message,
            QueueUrl=self.queue_url,
            MessageBody=body,
            MessageAttributes={
                name: {"StringValue": value, "DataType": "String"} for name, value in attributes.items()
            },
            **{name: value for name, value in ids.items() if value},
        )

    def _make_client(self) -> None:
        _aws.require_credentials(self.endpoint_url, LocalStackCredentialsError)
        self.sqs_client: Any
        if _aws.client_kind() == "boto3":
            self.sqs_client = _aws.boto3_client(_SERVICE, _aws.region(self.region), self.endpoint_url)
        else:
            self.sqs_client = _NativeClient(self.queue_url, _aws.region(self.region), self.endpoint_url)
        self._own_client = self.sqs_client

    def __repr__(self) -> str:
        return f"SqsPublisher({_core.redact_url(self.queue_url)!r})"

    def __getstate__(self) -> dict[str, Any]:
        """A client of ours is made anew where it is unpickled; another's must be able to travel."""
        state = {name: value for name, value in self.__dict__.items() if name != "_own_client"}
        if self.sqs_client is self._own_client:
            del state["sqs_client"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_client()
        self.__dict__.update(state)


class _NativeClient:
    """The core's client, made when first used."""

    def __init__(self, queue_url: str, region: str, endpoint_url: str | None) -> None:
        self._arguments = (queue_url, region, endpoint_url)
        self._queue: Any = None

    async def send(self, body: str, attributes: dict[str, str], group_id: str, dedup_id: str) -> None:
        if self._queue is None:
            queue_url, region, endpoint_url = self._arguments
            self._queue = import_module("penstock.aio.sqs").Queue(
                queue_url, region=region, endpoint=endpoint_url, profile=_aws.profile()
            )
        await self._queue.send(body, attributes=attributes, group_id=group_id, dedup_id=dedup_id or None)


def _fifo_id(text: str) -> str:
    """``text``, or its SHA-256 where SQS would not take it: too long, or not printable ASCII without spaces."""
    taken = len(text) <= _ID_CHARACTERS and text.isascii() and text.isprintable() and " " not in text
    return text if taken else hashlib.sha256(text.encode()).hexdigest()


def _timestamp() -> str:
    """Now, to the microsecond."""
    return datetime.now(timezone.utc).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
