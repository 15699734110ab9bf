"""The resolved options of one adapter: an argument wins over a variable, a variable over the default."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

import urllib3

from resilient_session._config._cross_checks import check
from resilient_session._config._limit_kinds import Refusal
from resilient_session._config._options import PREFIX, REPLACED_BY_RETRY, TABLE, VARIABLES, Options
from resilient_session._variables import variables
from resilient_session._warning import warn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from resilient_session._config._kinds import Textual
    from resilient_session._config._option import Option

_TOTAL = "'total' (retries after the first attempt)"
_OF_SESSION = "the attribute of that name of the session, or the argument of a call"
_OTHER_NAMES = {
    "method_whitelist": "'allowed_methods'",
    "retries": _TOTAL,
    "redirect": "the session attribute 'max_redirects'",
    "backoff_jitter": "'jitter', or 'backoff' for your own function",
    "max_attempts": _TOTAL,
    "attempts": _TOTAL,
    "connect_timeout": "'timeout=(connect, read)'",
    "read_timeout": "'timeout=(connect, read)'",
    "statuses": "'status_forcelist'",
    "methods": "'allowed_methods'",
    "on_retry": "'on_event', which is called with each event",
    **dict.fromkeys(("verify", "headers", "proxies", "auth", "cert", "params", "cookies"), _OF_SESSION),
}
"""Names used by other libraries, and what to use here."""

_DEFAULTS: dict[str, object] = {name: option.default for name, option in TABLE.items()}
_ORIGINS = dict.fromkeys(TABLE, "default")


class Settings:
    """The resolved options of one adapter, with the origin of each value.

    Attributes:
        given: the arguments, unchanged.
        values: the value of every option, validated and normalized.
        origins: for each option "argument", "max_retries", "override", "default", or the name of its variable.
    """

    __slots__ = ("given", "origins", "values")

    def __init__(self, given: Options, values: Options, origins: dict[str, str]) -> None:
        self.given = given
        self.values = values
        self.origins = origins

    @classmethod
    def of(cls, given: Mapping[str, object], environ: Mapping[str, str] = os.environ) -> Settings:
        """Resolve options: an argument wins over a variable, a variable over the default.

        Args:
            given: the arguments; None counts as a value.
            environ: the environment variables; by default those of this process.

        Raises:
            TypeError: an option is unknown, has the wrong type, or is set together with `max_retries`, which
                replaces it.
            ValueError: an argument or a variable is out of range.
        """
        values, origins = _DEFAULTS.copy(), _ORIGINS.copy()
        for variable, name, text in _variables(environ):
            values[name] = _parsed(variable, name, text)
            origins[name] = variable
        for name, value in given.items():
            values[name] = validated(name, value)
            origins[name] = "argument"
        settings = cls(cast("Options", dict(given)), cast("Options", values), origins)
        settings._apply_max_retries()
        check(values, settings.origins)
        return settings

    def changed(self, options: Mapping[str, object]) -> Settings:
        """Resolve again with changed arguments; of `max_retries` and the options it replaces, the latest counts."""
        dropped = replaced_by(options.get("max_retries"))
        if options.keys() & replaced_by(self.given.get("max_retries")):
            dropped |= {"max_retries"}
        kept = {name: value for name, value in self.given.items() if name not in dropped}
        return Settings.of({**kept, **options})

    def overridden(self, options: Mapping[str, object]) -> Settings:
        """Return the settings with other values, already validated, for one call."""
        values = {**self.values, **options}
        return Settings(self.given, cast("Options", values), {**self.origins, **dict.fromkeys(options, "override")})

    def _apply_max_retries(self) -> None:
        """Replace options by `max_retries`; refuse arguments for both."""
        retries = self.values["max_retries"]
        replaced = replaced_by(retries)
        conflicts = sorted(replaced & self.given.keys())
        if conflicts:
            name = conflicts[0]
            value = short_repr(self.given[name])  # type: ignore[literal-required]
            raise TypeError(f"{name}={value}: already set by 'max_retries'; pass only one of the two")
        self.origins.update(dict.fromkeys(replaced, "max_retries"))
        if isinstance(retries, int):
            self.values["total"] = retries
        elif retries is not None and self.origins["unprocessed_statuses"] == "default":
            self.values["unprocessed_statuses"] = frozenset()
            self.origins["unprocessed_statuses"] = "max_retries"


def replaced_by(retries: object) -> frozenset[str]:
    """Return the options that a value of `max_retries` replaces."""
    if isinstance(retries, urllib3.Retry):
        return REPLACED_BY_RETRY
    return frozenset() if retries is None else frozenset({"total"})


def short_repr(value: object) -> str:
    """Return the `repr` of a value for an error message, shortened."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - an int of too many digits, or an object whose repr fails
        text = f"a {type(value).__name__}"
    return text if len(text) <= _REPR_LENGTH else f"{text[:_REPR_LENGTH]}..."


_REPR_LENGTH = 80


def validated(name: str, value: object) -> object:
    """Return the normalized value of an option.

    Raises:
        TypeError: the option is unknown, or the value has the wrong type.
        ValueError: the value is out of range.
    """
    option = TABLE.get(name)
    if option is None:
        raise TypeError(_unknown(name))
    try:
        return option.kind.validate(value)
    except Refusal as refusal:
        raise ValueError(f"{name}={_shown(option, value)}: {refusal}") from None
    except (TypeError, ValueError) as refusal:
        raise type(refusal)(_message(f"{name}={_shown(option, value)}", option.kind.accepted, option)) from None


def _parsed(variable: str, name: str, text: str) -> object:
    option = TABLE[name]
    kind = cast("Textual", option.kind)
    try:
        return kind.parse(text)
    except Refusal as refusal:
        raise ValueError(f"{variable}={_shown(option, text)}: {refusal}") from None
    except (TypeError, ValueError):
        raise ValueError(_message(f"{variable}={_shown(option, text)}", kind.accepted_text, option)) from None


def _shown(option: Option, value: object) -> str:
    """Return a value for a message, without what its kind keeps out of messages."""
    shown = getattr(option.kind, "shown", None)
    return short_repr(value if shown is None else shown(value))


def _message(setting: str, accepted: str, option: Option) -> str:
    return f"{setting}: must be {accepted}" + (f"; {option.hint}" if option.hint else "")


def _unknown(name: str) -> str:
    if name in _OTHER_NAMES:
        return f"unknown option {name!r}; use {_OTHER_NAMES[name]}"
    import difflib  # noqa: PLC0415 - only a mistake needs it

    close = difflib.get_close_matches(name, TABLE, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"valid options: {', '.join(TABLE)}"
    return f"unknown option {name!r}; {hint}"


def _variables(environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the set variables as (variable, option, text); warn about those that match no option."""
    names = variables() if environ is os.environ else None
    if names is not None and _PREFIX_OF_A_NAME not in b"\0".join((b"", *names)):
        return []
    found = []
    for variable in [key for key in environ if key.startswith(PREFIX)]:
        name = VARIABLES.get(variable)
        text = environ[variable].strip()
        if name is None:
            warn(f"environment variable {variable}: {_unused(variable)}")
        elif text:
            found.append((variable, name, text))
    return found


_PREFIX_OF_A_NAME = f"\0{PREFIX}".encode()


def _unused(variable: str) -> str:
    if variable.upper() in VARIABLES:
        return f"must be upper case: {variable.upper()}"
    name = variable.removeprefix(PREFIX).lower()
    return f"'{name}' can only be set in code" if name in TABLE else _unknown(name)
