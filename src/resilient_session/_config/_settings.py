"""What the options of one adapter come to: an argument before a variable, a variable before the default."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, cast

import urllib3

from resilient_session._config._options import PREFIX, RULED, TABLE, VARIABLES, Option, Options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resilient_session._config._kinds import Textual

_ELSEWHERE = {
    "method_whitelist": "`allowed_methods`",
    "retries": "`total`",
    "redirect": "the session's own `max_redirects`",
    "backoff_jitter": "`jitter`, or `backoff` for a rule of your own",
    "max_attempts": "`total`, which does not count the first try",
    "attempts": "`total`, which does not count the first try",
    "connect_timeout": "`timeout=(connect, read)`",
    "read_timeout": "`timeout=(connect, read)`",
    "statuses": "`status_forcelist`",
    "methods": "`allowed_methods`",
}


class Settings:
    """What the options of one adapter came to, and where each value comes from.

    Attributes:
        given: what code gave, as it gave it.
        values: every option's value, checked.
        origins: for each option "argument", the name of a variable, "max_retries" or "default".
    """

    __slots__ = ("given", "origins", "values")

    def __init__(self, given: Options, values: Options, origins: dict[str, str]) -> None:
        self.given = given
        self.values = values
        self.origins = origins

    @classmethod
    def of(cls, given: Mapping[str, object], environ: Mapping[str, str] = os.environ) -> Settings:
        """Resolve options: an argument before a variable, a variable before the default.

        Args:
            given: the options that code gave; one that is there but None is given.
            environ: the variables; the process's own by default.

        Raises:
            TypeError: an option is unknown, of the wrong type, or given beside what rules it.
            ValueError: a value, from code or a variable, is out of range.
        """
        values: dict[str, object] = {name: option.default for name, option in TABLE.items()}
        origins = dict.fromkeys(TABLE, "default")
        for variable, name, text in _variables(environ):
            values[name] = _read(variable, name, text)
            origins[name] = variable
        for name, value in given.items():
            values[name] = _fit(name, value)
            origins[name] = "argument"
        settings = cls(cast("Options", dict(given)), cast("Options", values), origins)
        settings._let_retry_rule()
        return settings

    def changed(self, options: Mapping[str, object]) -> Settings:
        """Resolve again, with other options; of a Retry and what it rules, what is given last counts."""
        dropped = ruled_by(options.get("max_retries"))
        if options.keys() & ruled_by(self.given.get("max_retries")):
            dropped |= {"max_retries"}
        kept = {name: value for name, value in self.given.items() if name not in dropped}
        return Settings.of({**kept, **options})

    def _let_retry_rule(self) -> None:
        """Let a given `max_retries` have its say over what it rules."""
        retries = self.values["max_retries"]
        ruled = ruled_by(retries)
        twice = sorted(ruled & self.given.keys())
        if twice:
            message = f"{twice[0]}={self.given[twice[0]]!r}: `max_retries` rules it already; give one of the two"  # type: ignore[literal-required]
            raise TypeError(message)
        self.origins.update(dict.fromkeys(ruled, "max_retries"))
        if isinstance(retries, int):
            self.values["total"] = retries
        elif retries is not None and self.origins["unprocessed_statuses"] == "default":
            self.values["unprocessed_statuses"] = frozenset()
            self.origins["unprocessed_statuses"] = "max_retries"


def ruled_by(retries: object) -> frozenset[str]:
    """Name the options that a value of `max_retries` rules."""
    if isinstance(retries, urllib3.Retry):
        return RULED
    return frozenset() if retries is None else frozenset({"total"})


def shown(value: object) -> str:
    """Show a value in an error, shortened."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a number of too many digits, or an object that cannot show itself
        text = f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


_LONGEST_SHOWN = 80


def _fit(name: str, value: object) -> object:
    option = TABLE.get(name)
    if option is None:
        raise TypeError(_unknown(name))
    try:
        return option.kind.fit(value)
    except (TypeError, ValueError) as misfit:
        raise type(misfit)(_refusal(f"{name}={shown(value)}", option.kind.form, option)) from None


def _read(variable: str, name: str, text: str) -> object:
    option = TABLE[name]
    kind = cast("Textual", option.kind)
    try:
        return kind.read(text)
    except (TypeError, ValueError):
        raise ValueError(_refusal(f"{variable}={shown(text)}", kind.written, option)) from None


def _refusal(what: str, form: str, option: Option) -> str:
    return f"{what}: give {form}" + (f" ({option.hint})" if option.hint else "")


def _unknown(name: str) -> str:
    if name in _ELSEWHERE:
        return f"{name}: no option of resilient_session; use {_ELSEWHERE[name]}"
    import difflib  # noqa: PLC0415 - only a mistake needs it

    close = difflib.get_close_matches(name, TABLE, n=1)
    hint = f"was `{close[0]}` meant?" if close else f"there are {', '.join(TABLE)}"
    return f"{name}: no option of resilient_session; {hint}"


def _variables(environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """List the variables that are set, as (variable, option, text), and warn of those nobody reads."""
    found = []
    for variable in [key for key in environ if key.startswith(PREFIX)]:
        name = VARIABLES.get(variable)
        text = environ[variable].strip()
        if name is None:
            warnings.warn(f"variable {variable}: {_unread(variable)}", UserWarning, stacklevel=2)
        elif text:
            found.append((variable, name, text))
    return found


def _unread(variable: str) -> str:
    if variable.upper() in VARIABLES:
        return f"write {variable.upper()}"
    name = variable.removeprefix(PREFIX).lower()
    return f"{name} can be given in code only" if name in TABLE else _unknown(name)
