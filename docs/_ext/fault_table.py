"""Build the tables of "What happens when": run the fault matrix during the build."""

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
    from collections.abc import Callable, Iterable

    from sphinx.application import Sphinx


PATIENCE = 2.0
"""Seconds after which a call counts as never ending; more than four times the timeout of a row that needs one."""

COLUMNS = ("what happens", "request", "usual recipe", "resilient")
GROUPS = (
    ("An error status", ("status 4", "status 5", "503", "409", "error body")),
    ("No response", ("no response", "closed with", "reset with", "nonsense", "status line")),
    ("The headers break, or lie", ("headers", "100", "103", "interim", "Content-Length", "two Content-Lengths")),
    ("The body breaks", ("length body", "chunk", "gzip", "deflate", "the response is complete")),
    ("The TLS handshake breaks", ("TLS",)),
    ("The proxy fails", ("proxy",)),
)
"""The headings, and how the titles of their rows begin."""

METHODS = ("GET", "POST")


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


def cell(played: Played | None, method: str, title: str) -> str:
    """Format the result of a row as a cell of the table."""
    if played is None:
        return "never ends"
    outcome = {"200 all of it": "complete", "200": "incomplete, as if complete"}.get(played.outcome, played.outcome)
    outcome = "that status" if title == f"status {outcome}" else outcome
    effects = f", {played.effects} effects" if method == "POST" and played.effects > 1 else ""
    requests_sent = "" if played.requests == 1 else f", {played.requests} requests"
    return f"{outcome}{requests_sent}{effects}"


def play(stage: Stage, row: Row, make: Callable[[], requests.Session], method: str) -> str:
    """Run a row against a new session."""
    with make() as session:
        session.trust_env = False
        played = stage.play_within(PATIENCE, row, session, transport=row.transports[0], method=method)
        return cell(played, method, row.title)


def measure() -> dict[str, tuple[str, ...]]:
    """Run every row four times, and return the cells by title: recipe and ours, for each method."""
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder, urllib3_sleeps_on(VirtualClock()):
        bundle = Path(folder, "ca.pem")
        authority.cert_pem.write_to_path(bundle)
        stage = Stage(server_context(authority, "127.0.0.1", ORIGIN), str(bundle))
        return {
            row.title: tuple(play(stage, row, make, method) for method in METHODS for make in (recipe, ours))
            for row in ROWS
        }


def merged(cells: dict[str, tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Join the titles of rows that are the same."""
    titles: dict[tuple[str, ...], list[str]] = {}
    for title, results in cells.items():
        titles.setdefault(results, []).append(title)
    return {results: _joined(same) for results, same in titles.items()}


def _joined(titles: list[str]) -> str:
    """Join titles; a list of statuses is one."""
    numbers = [title.removeprefix("status ") for title in titles]
    if all(map(str.isdigit, numbers)):
        return f"status {', '.join(numbers)}"
    return "; ".join(titles)


class Faults(SphinxDirective):
    """The directive without arguments that inserts the tables."""

    def run(self) -> list[nodes.Node]:
        """Run the matrix, and build a section and a table for each group."""
        self.env.note_reread()
        cells = measure()
        sections = []
        for title, beginnings in GROUPS:
            own = {name: cells.pop(name) for name in [*cells] if name.startswith(beginnings)}
            section = nodes.section(ids=[nodes.make_id(title)])
            section += [nodes.title(text=title), self._table(merged(own))]
            sections.append(section)
        if cells:
            message = f"rows of no group: {', '.join(cells)}"
            raise self.error(message)
        return sections

    @classmethod
    def _table(cls, rows: dict[tuple[str, ...], str]) -> nodes.table:
        table, group = nodes.table(classes=["fits"]), nodes.tgroup(cols=len(COLUMNS))
        group += [nodes.colspec(colwidth=width) for width in (40, 10, 25, 25)]
        head, body = nodes.thead(), nodes.tbody()
        head += cls._row(map(cls._cell, COLUMNS))
        for results, title in rows.items():
            get, post = results[:2], results[2:]
            if get == post:
                body += cls._row(map(cls._cell, (title, ", ".join(METHODS), *get)))
                continue
            first = cls._cell(title)
            first["morerows"] = 1
            body += cls._row([first, *map(cls._cell, (METHODS[0], *get))])
            body += cls._row(map(cls._cell, (METHODS[1], *post)))
        group += [head, body]
        table += group
        return table

    @staticmethod
    def _cell(text: str) -> nodes.entry:
        return nodes.entry("", nodes.paragraph(text=text))

    @staticmethod
    def _row(cells: Iterable[nodes.entry]) -> nodes.row:
        row = nodes.row()
        row += [*cells]
        return row


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("faults", Faults)
    return {"parallel_read_safe": True}
