"""Saves 3 % of the import: named tuples that are made without evaluating annotations, and with little compiling.

``cd benchmarks && python instructions.py --only import``. For type checkers, it is `typing.NamedTuple`, and classes
are written in the same way.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple  # noqa: PLC0414 - to be imported from here
else:
    from _collections import _tuplegetter as field_at
    from types import FunctionType

    class _NamedTuple(tuple):
        __slots__ = ()

        def __repr__(self):
            fields = (f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({', '.join(fields)})"

        def __getnewargs__(self):
            return tuple(self)

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **changes):
            return type(self)(**{**self._asdict(), **changes})

    class _Maker(type):
        """Makes each class from its body, as a subclass of tuple."""

        def __new__(cls, name, bases, namespace):
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            made = type(name, (_NamedTuple,), {"__slots__": (), **namespace})
            made._fields = made.__match_args__ = fields = tuple(made.__annotations__)
            defaults = tuple(namespace[name] for name in fields if name in namespace)
            code = _template(len(fields)).replace(co_varnames=("cls", *fields))
            made.__new__ = FunctionType(code, {"new": tuple.__new__}, "__new__", defaults)
            for place, field in enumerate(fields):
                setattr(made, field, field_at(place, ""))
            return made

    @cache
    def _template(size):
        """Compile a constructor of that many fields, whose names are filled in for each class."""
        names = "".join(f", _{place}" for place in range(size))
        return eval(f"lambda cls{names}: new(cls, ({names[2:]},))").__code__  # noqa: S307 - numbers only

    class NamedTuple(metaclass=_Maker):
        """The base in the body of a class; what is made has none of it."""
