"""Signatures for ``help()`` and `inspect.signature` that list every option, derived from the table."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from resilient_session._config._options import TABLE, Options

if TYPE_CHECKING:
    import inspect


F = TypeVar("F", bound=Callable[..., Any])


def shows_options(*leading: str, positional: tuple[str, ...] = ()) -> Callable[[F], F]:
    """Make ``help()`` and `inspect.signature` list the options of a function with ``**options``.

    Args:
        leading: the parameters before the options; all but "self" default to None.
        positional: the options that can be passed by position, in order.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def wrapper(*args: Any, **options: Any) -> Any:
            return function(*args, **options)

        # `inspect.signature` stops at the object with `__signature__`; `inspect.unwrap` goes on to the function
        vars(wrapper)["__wrapped__"] = _LazySignature(function, leading, positional)
        return cast("F", wrapper)

    return decorate


class _LazySignature:
    """Compute the `__signature__` of a function with options on first access.

    `inspect` takes longer to import than this package, and only ``help()``, documentation and editors need it.
    """

    def __init__(self, function: Callable[..., Any], leading: tuple[str, ...], positional: tuple[str, ...]) -> None:
        self.__wrapped__ = function
        self._leading = leading
        self._positional = positional

    @property
    def __signature__(self) -> inspect.Signature:
        import inspect  # noqa: PLC0415 - expensive, as explained above

        either, named = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
        parameters = [
            inspect.Parameter(name, either, default=inspect.Parameter.empty if name == "self" else None)
            for name in self._leading
        ]
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
