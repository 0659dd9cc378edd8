"""Bundles in a folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from penstock import _core
from penstock.bundles import _profile
from penstock.bundles._log import get_logger
from penstock.bundles._places import folder_name
from penstock.bundles.core.bundle_ref import core_fields
from penstock.bundles.storage._errors import storing
from penstock.bundles.storage._hooks import holders
from penstock.bundles.storage._native_storage import NativeStorage
from penstock.bundles.storage._resources import NativeBundle, started
from penstock.bundles.storage._streams import NativeStream

if TYPE_CHECKING:
    from pathlib import Path

    from penstock.bundles.core import BundleRef, FetcherRecipe
    from penstock.bundles.storage.bundle_storage_context import BundleStorageContext

logger = get_logger(__name__)

__all__ = ["FileStorage", "FileStorageBundle", "FileStorageBundleStream"]


class FileStorageBundle(NativeBundle):
    """A bundle under way in a folder.

    Args:
        output_dir: Where ``bundle_{bid}`` will appear.
        bundle_ref: The bundle.
    Attributes:
        bundle_dir: That folder.
    """

    _storage_type = "file"

    def __init__(self, output_dir: str | Path, bundle_ref: BundleRef) -> None:
        super().__init__()
        self.output_dir = output_dir
        self.bundle_ref = bundle_ref
        self.bundle_dir = os.path.join(output_dir, folder_name(str(bundle_ref.bid)))  # noqa: PTH118  (text, as given)

    def _safe_filename(self, url: str) -> str:
        """What a resource of this URL is called, if no other has that name."""
        return _core.resource_name(url)

    def _stored(self, location: str) -> None:
        """Paths are not kept."""

    async def _open(self) -> _core.Bundle:
        ref = core_fields(self.bundle_ref)
        bundle: _core.Bundle = await started(_core.FolderBundles(os.fspath(self.output_dir), {}), ref)
        return bundle


class FileStorageBundleStream(NativeStream):
    """A bundle of one resource in a folder.

    Attributes:
        file_path: Where the resource is once the bundle is completed; over a BundleResourcesDecorator its zip.
    """

    def __init__(self, context: BundleStorageContext, metadata: dict[str, Any]) -> None:
        super().__init__(context, metadata)
        name, folder = _core.resource_name(self._stored_url), folder_name(str(context.bundle_ref.bid))
        self.file_path = os.path.join(context.storage.output_dir, folder, name)  # noqa: PTH118


class FileStorage(NativeStorage):
    """Bundles in a folder: ``bundle_{bid}/`` appears whole or not at all.

    Args:
        output_dir: The folder.
        create_dirs: Make it if it is not there.
        kv_store: Where pending records are; None: that of the run, else below ``.penstock/``.
        pending: Whether a bundle is published if its pending record cannot be written: ``required`` no,
            ``best_effort`` yes, ``off`` there are none.
        strict: complete() is Refused if an add failed, or ``resources_count`` is not what is stored.
        abandoned: What is finished of a bundle that never completes: ``quarantine`` in ``incomplete_{bid}/`` for 7
            days, or ``discard``.
        legacy_repr: Sidecars and ``bundle.meta`` as Python prints a dict; None: by the profile.
        callback_errors: Of hooks: ``log``, or ``raise`` the first once all were called and the queue was told; the
            pending record then stays until complete() is called again.
        publish_errors: ``raise``, or ``defer`` to recovery.
        idle_timeout: A stream silent for so long is Lost.
        recovery_deadline: Of all that on_run_start() does; what it does not come to waits for the next run.
    Memory:
        1 MiB an add under way, 16 bytes a resource.

    >>> import asyncio, tempfile
    >>> from penstock.bundles import BundleRef, FetcherRecipe
    >>> async def pages():
    ...     yield b"hello "
    ...     yield b"world"
    >>> async def run(folder):
    ...     storage = penstock.bundles.storage.FileStorage(folder)
    ...     ref = BundleRef("https://example.org/", 1)
    ...     bundle = await storage.start_bundle(ref, FetcherRecipe())
    ...     await bundle.add_resource("https://example.org/a.txt", "text/plain", 200, pages())
    ...     await bundle.complete({"source": "example"})
    ...     return ref.receipt.bytes
    >>> asyncio.run(run(tempfile.mkdtemp()))
    11
    """

    _storage_type: ClassVar[str] = "file"
    _stream_type = FileStorageBundleStream

    def __init__(
        self,
        output_dir: str | Path,
        create_dirs: bool = True,
        *,
        abandoned: Literal["quarantine", "discard"] = "quarantine",
        legacy_repr: bool | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.output_dir = output_dir
        self.create_dirs = create_dirs
        self._abandoned = abandoned
        self._legacy_repr = _profile.current() == "fetcher" if legacy_repr is None else legacy_repr
        self._core_storage: _core.FolderBundles | None = None
        with storing(self._storage_type):
            self._native()

    def _native(self) -> _core.FolderBundles:
        if self.__dict__.get("_core_storage") is None:
            self._core_storage = _core.FolderBundles(
                os.fspath(self.output_dir),
                {
                    "create": self.create_dirs,
                    "abandoned": self._abandoned,
                    "legacy_repr": self._legacy_repr,
                    "strict": self._strict,
                    "pending": self._pending_policy,
                    "pending_without_callbacks": True,  # the steps are ours, and so is the choice
                },
            )
        assert self._core_storage is not None
        return self._core_storage

    def _make_bundle(self, bundle_ref: BundleRef) -> Any:
        return FileStorageBundle(self.output_dir, bundle_ref)

    def _writes_record(self, recipe: FetcherRecipe) -> bool:
        return bool(holders(recipe))

    def _check_message(self, bundle_ref: BundleRef, metadata: dict[str, Any], recipe: FetcherRecipe) -> None:
        """A folder sends none."""

    def __repr__(self) -> str:
        return f"FileStorage({os.fspath(self.output_dir)!r})"
