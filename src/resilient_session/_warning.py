"""Warnings that point at the user's line, however deep in this package they arise."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_NOT_THE_USERS = frozenset({__name__.partition(".")[0], "requests", "contextlib"})


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning for the first caller that is neither this package nor `requests` nor `contextlib`."""
    frame = sys._getframe(1)  # noqa: SLF001 - documented, and as `warnings` does itself
    level = 2
    while frame.f_back is not None and _package_of(frame) in _NOT_THE_USERS:
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def _package_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]
