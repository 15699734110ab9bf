"""The README says what is measured, and its examples run.

``python tests/project/test_readme.py`` writes the table anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from resilient_session._cli._comparison import Measured, compare

README = Path(__file__).parents[2] / "README.md"
TABLE = re.compile(r"(?<=<!-- demo -->\n).*?(?=<!-- /demo -->)", re.DOTALL)


def cell(measured: Measured, *, waited: bool) -> str:
    """Say what one session did; waits only where no jitter draws them anew each time."""
    sent = f"{measured.requests} request{'s' * (measured.requests != 1)}"
    if measured.requests == 0:
        sent = f"{measured.connections} handshake{'s' * (measured.connections != 1)}"
    effects = f", {measured.effects} effect{'s' * (measured.effects != 1)}" if measured.effects else ""
    wait = f", {measured.waited:g} s asleep" if waited and measured.waited else ""
    return f"{sent}{effects}{wait}: `{measured.outcome}`"


def table() -> str:
    """Play the demo, and tell of it in Markdown."""
    rows = ["| what happens | usual recipe | `resilient_session()` |", "|---|---|---|"]
    rows += [
        f"| {row.scenario.title} | {cell(row.recipe, waited=True)} | {cell(row.ours, waited=False)} |"
        for row in compare()
    ]
    return "\n".join(rows) + "\n"


@pytest.fixture
def readme():
    if not README.exists():
        pytest.skip("there is no README beside the installed package")
    return README.read_text(encoding="utf-8")


def test_table_of_faults_is_what_the_demo_measures(readme):
    assert TABLE.search(readme)[0] == table()


def test_first_screen_is_short(readme):
    assert len(readme[: readme.index("<!-- /demo -->")].splitlines()) <= 40


if __name__ == "__main__":
    README.write_text(TABLE.sub(lambda _: table(), README.read_text(encoding="utf-8")), encoding="utf-8")
