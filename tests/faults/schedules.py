"""Transfers under faults by chance: a seed makes the transfer and what goes wrong in it.

Faults are transient: each happens once, to one connection. They may be few enough that every transfer should succeed
all the same, and none may leave anything wrong behind.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import penstock

from faults.origin import FileOrigin
from faults.proxy import Direction, Fault, Kind, Proxy

KIB, MIB = 2**10, 2**20
CONTENT = os.urandom(20 * MIB)
PART = "5MiB"  # the least that real servers take
FORMER = b"what was there before"
# The clocks are long enough for a busy machine and short enough that some stalls are over them, some under.
CLOCKS = {"connect": "5s", "first_byte": "2s", "stall_window": "2s"}
STALLS = (0.2, 0.2, 0.2, 0.2, 0.2, 3.0)
STATUSES = (500, 502, 503, 504)
HEADS_BYTES = (200, 1000, 4000)  # a part of a head; one; several requests or short answers

Transfer = Literal["fetch", "fetch relayed", "put", "put streamed", "put relayed", "get", "get_file"]
DOWNLOADS = ("get", "get_file")


@dataclass(frozen=True)
class Schedule:
    seed: int
    transfer: Transfer
    size: int
    former: bool  # whether the key was taken; of an upload
    of_origin: tuple[Fault, ...]  # between the client and where a fetch reads
    of_store: tuple[Fault, ...]

    @property
    def key(self) -> str:
        return f"{self.transfer.replace(' ', '-')}/{self.seed}"

    @property
    def content(self) -> bytes:
        begin = self.seed % (len(CONTENT) - self.size)
        return CONTENT[begin : begin + self.size]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def flips(self) -> bool:
        return any(fault.kind == "flip" for fault in (*self.of_origin, *self.of_store))


def schedule(
    seed: int, kinds: Mapping[Kind, int], transfers: Sequence[Transfer] = get_args(Transfer)
) -> Schedule:
    """`kinds`: which faults, with their weights."""
    choice = random.Random(seed)
    transfer: Transfer = choice.choice(transfers)
    # Relayed, everything over 256 KiB goes in parts; else what is over one part does.
    small = choice.randrange(257 * KIB, 700 * KIB)
    large = choice.randrange(5 * MIB + 1, 6 * MIB)
    size = small if "relayed" in transfer or choice.random() < 0.5 else large
    if transfer == "get_file" and choice.random() < 0.3:
        size = choice.randrange(16 * MIB, 18 * MIB)
    sides = choice.choice(["origin", "store", "both"]) if transfer.startswith("fetch") else "store"
    return Schedule(
        seed=seed,
        transfer=transfer,
        size=size,
        former=choice.random() < 0.5,
        of_origin=_faults(choice, kinds, size, "down") if sides != "store" else (),
        of_store=_faults(choice, kinds, size, "down" if transfer in DOWNLOADS else "up")
        if sides != "origin"
        else (),
    )


def _faults(
    choice: random.Random, kinds: Mapping[Kind, int], size: int, bulk: Direction
) -> tuple[Fault, ...]:
    """The first one meets the first connection; of the others some wait for one that is never made."""
    connections = [0, *choice.choices([0, 0, 1, 1, 2, 3], k=choice.randrange(4))]
    return tuple(_fault(choice, kinds, size, bulk, connection) for connection in connections)


def _fault(
    choice: random.Random, kinds: Mapping[Kind, int], size: int, bulk: Direction, connection: int
) -> Fault:
    kind = choice.choices([*kinds], [*kinds.values()])[0]
    direction: Direction = choice.choice(["up", "down"])
    near = choice.randrange(choice.choice(HEADS_BYTES))
    at = choice.randrange(size) if direction == bulk and choice.random() < 0.6 else near
    match kind:
        case "stall":
            return Fault(connection, direction, at, kind, choice.choice(STALLS))
        case "trickle":
            return Fault(connection, direction, at, kind, choice.randrange(1, 100))
        case "flip":
            return Fault(connection, direction, at, kind, 1 << choice.randrange(8))
        case "status":
            return Fault(connection, "down", choice.choice([0, 0, 1, 2, 3]), kind, choice.choice(STATUSES))
        case _:
            return Fault(connection, direction, at, kind)


@dataclass(frozen=True)
class Outcome:
    schedule: Schedule
    server: str
    error: penstock.Error | None  # None: success
    wrong: str  # what must not be; "": nothing
    seconds: float
    happened: int  # faults

    def __str__(self) -> str:
        ended = f"{type(self.error).__name__}: {self.error}" if self.error else "success"
        wrong = self.wrong or "nothing wrong"
        return f"{wrong} on {self.server} after {self.seconds:.1f} s, {ended}\n  {self.schedule}"


def run(schedule: Schedule, bucket: Any) -> Outcome:
    """The transfer, and what is wrong after it. `bucket` is looked at past the proxy."""
    if schedule.former or schedule.transfer in DOWNLOADS:
        before = schedule.content if schedule.transfer in DOWNLOADS else FORMER
        penstock.S3Store(**bucket.options).put(schedule.key, before)
    begun = time.monotonic()
    with (
        FileOrigin(schedule.content) as origin,
        Proxy(origin.url, schedule.of_origin) as to_origin,
        Proxy(bucket.server.url, schedule.of_store) as to_store,
        penstock.Client(**CLOCKS) as client,
    ):
        # Whoever is taken for another by a flipped bit of its name is sent no checksums.
        provider = {"provider": bucket.server.name} if schedule.flips else {}
        options = {**bucket.options, "endpoint": to_store.url, **provider}
        store = penstock.S3Store(**options, part_bytes=PART, reap=True, client=client)
        error, wrong = None, ""
        try:
            got = _TRANSFERS[schedule.transfer](schedule, store, to_origin.url, client)
        except penstock.Error as failure:
            error = failure.with_traceback(None)  # its frames hold the content
        else:
            wrong = "" if got == schedule.sha256 else "corrupt: what arrived differs"
        seconds = time.monotonic() - begun
        client.drain(deadline="60s")
        happened = len(to_origin.happened) + len(to_store.happened)
    wrong = wrong or (_foreign_in if schedule.flips else _wrong_in)(bucket, schedule, error)
    return Outcome(schedule, bucket.server.name, error, wrong, seconds, happened)


def _foreign_in(bucket: Any, schedule: Schedule, error: penstock.Error | None) -> str:
    """Bits that change in an answer change what was said: an upload's name, that it is done, the checksum by which a
    good object is taken back. So only other bytes than ours or the former are wrong, and success without ours."""
    if schedule.transfer in DOWNLOADS:
        return ""
    if error is None:
        return _object_in(bucket, schedule, [{schedule.sha256}])
    return _object_in(bucket, schedule, [{schedule.sha256}, _former(schedule), set()])


def _wrong_in(bucket: Any, schedule: Schedule, error: penstock.Error | None) -> str:
    left = bucket.open_uploads(schedule.key)
    if len(left) > (error is None and _cuts_a_relayed_part(bucket, schedule)):
        return f"{len(left)} open uploads"
    if schedule.transfer in DOWNLOADS:
        return ""
    allowed = [{schedule.sha256}] if error is None else [_former(schedule)]
    if isinstance(error, penstock.InDoubt):
        allowed = [_former(schedule), {schedule.sha256}]
    if isinstance(error, penstock.Corrupt) and _half_a_part_was_taken(bucket, schedule, error):
        allowed.append(set())
    return _object_in(bucket, schedule, allowed)


def _cuts_a_relayed_part(bucket: Any, schedule: Schedule) -> bool:
    """versitygw 1.8 takes a part whose connection ended early for whole. It may put it in the place of its repeat while
    it assembles them, or beside the object that it has assembled, in an upload that was over. Nothing goes ahead of a
    relayed part that would tell."""
    cut = any(fault.direction == "up" and fault.kind in ("cut", "reset") for fault in schedule.of_store)
    return cut and bucket.server.name == "versitygw" and schedule.transfer.endswith("relayed")


def _half_a_part_was_taken(bucket: Any, schedule: Schedule, error: penstock.Error) -> bool:
    """Found by the object's checksum or size, and taken back: what was there before is lost."""
    if not _cuts_a_relayed_part(bucket, schedule):
        return False
    if error.expected == str(schedule.size):
        return int(error.actual) < schedule.size
    taken, beginning = base64.b64decode(error.actual).hex(), penstock.Hash(schedule.content, ["crc64nvme"])
    while beginning.read(1):
        if beginning.digests["crc64nvme"] == taken:
            return True
    return False


def _former(schedule: Schedule) -> set[str]:
    return {hashlib.sha256(FORMER).hexdigest()} if schedule.former else set()


def _object_in(bucket: Any, schedule: Schedule, allowed: list[set[str]]) -> str:
    there = {hashlib.sha256(bucket.body(schedule.key)).hexdigest()} if bucket.keys(schedule.key) else set()
    if there in allowed:
        return ""
    former = there == _former(schedule)
    found = "ours" if there == {schedule.sha256} else "the former" if former else "another"
    return f"the object there is {found if there else 'none'}"


def _fetch(schedule: Schedule, store: Any, origin: str, client: Any, relay: bool = False) -> str:
    url = f"{origin}/f"
    asked = {"sha256": schedule.sha256, "relay": relay, "client": client}
    penstock.fetch(url, store, key=schedule.key, **asked)
    return schedule.sha256  # as compared by fetch; the bucket is looked at afterwards


def _put(schedule: Schedule, store: Any, how: Callable[[bytes], Any], **options: Any) -> str:
    store.put(schedule.key, how(schedule.content), **options)
    return schedule.sha256


def _put_relayed(schedule: Schedule, store: Any) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f"
        path.write_bytes(schedule.content)
        return _put(schedule, store, lambda _: path, relay=True)


def _get(schedule: Schedule, store: Any) -> str:
    digest = hashlib.sha256()
    for piece in store.get(schedule.key):
        digest.update(piece)
    return digest.hexdigest()


def _get_file(schedule: Schedule, store: Any) -> str:
    with tempfile.TemporaryDirectory() as folder:
        store.get_file(schedule.key, Path(folder) / "f")
        return hashlib.sha256((Path(folder) / "f").read_bytes()).hexdigest()


def _pieces(content: bytes) -> Any:
    return (content[begin : begin + 100_000] for begin in range(0, len(content), 100_000))


_TRANSFERS: dict[Transfer, Callable[[Schedule, Any, str, Any], str]] = {
    "fetch": _fetch,
    "fetch relayed": lambda s, store, origin, client: _fetch(s, store, origin, client, relay=True),
    "put": lambda s, store, *_: _put(s, store, bytes),
    "put streamed": lambda s, store, *_: _put(s, store, _pieces),
    "put relayed": lambda s, store, *_: _put_relayed(s, store),
    "get": lambda s, store, *_: _get(s, store),
    "get_file": lambda s, store, *_: _get_file(s, store),
}
