"""A store in this process's memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock import _core
from penstock.bundles._log import get_logger
from penstock.bundles.kv_store._native import NativeKeyValueStore
from penstock.streams import call
from penstock.units import size

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.bundles.kv_store.base import Ttl
    from penstock.testing import ManualClock
    from penstock.units import Size

logger = get_logger(__name__)


class InMemoryKeyValueStore(NativeKeyValueStore):
    """Entries in memory, up to ``max_bytes``: Busy if there is no more room.

    Args:
        serializer, default_ttl, key_prefix, allow_pickle: As BaseKeyValueStore.
        max_bytes: Of all entries, keys and bookkeeping included.
        clock: A penstock.testing.ManualClock that says when entries expire; None: time itself.
    """

    kind = "memory"

    def __init__(
        self,
        serializer: str = "json",
        default_ttl: Ttl | None = None,
        key_prefix: str = "",
        *,
        max_bytes: Size = "256MiB",
        clock: ManualClock | None = None,
        allow_pickle: bool | None = None,
    ) -> None:
        super().__init__(
            _core.memory_kv(size(max_bytes), clock._native if clock else None),
            {},
            serializer=serializer,
            default_ttl=default_ttl,
            key_prefix=key_prefix,
            allow_pickle=allow_pickle,
        )

    async def _do(self, verb: Callable[..., Any], *arguments: Any) -> Any:
        """Here and now: memory waits for nothing, and a worker would cost more than the work."""
        return verb(*arguments, call(), None)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("InMemoryKeyValueStore lives in this process only and does not pickle")
