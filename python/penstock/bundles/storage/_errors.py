"""What the core raises, under the names of this package."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from penstock.bundles.exceptions import StorageError, storage_failure
from penstock.errors import Error

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def storing(storage_type: str, bid: object = None) -> Iterator[None]:
    """An error of the core is a StorageError as well, one of penstock's that a stream raised too; others stay."""
    try:
        yield
    except StorageError:
        raise
    except Error as error:
        raise storage_failure(error, storage_type, bid=bid) from error
