"""The command `explain`: print what would be retried."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import requests

from resilient_session._cli import _exit_status as exit_status
from resilient_session._cli._arguments import OPTION_NAMES, add_command, add_options, add_url, options_of
from resilient_session._explain import explain
from resilient_session._session import resilient_session

if TYPE_CHECKING:
    import argparse


def add_explain(commands: Any) -> None:
    """Add the command to a parser."""
    command = add_command(
        commands,
        "explain",
        _run,
        help="print what would be retried, how often, after which waits, and why",
        description="For each kind of failure of a request, print whether it would be retried, how often, after "
        "which waits, and which option decides. Nothing is sent.",
        epilog=f"Exit status: 0; 1 for an invalid URL; 2 for wrong arguments. {OPTION_NAMES}",
    )
    command.add_argument("method", metavar="METHOD", help="such as GET or POST")
    add_url(command)
    add_options(command)
    command.add_argument("--json", action="store_true", help="print JSON instead of text")


def _run(arguments: argparse.Namespace) -> int:
    with resilient_session(**options_of(arguments)) as session:
        try:
            explanation = explain(session, arguments.method, arguments.url)
        except requests.RequestException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return exit_status.FAILED
    print(json.dumps(explanation.as_dict(), indent=2) if arguments.json else explanation)
    return 0
