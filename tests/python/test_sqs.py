"""Queues against ElasticMQ and moto, with boto3 as the second opinion: what one sends the other receives."""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import penstock
import pytest
from faults.relay import Relay
from faults.wire import Answer, Wire
from local_origin import wait_until
from penstock import aio, sqs
from queues import KEYS, SqsServer, TestQueue

MIB = 2**20
ATTRIBUTES = {
    "text": "ü\n€ 😀",
    "count": 7,
    "ratio": 0.25,
    "bytes": b"\x00\xff\x80",
    "typed": sqs.Attribute("-12", "Number.int"),
    "png": sqs.Attribute(b"\x89PNG", "Binary.png"),
}
AS_RECEIVED = {
    **ATTRIBUTES,
    "text": sqs.Attribute("ü\n€ 😀", "String"),
    "count": sqs.Attribute("7", "Number"),
    "ratio": sqs.Attribute("0.25", "Number"),
    "bytes": sqs.Attribute(b"\x00\xff\x80", "Binary"),
}
AS_BOTO3 = {
    name: {"DataType": a.type, "BinaryValue" if isinstance(a.value, bytes) else "StringValue": a.value}
    for name, a in AS_RECEIVED.items()
}
NOBODY = "http://127.0.0.1:9/1/nobody"


def receive_all(queue: sqs.Queue) -> list[sqs.Received]:
    """What there is, deleted as it comes."""
    every = []
    while messages := queue.receive(wait=0):
        assert not queue.delete_many(messages).errors
        every += messages
    return every


def bodies(messages: list[sqs.Received]) -> list[str]:
    return [message.body for message in messages]


# --- What one sends the other receives ---


def test_boto3_receives_what_we_send(queue: TestQueue) -> None:
    body = "tab\t<&>\r\n 😀"
    sent = sqs.Queue(**queue.options).send(body, attributes=ATTRIBUTES)
    (message,) = queue.received()
    assert (message["MessageId"], message["Body"]) == (sent.id, body)
    assert message["MD5OfBody"] == hashlib.md5(body.encode()).hexdigest()
    assert message["MessageAttributes"] == AS_BOTO3
    queue.send(body, MessageAttributes=AS_BOTO3)
    assert queue.received()[0]["MD5OfMessageAttributes"] == message["MD5OfMessageAttributes"]


def test_we_receive_what_boto3_sends(queue: TestQueue) -> None:
    sent = queue.send("ü", MessageAttributes=AS_BOTO3)
    (message,) = sqs.Queue(**queue.options).receive(wait=0)
    assert (message.id, message.body) == (sent["MessageId"], "ü")
    assert message.attributes == AS_RECEIVED
    assert message.receive_count == 1
    assert int(message.system["SentTimestamp"]) / 1000 == pytest.approx(time.time(), abs=60)


def test_a_received_message_is_hidden_given_back_and_deleted(queue: TestQueue) -> None:
    ours = sqs.Queue(**queue.options)
    ours.send("work")
    (first,) = ours.receive(wait=0, visibility="1h")
    assert ours.receive(wait=0) == []
    ours.change_visibility(first, 0)
    (second,) = ours.receive(wait=0)
    assert (second.id, second.receive_count) == (first.id, 2)
    ours.change_visibility(second.receipt_handle, 0)
    ours.delete(ours.receive(wait=0)[0])
    assert queue.received() == []


def test_a_delayed_message_is_waited_for(queue: TestQueue) -> None:
    ours = sqs.Queue(**queue.options)
    ours.send("later", delay="1s")
    assert ours.receive(wait=0) == []
    assert bodies(ours.receive(wait=10)) == ["later"]


def test_a_long_poll_returns_with_the_first_message(queue: TestQueue) -> None:
    with ThreadPoolExecutor(1) as pool, penstock.Client() as client, Relay(queue.server.url) as relay:
        ours = sqs.Queue(**queue.options, endpoint=relay.url, client=client)
        polled = pool.submit(ours.receive, wait=20)
        assert wait_until(lambda: relay.requests)
        queue.send("first")
        assert bodies(polled.result(timeout=15)) == ["first"]


def test_every_verb_is_awaited_too(queue: TestQueue, fifo: TestQueue) -> None:
    async def main() -> None:
        async with aio.sqs.Queue(**queue.options) as ours:
            await ours.send("one", attributes=ATTRIBUTES)
            (one,) = await ours.receive(wait=0, visibility=60)
            assert (one.body, one.attributes) == ("one", AS_RECEIVED)
            await ours.change_visibility(one, 0)
            await ours.delete((await ours.receive(wait=0))[0])
            report = await ours.send_many(["two", aio.sqs.Message("three")])
            assert [*report.sent] == [0, 1]
            assert (await ours.delete_many(await ours.receive(max=10, wait=1))).deleted > 0
            assert not ours.fifo
            assert aio.sqs.Queue(**fifo.options).fifo

    asyncio.run(main())


# --- Batches ---


def test_many_go_by_tens_and_come_back_whole(queue: TestQueue) -> None:
    ours = sqs.Queue(**queue.options)
    report = ours.send_many(sqs.Message(f"body {n}", attributes={"n": n} if n % 2 else {}) for n in range(25))
    assert ([*report.sent], report.errors) == ([*range(25)], {})
    received = {message.id: message for message in receive_all(ours)}
    assert [received[report.sent[n].id].body for n in range(25)] == [f"body {n}" for n in range(25)]
    assert received[report.sent[7].id].attributes == {"n": sqs.Attribute("7", "Number")}


def test_what_the_service_refuses_of_a_batch_fails_alone(sqs_servers: dict[str, SqsServer]) -> None:
    queue = sqs_servers["elasticmq"].make_queue()  # moto takes any Number
    ours = sqs.Queue(**queue.options)
    wrong = sqs.Message("wrong", attributes={"n": sqs.Attribute("none", "Number")})
    report = ours.send_many([*"abc", wrong, *"defghij", wrong, "k"])
    assert [*report.errors] == [3, 11]
    assert isinstance(report.errors[11], penstock.Refused)
    assert report.errors[3].code == "InvalidAttributeValue"
    assert sorted(bodies(receive_all(ours))) == [*"abcdefghijk"]
    assert repr(report).startswith("BatchReport(sent=11, errors={3: Refused(")


def test_a_handle_that_is_none_fails_alone(queue: TestQueue) -> None:
    ours = sqs.Queue(**queue.options)
    ours.send_many([*"abcdefghijkl"])
    first, second = ours.receive(wait=0), ours.receive(wait=0)
    report = ours.delete_many([*first, "no-handle", *second])
    assert (report.deleted, [*report.errors]) == (12, [len(first)])
    error = report.errors[len(first)]
    assert isinstance(error, penstock.Refused)
    assert error.code == "ReceiptHandleIsInvalid"
    with pytest.raises(penstock.Refused) as raised:
        ours.delete("no-handle")
    assert raised.value.code == "ReceiptHandleIsInvalid"
    assert queue.received() == []


def test_nothing_is_sent_of_a_batch_with_one_that_no_queue_takes(queue: TestQueue) -> None:
    ours = sqs.Queue(**queue.options)
    with pytest.raises(penstock.Refused, match="XML"):
        ours.send_many(["fine"] * 20 + ["\x00"])
    assert queue.received() == []
    assert ours.send_many([]) == sqs.BatchReport()
    assert ours.delete_many([]) == sqs.DeleteReport(deleted=0)


# --- FIFO ---


def test_a_fifo_queue_keeps_the_order_of_each_group(fifo: TestQueue) -> None:
    ours = sqs.Queue(**fifo.options)
    report = ours.send_many(
        sqs.Message(f"{n:02}", group_id="even" if n % 2 == 0 else "odd") for n in range(24)
    )
    assert [*report.sent] == [*range(24)]
    received = receive_all(ours)
    for group, first in (("even", 0), ("odd", 1)):
        got = [m.body for m in received if m.system["MessageGroupId"] == group]
        assert got == [f"{n:02}" for n in range(first, 24, 2)]


def test_a_fifo_queue_drops_what_has_the_same_id(fifo: TestQueue) -> None:
    ours = sqs.Queue(**fifo.options)
    for body, dedup_id in (("same", ""), ("same", ""), ("same", "other"), ("different", "other")):
        ours.send(body, group_id="g", dedup_id=dedup_id)
    received = receive_all(ours)
    assert bodies(received) == ["same", "same"]
    ids = [message.system["MessageDeduplicationId"] for message in received]
    assert ids == [hashlib.sha256(b"same").hexdigest(), "other"]


def test_without_an_id_a_fifo_queue_makes_its_own(sqs_server: SqsServer) -> None:
    queue = sqs_server.make_queue(fifo=True, ContentBasedDeduplication="true")
    ours = sqs.Queue(**queue.options)
    assert [*ours.send_many([sqs.Message("a", group_id="g", dedup_id=None)]).sent] == [0]
    ours.send("b", group_id="g", dedup_id=None)
    assert bodies(receive_all(ours)) == ["a", "b"]


def test_a_message_whose_answer_was_lost_is_in_a_fifo_queue_once(fifo: TestQueue) -> None:
    with Relay(fifo.server.url) as relay:
        ours = sqs.Queue(**fifo.options, endpoint=relay.url)
        relay.lose()
        ours.send("one", group_id="g")
        relay.lose(2)
        assert [*ours.send_many(sqs.Message(f"{n}", group_id="g") for n in range(12)).sent] == [*range(12)]
        assert relay.lost == 3
    assert [message["Body"] for message in fifo.received()] == ["one", *(str(n) for n in range(12))]


def test_a_message_whose_answer_was_lost_is_in_any_other_queue(queue: TestQueue) -> None:
    with Relay(queue.server.url) as relay:
        relay.lose()
        sqs.Queue(**queue.options, endpoint=relay.url).send("one")
    assert {message["Body"] for message in queue.received()} == {"one"}  # once or, as here, twice


def test_a_fifo_queue_gives_again_what_a_lost_answer_held(sqs_servers: dict[str, SqsServer]) -> None:
    fifo = sqs_servers["elasticmq"].make_queue(fifo=True)  # moto does not know of attempts
    with Relay(fifo.server.url) as relay:
        ours = sqs.Queue(**fifo.options, endpoint=relay.url)
        ours.send("one", group_id="g")
        relay.lose()
        assert bodies(ours.receive(wait=0)) == ["one"]
        assert relay.lost == 1
        assert ours.receive(wait=0) == []


# --- Limits ---


@pytest.mark.parametrize("letter", ["x", "é", "\n"])
def test_a_body_of_one_mebibyte_goes_and_comes(queue: TestQueue, letter: str) -> None:
    body = letter * (MIB // len(letter.encode()))
    ours = sqs.Queue(**queue.options)
    ours.send(body)
    (message,) = ours.receive(wait=0)
    assert message.body == body


def test_a_batch_is_cut_where_it_would_be_too_large(queue: TestQueue) -> None:
    ours = sqs.Queue(**queue.options)
    sizes = [300_000, 700_000, 200_000, MIB, 1]
    assert [*ours.send_many(f"{n}" * size for n, size in enumerate(sizes)).sent] == [*range(5)]
    assert sorted((m.body[0], len(m.body)) for m in receive_all(ours)) == [
        (str(n), size) for n, size in enumerate(sizes)
    ]


def test_what_no_queue_takes_is_refused_before_any_request() -> None:
    with Wire(lambda _: Answer(500)) as server:
        url = f"{server.url}/1/q"
        queue, small = sqs.Queue(url, **KEYS), sqs.Queue(url, **KEYS, max_message_bytes="1KiB")
        fifo = sqs.Queue(f"{url}.fifo", **KEYS)
        for refused in (
            lambda: queue.send("x" * (MIB + 1)),
            lambda: queue.send("x" * MIB, attributes={"n": "v"}),
            lambda: small.send("é" * 513),
        ):
            with pytest.raises(penstock.Refused) as raised:
                refused()
            assert raised.value.code == "too_large"
        for other in (
            lambda: queue.send(""),
            lambda: queue.send("\x1b[0m"),
            lambda: queue.send("\ud800"),
            lambda: queue.send("x", attributes={"a b": "v"}),
            lambda: queue.send("x", attributes={"\udcff": "v"}),
            lambda: queue.send("x", attributes={f"n{n}": "v" for n in range(11)}),
            lambda: queue.send("x", attributes={"n": sqs.Attribute("v", "Text")}),
            lambda: queue.send("x", delay=901),
            lambda: queue.send("x", delay=0.5),
            lambda: queue.send("x", delay=float("nan")),
            lambda: queue.send("x", delay=1e300),
            lambda: queue.send("x", dedup_id="only of FIFO queues"),
            lambda: fifo.send("x"),
            lambda: queue.receive(max=0),
            lambda: queue.receive(max=11),
            lambda: queue.receive(wait=21),
            lambda: queue.receive(wait="500ms"),
            lambda: queue.receive(visibility="13h"),
            lambda: queue.change_visibility("handle", -1),
            lambda: queue.delete(""),
            lambda: queue.delete_many(["handle", ""]),
            lambda: sqs.Queue("https://sqs.eu-west-2.amazonaws.com"),
            lambda: sqs.Queue("no url"),
            lambda: sqs.Queue(url, max_message_bytes="2MiB"),
        ):
            with pytest.raises(penstock.Refused):
                other()
        assert server.requests == []


def test_what_is_no_message_is_a_type_error() -> None:
    queue: Any = sqs.Queue(NOBODY, **KEYS)
    for wrong in (
        lambda: queue.send(b"bytes"),
        lambda: queue.send("x", attributes={"n": None}),
        lambda: queue.send("x", attributes={"n": True}),
        lambda: queue.send("x", attributes={"n": sqs.Attribute("text", "Binary")}),
        lambda: queue.send("x", attributes={"n": sqs.Attribute(b"bytes", "String")}),
        lambda: queue.send_many("letters"),
        lambda: queue.send_many([b"bytes"]),
        lambda: queue.send("x", group_id=7),
    ):
        with pytest.raises(TypeError):
            wrong()


# --- What goes wrong ---


def test_a_queue_that_is_not_there_is_not_found(queue: TestQueue) -> None:
    gone = sqs.Queue(**{**queue.options, "queue_url": f"{queue.url}-gone"})
    for call in (
        lambda: gone.send("x"),
        lambda: gone.receive(wait=0),
        lambda: gone.delete("handle"),
        lambda: gone.change_visibility("handle", 1),
    ):
        with pytest.raises(penstock.NotFound) as raised:
            call()
        assert (raised.value.code, raised.value.subject) == ("QueueDoesNotExist", f"{queue.url}-gone")
    report = gone.send_many(["a", "b"])
    assert {n: type(error) for n, error in report.errors.items()} == dict.fromkeys((0, 1), penstock.NotFound)


def test_where_nobody_listens_is_lost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    queue = sqs.Queue(f"http://127.0.0.1:{port}/1/q", **KEYS)
    with pytest.raises(penstock.Lost) as raised:
        queue.send("x")
    assert raised.value.attempts == 3
    assert [type(error) for error in queue.send_many(["x"]).errors.values()] == [penstock.Lost]


def test_where_something_else_answers_is_corrupt_and_says_where_to_look() -> None:
    with (
        Wire(lambda _: Answer(200, body=b"<html>")) as web,
        pytest.raises(penstock.Corrupt, match="endpoint") as raised,
    ):
        sqs.Queue(f"{web.url}/1/q", **KEYS).send("x")
    assert (raised.value.doing, raised.value.subject) == ("SendMessage", f"{web.url}/1/q")


def test_a_deadline_ends_a_long_poll_and_stands_in_the_report_of_a_batch(queue: TestQueue) -> None:
    ours = sqs.Queue(**queue.options)
    with pytest.raises(penstock.DeadlinePassed):
        ours.receive(wait=20, deadline="200ms")
    with Wire(lambda _: Answer(silent=True, then="stall")) as silent:
        report = sqs.Queue(**queue.options, endpoint=silent.url).send_many(["a", "b"], deadline="200ms")
    assert {type(error) for error in report.errors.values()} == {penstock.DeadlinePassed}


def test_a_cancelled_long_poll_ends_within_200_ms(queue: TestQueue) -> None:
    async def main() -> list[float]:
        seconds = []
        with Relay(queue.server.url) as relay:
            ours = aio.sqs.Queue(**queue.options, endpoint=relay.url)
            for round in range(5):
                poll = asyncio.create_task(ours.receive(max=1, wait=20))
                while len(relay.requests) <= round:
                    await asyncio.sleep(0.002)
                begin = time.monotonic()
                poll.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await poll
                seconds.append(time.monotonic() - begin)
            for n in range(5):  # what the server still polls for
                await ours.send(f"{n}")
        return seconds

    seconds = asyncio.run(main())
    assert statistics.median(seconds) < 0.2, seconds


def test_no_secret_is_in_an_error_a_repr_or_a_pickle(
    queue: TestQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDCANARYCANARY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    found = sqs.Queue(f"{queue.url}-gone", region="us-east-1")
    given = sqs.Queue(
        f"{queue.url}-gone",
        access_key_id="AKIDCANARYCANARY",
        secret_access_key="canary-secret",
        session_token="canary-token",
    )
    said = [repr(found), repr(given), repr(aio.sqs.Queue(queue.url, secret_access_key="canary-secret"))]
    for ours in (found, given):
        with pytest.raises(penstock.NotFound) as raised:
            ours.send("x")
        said += [str(raised.value), repr(raised.value), str(raised.value.facts)]
    for url in ("http://user:canary@h/1/q", "http://h/1/q?key=canary"):
        with pytest.raises(penstock.Refused) as refused:
            sqs.Queue(url)
        said += [str(refused.value), repr(refused.value), str(refused.value.facts)]
    assert "canary" not in " ".join(said).lower()
    assert b"canary" not in pickle.dumps(found).lower()


# --- Many at once, elsewhere ---


def test_sixty_four_at_once(queue: TestQueue) -> None:
    async def main() -> tuple[set[str], list[str]]:
        async with aio.Client() as client:
            ours = aio.sqs.Queue(**queue.options, client=client)
            polls = [asyncio.create_task(ours.receive(max=1, wait=20)) for _ in range(64)]
            while sum(host["open"] for host in client.statistics()["hosts"].values()) < 64:
                await asyncio.sleep(0.01)
            elsewhere = aio.sqs.Queue(**queue.options)  # all connections of the one client are polling
            sent = await asyncio.gather(*(elsewhere.send(f"{n}") for n in range(64)))
            received = [message for poll in polls for message in await poll]
            await asyncio.gather(*(ours.delete(message) for message in received))
        return {message.id for message in sent}, [message.id for message in received]

    sent, received = asyncio.run(main())
    assert len(sent) == 64
    assert sorted(received) == sorted(sent)
    assert queue.received() == []


def test_a_pickled_queue_is_the_same_queue(queue: TestQueue) -> None:
    ours = sqs.Queue(**queue.options, max_message_bytes=1000, client=penstock.Client(first_byte="5s"))
    copy = pickle.loads(pickle.dumps(ours))
    assert repr(copy) == repr(ours)
    copy.send("from the copy")
    assert bodies(ours.receive(wait=0)) == ["from the copy"]
    with pytest.raises(penstock.Refused):
        copy.send("x" * 1001)
    message = sqs.Message("m", attributes=ATTRIBUTES, group_id="g")
    assert pickle.loads(pickle.dumps(message)) == message


def test_credentials_are_those_of_every_service(sqs_servers: dict[str, SqsServer]) -> None:
    queue = sqs_servers["elasticmq"].make_queue()  # moto finds its service by the signature
    keys = penstock.aws.Credentials(access_key_id="AKIDCALLED", secret_access_key="secret")
    with Relay(queue.server.url) as relay:
        where = {"queue_url": queue.url, "endpoint": relay.url, "region": "us-east-1"}
        for given, said in (
            ({"credentials": lambda: keys}, "Credential=AKIDCALLED/"),
            ({"credentials": keys}, "/us-east-1/sqs/aws4_request"),
            (KEYS, f"Credential={KEYS['access_key_id']}/"),
        ):
            sqs.Queue(**where, **given).send("x")
            assert said in relay.requests[-1].header("authorization")
        sqs.Queue(**where, anonymous=True).send("x")
        assert not relay.requests[-1].header("authorization")


def test_a_line_holds_whatever_is_shown(queue: TestQueue) -> None:
    ours = sqs.Queue(**queue.options)
    ours.send("long " * 1000, attributes=ATTRIBUTES)
    (message,) = ours.receive(wait=0)
    shown = [message, sqs.Message("long " * 1000), ours, aio.sqs.Queue(**queue.options)]
    assert [len(repr(one)) < 200 and "\n" not in repr(one) for one in shown] == [True] * 4
    assert message.receipt_handle not in repr(message)
