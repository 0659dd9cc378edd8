"""A storage of somebody else's, for decorators to stand on."""

from __future__ import annotations

from typing import Any

from bundle_places import chunks, recipe, ref


class Foreign:
    """Somebody else's storage: the least that is asked of one."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.added: list[tuple[str, str | None, int, bytes]] = []
        self.completed: list[dict[str, Any]] = []
        self.failure = failure
        self.marker = "of the base"

    async def start_bundle(self, bundle_ref: Any, recipe: Any) -> ForeignContext:
        return ForeignContext(self)

    def bodies(self) -> dict[str, bytes]:
        return {url: body for url, _, _, body in self.added}


class ForeignContext:
    def __init__(self, to: Foreign) -> None:
        self._to = to
        self.note = "of the base's context"

    async def add_resource(self, url: str, content_type: str | None, status_code: int, stream: Any) -> None:
        if self._to.failure is not None:
            raise self._to.failure
        body = b"".join([chunk async for chunk in stream])
        self._to.added.append((url, content_type, status_code, body))

    async def complete(self, metadata: dict[str, Any]) -> None:
        self._to.completed.append(metadata)


async def added(
    storage: Any, body: bytes, url: str, content_type: str | None = None, status_code: int = 200
) -> Any:
    context = await storage.start_bundle(ref(), recipe())
    await context.add_resource(url, content_type, status_code, chunks(body[:7], body[7:]))
    await context.complete({})
    return context
