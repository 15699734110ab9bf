"""Validation of scripted faults: reject values with which the fault could not happen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Headers: TypeAlias = "Mapping[str, str] | Sequence[tuple[str, str]]"
Interim: TypeAlias = "int | tuple[int, Headers]"
Pairs: TypeAlias = "tuple[tuple[str, str], ...]"


def check_number(field: str, value: object) -> None:
    """Check that a value is a number of seconds.

    Raises:
        TypeError: The value is not a number.
        ValueError: The value is negative, NaN or infinite.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{field} must be a number of seconds, not {value!r}")
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{field} must be a finite number of seconds >= 0, not {value!r}")


def check_count(field: str, value: object, low: int = 0, high: float = math.inf) -> None:
    """Check that a value is an integer between two bounds.

    Raises:
        TypeError: The value is not an int.
        ValueError: The value is out of bounds.
    """
    span = f"from {low} to {high}" if high < math.inf else f">= {low}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{field} must be an integer {span}, not {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{field} must be an integer {span}, not {value!r}")


def check_type(field: str, value: object, types: tuple[type, ...]) -> None:
    """Check that a value has one of some types.

    Raises:
        TypeError: The value has another type.
    """
    if not isinstance(value, types):
        names = " or ".join("None" if kind is type(None) else kind.__name__ for kind in types)
        raise TypeError(f"{field} must be {names}, not {value!r}")


def check_choice(field: str, value: object, choices: Sequence[object]) -> None:
    """Check that a value is one of some choices.

    Raises:
        ValueError: The value is not one of them.
    """
    if not any(value is choice or (isinstance(choice, str) and value == choice) for choice in choices):
        raise ValueError(f"{field} must be one of {', '.join(map(repr, choices))}, not {value!r}")


def check_headers(field: str, value: Any) -> Pairs:
    """Return headers as a tuple of pairs.

    Raises:
        TypeError: The value is not a mapping or sequence of string pairs.
        ValueError: A name or value does not fit in one header line.
    """
    listed = value.items() if isinstance(value, Mapping) else value
    try:
        pairs = tuple((name, text) for name, text in listed)
    except (TypeError, ValueError):
        raise TypeError(f"{field} must be a mapping or (name, value) pairs of strings, not {value!r}") from None
    for text in (text for pair in pairs for text in pair):
        check_line(field, text)
    return pairs


def check_line(field: str, text: object) -> None:
    """Check that a value fits in one line of a header block.

    Raises:
        TypeError: The value is not a string.
        ValueError: The string has a line break, or a character outside Latin-1.
    """
    if not isinstance(text, str):
        raise TypeError(f"{field} must be a string, not {text!r}")
    if "\r" in text or "\n" in text or text.encode("latin-1", "ignore").decode("latin-1") != text:
        raise ValueError(f"{field} must be Latin-1 without line breaks, not {text!r}; for other bytes, use `raw`")


def check_interim(value: Any) -> tuple[tuple[int, Pairs], ...]:
    """Return interim responses as a tuple of (status, headers) pairs.

    Raises:
        TypeError: The value is not a sequence of statuses or (status, headers) pairs.
        ValueError: A status is not from 100 to 199.
    """
    try:
        items = [item if isinstance(item, tuple) else (item, ()) for item in value]
        responses = [(status, check_headers("interim", headers)) for status, headers in items]
    except (TypeError, ValueError):
        raise TypeError(f"interim must be statuses or (status, headers) pairs, not {value!r}") from None
    for status, _ in responses:
        check_count("interim", status, 100, 199)
    return tuple(responses)
