"""The entry point of ``python -m resilient_session``: parse the arguments and run one command.

Each command is a module with a function that adds its parser and one that runs it and returns the exit status.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from typing import TYPE_CHECKING

import requests
import urllib3

from resilient_session._cli import _exit_status as exit_status
from resilient_session._cli._demo import add_demo
from resilient_session._cli._explain import add_explain
from resilient_session._cli._get import add_get
from resilient_session._config._settings import Settings
from resilient_session._version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: the command-line arguments, without the program name; None for those of this process.

    Returns:
        The exit status.

    Raises:
        SystemExit: after printing help or the version, or if the arguments are wrong.
    """
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()  # here, where a closed pipe can still be handled
    except BrokenPipeError:
        # The interpreter flushes the rest of the buffer at exit, which must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_status.PIPE_CLOSED
    except KeyboardInterrupt:
        return exit_status.INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    program = argparse.ArgumentParser(
        prog="resilient-session" if sys.argv[0].endswith("resilient-session") else "python -m resilient_session",
        description="Test how a resilient requests.Session retries: explain it, or watch a real request.",
        allow_abbrev=False,
    )
    program.add_argument("--version", action="version", version=_versions())
    commands = program.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (add_demo, add_explain, add_get):
        add(commands)
    return program


def _run(arguments: Sequence[str] | None) -> int:
    program = parser()
    parsed = program.parse_args(arguments)
    try:
        Settings.of({})
    except ValueError as bad_variable:
        program.error(str(bad_variable))
    status: int = parsed.run(parsed)
    return status


def _versions() -> str:
    """Return the versions that a bug report needs."""
    packages = ", ".join(f"{package.__name__} {vars(package)['__version__']}" for package in (requests, urllib3))
    return f"resilient-session {__version__} ({packages}, Python {platform.python_version()})"
