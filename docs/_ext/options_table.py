"""Generate the options page from the table in the code.

``{options-overview}`` is a table with one short row per option. ``{options}`` is a full entry per option. ``{opt}``
links to an entry; an unknown name causes a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from resilient_session._config._options import PREFIX, REPLACED_BY_RETRY, TABLE
from resilient_session._time import SystemClock, Timeouts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docutils import nodes
    from sphinx.application import Sphinx

    from resilient_session._config._option import Option


class _Generated(SphinxDirective):
    """A directive whose Markdown content is generated."""

    def run(self) -> list[nodes.Node]:
        """Generate the content and parse it."""
        lines = [line for name, option in TABLE.items() for line in self.entry(name, option)]
        return self.parse_lines([*self.head(), *lines])

    def parse_lines(self, lines: list[str]) -> list[nodes.Node]:
        """Parse lines instead of the directive's own content."""
        self.content = StringList(lines, f"<{self.name}>")
        return self.parse_content_to_nodes(allow_section_headings=True)

    def head(self) -> list[str]:
        """Generate the lines above the entries."""
        return []

    def entry(self, name: str, option: Option) -> Iterator[str]:
        """Generate the lines of one option."""
        raise NotImplementedError


class OptionsOverview(_Generated):
    """A table with name, default and meaning of each option."""

    def head(self) -> list[str]:
        """Generate the head of the table."""
        return ["| option | default | meaning |", "|---|---|---|"]

    def entry(self, name: str, option: Option) -> Iterator[str]:
        """Generate one row."""
        yield f"| {{opt}}`{name}` | {_default(option)} | {_sentence(option.meaning)} |"


class OptionsEntries(_Generated):
    """A full entry per option."""

    def entry(self, name: str, option: Option) -> Iterator[str]:
        """Generate one entry, under a heading of its own: an anchor, and a place in the side bar."""
        yield from (f"### {name}", "", f":::{{session-option}} {name}", _sentence(option.meaning), "")
        for field, value in _fields(name, option):
            yield f":{field}: {value}"
        yield from (":::", "")


def _fields(name: str, option: Option) -> Iterator[tuple[str, str]]:
    yield "Accepts", _sentence(option.kind.accepted).replace(">", "\\>")
    if option.unit:
        yield "Unit", option.unit
    yield "Default", _default(option)
    if hasattr(option.kind, "parse"):
        yield "Variable", f"`{PREFIX}{name.upper()}`"
    else:
        yield "Variable", "none; can only be set in code"
    if name in REPLACED_BY_RETRY:
        yield "With a Retry", "cannot be set; a `urllib3.Retry` passed as {opt}`max_retries` replaces it"
    if option.source:
        yield "Source", option.source


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _default(option: Option) -> str:
    value: Any = option.default
    if isinstance(value, frozenset):
        return ", ".join(f"`{item}`" for item in sorted(value))
    if isinstance(value, Timeouts):
        return f"`({value.connect}, {value.read})`"
    if isinstance(value, SystemClock):
        return "the real clock"
    return f"`{value!r}`"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives and the role."""
    app.add_object_type("session-option", "opt", indextemplate="pair: %s; option", objname="option")
    app.add_directive("options-overview", OptionsOverview)
    app.add_directive("options", OptionsEntries)
    return {"parallel_read_safe": True}
