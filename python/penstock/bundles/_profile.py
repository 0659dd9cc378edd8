"""Which of two ways a storage lays things out: as documented, or as the existing fetcher does today."""

from __future__ import annotations

import os
from typing import Literal, cast, get_args

from penstock.bundles.exceptions import ConfigurationError

Profile = Literal["doc", "fetcher"]

_VARIABLE = "OC_STORAGE_PROFILE"
_chosen: Profile | None = None


def checked(profile: str, where: str) -> Profile:
    """``profile``, if there is one of that name."""
    if profile not in get_args(Profile):
        raise ConfigurationError(f"{where} must be doc or fetcher, not {profile!r}", "profile")
    return cast("Profile", profile)


def choose(profile: Profile) -> None:
    """Set the process's profile. A second, different choice would change the layout under open storages."""
    global _chosen
    if _chosen not in (None, profile):
        raise ConfigurationError(f"the profile is {_chosen!r} already", "profile")
    _chosen = profile


def current() -> Profile:
    """That of the environment (``OC_STORAGE_PROFILE``), else the chosen one, else ``doc``.

    >>> penstock.bundles._profile.current()
    'doc'
    """
    if named := os.environ.get(_VARIABLE):
        return checked(named, _VARIABLE)
    return _chosen or "doc"
