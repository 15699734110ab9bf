"""The public names of the package: neither more nor fewer than `__all__` lists."""

from __future__ import annotations

import re
import types
from pathlib import Path

import pytest

import resilient_session
import resilient_session.testing

API = Path(__file__).parents[2] / "docs" / "reference" / "api.md"
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


@pytest.mark.skipif(not API.exists(), reason="there are no docs beside the installed package")
@pytest.mark.parametrize("name", resilient_session.__all__)
def test_page_of_the_api_has_every_name(name):
    assert re.search(rf"resilient_session\.{name}\b", API.read_text("utf-8"))
