"""The text of an explanation: a summary, the request, the warnings, and a table of failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from resilient_session._explain._failure_kinds import RESET_AFTER_SENDING
from resilient_session._explain._simulation import MOST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from resilient_session._explain._explanation import Explanation
    from resilient_session._explain._forecast import ExplainedFailure

_WIDTH = 100
_COLUMNS = (28, 7, 16, 9, 32)
_HEADINGS = ("failure", "retries", "waits (s)", "worst (s)", "reason")
_MOST_WAITS = 4
_SHORTEST_RANGE = 3
_CAVEATS = (
    "Stock requests applies its timeouts to each address and each read, and not to name resolution.",
    "Only a deadline ends a body that arrives slowly without stopping.",
)
_NO_LIMIT = "no limit"


def summary(explanation: Explanation) -> str:
    """Return how often a call is retried and how long it can take."""
    if not explanation.rows:
        return "Unknown: the adapter is not an HTTPAdapter."
    by_name = {row.failure: row for row in explanation.rows}
    most = max(row.retries for row in explanation.rows)
    worst = _longest(row.worst_case for row in explanation.rows)
    limit = "has no time limit" if worst == _NO_LIMIT else f"takes up to {worst}"
    duration = f"A call that fails the same way each time {limit}."
    if not most:
        return f"Nothing is retried. {duration}"
    times = f"{MOST} or more times" if most >= MOST else "once" if most == 1 else f"up to {most} times"
    if by_name[RESET_AFTER_SENDING].retried:
        return f"Retried {times}. {duration}"
    unsent = (
        "while the server cannot have acted" if explanation.resilient else "if not yet sent, or after TLS errors"
    )
    return f"Retried {times}, only {unsent}. {duration}"


def as_text(explanation: Explanation) -> str:
    """Return an explanation as text of at most 100 columns."""
    return "\n".join(_lines(explanation))


def _lines(explanation: Explanation) -> Iterator[str]:
    yield from _wrapped(explanation.answer, _WIDTH)
    yield ""
    yield from _field("request", f"{explanation.method} {explanation.url}")
    mounted = "mount unknown" if explanation.prefix is None else f"mounted at {explanation.prefix}"
    yield from _field("adapter", f"{explanation.adapter}, {mounted}")
    if explanation.timeouts is not None:
        connect, read = map(_seconds, explanation.timeouts)
        yield from _field("timeout", f"connect {connect}, read {read} ({explanation.timeout_origin})")
        yield from _field("deadline", f"{_seconds(explanation.deadline)} ({explanation.deadline_origin})")
    for label, text in explanation.storm:
        yield from _field(label, text)
    for warning in explanation.warnings:
        yield from _field("warning", warning)
    if explanation.rows:
        yield ""
        yield from _table(explanation.rows)
        yield ""
        worst = "worst: all waits and timeouts of a call without redirects."
        yield from _wrapped(f"{worst} {_CAVEATS[explanation.resilient]}", _WIDTH)


def _field(label: str, text: str) -> Iterator[str]:
    for number, line in enumerate(_wrapped(text, _WIDTH - 10)):
        yield f"{'' if number else label:<10}{line}"


def _table(rows: Iterable[ExplainedFailure]) -> Iterator[str]:
    yield from _row(_HEADINGS)
    for names, row in _grouped(rows):
        yield from _row((names, str(row.retries), _waits(row), _number(row.worst_case), row.reason))


def _grouped(rows: Iterable[ExplainedFailure]) -> Iterator[tuple[str, ExplainedFailure]]:
    """Merge statuses whose rows are equal into one row."""
    groups: dict[object, list[ExplainedFailure]] = {}
    for row in rows:
        kind, _, detail = row.failure.partition(",")
        kind = "status" if kind.startswith("status ") else row.failure
        groups.setdefault((kind, detail, *row[1:]), []).append(row)
    for group in groups.values():
        first = group[0].failure
        name, comma, detail = first.partition(",")
        if len(group) > 1:
            name = f"status {_runs([int(row.failure.partition(',')[0].split()[1]) for row in group])}"
        yield name + comma + detail, group[0]


def _runs(numbers: list[int]) -> str:
    """Format ascending numbers; three or more consecutive ones as "first-last"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return " ".join(
        f"{run[0]}-{run[-1]}" if len(run) >= _SHORTEST_RANGE else " ".join(map(str, run)) for run in runs
    )


def _waits(row: ExplainedFailure) -> str:
    ends = [_number(low) if low == high else f"{_number(low)}-{_number(high)}" for low, high in row.waits]
    if len(set(ends)) == 1 < len(ends):
        return f"{len(ends)} x {ends[0]}"
    if len(ends) > _MOST_WAITS:
        ends[_MOST_WAITS - 1 : -1] = ["..."]
    return ", ".join(ends)


def _row(cells: Iterable[str]) -> Iterator[str]:
    from itertools import zip_longest  # noqa: PLC0415 - only needed for text

    columns = [_wrapped(cell, width) for cell, width in zip(cells, _COLUMNS, strict=True)]
    for parts in zip_longest(*columns, fillvalue=""):
        yield "  ".join(f"{part:<{width}}" for part, width in zip(parts, _COLUMNS, strict=True)).rstrip()


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap  # noqa: PLC0415 - only needed for text

    return textwrap.wrap(text, width, break_on_hyphens=False)


def _longest(times: Iterable[float | None]) -> str:
    known = list(times)
    return _NO_LIMIT if None in known else f"{_number(max(cast('list[float]', known)))} s"


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{_number(value)} s"


def _number(value: float | None) -> str:
    return _NO_LIMIT if value is None else f"{value:.6g}" if value >= _WIDTH else f"{value:.3g}"
