"""The HTTP client under everything: its limits, and what it has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from penstock import _core, display
from penstock.streams import call
from penstock.units import size, span

if TYPE_CHECKING:
    from penstock.units import Span

_SPANS = frozenset(
    {
        "slot_wait",
        "idle_connection",
        "connection_life",
        "connect",
        "first_byte",
        "stall_window",
        "max_retry_after",
    }
)
_NAMES = _SPANS | {
    "connections_per_host",
    "connections",
    "ring_bytes",
    "bulk",
    "retry_mode",
    "max_attempts",
    "proxy",
    "ca_bundle",
    "insecure_skip_verify",
    "guard",
    "guard_via_proxy",
    "user_agent",
}


class AddressPolicy:
    """Which addresses a connection may reach: CIDRs; ``deny`` wins, with ``allow`` not empty only those."""

    def __init__(self, *, allow: tuple[str, ...] = (), deny: tuple[str, ...] = ()) -> None:
        self.allow = list(allow)
        self.deny = list(deny)


class Client:
    """One pool of connections with its limits and clocks.

    At the interpreter's exit every client is closed, pending aborts included; an ``atexit`` function that was
    registered before ``import penstock`` runs after that and finds them closed.

    Args:
        options: ``connections_per_host`` (16, and 64 of a store or a queue), ``connections`` (256),
            ``slot_wait`` (60 s), ``idle_connection`` (30 s), ``connection_life`` (300 s), ``connect`` (10 s),
            ``first_byte`` (30 s), ``stall_window`` (30 s), ``max_retry_after`` (60 s),
            ``ring_bytes`` (1 MiB, less for a smaller body), ``bulk``,
            ``retry_mode`` (standard, legacy; else ``AWS_RETRY_MODE``),
            ``max_attempts`` (else ``AWS_MAX_ATTEMPTS``, 3, and 5 of bodies), ``proxy`` (env, a URL, None),
            ``ca_bundle``, ``insecure_skip_verify``, ``guard`` (any, public, AddressPolicy),
            ``guard_via_proxy`` (leaves names to the proxy, which ``guard`` cannot see past), ``user_agent``.

    >>> with penstock.Client(first_byte="5s") as client:
    ...     client.statistics()["bytes_in"]
    0
    """

    def __init__(self, **options: Any) -> None:
        if unknown := options.keys() - _NAMES:
            raise TypeError(
                f"no such option: {', '.join(sorted(unknown))}; there are {', '.join(sorted(_NAMES))}"
            )
        self._options: dict[str, Any] | None = options
        plain: dict[str, Any] = {n: span(v) if n in _SPANS else v for n, v in options.items()}
        if "ring_bytes" in plain:
            plain["ring_bytes"] = size(plain["ring_bytes"])
        self._native = _core.Client(plain)

    @classmethod
    def default(cls) -> Client:
        """The process's own: what everything uses that is given none. Closing it refuses all of that work.

        >>> penstock.Client.default().statistics()["uploads_open"]
        0
        """
        made = cls.__new__(cls)
        made._options, made._native = None, _core.default_client()
        return made

    def statistics(self) -> dict[str, Any]:
        """Connections by host, retries by class, bytes, memory, uploads, as plain numbers."""
        return self._native.statistics()

    def drain(self, *, deadline: Span | None = "30s") -> None:
        """Wait for what goes on in the background: aborts, settling."""
        self._native.drain(call(deadline))

    def close(self) -> None:
        """Refuse new work, give pending aborts up to 10 s, join the thread."""
        self._native.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return (Client.default, ()) if self._options is None else (_remade, (self._options,))

    def __repr__(self) -> str:
        if self._options is None:
            return "Client.default()"
        return display.line("Client", **display.redacted(self._options))


class ClientLike(Protocol):
    """A Client, or its async twin."""

    @property
    def _native(self) -> _core.Client: ...


def native_client(client: ClientLike | None) -> _core.Client | None:
    """The core's client behind ours."""
    return None if client is None else client._native


def _remade(options: dict[str, Any]) -> Client:
    return Client(**options)
