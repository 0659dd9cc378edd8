"""The one contract, on every backing: memory, a folder, a class in Python, and the real S3 servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import penstock
import pytest
from penstock.testing import DictStore, StoreContract


class TestMemoryStore(StoreContract):
    def make_store(self) -> penstock.ObjectStore:
        return penstock.MemoryStore()


class TestFolderStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path

    def make_store(self) -> penstock.ObjectStore:
        return penstock.FolderStore(self.path)


class TestPythonStore(StoreContract):
    def make_store(self) -> Any:
        return DictStore()


class TestS3Store(StoreContract):
    @pytest.fixture(autouse=True)
    def _bucket(self, bucket: Any) -> None:
        self.options = bucket.options

    def make_store(self) -> penstock.ObjectStore:
        return penstock.S3Store(**self.options, prefix="under/")


class TestS3StoreOfAnUnknownProvider(TestS3Store):
    """Whether it honours conditions is not known, so they are refused."""

    conditional = False

    def make_store(self) -> penstock.ObjectStore:
        return penstock.S3Store(**self.options, provider="other")


class Forgetful(DictStore):
    """Loses every second byte: the contract must notice."""

    def publish(self, key: str, body: bytes, options: dict[str, Any]) -> Any:
        return super().publish(key, body[::2], options)


def test_the_contract_notices_a_store_that_loses_bytes() -> None:
    class Mine(StoreContract):
        def make_store(self) -> Any:
            return Forgetful()

    with pytest.raises(AssertionError):
        Mine().test_what_is_put_is_what_is_read()
