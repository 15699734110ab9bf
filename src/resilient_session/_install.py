"""`install()`: make every new session of the process resilient, third-party clients' included.

It patches `Session.__init__` to wrap each new session at once. The code that created the session may then mount its
own adapters, so the first request wraps the session again. Existing sessions are unchanged, and without an
installation nothing is patched.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

import requests

from resilient_session._config._settings import Settings
from resilient_session._config._signature import shows_options
from resilient_session._session import WrapOnFirstUse, wrap

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from resilient_session._config._options import Options

_lock = threading.RLock()
_installed: list[Installation] = []
_patches: list[tuple[Any, Any]] = []
"""The original `Session.__init__` and our replacement; at most one pair."""


class Installation:
    """Represents one call of `install()`; as a context manager, undoes it at the end of the block.

    Args:
        options: the options of sessions created while this is the latest installation.
    """

    def __init__(self, options: Options) -> None:
        self._options = options

    @property
    def options(self) -> Options:
        """The options of sessions created while this is the latest installation."""
        return self._options

    def undo(self) -> None:
        """Undo this installation, even if it is not the latest; a second call has no effect."""
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
    """Make every session created from now on in this process resilient.

    This includes the sessions of ``requests.get()`` and the other functions, and those inside third-party clients.
    Installations nest: the options of the latest one apply.

    Args:
        options: the same as for `resilient_session`.

    Returns:
        The installation. Call its `undo()`, or use it as a context manager, to undo it.

    Raises:
        TypeError: an option is unknown, has the wrong type, or is set together with `max_retries`, which replaces
            it.
        ValueError: the value of an option or a variable is out of range.
    """
    Settings.of(options)
    installation = Installation(options)
    with _lock:
        _installed.append(installation)
        _patch()
    return installation


def uninstall() -> None:
    """Undo the latest installation, if any; sessions created during it stay resilient."""
    with _lock:
        if _installed:
            _installed[-1].undo()


def _patch() -> None:
    if not _patches:
        original = requests.Session.__init__

        @functools.wraps(original)
        def __init__(self: requests.Session, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it replaces `Session.__init__`
            original(self, *args, **kwargs)
            options = _latest()
            if options is not None:
                wrap(self, options, keep_pools=False)
                WrapOnFirstUse.install_on(self, options)

        _patches.append((original, __init__))
        requests.Session.__init__ = __init__  # type: ignore[method-assign]


def _restore() -> None:
    """Restore `Session.__init__`; if other code patched it after us, ours stays below that and has no effect."""
    if _patches and requests.Session.__init__ is _patches[0][1]:
        requests.Session.__init__ = _patches.pop()[0]  # type: ignore[method-assign]


def _latest() -> Options | None:
    """Return the options that apply now; without the lock, which may be held forever in a forked child."""
    latest = _installed[-1:]
    return latest[0].options if latest else None
