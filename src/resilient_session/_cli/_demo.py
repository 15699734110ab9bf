"""The command `demo`: compare the usual recipe with a resilient session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resilient_session._cli import _exit_status as exit_status
from resilient_session._cli._arguments import add_command

if TYPE_CHECKING:
    import argparse


def add_demo(commands: Any) -> None:
    """Add the command to a parser."""
    add_command(
        commands,
        "demo",
        _run,
        help="compare the usual recipe with this library in seven faults",
        description="Run seven faults, on a server on loopback, against stock requests with the usual "
        "urllib3.Retry and against a resilient session, and print what each sent, what it changed and what it "
        "returned. The exit status is 0 if the resilient session kept every promise, else 1.",
    )


def _run(_: argparse.Namespace) -> int:
    from resilient_session._cli import _comparison as comparison  # noqa: PLC0415 - no other command needs a server

    rows = comparison.compare()
    print(comparison.render(rows))
    return 0 if all(row.kept for row in rows) else exit_status.FAILED
