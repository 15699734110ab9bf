"""Draw what a piece of code did: ``{diagram}`` runs its content during the build, on a virtual clock.

The content calls ``bar(row, start, end, kind, text)`` and ``mark(at, text)``; `calls` draws the attempts of
outcomes. The picture is part of the page, in its colours, light and dark. ``{option-table}`` shows options with
their defaults.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, NamedTuple

from docutils import nodes
from docutils.parsers.rst import directives
from options_table import OptionsOverview
from sphinx.util.docutils import SphinxDirective

from resilient_session import attempts_of
from resilient_session._config._options import TABLE
from resilient_session.testing import FaultServer, Reply, VirtualClock, fast_retries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import ClassVar

    from requests import Response
    from sphinx.application import Sphinx

WIDTH, LABEL, ROW, TOP = 720, 150, 30, 8
STEPS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 100, 250, 500, 1000)
MOST_TICKS = 8


class Bar(NamedTuple):
    """A bar on a row."""

    row: str
    start: float
    end: float
    kind: str
    text: str


class Canvas:
    """What a diagram shows.

    Args:
        unit: what the axis counts.
    """

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.bars: list[Bar] = []
        self.marks: list[tuple[float, str]] = []

    def bar(self, row: str, start: float, end: float, kind: str, text: str = "") -> None:
        """Draw a bar; rows stand in the order of their first bars."""
        self.bars.append(Bar(row, start, end, kind, text))

    def mark(self, at: float, text: str) -> None:
        """Draw a line through all rows."""
        self.marks.append((at, text))

    def calls(self, outcomes: Iterable[Response | BaseException], *, begin: float | None = None) -> None:
        """Draw the attempts of each outcome, and the waits between them."""
        for number, outcome in enumerate(outcomes, 1):
            tried = attempts_of(outcome)
            zero = tried[0].start if begin is None else begin
            for attempt in tried:
                start, row = attempt.start - zero, f"call {number}"
                end = start + attempt.duration
                said = str(attempt.status or attempt.cause)
                self.bar(row, start, end, "ok" if attempt.cause == "ok" else "failed", said)
                if attempt.wait:
                    self.bar(row, end, end + attempt.wait, "wait", f"{attempt.wait:.3g} s")

    def svg(self) -> str:
        """Return the picture."""
        rows = list(dict.fromkeys(bar.row for bar in self.bars))
        longest = max([bar.end for bar in self.bars] + [at for at, _ in self.marks])
        scale = (WIDTH - LABEL - 60) / longest
        top_row = TOP + 14 * bool(self.marks)
        bottom = top_row + len(rows) * ROW
        parts = [*self._axis(longest, scale, bottom)]
        for bar in self.bars:
            top, left = top_row + rows.index(bar.row) * ROW, LABEL + bar.start * scale
            width = max((bar.end - bar.start) * scale, 3)
            parts.append(f'<rect class="{bar.kind}" x="{left:.1f}" y="{top + 4}" width="{width:.1f}" height="20"/>')
            if bar.text:
                fits = len(bar.text) * 7.5 < width
                at = left + width / 2 if fits else left + width + 3
                anchor = "middle" if fits else "start"
                parts.append(
                    f'<text class="on-{bar.kind if fits else "none"}" x="{at:.1f}" y="{top + 18}" '
                    f'text-anchor="{anchor}">{html.escape(bar.text)}</text>'
                )
        for number, row in enumerate(rows):
            parts.append(f'<text x="0" y="{top_row + number * ROW + 18}">{html.escape(row)}</text>')
        for at, text in self.marks:
            left = LABEL + at * scale
            parts.append(f'<line class="mark" x1="{left:.1f}" x2="{left:.1f}" y1="0" y2="{bottom + 4}"/>')
            parts.append(f'<text class="on-mark" x="{left + 4:.1f}" y="12">{html.escape(text)}</text>')
        return f'<svg viewBox="0 0 {WIDTH} {bottom + 26}" role="img">{"".join(parts)}</svg>'

    def _axis(self, longest: float, scale: float, bottom: float) -> Iterator[str]:
        step = next((step for step in STEPS if longest / step <= MOST_TICKS), longest)
        yield f'<line class="axis" x1="{LABEL}" x2="{WIDTH - 60}" y1="{bottom + 4}" y2="{bottom + 4}"/>'
        for number in range(int(longest / step) + 1):
            left = LABEL + number * step * scale
            yield f'<line class="axis" x1="{left:.1f}" x2="{left:.1f}" y1="{bottom}" y2="{bottom + 4}"/>'
            unit = f" {self.unit}" if number == int(longest / step) else ""
            yield f'<text x="{left:.1f}" y="{bottom + 20}" text-anchor="middle">{number * step:g}{unit}</text>'


class Diagram(SphinxDirective):
    """The directive; its argument is what the picture shows, for those who do not see it."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec: ClassVar = {"unit": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Run the code, and draw what it did."""
        canvas = Canvas(self.options.get("unit", "s"))
        with fast_retries() as clock:
            assert isinstance(clock, VirtualClock)  # noqa: S101 - of the build
            namespace = {
                **{name: getattr(canvas, name) for name in ("bar", "mark", "calls")},
                "FaultServer": FaultServer, "Reply": Reply, "clock": clock,
            }  # fmt: skip
            exec("\n".join(self.content), namespace)  # noqa: S102 - our own pages
        figure = f'<figure class="diagram" aria-label="{html.escape(self.arguments[0])}">{canvas.svg()}'
        caption = f"<figcaption>{html.escape(self.arguments[0])}</figcaption></figure>"
        return [nodes.raw("", figure + caption, format="html")]


class OptionTable(OptionsOverview):
    """A table of some options: ``{option-table} total, backoff_factor``."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Generate the table."""
        names = [name.strip() for name in self.arguments[0].split(",")]
        lines = [*self.head(), *(line for name in names for line in self.entry(name, TABLE[name]))]
        return self.parse_lines(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives and their colours."""
    app.add_directive("diagram", Diagram)
    app.add_directive("option-table", OptionTable)
    app.add_css_file("pages.css")
    return {"parallel_read_safe": True}
