"""Build the table of "What happens when": run the fault matrix during the build."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import requests
import trustme
import urllib3
from docutils import nodes
from requests.adapters import HTTPAdapter
from sphinx.util.docutils import SphinxDirective

from resilient_session import resilient_session
from resilient_session._cli._comparison import urllib3_sleeps_on  # the recipe must not really sleep here, either
from resilient_session.testing import VirtualClock
from support.certificates import ORIGIN, server_context
from support.fault_matrix import ROWS, Played, Row, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx


PATIENCE = 2.0
"""Seconds after which a call counts as never ending; more than four times the timeout of a row that needs one."""

COLUMNS = ("what happens", "GET, usual recipe", "GET, resilient", "POST, usual recipe", "POST, resilient")


def recipe() -> requests.Session:
    """Make a session with the usual recipe, which also retries some failed reads."""
    session = requests.Session()
    retries = urllib3.Retry(total=3, backoff_factor=1, status_forcelist=[429, 500, 502, 503, 504])
    session.mount("http://", HTTPAdapter(max_retries=retries))
    session.mount("https://", HTTPAdapter(max_retries=retries))
    return session


def ours() -> requests.Session:
    """Make a resilient session whose waits take no time."""
    return resilient_session(clock=VirtualClock(), logger=None)


def cell(played: Played | None, method: str) -> str:
    """Format the result of a row as a cell of the table."""
    if played is None:
        return "never ends"
    effects = f", {played.effects} effects" if method == "POST" and played.effects > 1 else ""
    return f"{played.outcome} ({played.requests} requests{effects})".replace("(1 requests", "(1 request")


def play(stage: Stage, row: Row, make: Callable[[], requests.Session], method: str) -> str:
    """Run a row against a new session."""
    with make() as session:
        session.trust_env = False
        return cell(stage.play_within(PATIENCE, row, session, transport=row.transports[0], method=method), method)


def measure() -> list[tuple[str, ...]]:
    """Run every row four times, and return the cells of the table."""
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder, urllib3_sleeps_on(VirtualClock()):
        bundle = Path(folder, "ca.pem")
        authority.cert_pem.write_to_path(bundle)
        stage = Stage(server_context(authority, "127.0.0.1", ORIGIN), str(bundle))
        return [
            (row.title, *(play(stage, row, make, method) for method in ("GET", "POST") for make in (recipe, ours)))
            for row in ROWS
        ]


class Faults(SphinxDirective):
    """The directive without arguments that inserts the table."""

    def run(self) -> list[nodes.Node]:
        """Run the matrix, and build the table."""
        self.env.note_reread()
        table, group = nodes.table(), nodes.tgroup(cols=len(COLUMNS))
        group += [nodes.colspec(colwidth=width) for width in (30, 20, 20, 20, 20)]
        head, body = nodes.thead(), nodes.tbody()
        head += self._row(COLUMNS)
        body += [self._row(cells) for cells in measure()]
        group += [head, body]
        table += group
        return [table]

    @staticmethod
    def _row(cells: tuple[str, ...]) -> nodes.row:
        row = nodes.row()
        row += [nodes.entry("", nodes.paragraph(text=cell)) for cell in cells]
        return row


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("faults", Faults)
    return {"parallel_read_safe": True}
