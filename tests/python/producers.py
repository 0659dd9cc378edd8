"""Bytes that an async program makes as it goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator


async def pieces(body: bytes, step: int) -> AsyncIterator[bytes]:
    """`body`, `step` bytes at a time; the loop runs in between."""
    for at in range(0, len(body), step):
        yield body[at : at + step]
        await asyncio.sleep(0)
