"""What ``async with`` does with whatever has an aclose()."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class Closing(ABC):
    """However the block is left, it is closed."""

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of what is underneath. Safe to repeat."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
