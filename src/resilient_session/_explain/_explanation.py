"""`explain()`: what would be retried, how often and after what waits, and which option or mount says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import requests
from requests.adapters import HTTPAdapter
from requests.sessions import merge_setting
from requests.structures import CaseInsensitiveDict
from requests.utils import select_proxy

from resilient_session._adapter import TimeoutHTTPAdapter
from resilient_session._explain._behavior import Conduct, OwnConduct
from resilient_session._explain._faults import ONCE_SENT, faults
from resilient_session._explain._forecast import MOST, ExplainedFailure, forecast
from resilient_session._explain._mistakes import mistakes, prefix_for
from resilient_session._redact import redact_error, redact_url

__all__ = ["ExplainedFailure", "Explanation", "explain"]

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from requests import PreparedRequest
    from requests.adapters import BaseAdapter

    from resilient_session._time import Timeouts, TimeoutType


class Explanation(NamedTuple):
    """What a session would do about the failures of a request. ``str()`` shows it as text.

    Attributes:
        method: the method.
        url: the URL, without userinfo, query values and fragment.
        adapter: the class of the adapter that the session takes.
        prefix: where that is mounted; None if it is not found among the mounts.
        resilient: whether it is one of ours.
        timeouts: the timeouts (connect, read) of each attempt, in seconds; None if nobody knows.
        timeout_origin: who says so.
        deadline: seconds for the whole call; None for no end.
        deadline_origin: who says so.
        rows: the kinds of failure and what would follow each; none if nobody knows.
        warnings: what the maker of the session may not have meant.
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

    @property
    def answer(self) -> str:
        """The whole of it in one sentence."""
        if not self.rows:
            return "Not known: the adapter is no HTTPAdapter."
        by_name = {row.failure: row for row in self.rows}
        most = max(row.retries for row in self.rows)
        worst = _longest(row.worst_case for row in self.rows)
        takes = "takes without end" if worst == _NO_END else f"takes up to {worst}"
        takes = f"A call that meets the same failure each time {takes}."
        if not most:
            return f"Nothing is retried. {takes}"
        times = f"{MOST} times and more" if most >= MOST else "once" if most == 1 else f"up to {most} times"
        if by_name[ONCE_SENT].retried:
            return f"Retried {times}. {takes}"
        unsafe = "the server may have acted" if self.resilient else "it was sent, save after TLS errors"
        return f"Retried {times}, but not once {unsafe}. {takes}"

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as what JSON can hold."""
        timeouts = None if self.timeouts is None else self.timeouts._asdict()
        rows = [{**row._asdict(), "waits": [list(wait) for wait in row.waits]} for row in self.rows]
        return {
            "answer": self.answer,
            **self._asdict(),
            "timeouts": timeouts,
            "rows": rows,
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def explain(  # noqa: PLR0913 - what a call of requests takes
    session: requests.Session,
    method: str,
    url: str,
    *,
    data: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout: TimeoutType = None,
    stream: bool | None = None,
) -> Explanation:
    """Explain what a session would retry of a request, and which option or mount says so.

    Nothing is sent, and nothing is changed. The session may be any: of one that is not resilient, or whose mounts
    let the URL escape, it is said what stock `requests` will do. Auth is left out: it may talk to servers.

    Args:
        session: the session.
        method: the method.
        url: the URL.
        data: the body; it is not read.
        headers: the headers of the call.
        timeout: the timeout of the call, in seconds or as a pair (connect, read); None: it gives none.
        stream: whether the call leaves reading the body to the caller; None: what the session says.

    Raises:
        TypeError: `session` is no session.
        ValueError: `timeout` is of no form that `requests` takes, or a part of it is out of range.
        requests.exceptions.RequestException: the URL is none that the session can send to.
    """
    if not isinstance(session, requests.Session):
        message = f"session={type(session).__name__}: give a requests.Session"
        raise TypeError(message)
    request = _prepared(method, url, merge_setting(headers, session.headers, CaseInsensitiveDict), data)
    sent_to = str(request.url)
    adapter, prefix = _mounted(session, request)
    merged = session.merge_environment_settings(sent_to, {}, stream, None, None)
    explanation = Explanation(
        method=str(request.method),
        url=redact_url(sent_to),
        adapter=type(adapter).__name__,
        prefix=prefix,
        resilient=isinstance(adapter, TimeoutHTTPAdapter),
    )
    conduct = _conduct(adapter, request, timeout, stream=bool(merged["stream"]))
    if conduct is None:
        return explanation._replace(warnings=tuple(mistakes(session, sent_to, adapter, None, ())))
    rows = tuple(_rows(conduct, sent_to, proxied=bool(select_proxy(sent_to, merged["proxies"]))))
    return explanation._replace(
        timeouts=conduct.timeouts,
        timeout_origin=conduct.timeout_origin,
        deadline=conduct.deadline,
        deadline_origin=conduct.deadline_origin,
        rows=rows,
        warnings=tuple(mistakes(session, sent_to, adapter, conduct, rows)),
    )


def _prepared(method: str, url: str, headers: Mapping[str, str] | None, data: Any) -> PreparedRequest:
    """Prepare a request without its auth, which may talk to servers."""
    try:
        return requests.Request(method.upper(), url, headers, data=data).prepare()
    except requests.RequestException as error:
        secrets = requests.PreparedRequest()
        secrets.url, secrets.headers = url, CaseInsensitiveDict(headers or {})
        redact_error(error, secrets)
        raise


def _mounted(session: requests.Session, request: PreparedRequest) -> tuple[BaseAdapter, str | None]:
    """Return what a session takes for a request, and where it is mounted, if it is."""
    url = str(request.url)
    try:
        adapter = session.get_adapter(url)
    except requests.RequestException as error:
        redact_error(error, request)
        raise
    prefix = prefix_for(session, url)
    found = prefix is not None and session.adapters[prefix] is adapter
    return adapter, redact_url(prefix) if prefix is not None and found else None


def _conduct(
    adapter: BaseAdapter, request: PreparedRequest, timeout: TimeoutType, *, stream: bool
) -> Conduct | None:
    if isinstance(adapter, TimeoutHTTPAdapter):
        return OwnConduct(adapter, request, timeout, stream=stream)
    return Conduct(adapter, request, timeout, stream=stream) if isinstance(adapter, HTTPAdapter) else None


def _rows(conduct: Conduct, url: str, *, proxied: bool) -> Iterator[ExplainedFailure]:
    statuses = {*conduct.retries.status_forcelist, *conduct.rules.unprocessed}
    longest = min(conduct.rules.longest_delay, getattr(conduct.retries, "retry_after_max", _SIX_HOURS))
    tls = url.lower().startswith("https:")
    for fault in faults(tls=tls, proxied=proxied, statuses=statuses, longest_delay=longest):
        yield forecast(conduct, fault)


_SIX_HOURS = 21_600
_WIDTH = 100
_COLUMNS = (28, 7, 16, 9, 32)
_HEAD = ("failure", "retries", "waits (s)", "worst (s)", "because")
_MOST_WAITS = 4
_PAIR = 2
_CAVEATS = (
    "The timeouts of stock requests hold for each address and each read, and not for names.",
    "Only a deadline ends a body that keeps dripping.",
)
_NO_END = "no end"


def _lines(explanation: Explanation) -> Iterator[str]:
    yield from _wrapped(explanation.answer, _WIDTH)
    yield ""
    yield from _field("request", f"{explanation.method} {explanation.url}")
    mounted = "mounted somewhere" if explanation.prefix is None else f"mounted at {explanation.prefix}"
    yield from _field("adapter", f"{explanation.adapter}, {mounted}")
    if explanation.timeouts is not None:
        connect, read = map(_seconds, explanation.timeouts)
        yield from _field("timeout", f"connect {connect}, read {read} ({explanation.timeout_origin})")
        yield from _field("deadline", f"{_seconds(explanation.deadline)} ({explanation.deadline_origin})")
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
    yield from _row(_HEAD)
    for names, row in _grouped(rows):
        yield from _row((names, str(row.retries), _waits(row), _number(row.worst_case), row.reason))


def _grouped(rows: Iterable[ExplainedFailure]) -> Iterator[tuple[str, ExplainedFailure]]:
    """Put statuses that come to the same in one line."""
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
    """Write ascending numbers, three and more in a row as first-last."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return " ".join(f"{run[0]}-{run[-1]}" if len(run) > _PAIR else " ".join(map(str, run)) for run in runs)


def _waits(row: ExplainedFailure) -> str:
    ends = [_number(low) if low == high else f"{_number(low)}-{_number(high)}" for low, high in row.waits]
    if len(set(ends)) == 1 < len(ends):
        return f"{len(ends)} x {ends[0]}"
    if len(ends) > _MOST_WAITS:
        ends[_MOST_WAITS - 1 : -1] = ["..."]
    return ", ".join(ends)


def _row(cells: Iterable[str]) -> Iterator[str]:
    from itertools import zip_longest  # noqa: PLC0415

    columns = [_wrapped(cell, width) for cell, width in zip(cells, _COLUMNS, strict=True)]
    for parts in zip_longest(*columns, fillvalue=""):
        yield "  ".join(f"{part:<{width}}" for part, width in zip(parts, _COLUMNS, strict=True)).rstrip()


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap  # noqa: PLC0415 - whoever asks for no text need not load it

    return textwrap.wrap(text, width, break_on_hyphens=False)


def _longest(times: Iterable[float | None]) -> str:
    known = list(times)
    return _NO_END if None in known else f"{_number(max(cast('list[float]', known)))} s"


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{_number(value)} s"


def _number(value: float | None) -> str:
    return _NO_END if value is None else f"{value:.6g}" if value >= _WIDTH else f"{value:.3g}"
