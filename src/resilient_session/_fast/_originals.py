"""The functions of requests as they were: a short way is closed while one that it stands for is replaced."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

GENUINE = {"requests", "urllib3", "urllib", "http", "genericpath", "posixpath"}
"""Whose functions are genuine: one of another package was put there by a patch before we looked."""


class Originals:
    """Compares attributes of modules and classes with their values at the first look.

    Args:
        names: for each module or class, the names of two or more of its functions or classes.
    """

    def __init__(self, names: Mapping[object, str]) -> None:
        self.names = {owner: several.split() for owner, several in names.items()}
        getters = {owner: attrgetter(*several) for owner, several in self.names.items()}
        self._seen = [(get, owner, get(owner)) for owner, get in getters.items()]
        self._genuine = all(is_genuine(value) for *_, values in self._seen for value in values)

    def are_there(self) -> bool:
        """Return whether all are what they were, and requests' own."""
        for get, owner, values in self._seen:
            if get(owner) != values:
                return False
        return self._genuine


def is_genuine(value: object) -> bool:
    """Return whether a function or class was defined where its module says; a wrapper only copies that name."""
    module = str(getattr(value, "__module__", None))
    defined_in = getattr(value, "__globals__", {"__name__": module})["__name__"]
    return defined_in == module and module.partition(".")[0] in GENUINE
