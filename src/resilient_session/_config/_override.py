"""`override()`: other options for the calls that begin in a context."""

from __future__ import annotations

import functools
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast

from resilient_session._config._settings import validated
from resilient_session._config._signature import shows_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self, Unpack

    from resilient_session._config._options import Options

F = TypeVar("F", bound="Callable[..., Any]")

FIXED = frozenset({"pool_connections", "pool_maxsize", "pool_block", "share_tls", "clock", "store"})
"""The options that belong to an adapter, and not to a call."""


class override:  # noqa: N801 - reads as a statement
    """Give every call that begins in this context other options.

    Blocks nest: the nearest counts for each option. A call keeps the options with which it began, through redirects
    and re-sends for authentication. A `timeout=` that a call passes itself still wins. A context belongs to a
    thread or a task. ``asyncio.to_thread`` carries it, an executor needs ``contextvars.copy_context().run``. It is
    also a decorator, for functions and coroutine functions.

    Args:
        options: every option that a call reads: all but those of pools and TLS contexts, `clock` and `store`.

    Raises:
        TypeError: an option is unknown, cannot change for a call, or has the wrong type.
        ValueError: the value of an option is out of range.
    """

    @shows_options("self")
    def __init__(self, **options: Unpack[Options]) -> None:
        self._options = options
        self.values: Mapping[str, object] = {name: _checked(name, value) for name, value in options.items()}
        self._entered: list[Mapping[str, object]] = []

    def __enter__(self) -> Self:
        entry = {**self.values}  # each its own, to be found again
        self._entered.append(entry)
        _entries.set((*_entries.get(), entry))
        return self

    def __exit__(self, *_: object) -> None:
        entry = self._entered.pop()  # not simply the last of all: blocks of generators end in any order
        _entries.set(tuple(other for other in _entries.get() if other is not entry))

    def __call__(self, function: F) -> F:
        """Decorate a function, or a coroutine function."""
        import inspect  # noqa: PLC0415 - takes longer to import than this package

        options = self._options

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with override(**options):
                return function(*args, **kwargs)

        @functools.wraps(function)
        async def await_call(*args: Any, **kwargs: Any) -> Any:
            with override(**options):
                return await function(*args, **kwargs)

        return cast("F", await_call if inspect.iscoroutinefunction(function) else call)


_entries: ContextVar[tuple[Mapping[str, object], ...]] = ContextVar("resilient_session_overrides", default=())


def overrides() -> dict[str, Any]:
    """Return the options that the blocks around this code set; the nearest counts."""
    merged: dict[str, Any] = {}
    for entry in _entries.get():
        merged.update(entry)
    return merged


are_there = _entries.get
"""Returns something true if there may be overrides; cheaper than to merge them."""


def _checked(name: str, value: object) -> object:
    if name in FIXED:
        raise TypeError(f"{name}: cannot change for a call; set it when you make the session")
    return validated(name, value)
