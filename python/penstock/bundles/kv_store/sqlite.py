"""A store in a file of SQLite."""

from __future__ import annotations

from os import fsencode, fspath
from typing import TYPE_CHECKING

from penstock import _core
from penstock.bundles._log import get_logger
from penstock.bundles.kv_store._native import NativeKeyValueStore
from penstock.units import span

if TYPE_CHECKING:
    from os import PathLike

    from penstock.bundles.kv_store.base import Ttl
    from penstock.testing import ManualClock
    from penstock.units import Span

logger = get_logger(__name__)


class SqliteKeyValueStore(NativeKeyValueStore):
    """Entries in a file, for any number of processes on one machine; what put() wrote outlives a power loss.

    Args:
        path: The file; made if it is absent, in a folder that is there. Not on a network mount.
        serializer, default_ttl, key_prefix, allow_pickle: As BaseKeyValueStore.
        busy_timeout: How long to wait for another process's lock before it is Busy.
        clock: A penstock.testing.ManualClock that says when entries expire; None: the wall clock.

    >>> import asyncio
    >>> asyncio.run(SqliteKeyValueStore(folder / "kv.db").put("k", [1, 2]))
    >>> asyncio.run(SqliteKeyValueStore(folder / "kv.db").get("k"))
    [1, 2]
    """

    kind = "sqlite"

    def __init__(
        self,
        path: str | PathLike[str],
        serializer: str = "json",
        default_ttl: Ttl | None = None,
        key_prefix: str = "",
        *,
        busy_timeout: Span = 10.0,
        clock: ManualClock | None = None,
        allow_pickle: bool | None = None,
    ) -> None:
        self.path = fspath(path)
        super().__init__(
            _core.sqlite_kv(fsencode(path), span(busy_timeout), clock._native if clock else None),
            {"path": self.path, "busy_timeout": busy_timeout, **({"clock": clock} if clock else {})},
            serializer=serializer,
            default_ttl=default_ttl,
            key_prefix=key_prefix,
            allow_pickle=allow_pickle,
        )
