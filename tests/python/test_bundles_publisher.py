"""The message for a completed bundle: its bytes, its tries, its log lines, and who may send it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import pickle
import threading
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import penstock
import pytest
from penstock.bundles import exceptions
from penstock.bundles.core import BID, BundleReceipt, BundleRef
from penstock.bundles.notifications import LocalStackCredentialsError, SqsPublisher, sqs_publisher
from penstock.bundles.utils.retry import RetryConfig, RetryEngine

QUEUE = "https://sqs.eu-west-2.amazonaws.com/123456789012/done"
AT = "2026-01-15T10:30:00.123456Z"
BUNDLE = "17571960-2065-e0cd-cf71-8196d8577b7e"
DIGEST = "6b37a98f8824727027c62e992ca39249ac1e049632b01fc6be8fd9c10abfac01"


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OC_STORAGE_CLIENT", "OC_STORAGE_PIPELINE_AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sqs_publisher, "_timestamp", lambda: AT)


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> Mock:
    logger = Mock()
    monkeypatch.setattr(sqs_publisher, "logger", logger)
    return logger


def reference(bid: str = BUNDLE) -> BundleRef:
    return BundleRef("https://example.org/a", 3, BID(bid), "captures/resources")


class Queue:
    """boto3-shaped; each answer is returned, or raised if it is an exception."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.sent: list[dict[str, Any]] = []
        self.threads: set[int] = set()

    def send_message(self, **message: Any) -> Any:
        self.threads.add(threading.get_ident())
        self.sent.append(message)
        answer = self.answers.pop(0) if self.answers else {"MessageId": "1"}
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Publishing:
    """A publisher on a queue of the test's own, without waiting."""

    def __init__(self, *answers: Any, url: str = QUEUE, **options: Any) -> None:
        self.queue = Queue(*answers)
        self.waits: list[float] = []
        self.publisher = SqsPublisher(url, **options)
        self.publisher.sqs_client = self.queue
        usual = SqsPublisher._retries
        self.publisher._retries = RetryEngine(  # type: ignore[misc]
            usual.config,
            retry_exceptions=usual._retry_exceptions,
            sleep_async=self.wait,
            uniform=lambda low, high: (low + high) / 2,
        )

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    def publish(
        self, ref: BundleRef | None = None, metadata: Any = None, recipe_id: str = "fr"
    ) -> dict[str, Any]:
        given = {"source": "http_api"} if metadata is None else metadata
        asyncio.run(self.publisher.publish_bundle_completion(ref or reference(), given, recipe_id))
        return self.queue.sent[-1]


def test_a_body_is_json_with_two_spaces_in_this_order() -> None:
    message = Publishing().publish()
    assert message["QueueUrl"] == QUEUE
    assert message["MessageBody"] == (
        "{\n"
        f'  "bundle_id": "{BUNDLE}",\n'
        '  "recipe_id": "fr",\n'
        '  "primary_url": "https://example.org/a",\n'
        '  "resources_count": 3,\n'
        '  "storage_key": "captures/resources",\n'
        f'  "completion_timestamp": "{AT}",\n'
        '  "metadata": {\n'
        '    "source": "http_api"\n'
        "  }\n"
        "}"
    )


def test_what_was_stored_is_told_once_there_is_a_receipt() -> None:
    ref = reference()
    ref.receipt = BundleReceipt(2, 16, DIGEST)
    body = Publishing().publish(ref)["MessageBody"]
    assert body.endswith(
        '  "bundle": {\n'
        '    "resources_stored": 2,\n'
        '    "bytes": 16,\n'
        f'    "manifest_sha256": "{DIGEST}"\n'
        "  }\n"
        "}"
    )
    assert json.loads(body)["resources_count"] == 3


def test_the_time_is_that_of_completion_where_it_is_known() -> None:
    ref, then = reference(), "2026-01-14T09:00:00.000001Z"
    ref.receipt = BundleReceipt(2, 16, DIGEST, completed_at=then)
    message = Publishing().publish(ref)
    assert json.loads(message["MessageBody"])["completion_timestamp"] == then
    assert message["MessageAttributes"]["completion_timestamp"]["StringValue"] == then


def test_attributes_are_strings_and_empty_ones_are_left_out() -> None:
    message = Publishing().publish()
    assert message["MessageAttributes"] == {
        "bundle_id": {"StringValue": BUNDLE, "DataType": "String"},
        "recipe_id": {"StringValue": "fr", "DataType": "String"},
        "completion_timestamp": {"StringValue": AT, "DataType": "String"},
    }
    assert list(Publishing().publish(recipe_id="")["MessageAttributes"]) == [
        "bundle_id",
        "completion_timestamp",
    ]


def test_the_timestamp_is_now_to_the_microsecond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    stamp = sqs_publisher._timestamp()
    assert len(stamp) == len(AT)
    assert stamp.endswith("Z")


class TestFifo:
    def test_a_standard_queue_gets_no_ids(self) -> None:
        assert set(Publishing().publish()) == {"QueueUrl", "MessageBody", "MessageAttributes"}

    def test_a_fifo_queue_gets_recipe_and_bid(self) -> None:
        message = Publishing(url=QUEUE + ".fifo").publish()
        assert (message["MessageGroupId"], message["MessageDeduplicationId"]) == ("fr", BUNDLE)

    def test_without_a_recipe_the_group_is_default(self) -> None:
        assert Publishing(url=QUEUE + ".fifo").publish(recipe_id="")["MessageGroupId"] == "default"

    def test_ids_may_be_left_to_the_queue(self) -> None:
        message = Publishing(url=QUEUE + ".fifo", dedup_id=False).publish()
        assert message["MessageGroupId"] == "fr"
        assert "MessageDeduplicationId" not in message

    @pytest.mark.parametrize("bid", ["test-" + "x" * 124, "test-a b", "test-é"])
    def test_what_sqs_does_not_take_becomes_a_digest(self, bid: str) -> None:
        message = Publishing(url=QUEUE + ".fifo").publish(reference(bid))
        assert message["MessageDeduplicationId"] == hashlib.sha256(bid.encode()).hexdigest()

    def test_128_characters_are_taken(self) -> None:
        bid = "test-" + "x" * 123
        assert Publishing(url=QUEUE + ".fifo").publish(reference(bid))["MessageDeduplicationId"] == bid


class TestTries:
    @pytest.mark.parametrize("error", [penstock.Busy("b"), penstock.Lost("l"), penstock.InDoubt("d")])
    def test_busy_lost_and_in_doubt_are_tried_four_times_in_all(self, error: penstock.Error) -> None:
        publishing = Publishing(error, error, error)
        publishing.publish()
        assert len(publishing.queue.sent) == 4
        assert publishing.waits == [0.5, 1.0, 2.0]
        assert len({message["MessageBody"] for message in publishing.queue.sent}) == 1

    def test_the_fourth_failure_is_a_storage_error_of_its_kind(self) -> None:
        error = penstock.Busy("slow down", status=503, code="ThrottlingException", attempts=3)
        publishing = Publishing(*[error] * 4)
        with pytest.raises(penstock.Busy) as raised:
            publishing.publish()
        assert isinstance(raised.value, exceptions.StorageError)
        assert str(raised.value) == "slow down (ThrottlingException)"
        assert (raised.value.storage_type, raised.value.attempts, raised.value.status) == ("sqs", 3, 503)
        assert raised.value.__cause__ is error

    @pytest.mark.parametrize(
        "error", [penstock.Denied("no"), penstock.NotFound("no"), penstock.Refused("no")]
    )
    def test_what_will_not_change_is_tried_once(self, error: penstock.Error) -> None:
        publishing = Publishing(error)
        with pytest.raises(type(error)):
            publishing.publish()
        assert len(publishing.queue.sent) == 1

    @pytest.mark.parametrize("error", [RuntimeError("SQS error"), ConnectionError("x"), TimeoutError("y")])
    def test_an_unknown_exception_of_a_foreign_client_is_raised_as_it_is(self, error: Exception) -> None:
        publishing = Publishing(error)
        with pytest.raises(type(error), match=f"^{error}$") as raised:
            publishing.publish()
        assert type(raised.value) is type(error)
        assert len(publishing.queue.sent) == 1

    def test_a_queue_that_does_not_answer_in_time_leaves_doubt(self) -> None:
        publishing = Publishing()
        publishing.publisher._all_tries_seconds = 0.05  # type: ignore[misc]
        ended = threading.Event()

        async def never(*_: Any) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        publishing.publisher._send = never  # type: ignore[method-assign]
        with pytest.raises(exceptions.StorageInDoubt, match=r"did not answer within 0\.05 s") as raised:
            publishing.publish()
        assert (raised.value.code, raised.value.subject) == ("deadline", QUEUE)
        assert ended.is_set()

    def test_cancelling_stops_the_sending(self, logger: Mock) -> None:
        publishing = Publishing()
        ended = threading.Event()

        async def never(*_: Any) -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        async def cancelled() -> None:
            sending = asyncio.ensure_future(
                publishing.publisher.publish_bundle_completion(reference(), {}, "fr")
            )
            await started.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending

        started = asyncio.Event()
        publishing.publisher._send = never  # type: ignore[method-assign]
        asyncio.run(cancelled())
        assert ended.is_set()
        assert logger.mock_calls == []

    def test_all_tries_have_30_seconds(self) -> None:
        usual = SqsPublisher._retries.config
        assert SqsPublisher._all_tries_seconds == 30.0
        assert usual == RetryConfig(max_retries=3, base_delay=0.5, max_delay=30.0, jitter=True)


def test_a_boto3_shaped_client_is_called_in_a_worker_thread() -> None:
    publishing = Publishing()
    publishing.publish()
    assert threading.get_ident() not in publishing.queue.threads


class TestMetadata:
    @pytest.mark.parametrize(
        "metadata", [{"a": object()}, {"a": float("nan")}, {"a": b"bytes"}, {(1, 2): 3}], ids=repr
    )
    def test_what_is_no_json_is_refused(self, metadata: Any) -> None:
        publishing = Publishing()
        with pytest.raises(exceptions.StorageRefused, match="cannot be written as JSON"):
            publishing.publish(metadata=metadata)
        with pytest.raises(exceptions.StorageRefused, match="cannot be written as JSON"):
            publishing.publisher.check_message(reference(), metadata, "fr")
        assert publishing.queue.sent == []

    def test_a_circle_is_refused(self) -> None:
        metadata: dict[str, Any] = {}
        metadata["self"] = metadata
        with pytest.raises(penstock.Refused):
            Publishing().publish(metadata=metadata)

    def test_the_longest_body_passes_and_one_byte_more_does_not(self) -> None:
        length = len(Publishing().publish(metadata={"k": ""})["MessageBody"])
        publishing = Publishing(max_message_bytes=1_000)
        publishing.publish(metadata={"k": "x" * (1_000 - length)})
        with pytest.raises(exceptions.StorageRefused) as raised:
            publishing.publish(metadata={"k": "x" * (1_001 - length)})
        assert raised.value.code == "too_large"
        assert "1001 bytes, more than max_message_bytes=1000" in str(raised.value)

    def test_a_check_before_the_commit_keeps_room_for_the_receipt(self) -> None:
        length = len(Publishing().publish(metadata={"k": ""})["MessageBody"])
        publishing, metadata = Publishing(max_message_bytes=1_000), {"k": "x" * (1_000 - length)}
        with pytest.raises(exceptions.StorageRefused):
            publishing.publisher.check_message(reference(), metadata, "fr")
        publishing.publisher.check_message(reference(), {"k": "x" * (700 - length)}, "fr")


class TestLog:
    def test_a_message_sent_is_one_info(self, logger: Mock) -> None:
        Publishing().publish()
        logger.info.assert_called_once_with(
            "BUNDLE_COMPLETION_NOTIFICATION_SENT_TO_SQS", bundle_id=BUNDLE, recipe_id="fr"
        )
        assert len(logger.mock_calls) == 1

    def test_a_message_not_sent_is_one_exception(self, logger: Mock) -> None:
        with pytest.raises(RuntimeError):
            Publishing(RuntimeError("SQS connection failed")).publish()
        logger.exception.assert_called_once_with(
            "FAILED_TO_SEND_BUNDLE_COMPLETION_NOTIFICATION_TO_SQS",
            bundle_id=BUNDLE,
            recipe_id="fr",
            error="SQS connection failed",
        )
        assert len(logger.mock_calls) == 1


class TestClient:
    """Who sends, and with whose credentials."""

    def test_attributes_keep_arguments_as_given(self) -> None:
        publisher = SqsPublisher(QUEUE)
        assert (publisher.queue_url, publisher.region, publisher.endpoint_url) == (QUEUE, None, None)
        assert publisher.sqs_client is not None
        assert SqsPublisher(QUEUE, "us-east-1").region == "us-east-1"

    def test_native_sends_nothing_when_it_is_made(self) -> None:
        with patch("boto3.session.Session") as session:
            SqsPublisher(QUEUE)
        session.assert_not_called()

    @pytest.mark.parametrize("kind", ["native", "boto3"])
    def test_an_endpoint_without_any_credentials_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        monkeypatch.setenv("OC_STORAGE_CLIENT", kind)
        with pytest.raises(LocalStackCredentialsError) as raised:
            SqsPublisher(QUEUE, "eu-west-2", "http://localhost:4566")
        assert str(raised.value) == "AWS credentials required for LocalStack SQS endpoint"
        assert raised.value.kind == "denied"

    def test_half_a_pair_of_keys_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        with pytest.raises(LocalStackCredentialsError):
            SqsPublisher(QUEUE, endpoint_url="http://localhost:4566")

    @pytest.mark.parametrize(
        "environment",
        [
            {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"},
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn"},
            {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/keys"},
        ],
    )
    def test_any_source_in_the_environment_will_do(
        self, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
    ) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert SqsPublisher(QUEUE, endpoint_url="http://localhost:4566").queue_url == QUEUE

    def test_a_file_will_do_for_its_profile(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "config").write_text("[profile storage]\nrole_arn = arn\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        with pytest.raises(LocalStackCredentialsError):
            SqsPublisher(QUEUE, endpoint_url="http://localhost:4566")
        monkeypatch.setenv("OC_STORAGE_PIPELINE_AWS_PROFILE", "storage")
        SqsPublisher(QUEUE, endpoint_url="http://localhost:4566")

    def test_without_an_endpoint_nobody_looks(self) -> None:
        assert SqsPublisher(QUEUE, "eu-west-2").queue_url == QUEUE

    def test_another_kind_of_client_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OC_STORAGE_CLIENT", "aiobotocore")
        with pytest.raises(exceptions.ConfigurationError) as raised:
            SqsPublisher(QUEUE)
        assert str(raised.value) == "OC_STORAGE_CLIENT must be native or boto3, not 'aiobotocore'"


class TestBoto3:
    @pytest.fixture(autouse=True)
    def chosen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OC_STORAGE_CLIENT", "boto3")

    def test_aws_is_asked_with_the_region_alone(self) -> None:
        with patch("boto3.session.Session") as session:
            publisher = SqsPublisher(QUEUE)
        session.assert_called_once_with()
        session.return_value.client.assert_called_once_with("sqs", region_name="eu-west-2")
        assert publisher.sqs_client is session.return_value.client.return_value

    def test_the_argument_wins_over_the_environments_region(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_REGION", "us-west-2")
        with patch("boto3.session.Session") as session:
            SqsPublisher(QUEUE)
            SqsPublisher(QUEUE, "eu-west-1")
        asked = [call.kwargs["region_name"] for call in session.return_value.client.call_args_list]
        assert asked == ["us-west-2", "eu-west-1"]

    def test_an_endpoint_gets_the_environments_keys(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test-key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
        with patch("boto3.session.Session") as session:
            SqsPublisher(QUEUE, "eu-west-2", "http://localhost:4566")
            monkeypatch.setenv("AWS_SESSION_TOKEN", "test-token")
            SqsPublisher(QUEUE, "eu-west-2", "http://localhost:4566")
        keys = {
            "region_name": "eu-west-2",
            "endpoint_url": "http://localhost:4566",
            "aws_access_key_id": "test-key",
            "aws_secret_access_key": "test-secret",
        }
        calls = [(call.args, call.kwargs) for call in session.return_value.client.call_args_list]
        assert calls == [(("sqs",), keys), (("sqs",), {**keys, "aws_session_token": "test-token"})]

    def test_the_storages_profile_comes_before_aws_profile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "general")
        with patch("boto3.session.Session") as session:
            SqsPublisher(QUEUE)
            monkeypatch.setenv("OC_STORAGE_PIPELINE_AWS_PROFILE", "storage")
            SqsPublisher(QUEUE)
        assert [call.kwargs for call in session.call_args_list] == [
            {"profile_name": "general"},
            {"profile_name": "storage"},
        ]

    def test_without_boto3_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import sys

        monkeypatch.setitem(sys.modules, "boto3.session", None)
        with pytest.raises(exceptions.ConfigurationError, match="pip install boto3"):
            SqsPublisher(QUEUE)

    def test_boto3s_own_client_sends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from botocore.stub import ANY, Stubber

        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test-key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")
        publisher = SqsPublisher(QUEUE)
        expected = {"QueueUrl": QUEUE, "MessageBody": ANY, "MessageAttributes": ANY}
        with Stubber(publisher.sqs_client) as stub:
            stub.add_response("send_message", {"MessageId": "1"}, expected)
            asyncio.run(publisher.publish_bundle_completion(reference(), {}, "fr"))
            stub.assert_no_pending_responses()


class TestNative:
    """Over what penstock.aio.sqs will be asked."""

    def test_the_core_is_asked_with_the_same_message(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import sys

        sent: list[Any] = []

        class Twin:
            def __init__(self, *arguments: Any, **named: Any) -> None:
                sent.append((arguments, named))

            async def send(self, *arguments: Any, **named: Any) -> None:
                sent.append((arguments, named))

        monkeypatch.setitem(sys.modules, "penstock.aio.sqs", Mock(Queue=Twin))
        monkeypatch.setenv("OC_STORAGE_PIPELINE_AWS_PROFILE", "storage")
        publisher = SqsPublisher(QUEUE + ".fifo", "us-east-1")
        assert sent == []
        for _ in range(2):
            asyncio.run(publisher.publish_bundle_completion(reference(), {}, "fr"))
        made, first, second = sent
        where = {"region": "us-east-1", "endpoint": None, "profile": "storage"}
        assert made == ((QUEUE + ".fifo",), where)
        assert first == second
        assert json.loads(first[0][0])["bundle_id"] == BUNDLE
        attributes = {"bundle_id": BUNDLE, "recipe_id": "fr", "completion_timestamp": AT}
        assert first[1] == {"attributes": attributes, "group_id": "fr", "dedup_id": BUNDLE}
        publisher.dedup_id = False
        asyncio.run(publisher.publish_bundle_completion(reference(), {}, "fr"))
        assert sent[-1][1] == {"attributes": attributes, "group_id": "fr", "dedup_id": None}


class TestPickling:
    def test_a_publisher_travels_without_its_client(self) -> None:
        publisher = SqsPublisher(QUEUE, "us-east-1", dedup_id=False, max_message_bytes=10)
        there = pickle.loads(pickle.dumps(publisher))
        assert there.sqs_client is not publisher.sqs_client
        there.sqs_client = publisher.sqs_client = there._own_client = publisher._own_client = None
        assert there.__dict__ == publisher.__dict__

    def test_a_client_that_took_its_place_travels_with_it(self) -> None:
        publisher = SqsPublisher(QUEUE)
        publisher.sqs_client = Queue()
        there = pickle.loads(pickle.dumps(publisher))
        asyncio.run(there.publish_bundle_completion(reference(), {}, "fr"))
        assert isinstance(there.sqs_client, Queue)
        assert len(there.sqs_client.sent) == 1

    def test_it_shows_its_queue_and_no_secret(self) -> None:
        assert repr(SqsPublisher(QUEUE)) == f"SqsPublisher('{QUEUE}')"
