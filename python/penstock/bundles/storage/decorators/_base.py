"""What decorators of storages have in common: everything they do not do is done by the storage underneath."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from penstock.bundles.storage._streams import NativeStream, open_stream
from penstock.bundles.storage._under_way import UnderWay

if TYPE_CHECKING:
    from penstock.bundles.storage._streams import Opening

_IDLE_TIMEOUT = 300.0


class StorageDecorator:
    """A storage over another. What it lacks is that one's: ``on_run_start``, records, queues."""

    base_storage: Any

    def __init__(self, base_storage: Any) -> None:
        self.base_storage = base_storage
        self._begin_empty()

    def _begin_empty(self) -> None:
        self._open: WeakKeyDictionary[DecoratedContext, asyncio.AbstractEventLoop] = WeakKeyDictionary()
        self._lock = threading.Lock()  # of what is open: bundles are started on any thread

    @property
    def _idle_timeout(self) -> float | None:
        """How long a stream may be silent: as the storage underneath says, if it does."""
        given = getattr(self.base_storage, "_idle_timeout", _IDLE_TIMEOUT)
        return given if given is None or isinstance(given, int | float) else _IDLE_TIMEOUT

    def open_bundle(self, bundle_id: str, metadata: dict[str, Any] | None = None) -> Opening:
        """As the storage's, and what is written passes this decorator."""
        made = getattr(self.base_storage, "_stream_type", None)
        if not isinstance(made, type) or not issubclass(made, NativeStream):
            made = NativeStream  # a mock has whatever it is asked for
        return open_stream(self, made, bundle_id, metadata or {})

    async def close_bundle(self, stream: Any) -> None:
        """The same as ``stream.close()``."""
        await stream.close()

    async def aclose(self) -> None:
        """As the storage's, which does not know what adds under way here wait for."""
        for context in self._own():
            await context._completes.ended()
            if context.state in ("open", "adding", "failed"):
                await context.abort("the storage was closed")
        close = getattr(self.base_storage, "aclose", None)
        if close is not None:
            await close()

    def _opened(self, context: Any) -> Any:
        """Remembers it, for as long as somebody holds it."""
        with self._lock:
            self._open[context] = asyncio.get_running_loop()
        return context

    def _own(self) -> list[DecoratedContext]:
        """The bundles of this loop that somebody holds."""
        running = asyncio.get_running_loop()
        with self._lock:
            return [context for context, of in self._open.items() if of is running]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_open", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin_empty()

    def __getattr__(self, name: str) -> Any:
        if name == "base_storage" or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)  # while it is made, copied or unpickled there is nothing underneath
        return getattr(self.base_storage, name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_storage!r})"


class DecoratedContext:
    """An open bundle over another."""

    base_context: Any

    def __init__(self, base_context: Any, decorator: Any) -> None:
        self.base_context = base_context
        self.decorator = decorator
        self._adds = UnderWay()
        self._completes = UnderWay()

    @property
    def state(self) -> str:
        """``open adding completing completed failed abandoned``."""
        below: str = getattr(self.base_context, "state", "open")
        return "adding" if self._adds and below == "open" else below

    async def abort(self, why: str = "") -> None:
        """As the storage's, if it can be aborted."""
        abort = getattr(self.base_context, "abort", None)
        if abort is not None:
            await abort(why)

    def __getattr__(self, name: str) -> Any:
        if name == "base_context" or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)
        return getattr(self.base_context, name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_context!r})"


async def open_group(base_context: Any) -> Any:
    """For what stays or goes together; None if the storage has no such thing. Not what a mock would say it has."""
    if getattr(type(base_context), "open_group", None) is None:
        return None
    return await base_context.open_group()
