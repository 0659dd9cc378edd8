"""A store in Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock import _core
from penstock.bundles._log import get_logger
from penstock.bundles.kv_store._native import NativeKeyValueStore
from penstock.errors import Refused
from penstock.units import span

if TYPE_CHECKING:
    from penstock.bundles.kv_store.base import Ttl
    from penstock.units import Span

logger = get_logger(__name__)


class RedisKeyValueStore(NativeKeyValueStore):
    """Entries in one database of Redis 6 or newer. Nothing is connected before the first call.

    A command whose connection breaks is asked once more. What fails for good is Lost, which is a ConnectionError,
    and says ``Redis failed: ...``; a password that is not accepted is Denied.

    Args:
        host, port, db, password: Where it is; the password is never shown.
        ssl: Whether to speak TLS; the host's certificate is verified.
        timeout: Of connecting, and of the server saying nothing.
        max_connections: Calls at once; further ones wait.
        serializer, default_ttl, key_prefix, allow_pickle: As BaseKeyValueStore.
        ca_bundle: A PEM file of the authorities to trust, in place of the system's.

    >>> RedisKeyValueStore("cache.example", password="hunter22")
    RedisKeyValueStore(host='cache.example', port=6379, db=0, ...)
    """

    kind = "redis"

    def __init__(
        self,
        host: str = "localhost",
        port: int = 6379,
        db: int = 0,
        password: str | None = None,
        ssl: bool = False,
        timeout: Span = 10.0,
        max_connections: int = 10,
        serializer: str = "json",
        default_ttl: Ttl | None = None,
        key_prefix: str = "",
        *,
        ca_bundle: str = "",
        allow_pickle: bool | None = None,
    ) -> None:
        if not 1 <= port <= 65535:
            raise Refused(f"a port is 1 to 65535, not {port}")
        if db < 0 or max_connections < 1:
            raise Refused("db is 0 or more, max_connections 1 or more")
        self.host, self.port, self.db, self.password = host, port, db, password
        self.ssl, self.timeout, self.max_connections, self.ca_bundle = (
            ssl,
            timeout,
            max_connections,
            ca_bundle,
        )
        super().__init__(
            _core.redis_kv(host, port, db, password or "", ssl, ca_bundle, span(timeout), max_connections),
            {
                **{"host": host, "port": port, "db": db, "password": password, "ssl": ssl},
                **{"timeout": timeout, "max_connections": max_connections, "ca_bundle": ca_bundle},
            },
            serializer=serializer,
            default_ttl=default_ttl,
            key_prefix=key_prefix,
            allow_pickle=allow_pickle,
        )

    @property
    def _redis(self) -> _core.KeyValue | None:
        """The core's store; None until it is used, and after close()."""
        return self._native if self._used else None

    async def get_keys_by_pattern(self, pattern: str, prefix: str | None = None) -> list[str]:
        """The keys that match, each once, in order. Memory: all of them; scan() has them a page at a time."""
        return sorted({key async for key in self.scan(pattern, prefix)})

    async def flush_db(self) -> None:
        """Remove everything in the database, whoever wrote it, whatever its prefix. It is not asked twice."""
        await self._do(self._native.clear)
