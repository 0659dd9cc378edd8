"""Storages over storages: archives unpacked, all resources in one zip.

>>> from penstock.bundles.storage import FileStorage, create_storage_stack
>>> import tempfile
>>> create_storage_stack(FileStorage(tempfile.mkdtemp()), unzip_resources=True)  # doctest: +ELLIPSIS
UnzipResourceDecorator(FileStorage(...))
"""

from __future__ import annotations

from typing import Any

from penstock.bundles.storage.decorators.bundle_resources import BundleResourcesDecorator
from penstock.bundles.storage.decorators.unzip_resource import (
    UnzipResourceBundleStorageContext,
    UnzipResourceDecorator,
)

__all__ = [
    "BundleResourcesDecorator",
    "UnzipResourceBundleStorageContext",
    "UnzipResourceDecorator",
    "create_storage_stack",
]

_OF_UNPACKING = frozenset({"keep_zip", "ignore_trailing", "limits"})
_OF_THE_ZIP = frozenset({"spool_dir"})


def create_storage_stack(
    base_storage: Any, *, unzip_resources: bool = False, bundle_resources: bool = False, **options: Any
) -> Any:
    """``base_storage`` with decorators over it: what is unpacked goes into the zip.

    Args:
        base_storage: Ours, or any object with ``start_bundle``.
        unzip_resources: Unpack archives and what is compressed.
        bundle_resources: Put all resources into one ``bundle.zip``.
        options: Those of the decorators: ``keep_zip ignore_trailing limits``, ``spool_dir``; one of a decorator
            that is not wanted has no effect.
    """
    from penstock.bundles import storage as there  # its names can be replaced

    if unknown := options.keys() - _OF_UNPACKING - _OF_THE_ZIP:
        raise TypeError(f"no decorator has the option {sorted(unknown)[0]!r}")
    storage = base_storage
    if bundle_resources:
        given = {name: options[name] for name in _OF_THE_ZIP & options.keys()}
        storage = there.BundleResourcesDecorator(storage, **given)
    if unzip_resources:
        given = {name: options[name] for name in _OF_UNPACKING & options.keys()}
        storage = there.UnzipResourceDecorator(storage, **given)
    return storage
