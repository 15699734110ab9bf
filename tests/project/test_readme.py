"""The README, and the page about downloads, show what the demo measures.

``python tests/project/test_readme.py`` writes the tables anew.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from resilient_session._cli._comparison import Measured, compare

README = Path(__file__).parents[2] / "README.md"
DOWNLOADS = README.parent / "docs" / "how-to" / "download-large-files.md"
TABLE = re.compile(r"(?<=<!-- demo -->\n).*?(?=<!-- /demo -->)", re.DOTALL)


def cell(measured: Measured, *, waited: bool) -> str:
    """Say what one session did; waits only where no jitter draws them anew each time."""
    sent = f"{measured.requests} request{'s' * (measured.requests != 1)}"
    if measured.requests == 0:
        sent = f"{measured.connections} handshake{'s' * (measured.connections != 1)}"
    effects = f", {measured.effects} effect{'s' * (measured.effects != 1)}" if measured.effects else ""
    wait = f", {measured.waited:g} s asleep" if waited and measured.waited else ""
    return f"{sent}{effects}{wait}: `{measured.outcome}`"


def table(*, only: str = "") -> str:
    """Run the demo and return its table in Markdown, or of it only the rows with a word."""
    rows = ["| what happens | usual recipe | `resilient_session()` |", "|---|---|---|"]
    rows += [
        f"| {row.scenario.title} | {cell(row.recipe, waited=True)} | {cell(row.ours, waited=False)} |"
        for row in compare()
        if only in row.scenario.title
    ]
    return "\n".join(rows) + "\n"


@pytest.fixture
def readme():
    if not README.exists():
        pytest.skip("there is no README beside the installed package")
    return README.read_text(encoding="utf-8")


def test_table_of_faults_is_what_the_demo_measures(readme):
    assert TABLE.search(readme)[0] == table()


@pytest.mark.skipif(not DOWNLOADS.exists(), reason="there are no docs beside the installed package")
def test_figure_of_downloads_is_what_the_demo_measures():
    assert TABLE.search(DOWNLOADS.read_text(encoding="utf-8"))[0] == table(only="download")


def test_table_of_features_is_what_was_measured(readme):
    spec = importlib.util.spec_from_file_location("features", README.parent / "benchmarks" / "features.py")
    features = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(features)
    shown = readme.partition(features.BEGIN)[2].partition(features.END)[0]
    assert shown == features.features(features.measured())


def test_first_screen_is_short(readme):
    assert len(readme[: readme.index("<!-- /demo -->")].splitlines()) <= 40


if __name__ == "__main__":
    for path, word in ((README, ""), (DOWNLOADS, "download")):
        text = path.read_text(encoding="utf-8")
        path.write_text(TABLE.sub(lambda _, word=word: table(only=word), text), encoding="utf-8")
