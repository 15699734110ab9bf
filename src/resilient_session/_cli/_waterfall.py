"""A waterfall of a call: what each attempt spent its time on, and the waits between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from resilient_session._events import Attempt

_MARKS = {
    "blocked": ".", "dns": "d", "connect": "c", "tls": "t", "send": "s", "wait": "w", "receive": "r",
}  # fmt: skip
_LEGEND = "  ".join(f"{mark} {stage}" for stage, mark in _MARKS.items())
_LEAST_WIDTH, _BESIDE = 10, 18


def waterfall(attempts: Sequence[Attempt], columns: int) -> Iterator[str]:
    """Yield the lines of a waterfall: one for each attempt, on one scale.

    Args:
        attempts: the attempts of a call.
        columns: the width of the terminal.
    """
    first, last = attempts[0], attempts[-1]
    whole = last.start + last.duration - first.start
    if whole <= 0:
        return
    width = max(_LEAST_WIDTH, columns - _BESIDE)
    for attempt in attempts:
        before = round(width * (attempt.start - first.start) / whole)
        bar = _bar(attempt, width, whole)[: max(1, width - before)]
        yield f"{attempt.number:>3}  {' ' * before}{bar}".ljust(width + 6) + f"{attempt.duration:8.3f} s"
    yield f"     {_LEGEND}"


def _bar(attempt: Attempt, width: int, whole: float) -> str:
    bar = ""
    reached = 0.0
    for stage, mark in _MARKS.items():
        reached += getattr(attempt.stages, stage)
        bar = bar.ljust(round(width * reached / whole), mark)
    return bar or "|"
