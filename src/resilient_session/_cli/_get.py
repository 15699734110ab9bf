"""One request, and the timeline of its attempts, written as they happen."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any, NamedTuple

import requests

from resilient_session._events import RetryScheduled, attempts_of
from resilient_session._redact import redact_error
from resilient_session._session import resilient_session

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TextIO

    from resilient_session._config._options import Options
    from resilient_session._events import Attempt, Event


class Wanted(NamedTuple):
    """A request to make.

    Attributes:
        method: the HTTP method.
        url: the URL.
        headers: the headers; values of a name that came several times are joined already.
        data: the body; None: there is none.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    data: bytes | None = None


def fetch(wanted: Wanted, options: Options, out: TextIO) -> requests.Response | Exception:
    """Make a request and write its timeline.

    Args:
        wanted: the request.
        options: the options of its session.
        out: where to write.

    Returns:
        The response, or what was raised in place of one, without the secrets of the request.
    """
    timeline = Timeline(out)
    told: Options = {**options, "on_event": timeline.on_event}
    outcome: requests.Response | Exception
    with resilient_session(**told) as session:
        try:
            outcome = session.request(**wanted._asdict(), hooks={"response": timeline.on_response})
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the outcome
            _redact(error, wanted)
            outcome = error
    timeline.show(attempts_of(outcome))
    timeline.end(outcome)
    return outcome


class Timeline:
    """Lines that tell of attempts, each as soon as it is known what follows it.

    Args:
        out: where to write them.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown: list[Attempt] = []

    def on_event(self, event: Event) -> None:
        """Show an attempt that is followed by another, before the wait."""
        if isinstance(event, RetryScheduled):
            self.show([event.attempt])

    def on_response(self, response: requests.Response, **_: Any) -> None:
        """Show what led to a response, each hop of a redirect in its turn."""
        self.show(attempts_of(response))

    def show(self, attempts: Iterable[Attempt]) -> None:
        """Show those attempts that were not shown before."""
        for attempt in attempts:
            if attempt not in self._shown:
                self._shown.append(attempt)
                self._show(attempt)

    def end(self, outcome: requests.Response | Exception) -> None:
        """Show what the call came to."""
        if isinstance(outcome, Exception):
            self._write(f"{type(outcome).__name__}: {outcome}")
            return
        last = self._shown[-1]
        phrase = http.client.responses.get(outcome.status_code, "")
        took = last.start + last.duration - self._shown[0].start
        attempts = "1 attempt" if len(self._shown) == 1 else f"{len(self._shown)} attempts"
        self._write(f"{outcome.status_code} {phrase}".rstrip() + f" after {attempts} in {took:.3f} s")

    def _show(self, attempt: Attempt) -> None:
        before = self._shown[-2] if len(self._shown) > 1 else None
        if before is None or (before.method, before.url) != (attempt.method, attempt.url):
            self._write(f"{attempt.method} {attempt.url}")
        start = attempt.start - self._shown[0].start
        wait = "" if attempt.wait is None else f"; next in {attempt.wait:.3f} s"
        self._write(
            f"{attempt.number:>3}  at {start:8.3f} s  took {attempt.duration:7.3f} s  "
            f"{_result(attempt):<25}  {attempt.reason}{wait}"
        )

    def _write(self, text: str) -> None:
        """Write one line, whatever a server or a URL put into the text."""
        line = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
        print(line, file=self._out, flush=True)


def _result(attempt: Attempt) -> str:
    parts = (attempt.status and str(attempt.status), attempt.error and type(attempt.error).__name__)
    return ", ".join(part for part in parts if part)


def _redact(error: Exception, wanted: Wanted) -> None:
    """Take the secrets out of an error also where no adapter had it in hand: of a URL that cannot be, say."""
    request = requests.PreparedRequest()
    request.url = wanted.url
    request.headers = requests.structures.CaseInsensitiveDict(wanted.headers)
    redact_error(error, request)
