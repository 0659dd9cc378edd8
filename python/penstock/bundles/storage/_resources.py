"""What ``_active_bundles`` holds: a bundle of the core behind the names that existing code calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from penstock import _core
from penstock.aio._jobs import answered, loop
from penstock.bundles.core.bundle_ref import core_fields
from penstock.bundles.storage import _streams
from penstock.bundles.storage._completion import begin, commit, failed
from penstock.bundles.storage._errors import storing
from penstock.streams import call

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from penstock.bundles.core import BundleRef


class NativeBundle(ABC):
    """Resources are written to it in parallel; close() makes all of them visible."""

    _storage_type: ClassVar[str]
    bundle_ref: BundleRef

    def __init__(self) -> None:
        self._native: _core.Bundle | None = None
        self._idle_timeout: float | None = 300.0

    def _attach(self, native: _core.Bundle, idle_timeout: float | None) -> None:
        """The storage has started it."""
        self._native = native
        self._idle_timeout = idle_timeout

    @abstractmethod
    async def _open(self) -> _core.Bundle:
        """Without a storage it starts itself."""

    async def _started(self) -> _core.Bundle:
        if self._native is None:
            with storing(self._storage_type, self.bundle_ref.bid):
                self._native = await self._open()
        return self._native

    async def write_resource(
        self, url: str, content_type: str | None, status_code: int, stream: AsyncIterable[bytes]
    ) -> None:
        """All of ``stream``, under a name made of ``url``; nothing of it if that fails."""
        resource = {"url": url, "content_type": content_type, "status_code": status_code}
        native = await self._started()
        _, location, _, _ = await _streams.add_or_nothing(
            native, resource, stream, self._storage_type, self._idle_timeout
        )
        self._stored(location)

    @abstractmethod
    def _stored(self, location: str) -> None:
        """One more is there."""

    async def close(self) -> None:
        """Make it visible. Without a storage that is all; with one it is a step of completing."""
        native = await self._started()
        with storing(self._storage_type, self.bundle_ref.bid):
            if native.state in ("completing", "completed"):
                await _publish(native)
            elif await begin(native):
                try:
                    native.restate(core_fields(self.bundle_ref))
                    on = call()
                    await answered(native.seal("{}", on, loop()), on.stop)
                    await _publish(native)
                except BaseException as error:
                    await failed(native, error)
                    raise
                native.completed()


async def _publish(native: _core.Bundle) -> None:
    await commit(native)
    await answered(native.clean_up(call(), loop()))


def started(storage: _core.FolderBundles | _core.ObjectBundles, ref: dict[str, Any]) -> Any:
    """A bundle of no recipe."""
    return storage.start(ref, "default", [], call(), loop())
