"""Progress of a download: a function of the user, or a bar on a terminal."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from typing_extensions import Self

    Progress: TypeAlias = Callable[[int, int | None], object]
    """Called with the bytes so far, and those of the whole file; None if that is not known."""


def shown(progress: Progress | bool | None, name: str) -> AbstractContextManager[Progress]:  # noqa: FBT001
    """Return what is called with the progress; the context ends with the download.

    Args:
        progress: a function; True for a bar on standard error, if that is a terminal; False or None for nothing.
        name: what the bar is of.

    Raises:
        TypeError: `progress` is something else.
        ImportError: the bar needs the package ``tqdm``.
    """
    if progress is None or progress is False:
        return contextlib.nullcontext(_nothing)
    if progress is True:
        return _Bar(name)
    if not callable(progress):
        message = f"progress={progress!r}: must be a function of (done, total), True for a bar, or None"
        raise TypeError(message)
    return contextlib.nullcontext(progress)


def _nothing(_: int, __: int | None) -> None:
    """Show nothing."""


class _Bar:
    """A progress bar."""

    def __init__(self, name: str) -> None:
        try:
            from tqdm import tqdm  # noqa: PLC0415 - an extra
        except ImportError:
            message = "progress=True: needs tqdm; pip install 'resilient-session[progress]', or pass a function"
            raise ImportError(message) from None
        self._bar: Any = tqdm(desc=name, unit="B", unit_scale=True, disable=None, leave=True)

    def __call__(self, done: int, total: int | None) -> None:
        if self._bar.total is None and total is not None:
            self._bar.total = total
            self._bar.initial = done  # what came in an earlier run does not count for the speed
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
