"""The variables of the environment as bytes: decoding their names takes longer than finding that none matters."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def variables() -> Mapping[bytes, bytes] | None:
    """Return the variables as bytes, or None where `os.environ` is not Linux's, as in some tests."""
    found = getattr(os.environ, "_data", None)
    return found if type(found) is dict and sys.platform == "linux" else None
