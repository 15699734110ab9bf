"""The signatures that ``help()`` and `inspect.signature` show of what takes options: read off the table."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from resilient_session._options import TABLE, Options

if TYPE_CHECKING:
    import inspect


class ShownSignature:
    """The `__signature__` of what takes options, made when somebody asks for it.

    `inspect` takes longer to import than the rest of this package, and only ``help()`` and its like need it.

    Args:
        leading: parameters that are no options; they default to None.
        positional: the options that may be given by position, in their order.
    """

    def __init__(self, *, leading: tuple[str, ...] = (), positional: tuple[str, ...] = ()) -> None:
        self._leading = leading
        self._positional = positional

    def __get__(self, instance: object, owner: object = None) -> inspect.Signature:
        import inspect  # noqa: PLC0415 - see above

        either, named = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
        parameters = [inspect.Parameter(name, either, default=None) for name in self._leading]
        by_name = [name for name in TABLE if name not in self._positional]
        for kind, names in ((either, self._positional), (named, by_name)):
            parameters += [
                inspect.Parameter(
                    name,
                    kind,
                    default=TABLE[name].default,
                    annotation=Options.__annotations__[name].__origin__,
                )
                for name in names
            ]
        return inspect.Signature(parameters)


F = TypeVar("F", bound=Callable[..., Any])


def shows_options(*leading: str) -> Callable[[F], F]:
    """Let ``help()`` and `inspect.signature` show every option of a function that takes them as ``**options``."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def wrapper(*args: Any, **options: Any) -> Any:
            return function(*args, **options)

        shown = type("Shown", (), {"__signature__": ShownSignature(leading=leading), "__wrapped__": function})
        wrapper.__wrapped__ = shown()
        return cast("F", wrapper)

    return decorate
