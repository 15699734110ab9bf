"""The command line: ``python -m resilient_session``.

Each command is one function that adds its parser, and one that runs it and returns the exit status.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from resilient_session._cli._get import Wanted, fetch
from resilient_session._config._options import PREFIX, VARIABLES, Options
from resilient_session._config._settings import Settings
from resilient_session._explain._explanation import explain
from resilient_session._session import resilient_session
from resilient_session._version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

_FAILED, _USAGE, _HTTP_ERROR = 1, 2, 22
_INTERRUPTED, _PIPE_CLOSED = 130, 141
"""As a shell tells of a command that a signal ended."""

_FIRST_ERROR = 400
_URL = re.compile(r"https?://[^/?#]", re.IGNORECASE)
_HEADER = re.compile(r"([!-9;-~]+):[\t ]*([\t -~\x80-\xff]*)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the words after the program's name; None: those of this process.

    Returns:
        The exit status.

    Raises:
        SystemExit: help or the version was asked for, or the arguments are wrong.
    """
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()  # here, where a closed pipe can still be dealt with
    except BrokenPipeError:
        # What is left in the buffer must have somewhere to go when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except KeyboardInterrupt:
        return _INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m resilient_session",
        description="A requests.Session that retries what is safe to retry, waits the right time, and ends when "
        "it was told to.",
        allow_abbrev=False,
    )
    made.add_argument("--version", action="version", version=_versions())
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_add_demo, _add_explain, _add_get):
        add(commands)
    return made


def _run(arguments: Sequence[str] | None) -> int:
    line = parser()
    given = line.parse_args(arguments)
    try:
        Settings.of({})
    except ValueError as bad_variable:
        line.error(str(bad_variable))
    status: int = given.run(given)
    return status


def _versions() -> str:
    """Name all the versions that matter to a report of a bug."""
    stands_on = ", ".join(f"{package.__name__} {vars(package)['__version__']}" for package in (requests, urllib3))
    return f"resilient-session {__version__} ({stands_on}, Python {platform.python_version()})"


def _add_demo(commands: Any) -> None:
    command = commands.add_parser(
        "demo",
        help="show six faults, met by the usual recipe and by this library",
        description="Play six faults, by a server on loopback, to stock requests with the usual urllib3.Retry "
        "and to a resilient session, and show what each sent, caused and got, as measured. The exit status is 0 "
        "if the resilient session kept every promise, else 1.",
        allow_abbrev=False,
    )
    command.set_defaults(run=_demo)


def _demo(_: argparse.Namespace) -> int:
    from resilient_session._cli import _demo as demo  # noqa: PLC0415 - no other command needs a server

    rows = demo.compare()
    print(demo.render(rows))
    return 0 if all(row.kept for row in rows) else _FAILED


def _add_explain(commands: Any) -> None:
    command = commands.add_parser(
        "explain",
        help="say what would be retried, how often, after what waits, and why",
        description="Say for each kind of failure of a request whether it would be retried, how often and after "
        "what waits, and which option says so. Nothing is sent.",
        epilog="Exit status: 0; 1 for a URL that is none; 2 for wrong arguments. Options for --set: "
        f"{', '.join(VARIABLES.values())}.",
        allow_abbrev=False,
    )
    command.add_argument("method", metavar="METHOD", help="such as GET or POST")
    command.add_argument("url", type=_url, metavar="URL", help="http:// or https://")
    _add_options(command)
    command.add_argument("--json", action="store_true", help="write JSON instead of text")
    command.set_defaults(run=_explain)


def _explain(given: argparse.Namespace) -> int:
    with resilient_session(**cast("Options", _options(given))) as session:
        try:
            explanation = explain(session, given.method, given.url)
        except requests.RequestException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return _FAILED
    print(json.dumps(explanation.as_dict(), indent=2) if given.json else explanation)
    return 0


def _add_get(commands: Any) -> None:
    command = commands.add_parser(
        "get",
        help="make one request and show its attempts",
        description="Make one request. Its attempts are told on standard error, as they happen and without "
        "secrets; the body of the answer goes to standard output.",
        epilog="Exit status: 0 for a status below 400, 22 for any other, 1 if there was no answer, 2 for wrong "
        f"arguments. Options for --set: {', '.join(VARIABLES.values())}.",
        allow_abbrev=False,
    )
    command.add_argument("url", type=_url, metavar="URL", help="http:// or https://")
    command.add_argument("-X", "--request", metavar="METHOD", help="the method; GET, or POST if there is data")
    command.add_argument(
        "-H", "--header", type=_header, action="append", default=[], metavar="'NAME: VALUE'", help="repeatable"
    )
    command.add_argument(
        "-d", "--data", type=_data, metavar="TEXT", help="the body, as it is; @FILE takes it from a file"
    )
    _add_options(command)
    command.set_defaults(run=_get)


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set",
        type=_option,
        action="append",
        default=[],
        dest="options",
        metavar="NAME=VALUE",
        help="an option of the library, written as its environment variable would be, such as total=5 or "
        "timeout=3.05,27; repeatable",
    )


def _options(given: argparse.Namespace) -> dict[str, object]:
    return {name: value for pair in given.options for name, value in pair.items()}


def _get(given: argparse.Namespace) -> int:
    options = {"logger": None, **_options(given)}  # the timeline says it all
    method = given.request or ("GET" if given.data is None else "POST")
    wanted = Wanted(method, given.url, _joined(given.header), given.data)
    outcome = fetch(wanted, cast("Options", options), sys.stderr)
    if isinstance(outcome, Exception):
        return _FAILED
    sys.stdout.buffer.write(outcome.content)
    return 0 if outcome.status_code < _FIRST_ERROR else _HTTP_ERROR


def _joined(headers: Sequence[tuple[str, str]]) -> CaseInsensitiveDict[str]:
    """Join the values of headers that came several times, as RFC 9110 §5.3 lets anybody do."""
    joined: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _url(text: str) -> str:
    if not _URL.match(text):
        raise argparse.ArgumentTypeError("give a URL that begins with http:// or https:// and a host")
    return text


def _header(text: str) -> tuple[str, str]:
    """Read a header; its value is not for showing, not even if it is wrong."""
    match = _HEADER.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError("give 'Name: value', in Latin-1 and without line breaks")
    return match[1], match[2]


def _data(text: str) -> bytes:
    if not text.startswith("@"):
        return os.fsencode(text)
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text[1:]}: {error.strerror}") from None


def _option(text: str) -> dict[str, object]:
    """Read an option as its variable would be read; an empty one is not set."""
    name, equals, value = text.partition("=")
    name = name.strip().lower().replace("-", "_")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text}: give NAME=VALUE")
    variable = PREFIX + name.upper()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a variable that nobody reads is no more than a warning
            settings = Settings.of({}, {variable: value})
    except (ValueError, UserWarning) as refusal:
        said = str(refusal).removeprefix(f"variable {variable}: ").replace(variable, name)
        raise argparse.ArgumentTypeError(said) from None
    return {name: settings.values[name]} if settings.origins[name] == variable else {}  # type: ignore[literal-required]
