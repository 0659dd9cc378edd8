"""A second name for this package, under which code written for another one finds it.

A module has one object and two names: ``name.storage`` in ``sys.modules`` *is* ``penstock.bundles.storage``. Python
lets a loader put another object there while it loads, and that is all that happens. What this package has
not, the installed package ``name`` has; such a module also gets both names, because ``from name import fetcher``
looks for ``penstock.bundles.fetcher``: ``name`` is this package, and says so.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from threading import Lock
from typing import TYPE_CHECKING

from penstock.bundles import _profile
from penstock.bundles.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_OURS = "penstock.bundles"
_lock = Lock()


def alias(name: str, *, profile: str = "doc") -> None:
    """Let ``import name`` and ``import name.x`` give this package and its modules.

    Call it before anything of ``name`` is imported. Modules that are not here come from the installed package
    of that name, if there is one.

    Args:
        name: A top-level package, such as ``data_fetcher_core``.
        profile: ``doc``, or ``fetcher`` for keys, sidecars and zips as that package writes them. The environment
            (``OC_STORAGE_PROFILE``) decides before it.
    Raises:
        ConfigurationError: ``name.*`` is imported already, or a profile is chosen already and another.
    """
    chosen = _profile.checked(profile, "profile")
    if not name.isidentifier() or name == "penstock":
        raise ConfigurationError(f"{name!r} names no top-level package of another's", "alias")
    with _lock:
        if not any(isinstance(finder, _Finder) and finder.name == name for finder in sys.meta_path):
            _refuse_imported(name)
            _profile.choose(chosen)
            sys.meta_path.insert(0, _Finder(name))
        else:
            _profile.choose(chosen)


def _refuse_imported(name: str) -> None:
    for module in list(sys.modules):
        if module == name or module.startswith(name + "."):
            raise ConfigurationError(
                f"{module} is imported already: call penstock.bundles.alias({name!r}) before that", "alias"
            )


class _Finder(MetaPathFinder):
    """Stands first on ``sys.meta_path``, and answers for names below ``name`` and below this package."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of what ``fullname`` stands for; None for all that is not ours to say."""
        if fullname == self.name or fullname.startswith(self.name + "."):
            ours = _OURS + fullname[len(self.name) :]
            return ModuleSpec(fullname, _Same(ours)) if self._have(ours) else self._installed(fullname)
        if fullname.startswith(_OURS + ".") and not self._have(fullname):
            theirs = self.name + fullname[len(_OURS) :]
            return ModuleSpec(fullname, _Same(theirs)) if self._installed(theirs) else None
        return None

    def _have(self, ours: str) -> bool:
        """Whether this package has the module itself."""
        if ours == _OURS:
            return True
        parent = ours.rpartition(".")[0]
        if not self._have(parent):
            return False
        return self._elsewhere(ours, getattr(importlib.import_module(parent), "__path__", [])) is not None

    def _installed(self, fullname: str) -> ModuleSpec | None:
        """The spec in the installed package ``name``, whose parents are found, not imported."""
        parent = fullname.rpartition(".")[0]
        if not parent:
            return self._elsewhere(fullname, None)
        found = self._installed(parent)
        if found is None or found.submodule_search_locations is None:
            return None
        return self._elsewhere(fullname, found.submodule_search_locations)

    def _elsewhere(self, fullname: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """What the finders after the aliases say."""
        for finder in sys.meta_path:
            if isinstance(finder, _Finder):
                continue
            if spec := finder.find_spec(fullname, path):
                return spec
        return None


class _Same(Loader):
    """Loads a name by putting the module of another name there."""

    def __init__(self, other: str) -> None:
        self._other = other

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """A blank one, to be replaced."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """The import system takes what is in ``sys.modules`` afterwards."""
        sys.modules[module.__name__] = importlib.import_module(self._other)
