"""What a key-value store is, and the rules that all of ours follow: prefixes, times to live, serializers."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from penstock import _core
from penstock.bundles._env import truth
from penstock.bundles._log import get_logger
from penstock.errors import Corrupt, Refused

if TYPE_CHECKING:
    from typing_extensions import Self

    Ttl = float | timedelta
    """Seconds, or a timedelta."""

logger = get_logger(__name__)


@runtime_checkable
class KeyValueStore(Protocol):
    """What a store of yours must have to be used wherever one is taken.

    ``penstock.testing.KeyValueContract`` is the suite that tells whether it behaves.
    """

    async def put(self, key: str, value: Any, ttl: Ttl | None = None, prefix: str | None = None) -> None: ...
    async def get(self, key: str, default: Any = None, prefix: str | None = None) -> Any: ...
    async def delete(self, key: str, prefix: str | None = None) -> bool: ...
    async def exists(self, key: str, prefix: str | None = None) -> bool: ...
    async def range_get(
        self,
        start_key: str,
        end_key: str | None = None,
        limit: int | None = None,
        prefix: str | None = None,
    ) -> list[tuple[str, Any]]: ...
    async def close(self) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...


class BaseKeyValueStore(ABC):
    """The rules, without a place to keep anything.

    Args:
        serializer: ``json``, what is no JSON as its ``str``; or ``pickle``, which runs what it reads, so that it
            must be allowed.
        default_ttl: Of entries put without one: seconds or a timedelta; None is for ever.
        key_prefix: Stands before every key, with a ``:`` between, and is not seen in the keys that come back.
        allow_pickle: Whether ``pickle`` may be used; None: as OC_KV_STORE_ALLOW_PICKLE says.
    """

    def __init__(
        self,
        serializer: str = "json",
        default_ttl: Ttl | None = None,
        key_prefix: str = "",
        *,
        allow_pickle: bool | None = None,
    ) -> None:
        self.serializer = serializer
        self.default_ttl = default_ttl
        self.key_prefix = key_prefix
        self.allow_pickle = allow_pickle

    @abstractmethod
    async def put(self, key: str, value: Any, ttl: Ttl | None = None, prefix: str | None = None) -> None:
        """Write ``value``, replacing what is there.

        Args:
            key: At most 4,096 bytes of UTF-8, prefix included.
            value: What the serializer takes; at most 32 MiB of it.
            ttl: Seconds or a timedelta, rounded up to a second; zero or less deletes; None is the default_ttl,
                ``math.inf`` for ever.
            prefix: In place of key_prefix; ``""`` is none.
        Raises:
            Refused: The value, key or serializer cannot be taken.
            Busy: There is no room, or another process holds a lock.
            Lost: The store does not answer; it is also a ConnectionError.
        """

    @abstractmethod
    async def get(self, key: str, default: Any = None, prefix: str | None = None) -> Any:
        """The value, or ``default`` if there is none. Corrupt: what is there was not written by this serializer."""

    @abstractmethod
    async def delete(self, key: str, prefix: str | None = None) -> bool:
        """Remove it; whether it was there."""

    @abstractmethod
    async def exists(self, key: str, prefix: str | None = None) -> bool:
        """Whether it is there."""

    @abstractmethod
    async def range_get(
        self,
        start_key: str,
        end_key: str | None = None,
        limit: int | None = None,
        prefix: str | None = None,
    ) -> list[tuple[str, Any]]:
        """The entries from ``start_key`` up to ``end_key``, which is not among them, in the order of the keys.

        Args:
            start_key: ``""`` is the first.
            end_key: None: to the end of the prefix.
            limit: At most so many.
            prefix: In place of key_prefix.
        Raises:
            Refused: They come to more than 64 MiB: ask with a limit, and go on behind the last key.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of what is underneath; the next call takes it up again."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- The rules ---

    def _prefix_of(self, prefix: str | None) -> bytes:
        """What stands before each key, its ``:`` included."""
        chosen = self.key_prefix if prefix is None else prefix
        return encoded(chosen if not chosen or chosen.endswith(":") else f"{chosen}:")

    def _seconds(self, ttl: Ttl | None) -> int | None:
        """Whole seconds; None is for ever."""
        chosen = self.default_ttl if ttl is None else ttl
        if chosen is None or chosen == math.inf:
            return None
        if isinstance(chosen, timedelta):
            return -(-chosen // timedelta(seconds=1))
        try:
            return math.ceil(chosen)
        except (TypeError, ValueError, OverflowError) as error:
            raise Refused(f"a ttl is seconds or a timedelta, not {chosen!r}") from error

    def _serialize(self, value: Any) -> bytes:
        self._check_serializer()
        try:
            if self.serializer == "json":
                return json.dumps(value, default=str).encode()
            import pickle

            return pickle.dumps(value)
        except Exception as error:
            what = f"a {type(value).__name__} cannot be written as {self.serializer}"
            raise Refused(f"{what}: {type(error).__name__}") from error

    def _deserialize(self, data: bytes, key: str) -> Any:
        self._check_serializer()
        try:
            if self.serializer == "json":
                return json.loads(data)
            import pickle

            return pickle.loads(data)
        except Exception as error:
            message = f"the value of {key!r} is no {self.serializer}: {type(error).__name__}"
            raise Corrupt(message, subject=key) from error

    def _check_serializer(self) -> None:
        if self.serializer == "json":
            return
        if self.serializer != "pickle":
            raise Refused(f"Bad serializer: {self.serializer}")
        if not (truth("OC_KV_STORE_ALLOW_PICKLE") if self.allow_pickle is None else self.allow_pickle):
            raise Refused(
                "the serializer pickle runs what it reads: give allow_pickle=True, or set"
                " OC_KV_STORE_ALLOW_PICKLE=true, if nobody else can write to this store"
            )


def encoded(key: str) -> bytes:
    """A key as bytes; those of a foreign one that are no UTF-8 stay what they were."""
    try:
        return key.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise Refused(f"a key that is no text: {key!r}") from error


def decoded(key: bytes) -> str:
    """encoded() undone."""
    return key.decode("utf-8", "surrogateescape")


def end_of(prefix: bytes) -> bytes | None:
    """The first key behind all that begin with ``prefix``, which ends in ``:``; None behind all keys."""
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else None


def escaped(prefix: bytes) -> bytes:
    """A pattern for exactly this."""
    return _core.escape_glob(prefix)
