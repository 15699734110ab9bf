"""The result of `explain()`: what a session would do about each kind of failure of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from resilient_session._explain._text import as_text, summary

if TYPE_CHECKING:
    from resilient_session._explain._forecast import ExplainedFailure
    from resilient_session._time import Timeouts


class Explanation(NamedTuple):
    """Describes what a session would do about each failure of a request; ``str()`` renders it as text.

    Attributes:
        method: the method.
        url: the URL, without userinfo, query values and fragment.
        adapter: the class name of the adapter that the session uses.
        prefix: the prefix it is mounted at; None if it is not found among the mounts.
        resilient: whether the adapter is one of this library.
        timeouts: the (connect, read) timeouts of each attempt, in seconds; None if unknown.
        timeout_origin: what sets them: an option's origin, "call", or a note.
        deadline: seconds for the whole call; None for no limit.
        deadline_origin: what sets it.
        rows: the kinds of failure and what follows each; empty if unknown.
        storm: what storm control allows at this moment: pairs of a label and a text.
        warnings: probable mistakes in the setup of the session.
    """

    method: str
    url: str
    adapter: str
    prefix: str | None
    resilient: bool
    timeouts: Timeouts | None = None
    timeout_origin: str = ""
    deadline: float | None = None
    deadline_origin: str = ""
    rows: tuple[ExplainedFailure, ...] = ()
    warnings: tuple[str, ...] = ()
    storm: tuple[tuple[str, str], ...] = ()

    @property
    def answer(self) -> str:
        """A summary in one or two sentences."""
        return summary(self)

    def as_dict(self) -> dict[str, Any]:
        """Return all fields and the `answer`, ready for `json.dumps`."""
        timeouts = None if self.timeouts is None else self.timeouts._asdict()
        rows = [{**row._asdict(), "waits": [list(wait) for wait in row.waits]} for row in self.rows]
        return {
            "answer": self.answer,
            **self._asdict(),
            "timeouts": timeouts,
            "rows": rows,
            "warnings": list(self.warnings),
            "storm": dict(self.storm),
        }

    def __str__(self) -> str:
        return as_text(self)
