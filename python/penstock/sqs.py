"""Queues of SQS, or of whatever speaks its JSON protocol.

>>> queue = penstock.sqs.Queue(queue_url)
>>> _ = queue.send("resize a.png", attributes={"width": 640, "digest": b"\\x01\\x02"})
>>> for message in queue.receive(wait=0):
...     print(message.body, message.attributes["width"].value, message.attributes["digest"].value)
...     queue.delete(message)
resize a.png 640 b'\\x01\\x02'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

from penstock import _core, display
from penstock.client import native_client
from penstock.errors import Error, Refused
from penstock.stores.object_store import masked
from penstock.streams import call, is_buffer
from penstock.units import size, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from typing_extensions import Buffer

    from penstock.aws import Credentials
    from penstock.client import ClientLike
    from penstock.units import Size, Span

    AttributeLike: TypeAlias = "Attribute | str | int | float | Buffer"

__all__ = ["Attribute", "BatchReport", "DeleteReport", "Message", "Queue", "Received", "Sent"]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a message; sending also takes plain text, numbers and buffers.

    Attributes:
        value: ``bytes`` of a Binary, else ``str``.
        type: ``String``, ``Number`` or ``Binary``, perhaps with a label of yours: ``Number.int``.
    """

    value: str | bytes
    type: str


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent.

    Attributes:
        body: Text that XML can hold: no control characters but tab, LF and CR.
        attributes: Up to 10. ``str`` is a String, a number a Number, a buffer a Binary; else an Attribute.
        delay: Whole seconds until it can be received, 0 to 900; None: the queue's own.
        group_id: A FIFO queue needs one, and keeps the order within it.
        dedup_id: Of a FIFO queue, which drops what has the same within 5 minutes; "": the body's SHA-256; None: none
            is sent, which takes a queue with ContentBasedDeduplication.
    """

    body: str
    _: KW_ONLY
    attributes: Mapping[str, AttributeLike] = field(default_factory=dict)
    delay: Span | None = None
    group_id: str = ""
    dedup_id: str | None = ""

    def __repr__(self) -> str:
        return display.line("Message", body=self.body, group_id=self.group_id, dedup_id=self.dedup_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What the queue calls a message it took; ``sequence_number`` is of FIFO queues."""

    id: str
    sequence_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message, hidden from other receivers for a while; delete it once its work is done.

    Attributes:
        id: As when it was sent.
        receipt_handle: Names this receipt of it: what deletes and hides take.
        body: What was sent.
        attributes: Name to Attribute.
        system: What the queue adds, as text: ``SentTimestamp``, ``MessageGroupId``, ...
    """

    id: str
    receipt_handle: str
    body: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    system: Mapping[str, str] = field(default_factory=dict)

    @property
    def receive_count(self) -> int:
        """How often it was received, this time included; above 1 somebody did not delete it."""
        return int(self.system.get("ApproximateReceiveCount", "1"))

    def __repr__(self) -> str:
        return display.line("Received", id=self.id, body=self.body, attributes=[*self.attributes] or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """What ``send_many`` did: each message's number, from 0, is in one of the two.

    Attributes:
        sent: Number to Sent.
        errors: Number to Error.
    """

    sent: Mapping[int, Sent] = field(default_factory=dict)
    errors: Mapping[int, Error] = field(default_factory=dict)

    def __repr__(self) -> str:
        return display.line("BatchReport", sent=len(self.sent), errors=dict(self.errors) or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteReport:
    """What ``delete_many`` did.

    Attributes:
        deleted: How many are gone.
        errors: The others: their number, from 0, to Error.
    """

    deleted: int
    errors: Mapping[int, Error] = field(default_factory=dict)

    def __repr__(self) -> str:
        return display.line("DeleteReport", deleted=self.deleted, errors=dict(self.errors) or None)


class Queue:
    """One queue of SQS, or of whatever speaks its JSON protocol. Shared freely between threads.

    Makes no request until it is used. Every verb takes ``deadline=`` (``"30s"``, timedelta or seconds). A request
    whose answer is lost is repeated: a FIFO queue drops the repeat, any other may have the message twice.

    Args:
        queue_url: As the service names it; FIFO if it ends in ``.fifo``.
        region: Else that of the URL, AWS_REGION, AWS_DEFAULT_REGION, the profile, us-east-1.
        endpoint: Else AWS_ENDPOINT_URL_SQS, AWS_ENDPOINT_URL, the profile, the queue URL's own host.
        max_message_bytes: Of a message with its attributes, and of a batch; a queue may be set lower.
        access_key_id: With secret_access_key and, for temporary keys, session_token.
        secret_access_key: Never shown and pickled only because it was given here.
        session_token: Of temporary keys.
        credentials: A Credentials, or a callable that returns one.
        anonymous: Send requests unsigned.
        profile: Of ~/.aws.
        mfa: For a role that asks for a device: called with its serial at each load of keys, on another thread,
            and returns the six digits.
        client: A penstock.Client; else the process's.
    Raises:
        Refused: Not a queue's URL.
    Memory:
        One request of at most 1 MiB and its JSON; an answer of at most 64 MiB.
    Source:
        Amazon SQS API Reference, AWS JSON 1.0.
    """

    def __init__(
        self,
        queue_url: str,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        max_message_bytes: Size = "1MiB",
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        session_token: str | None = None,
        credentials: Credentials | Callable[[], Credentials] | None = None,
        anonymous: bool = False,
        profile: str | None = None,
        mfa: Callable[[str], str] | None = None,
        client: ClientLike | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name != "self"}
        self._arguments = {name: value for name, value in given.items() if value != _DEFAULTS.get(name)}
        self._native = _core.Queue(_options(self._arguments))

    @property
    def fifo(self) -> bool:
        """Whether it keeps the order within a group, and drops repeats."""
        return self._native.fifo

    def send(
        self,
        body: str,
        *,
        attributes: Mapping[str, AttributeLike] | None = None,
        delay: Span | None = None,
        group_id: str = "",
        dedup_id: str | None = "",
        deadline: Span | None = None,
    ) -> Sent:
        """Send one message; the arguments are those of Message.

        Raises:
            Refused: No queue would take it, said before anything is sent; too large is code ``too_large``.
            NotFound: There is no such queue.
            Corrupt: The queue got another body than was sent.
        """
        message = Message(
            body, attributes=attributes or {}, delay=delay, group_id=group_id, dedup_id=dedup_id
        )
        return self._native.send(parts(message), call(deadline))

    def send_many(self, messages: Iterable[Message | str], *, deadline: Span | None = None) -> BatchReport:
        """Send many, in requests of up to ten; what the service failed is tried three times.

        Once a whole request fails the rest is not sent and has that error. Order across a failed one is not kept.

        Args:
            messages: All of them are read before the first is sent.
            deadline: Of the whole call; what was not sent by then has DeadlinePassed in the report.
        Raises:
            Refused: No queue would take one of them; none is sent.
            TypeError: One is neither a Message nor text.

        >>> report = penstock.sqs.Queue(queue_url).send_many(["one", "two"])
        >>> sorted(report.sent), report.errors
        ([0, 1], {})
        """
        return self._native.send_many(all_parts(messages), call(deadline))

    def receive(
        self,
        *,
        max: int = 10,
        wait: Span = 20,
        visibility: Span | None = None,
        deadline: Span | None = None,
    ) -> list[Received]:
        """Take messages; returns as soon as there is one, and an empty list after ``wait``.

        Args:
            max: 1 to 10.
            wait: Whole seconds, 0 to 20.
            visibility: Whole seconds until other receivers see them again, up to 12 hours; None: the queue's own.
            deadline: Of the whole call, ``wait`` included. What the queue gave to a call that was given up stays
                hidden for ``visibility``.
        Raises:
            NotFound: There is no such queue.
            Corrupt: A body is not what the queue has; the words say how to delete it.
        """
        asked = None if visibility is None else whole("visibility", visibility)
        return self._native.receive(max, whole("wait", wait), asked, call(deadline))

    def delete(self, message: Received | str, *, deadline: Span | None = None) -> None:
        """Delete what was received, by it or its receipt handle."""
        self._native.delete(handle(message), call(deadline))

    def delete_many(
        self, messages: Iterable[Received | str], *, deadline: Span | None = None
    ) -> DeleteReport:
        """Delete many, in requests of ten."""
        return self._native.delete_many([handle(message) for message in messages], call(deadline))

    def change_visibility(
        self, message: Received | str, visibility: Span, *, deadline: Span | None = None
    ) -> None:
        """Hide it for so many whole seconds from now, up to 12 hours; 0 gives it back at once."""
        self._native.change_visibility(handle(message), whole("visibility", visibility), call(deadline))

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (self._arguments,)

    def __repr__(self) -> str:
        return display.line("Queue", **masked(self._arguments))


_DEFAULTS: dict[str, Any] = dict((Queue.__init__.__kwdefaults__ or {}).items())


def _options(arguments: dict[str, Any]) -> dict[str, Any]:
    options = dict(arguments)
    if "max_message_bytes" in options:
        options["max_message_bytes"] = size(options["max_message_bytes"])
    if "client" in options:
        options["client"] = native_client(options["client"])
    return options


def _remade(arguments: dict[str, Any]) -> Queue:
    return Queue(**arguments)


# --- As the core takes them, here and in penstock.aio.sqs ---


def parts(message: Message | str) -> _core._Message:
    """A message; the core judges what of it no queue takes."""
    if isinstance(message, str):
        message = Message(message)
    if not isinstance(message, Message):
        raise TypeError(f"not a message: {type(message).__name__}; give a penstock.sqs.Message or text")
    return (
        _utf8("body", message.body),
        [_attribute(name, given) for name, given in message.attributes.items()],
        None if message.delay is None else whole("delay", message.delay),
        _utf8("group_id", message.group_id),
        None if message.dedup_id is None else _utf8("dedup_id", message.dedup_id),
    )


def all_parts(messages: Iterable[Message | str]) -> list[_core._Message]:
    """Many; text alone would be taken for its letters."""
    if isinstance(messages, str):
        raise TypeError("send_many takes many messages; send() takes one")
    return [parts(message) for message in messages]


def handle(message: Received | str) -> str:
    """The receipt handle of what was received."""
    return message if isinstance(message, str) else message.receipt_handle


def whole(name: str, value: Span) -> float:
    """Seconds, of which a queue knows no halves."""
    seconds = span(value)
    if seconds % 1:
        raise Refused(f"{name} is {seconds:g} s: a queue counts whole seconds")
    return seconds


def _utf8(name: str, text: Any) -> bytes:
    if not isinstance(text, str):
        raise TypeError(f"{name} is {type(text).__name__}, not str")
    return text.encode("utf-8", "surrogatepass")  # which is no UTF-8, and refused as that


def _attribute(name: str, given: Any) -> tuple[bytes, bytes, bytes]:
    attribute = given if isinstance(given, Attribute) else Attribute(given, _type_of(name, given))
    value: Any = attribute.value
    if is_buffer(value) != (attribute.type.partition(".")[0] == "Binary"):
        raise TypeError(f"the attribute {name!r} is a {attribute.type} of {type(value).__name__}")
    data = bytes(value) if is_buffer(value) else _utf8(name, str(value))
    return _utf8("a name", name), _utf8("a type", attribute.type), data


def _type_of(name: str, value: Any) -> str:
    if isinstance(value, str):
        return "String"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "Number"
    if is_buffer(value):
        return "Binary"
    raise TypeError(
        f"the attribute {name!r} is {type(value).__name__}: give str, int, float, a buffer or Attribute"
    )
