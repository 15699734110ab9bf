"""A read-only object with named fields: cheaper to import than a dataclass, and no tuple like a NamedTuple."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable


class Record:
    """A read-only object with named fields; fields that are not named in `_fields` come last and are not shown."""

    __slots__ = ("_values",)
    _fields: ClassVar[tuple[str, ...]] = ()
    _values: tuple[Any, ...]

    def __init_subclass__(cls) -> None:
        for place, name in enumerate(vars(cls).get("_fields", ())):
            setattr(cls, name, property(_value_at(place)))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._values == other._values

    def __hash__(self) -> int:
        return hash((type(self), self._values))

    def __repr__(self) -> str:
        fields = (f"{name}={value!r}" for name, value in fields_of(self).items())
        return f"{type(self).__name__}({', '.join(fields)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._values


def fields_of(record: Record) -> dict[str, Any]:
    """Return the values of the named fields of a record."""
    return dict(zip(record._fields, record._values, strict=False))  # noqa: SLF001 - its own


def _value_at(place: int) -> Callable[[Record], Any]:
    return lambda record: record._values[place]  # noqa: SLF001 - its own
