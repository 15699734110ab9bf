"""`install()`: every session that is made from now on is resilient, also those that third-party clients make.

`Session.__init__` is patched, and wraps a new session at once. Whoever made it may then mount adapters of their
own, so it is wrapped once more when it picks an adapter for the first time. Sessions that were made before are not
touched, nor is anything while nothing is installed.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

import requests

from resilient_session._config._settings import Settings
from resilient_session._config._signature import shows_options
from resilient_session._session import WrapsAgain, wrap

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from resilient_session._config._options import Options

_lock = threading.RLock()
_installed: list[Installation] = []
_patches: list[tuple[Any, Any]] = []
"""What stood in the place of `Session.__init__`, and what was put there; empty or one."""


class Installation:
    """What `install()` did. As a context manager it undoes that at the end of the block.

    Args:
        options: the options of every session that is made while this is the latest one.
    """

    def __init__(self, options: Options) -> None:
        self._options = options

    @property
    def options(self) -> Options:
        """The options of every session that is made while this is the latest one."""
        return self._options

    def undo(self) -> None:
        """Undo this installation, whichever came after it; to do it twice changes nothing."""
        with _lock:
            if self in _installed:
                _installed.remove(self)
            if not _installed:
                _restore()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()


@shows_options()
def install(**options: Unpack[Options]) -> Installation:
    """Make every session resilient that is made afterwards in this process.

    That includes those of ``requests.get()`` and its siblings, and those inside third-party clients. Installations
    nest: the latest one rules.

    Args:
        options: as `resilient_session` takes them.

    Returns:
        A context manager whose end undoes this installation, and whose `undo()` does, too.

    Raises:
        TypeError: an option is unknown, given twice, or of the wrong type.
        ValueError: the value of an option or a variable is out of range.
    """
    Settings.of(options)
    installation = Installation(options)
    with _lock:
        _installed.append(installation)
        _patch()
    return installation


def uninstall() -> None:
    """Undo the latest installation; without one this does nothing. Sessions that were made keep what they have."""
    with _lock:
        if _installed:
            _installed[-1].undo()


def _patch() -> None:
    if not _patches:
        original = requests.Session.__init__

        @functools.wraps(original)
        def __init__(self: requests.Session, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it takes its place
            original(self, *args, **kwargs)
            options = _latest()
            if options is not None:
                wrap(self, options, keep_pools=False)
                WrapsAgain.when_used(self, options)

        _patches.append((original, __init__))
        requests.Session.__init__ = __init__  # type: ignore[method-assign]


def _restore() -> None:
    """Put back what was patched; if somebody has patched over it since, it stays, and does nothing."""
    if _patches and requests.Session.__init__ is _patches[0][1]:
        requests.Session.__init__ = _patches.pop()[0]  # type: ignore[method-assign]


def _latest() -> Options | None:
    """Return the options that rule; without the lock, which a forked child may never get."""
    latest = _installed[-1:]
    return latest[0].options if latest else None
