"""Argument types and the `--set` argument that several commands share."""

from __future__ import annotations

import argparse
import re
import warnings
from typing import TYPE_CHECKING, Any, cast

from resilient_session._config._options import PREFIX, VARIABLES, Options
from resilient_session._config._settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

OPTION_NAMES = f"Options for --set: {', '.join(VARIABLES.values())}."

_URL = re.compile(r"https?://[^/?#]", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def add_command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], **texts: str
) -> argparse.ArgumentParser:
    """Add a command that rejects abbreviated arguments.

    Args:
        commands: the subparsers of the program.
        name: the command.
        run: executes the parsed arguments and returns the exit status.
        texts: `help`, `description` and `epilog`, as `argparse` accepts them.
    """
    command: argparse.ArgumentParser = commands.add_parser(name, allow_abbrev=False, **texts)
    command.set_defaults(run=run)
    return command


def add_url(command: argparse.ArgumentParser) -> None:
    """Add the argument URL."""
    command.add_argument("url", type=_url, metavar="URL", help="http:// is assumed if it begins with no scheme")


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the argument `--set`."""
    command.add_argument(
        "--set",
        type=_option,
        action="append",
        default=[],
        dest="options",
        metavar="NAME=VALUE",
        help="set an option of the library, in the format of its environment variable, such as total=5 or "
        "timeout=3.05,27; repeatable",
    )


def options_of(arguments: argparse.Namespace) -> Options:
    """Return the options set by `--set`; the last value of an option counts."""
    return cast("Options", {name: value for pair in arguments.options for name, value in pair.items()})


def _url(text: str) -> str:
    """Return a URL with a scheme; its text may be secret and is never shown."""
    if not _SCHEME.match(text):
        text = f"http://{text}"
    if not _URL.match(text):
        raise argparse.ArgumentTypeError("must begin with http:// or https:// and a host")
    return text


def _option(text: str) -> dict[str, object]:
    """Parse an option like its environment variable; an empty value counts as not set."""
    name, equals, value = text.partition("=")
    name = name.strip().lower().replace("-", "_")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: must be NAME=VALUE")
    variable = PREFIX + name.upper()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an unknown variable is only a warning, an unknown option an error
            settings = Settings.of({}, {variable: value})
    except (ValueError, UserWarning) as refusal:
        message = str(refusal).removeprefix(f"environment variable {variable}: ").replace(variable, name)
        raise argparse.ArgumentTypeError(message) from None
    return {name: settings.values[name]} if settings.origins[name] == variable else {}  # type: ignore[literal-required]
