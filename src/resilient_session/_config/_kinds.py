"""The kinds of option values: validation, and parsing from an environment variable.

`validate` returns the normalized value. It raises `TypeError` or `ValueError` without a message; the caller, which
knows the option's name, writes the message with `accepted`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import urllib3

from resilient_session._time import LONGEST, Clock, Timeouts, in_seconds

if TYPE_CHECKING:
    from typing import Protocol

    class Kind(Protocol):
        """Validate the values of an option."""

        @property
        def accepted(self) -> str:
            """The accepted values, as the end of a sentence that begins with "must be"."""
            ...

        def validate(self, value: object) -> object:
            """Return the normalized value; raise TypeError or ValueError if it is not accepted."""
            ...

    class Textual(Kind, Protocol):
        """Also parse values from the text of an environment variable."""

        @property
        def accepted_text(self) -> str:
            """The accepted text, as the end of a sentence that begins with "must be"."""
            ...

        def parse(self, text: str) -> object:
            """Return the value of a text; raise ValueError if it is not accepted."""
            ...


_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_STATUSES = range(100, 1000)


class Nullable:
    """Accept another kind, or None."""

    def __init__(self, kind: Kind, null: str) -> None:
        self._kind = kind
        self.accepted = f"{kind.accepted}, or None ({null})"
        self.shown = getattr(kind, "shown", _itself)

    def validate(self, value: object) -> object:
        return None if value is None else self._kind.validate(value)


def _itself(value: object) -> object:
    return value


class NullableText(Nullable):
    """Accept another kind, or None, which a variable writes as a word."""

    def __init__(self, kind: Textual, null: str, word: str = "none") -> None:
        super().__init__(kind, null)
        self.accepted_text = f"{kind.accepted_text}, or {word}"
        self._text = kind
        self._word = word

    def parse(self, text: str) -> object:
        return None if text.lower() == self._word else self._text.parse(text)


class Count:
    """A count."""

    def __init__(self, least: int = 0) -> None:
        self._least = least
        self.accepted = self.accepted_text = f"an integer >= {least}"

    def validate(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError
        if value < self._least:
            raise ValueError
        return int(value)

    def parse(self, text: str) -> int:
        return self.validate(int(text))


class Seconds:
    """A duration in seconds."""

    def __init__(self, *, above_zero: bool = False) -> None:
        self._above_zero = above_zero
        self.accepted = self.accepted_text = "> 0 seconds" if above_zero else ">= 0 seconds"

    def validate(self, value: object) -> float:
        value = in_seconds(value)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise TypeError
        if not 0 <= value <= LONGEST or (self._above_zero and value == 0):
            raise ValueError
        return value

    def parse(self, text: str) -> float:
        return self.validate(float(text))


class HeaderName:
    """The name of a header."""

    accepted = accepted_text = "the name of a header, such as Idempotency-Key"

    def validate(self, value: object) -> str:
        if not isinstance(value, str):
            raise TypeError
        if not re.fullmatch(_NAME, value):
            raise ValueError
        return value

    def parse(self, text: str) -> str:
        return self.validate(text)


class Flag:
    """A boolean."""

    accepted = "True or False"
    accepted_text = "true or false, yes or no, on or off, 1 or 0"

    def validate(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise TypeError
        return value

    def parse(self, text: str) -> bool:
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError
        return text.lower() in _TRUE


class Statuses:
    """A set of HTTP status codes."""

    accepted = "a collection of integers from 100 to 999"
    accepted_text = "integers from 100 to 999, separated by commas"

    def validate(self, value: object) -> frozenset[int]:
        if not isinstance(value, Iterable) or isinstance(value, (str, bytes)):
            raise TypeError
        statuses = list(value)
        if not all(isinstance(status, int) and not isinstance(status, bool) for status in statuses):
            raise TypeError
        if not all(status in _STATUSES for status in statuses):
            raise ValueError
        return frozenset(int(status) for status in statuses)

    def parse(self, text: str) -> frozenset[int]:
        return self.validate([int(part) for part in text.split(",")])


class Methods:
    """A set of HTTP methods, normalized to upper case."""

    accepted_text = "HTTP methods, separated by commas"
    accepted = 'a collection of HTTP methods such as ["GET", "PUT"], in any letter case ([]: no method)'

    def validate(self, value: object) -> frozenset[str]:
        if not isinstance(value, Iterable) or isinstance(value, (str, bytes)):
            raise TypeError
        methods = list(value)
        if not all(isinstance(method, str) for method in methods):
            raise TypeError
        if not all(re.fullmatch(_NAME, method) for method in methods):
            raise ValueError
        return frozenset(method.upper() for method in methods)

    def parse(self, text: str) -> frozenset[str]:
        if text.lower() == "none":  # ambiguous: no method, or None (any method)?
            raise ValueError
        return self.validate([part.strip() for part in text.split(",")])


class TimeoutPair:
    """A connect and a read timeout."""

    accepted = "> 0 seconds, a (connect, read) pair"
    accepted_text = "> 0 seconds, a pair such as 3.05,27"

    def validate(self, value: object) -> Timeouts:
        if isinstance(value, (str, bytes, bool)):
            raise TypeError
        pair = tuple(map(in_seconds, value)) if isinstance(value, (list, tuple)) else in_seconds(value)
        return Timeouts.of(pair)  # type: ignore[arg-type]

    def parse(self, text: str) -> Timeouts:
        parts = [None if part.strip().lower() == "none" else float(part) for part in text.split(",")]
        return self.validate(tuple(parts) if len(parts) > 1 else parts[0])


class ClockLike:
    """An object with the methods of a `Clock`."""

    accepted = "an object with now() and sleep(seconds)"

    def validate(self, value: object) -> Clock:
        if not isinstance(value, Clock) or isinstance(value, type):
            raise TypeError
        return value


class Retries:
    """A `urllib3.Retry`, or a number of retries as urllib3 accepts it."""

    accepted = "a urllib3.Retry, an integer >= 0 (the same as 'total')"

    def validate(self, value: object) -> urllib3.Retry | int:
        return value if isinstance(value, urllib3.Retry) else Count().validate(value)
