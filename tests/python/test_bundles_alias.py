"""A second name for penstock.bundles: one module object, two names.

Each claim runs in a process of its own: an alias is for the life of a process.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from penstock.bundles.core import BID

# An installed package as it is found on a path: what penstock.bundles has too, and what it has not.
INSTALLED = {
    "__init__.py": "raise AssertionError('the installed root was imported')",
    "core.py": "raise AssertionError('the installed core was imported')",
    "fetcher.py": """
        from data_fetcher_core.core import BundleRef
        from .exceptions import StorageError
        from . import queue

        class Fetcher:
            made = BundleRef
            raises = StorageError
    """,
    "queue/__init__.py": "from .base import Queue",
    "queue/base.py": "class Queue: pass",
    "storage/__init__.py": "raise AssertionError('the installed storage was imported')",
    "storage/lineage.py": "from .protocol import Storage\nfrom .builder import StorageBuilder",
    "kv_store/__init__.py": "",
    "kv_store/manager.py": "class Manager: pass",
}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    for name, text in INSTALLED.items():
        file = tmp_path / "data_fetcher_core" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    return tmp_path


def run(path: Path, code: str, **environment: str) -> None:
    """Runs `code` where the fake package is installed, after the alias unless it makes its own."""
    before = (
        "" if "alias(" in code else "import penstock.bundles; penstock.bundles.alias('data_fetcher_core')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", before + textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": str(path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_module_is_the_same_object_under_both_names(installed: Path) -> None:
    run(
        installed,
        """
        import sys
        import data_fetcher_core, data_fetcher_core.core as core
        import data_fetcher_core.storage.builder
        import penstock.bundles.storage.builder as ours
        from data_fetcher_core.utils.retry import RetryEngine
        from data_fetcher_core import exceptions
        assert data_fetcher_core is penstock.bundles
        assert core is penstock.bundles.core
        assert data_fetcher_core.storage.builder is ours is sys.modules["data_fetcher_core.storage.builder"]
        assert RetryEngine is penstock.bundles.utils.retry.RetryEngine
        assert exceptions is penstock.bundles.exceptions
        """,
    )


def test_the_module_keeps_its_own_name_and_spec(installed: Path) -> None:
    run(
        installed,
        """
        import importlib
        import data_fetcher_core.core.bid as bid
        assert bid.__name__ == bid.__spec__.name == "penstock.bundles.core.bid"
        assert bid.__package__ == bid.__spec__.parent == "penstock.bundles.core"
        assert importlib.reload(bid) is bid
        """,
    )


def test_it_does_not_need_an_installed_package(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
        import data_fetcher_core.core
        for name in ("fetcher", "storage.lineage", "fetcher.deeper"):
            try:
                __import__("data_fetcher_core." + name)
            except ModuleNotFoundError as error:
                assert error.name in ("data_fetcher_core." + name, "data_fetcher_core.fetcher"), error.name
            else:
                raise AssertionError(name)
        """,
    )


def test_modules_that_are_not_here_come_from_the_installed_package(installed: Path) -> None:
    run(
        installed,
        """
        import data_fetcher_core.fetcher as fetcher, data_fetcher_core.storage.lineage as lineage
        import data_fetcher_core.kv_store.manager as manager
        from data_fetcher_core.queue.base import Queue
        from penstock.bundles.core import BundleRef
        from penstock.bundles.exceptions import StorageError
        assert fetcher.Fetcher.made is BundleRef and fetcher.Fetcher.raises is StorageError
        assert lineage.StorageBuilder is penstock.bundles.storage.builder.StorageBuilder
        assert fetcher.queue.Queue is Queue
        for module in (fetcher, lineage, manager):
            assert module.__name__.startswith("data_fetcher_core."), module.__name__
            assert "site-packages" not in module.__file__, module.__file__
        """,
    )


@pytest.mark.parametrize("name", ["fetcher", "queue", "storage.lineage", "kv_store.manager"])
def test_such_a_module_is_found_by_from_import_and_has_both_names(installed: Path, name: str) -> None:
    parent, _, last = f"data_fetcher_core.{name}".rpartition(".")
    run(
        installed,
        f"""
        import sys
        from {parent} import {last} as found
        assert found is sys.modules["data_fetcher_core.{name}"]
        import penstock.bundles.{name}
        assert found is sys.modules["penstock.bundles.{name}"]
        """,
    )


def test_patches_agree_under_both_names(installed: Path) -> None:
    run(
        installed,
        """
        from unittest import mock
        import penstock.bundles.storage.builder as builder, penstock.bundles.storage as storage
        with mock.patch("data_fetcher_core.storage.builder.SqsPublisher") as fake:
            assert builder.SqsPublisher is fake
        with mock.patch("data_fetcher_core.storage.FileStorage", create=True) as fake:
            from data_fetcher_core.storage.builder import StorageBuilder
            assert StorageBuilder().file_storage("out").build() is fake.return_value
            fake.assert_called_once_with("out")
        with mock.patch("penstock.bundles.core.BID.generate"):
            import data_fetcher_core.core
            assert data_fetcher_core.core.BID.generate() is penstock.bundles.core.BID.generate.return_value
        with mock.patch("data_fetcher_core.fetcher.Fetcher") as fake:
            import data_fetcher_core.fetcher
            assert data_fetcher_core.fetcher.Fetcher is fake
        """,
    )


def test_classes_pickle_under_both_names(installed: Path) -> None:
    ours = pickle.dumps(BID("test-1"), 0)
    assert b"penstock.bundles.core.bid" in ours
    # As the installed package's own classes were pickled.
    theirs = ours.replace(b"penstock.bundles.core.bid", b"data_fetcher_core.core")
    run(
        installed,
        f"""
        import pickle
        from data_fetcher_core.core import BID, BundleRef
        for data in ({ours!r}, {theirs!r}):
            assert pickle.loads(data) == BID("test-1")
        ref = BundleRef("u", 1)
        assert pickle.loads(pickle.dumps(ref)) == ref
        """,
    )


def test_another_package_and_another_module_are_left_alone(installed: Path) -> None:
    (installed / "data_fetcher_core_extra.py").write_text("here = True")
    run(
        installed,
        """
        import data_fetcher_core_extra
        assert data_fetcher_core_extra.here
        import penstock.codecs
        """,
    )


@pytest.mark.parametrize("imported", ["data_fetcher_core.queue", "data_fetcher_core"])
def test_it_comes_too_late_once_anything_was_imported(installed: Path, imported: str) -> None:
    (installed / "data_fetcher_core/__init__.py").write_text("")
    run(
        installed,
        f"""
        import sys
        import {imported}
        import penstock.bundles
        from penstock.bundles.exceptions import ConfigurationError
        before = list(sys.meta_path)
        try:
            penstock.bundles.alias("data_fetcher_core")
        except ConfigurationError as error:
            assert "data_fetcher_core is imported already" in str(error), error
            assert error.component == "alias"
        else:
            raise AssertionError
        assert sys.meta_path == before
        """,
    )


def test_it_may_be_said_twice_but_not_otherwise(installed: Path) -> None:
    run(
        installed,
        """
        import sys
        from penstock.bundles import alias
        from penstock.bundles.exceptions import ConfigurationError
        alias("data_fetcher_core", profile="fetcher")
        import data_fetcher_core.core
        finders = list(sys.meta_path)
        alias("data_fetcher_core", profile="fetcher")
        assert sys.meta_path == finders
        for name in ("data_fetcher_core", "another"):
            try:
                alias(name)
            except ConfigurationError as error:
                assert str(error) == "the profile is 'fetcher' already", error
            else:
                raise AssertionError
        """,
    )


def test_the_finder_stands_first(installed: Path) -> None:
    run(installed, "import sys; assert type(sys.meta_path[0]).__module__ == 'penstock.bundles._alias'")


def test_the_profile_is_that_of_the_environment_then_the_alias_then_doc(installed: Path) -> None:
    show = "from penstock.bundles import _profile; assert _profile.current() == {!r}, _profile.current()"
    chosen = "from penstock.bundles import alias; alias('data_fetcher_core', profile='fetcher')\n"
    run(installed, show.format("doc"))
    run(installed, show.format("fetcher"), OC_STORAGE_PROFILE="fetcher")
    run(installed, chosen + show.format("fetcher"))
    run(installed, chosen + show.format("doc"), OC_STORAGE_PROFILE="doc")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("alias('a.b')", "'a.b' names no top-level package of another's"),
        ("alias('penstock')", "'penstock' names no top-level package of another's"),
        ("alias('x', profile='old')", "profile must be doc or fetcher, not 'old'"),
        ("alias('x'); _profile.current()", "OC_STORAGE_PROFILE must be doc or fetcher, not 'new'"),
    ],
)
def test_what_it_cannot_be_is_refused(tmp_path: Path, call: str, message: str) -> None:
    run(
        tmp_path,
        f"""
        from penstock.bundles import _profile, alias
        from penstock.bundles.exceptions import ConfigurationError
        try:
            {call}
        except ConfigurationError as error:
            assert str(error) == {message!r}, error
        else:
            raise AssertionError
        """,
        OC_STORAGE_PROFILE="new",
    )
