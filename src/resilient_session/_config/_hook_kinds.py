"""The kinds of options that hold the user's own code: functions, observers, a logger."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from types import MethodType
from typing import Any

from resilient_session._config._kinds import Flag


class Hook:
    """A callable.

    Args:
        shape: its parameters and result, for messages.
        count: how many arguments it is called with.
    """

    def __init__(self, shape: str, count: int = 1) -> None:
        self.accepted = f"a callable {shape}"
        self._count = count

    def validate(self, value: object) -> object:
        if not callable(value) or isinstance(value, type) or not _takes(value, self._count):
            raise TypeError
        return value


class FlagOrHook(Flag):
    """A boolean, or a callable that replaces the built-in behaviour."""

    def __init__(self, shape: str) -> None:
        self.accepted = f"True, False or a callable {shape}"
        self._hook = Hook(shape)

    def validate(self, value: object) -> object:  # type: ignore[override]
        return super().validate(value) if isinstance(value, bool) else self._hook.validate(value)


class Observers:
    """A collection of observers."""

    accepted = "a collection of objects with on_event(event)"

    def validate(self, value: object) -> tuple[object, ...]:
        if not isinstance(value, Iterable) or isinstance(value, (str, bytes)):
            raise TypeError
        observers = tuple(value)
        if not all(_observes(observer) for observer in observers):
            raise TypeError
        return observers


class LoggerName:
    """A logger or a logger name."""

    accepted = "a logger of logging or structlog, a logger name"
    accepted_text = "a logger name"

    def validate(self, value: object) -> object:
        if isinstance(value, str):
            if not value:
                raise ValueError
        elif not isinstance(value, (logging.Logger, logging.LoggerAdapter)) and not _is_logger(value):
            raise TypeError
        return value

    def parse(self, text: str) -> str:
        return text


_LOGS = ("info", "warning", "exception")


def _is_logger(value: object) -> bool:
    """Whether a value is a logger of structlog or a similar one."""
    return not isinstance(value, type) and all(callable(getattr(value, name, None)) for name in _LOGS)


def _observes(observer: Any) -> bool:
    return (
        not isinstance(observer, type)
        and callable(getattr(observer, "on_event", None))
        and _takes(observer.on_event, 1)
        and _takes(getattr(observer, "before_attempt", _no_hook), 2)
    )


def _no_hook(_request: object, _number: int) -> None:
    """Stand for the method that an observer need not have."""


def _takes(function: Any, count: int) -> bool:
    """Whether a callable accepts a number of positional arguments; one that does not say is given the benefit."""
    code = getattr(function, "__code__", None)
    if code is not None and not hasattr(function, "__wrapped__") and not code.co_flags & _VARIABLE:
        most = code.co_argcount - isinstance(function, MethodType)
        least = most - len(function.__defaults__ or ())
        return bool(least <= count <= most) and code.co_kwonlyargcount == len(function.__kwdefaults__ or ())
    import inspect  # noqa: PLC0415 - takes longer to import than this package, and functions need it seldom

    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature
        pass
    return True


_VARIABLE = 0x0C
"""The flags of code that takes ``*args`` or ``**kwargs``."""
