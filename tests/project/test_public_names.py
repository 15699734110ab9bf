"""The public names of the package: neither more nor fewer than `__all__` lists."""

from __future__ import annotations

import types

import pytest

import resilient_session
import resilient_session.testing

PACKAGES = [resilient_session, resilient_session.testing]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_list_of_names_is_sorted_and_each_is_there(package):
    assert package.__all__ == sorted(set(package.__all__))
    assert all(hasattr(package, name) for name in package.__all__)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_what_is_not_in_the_list_is_private(package):
    public = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "TYPE_CHECKING"
    }
    assert public <= set(package.__all__)
