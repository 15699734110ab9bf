"""The kinds of values that options take: which values fit, and how one is written in an environment variable.

`fit` answers the value in its normal form, or raises `TypeError` or `ValueError` without a text: the option
that the value was meant for says what is wrong. `form` says what would do.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import urllib3

from resilient_session._time import LONGEST, Clock, Timeouts

_METHOD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_STATUSES = range(100, 1000)


class Kind(Protocol):
    """What an option needs to know of its values."""

    @property
    def form(self) -> str:
        """What would do, as the end of a sentence that begins with "give"."""
        ...

    def fit(self, value: object) -> object:
        """Return the normal form of a value; raise TypeError or ValueError if it is none of this kind."""
        ...


@runtime_checkable
class Textual(Kind, Protocol):
    """A kind whose values a variable can hold, too."""

    @property
    def written(self) -> str:
        """What would do in a variable, as the end of a sentence that begins with "give"."""
        ...

    def read(self, text: str) -> object:
        """Return the value that a text stands for; raise ValueError if it stands for none."""
        ...


class Nullable:
    """Another kind, or None."""

    def __init__(self, kind: Kind, null: str) -> None:
        self._kind = kind
        self.form = f"{kind.form}, or None: {null}"

    def fit(self, value: object) -> object:
        return None if value is None else self._kind.fit(value)


class NullableText(Nullable):
    """Another kind, or None, which a variable writes as a word."""

    def __init__(self, kind: Textual, null: str, word: str = "none") -> None:
        super().__init__(kind, null)
        self.written = f"{kind.written}, or {word}"
        self._text = kind
        self._word = word

    def read(self, text: str) -> object:
        return None if text.lower() == self._word else self._text.read(text)


class Count:
    """A whole number of things."""

    def __init__(self, least: int = 0) -> None:
        self._least = least
        self.form = self.written = f"a whole number, {least} or more"

    def fit(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError
        if value < self._least:
            raise ValueError
        return int(value)

    def read(self, text: str) -> int:
        return self.fit(int(text))


class Seconds:
    """A length of time."""

    def __init__(self, *, above_zero: bool = False) -> None:
        self._above_zero = above_zero
        self.form = self.written = "seconds above 0" if above_zero else "seconds, 0 or more"

    def fit(self, value: object) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise TypeError
        if not 0 <= value <= LONGEST or (self._above_zero and value == 0):
            raise ValueError
        return value

    def read(self, text: str) -> float:
        return self.fit(float(text))


class Flag:
    """A switch."""

    form = "True or False"
    written = "true or false, yes or no, on or off, 1 or 0"

    def fit(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise TypeError
        return value

    def read(self, text: str) -> bool:
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError
        return text.lower() in _TRUE


class Statuses:
    """A set of HTTP status codes."""

    form = "a collection of whole numbers from 100 to 999"
    written = "whole numbers from 100 to 999, separated by commas"

    def fit(self, value: object) -> frozenset[int]:
        if not isinstance(value, Iterable) or isinstance(value, (str, bytes)):
            raise TypeError
        statuses = list(value)
        if not all(isinstance(status, int) and not isinstance(status, bool) for status in statuses):
            raise TypeError
        if not all(status in _STATUSES for status in statuses):
            raise ValueError
        return frozenset(int(status) for status in statuses)

    def read(self, text: str) -> frozenset[int]:
        return self.fit([int(part) for part in text.split(",")])


class Methods:
    """A set of HTTP methods, kept in upper case."""

    written = "HTTP methods, separated by commas"
    form = 'a collection of HTTP methods such as ["GET", "PUT"], in any case ([] for none)'

    def fit(self, value: object) -> frozenset[str]:
        if not isinstance(value, Iterable) or isinstance(value, (str, bytes)):
            raise TypeError
        methods = list(value)
        if not all(isinstance(method, str) for method in methods):
            raise TypeError
        if not all(re.fullmatch(_METHOD, method) for method in methods):
            raise ValueError
        return frozenset(method.upper() for method in methods)

    def read(self, text: str) -> frozenset[str]:
        if text.lower() == "none":  # in other variables None, here all or nothing for all anybody knows
            raise ValueError
        return self.fit([part.strip() for part in text.split(",")])


class TimeoutPair:
    """The connect and the read timeout."""

    form = "seconds above 0, or a pair (connect, read) of them, where None is no limit"
    written = "seconds above 0, or two of them, connect,read, where none is no limit"

    def fit(self, value: object) -> Timeouts:
        if isinstance(value, (str, bytes, bool)):
            raise TypeError
        return Timeouts.of(tuple(value) if isinstance(value, list) else value)  # type: ignore[arg-type]

    def read(self, text: str) -> Timeouts:
        parts = [None if part.strip().lower() == "none" else float(part) for part in text.split(",")]
        return self.fit(tuple(parts) if len(parts) > 1 else parts[0])


class LoggerName:
    """A logger, by itself or by its name."""

    form = "a logger or the name of one"
    written = "the name of a logger"

    def fit(self, value: object) -> object:
        if not isinstance(value, (str, logging.Logger, logging.LoggerAdapter)):
            raise TypeError
        if not value:
            raise ValueError
        return value

    def read(self, text: str) -> str:
        return text


class Hook:
    """A callable."""

    def __init__(self, shape: str) -> None:
        self.form = f"a callable {shape}"

    def fit(self, value: object) -> object:
        if not callable(value) or isinstance(value, type):
            raise TypeError
        return value


class ClockLike:
    """Something that tells the time and waits."""

    form = "an object with now() and sleep(seconds)"

    def fit(self, value: object) -> Clock:
        if not isinstance(value, Clock) or isinstance(value, type):
            raise TypeError
        return value


class Retries:
    """urllib3's way of saying what to retry."""

    form = "a urllib3.Retry, or a whole number, 0 or more, which is the same as `total`"

    def fit(self, value: object) -> urllib3.Retry | int:
        return value if isinstance(value, urllib3.Retry) else Count().fit(value)


class FlagOrHook(Flag):
    """A switch, or a callable that does the work itself."""

    def __init__(self, shape: str) -> None:
        self.form = f"True, False or a callable {shape}"

    def fit(self, value: object) -> object:  # type: ignore[override]
        return value if callable(value) and not isinstance(value, type) else super().fit(value)
