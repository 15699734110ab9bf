"""Refuse values that would make a scripted fault mean nothing, and say what would do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Headers: TypeAlias = "Mapping[str, str] | Sequence[tuple[str, str]]"
Interim: TypeAlias = "int | tuple[int, Headers]"
Pairs: TypeAlias = "tuple[tuple[str, str], ...]"


def check_number(field: str, value: object) -> None:
    """Refuse what is not a number of seconds.

    Raises:
        TypeError: The value is not a number.
        ValueError: The value is negative, NaN or infinite.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{field} must be a number of seconds, not {value!r}")
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{field} must be a finite number of seconds, 0 or more, not {value!r}")


def check_count(field: str, value: object, low: int = 0, high: float = math.inf) -> None:
    """Refuse what is not a whole number between two bounds.

    Raises:
        TypeError: The value is not an int.
        ValueError: The value is out of bounds.
    """
    span = f"from {low} to {high}" if high < math.inf else f"of {low} or more"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{field} must be a whole number {span}, not {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{field} must be a whole number {span}, not {value!r}")


def check_type(field: str, value: object, types: tuple[type, ...]) -> None:
    """Refuse what is of none of the types.

    Raises:
        TypeError: The value is of another type.
    """
    if not isinstance(value, types):
        names = " or ".join("None" if kind is type(None) else kind.__name__ for kind in types)
        raise TypeError(f"{field} must be {names}, not {value!r}")


def check_choice(field: str, value: object, choices: Sequence[object]) -> None:
    """Refuse what is none of the choices.

    Raises:
        ValueError: The value is another one.
    """
    if not any(value is choice or (isinstance(choice, str) and value == choice) for choice in choices):
        raise ValueError(f"{field} must be one of {', '.join(map(repr, choices))}, not {value!r}")


def check_headers(field: str, value: Any) -> Pairs:
    """Return headers as a tuple of pairs.

    Raises:
        TypeError: The value is no mapping or sequence of pairs of text.
        ValueError: A name or value could not stand in one header line.
    """
    listed = value.items() if isinstance(value, Mapping) else value
    try:
        pairs = tuple((name, text) for name, text in listed)
    except (TypeError, ValueError):
        raise TypeError(f"{field} must be a mapping or pairs of text, not {value!r}") from None
    for text in (text for pair in pairs for text in pair):
        check_line(field, text)
    return pairs


def check_line(field: str, text: object) -> None:
    """Refuse what could not stand in one line of a header block.

    Raises:
        TypeError: The value is no text.
        ValueError: The text has a line break, or a character that Latin-1 does not know.
    """
    if not isinstance(text, str):
        raise TypeError(f"{field} must be text, not {text!r}")
    if "\r" in text or "\n" in text or text.encode("latin-1", "ignore").decode("latin-1") != text:
        raise ValueError(f"{field} must be Latin-1 text without line breaks, not {text!r}; see `raw`")


def check_interim(value: Any) -> tuple[tuple[int, Pairs], ...]:
    """Return interim answers as a tuple of status and headers.

    Raises:
        TypeError: The value is no sequence of statuses or of pairs of status and headers.
        ValueError: A status is not in 100 to 199, or 101.
    """
    try:
        items = [item if isinstance(item, tuple) else (item, ()) for item in value]
        answers = [(status, check_headers("interim", headers)) for status, headers in items]
    except (TypeError, ValueError):
        raise TypeError(f"interim must be statuses or pairs of status and headers, not {value!r}") from None
    for status, _ in answers:
        check_count("interim", status, 100, 199)
    return tuple(answers)
