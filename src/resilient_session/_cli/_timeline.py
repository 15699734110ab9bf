"""Send one request and print each of its attempts as it happens."""

from __future__ import annotations

import http.client
import shutil
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import requests

from resilient_session._cli._output import harmless, is_terminal
from resilient_session._cli._waterfall import waterfall
from resilient_session._events import AttemptFinished, RetryScheduled
from resilient_session._redact import redact_error
from resilient_session._session import resilient_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO, TypeAlias

    from resilient_session._config._options import Options
    from resilient_session._events import Attempt, Event

    Send: TypeAlias = Callable[..., requests.Response]

T = TypeVar("T")


class RequestArguments(NamedTuple):
    """The request to send.

    Attributes:
        method: the HTTP method.
        url: the URL.
        headers: the headers; repeated ones are already joined.
        data: the body; None for no body.
        verify: whether certificates are verified.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    data: bytes | None = None
    verify: bool = True


def fetch(arguments: RequestArguments, options: Options, out: TextIO, send: Callable[[Send], T]) -> T | Exception:
    """Send a request and print its timeline.

    Args:
        arguments: the request.
        options: the options of its session.
        out: the stream to print to.
        send: called with a function that sends the request, with keywords of `Session.request` added or replaced.

    Returns:
        What `send` returns, or the exception, with the secrets of the request redacted.
    """
    timeline = Timeline(out)
    with_timeline: Options = {**options, "on_event": timeline.on_event}
    outcome: T | Exception
    with resilient_session(**with_timeline) as session:
        try:
            outcome = send(lambda **changes: session.request(**{**arguments._asdict(), **changes}))
        except Exception as error:  # noqa: BLE001 - any exception is an outcome
            _redact(error, arguments)
            outcome = error
    timeline.end(outcome if isinstance(outcome, Exception) else None)
    return outcome


class Timeline:
    """Prints a line for each attempt, when it ends, and a waterfall of all of them at the end.

    Args:
        out: the stream to print to.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._printed: list[Attempt] = []
        self._target = ""

    def on_event(self, event: Event) -> None:
        """Print an attempt that ended, and once more if its body broke later."""
        if isinstance(event, AttemptFinished):
            self._printed.append(event.attempt)
            self._print_attempt(event.attempt)
        elif isinstance(event, RetryScheduled) and event.attempt is not self._printed[-1]:
            self._printed[-1] = event.attempt
            self._print_attempt(event.attempt)

    def end(self, error: Exception | None) -> None:
        """Print a waterfall, if there is a terminal to see it, and how the call ended."""
        if self._printed and is_terminal(self._out):
            for line in waterfall(self._printed, shutil.get_terminal_size().columns):
                self._write(line)
        if error is not None:
            self._write(f"{type(error).__name__}: {error}")
        elif self._printed:
            self._write_status()

    def _write_status(self) -> None:
        last = self._printed[-1]
        phrase = http.client.responses.get(last.status or 0, "")
        duration = last.start + last.duration - self._printed[0].start
        attempts = "1 attempt" if len(self._printed) == 1 else f"{len(self._printed)} attempts"
        self._write(f"{last.status} {phrase}".rstrip() + f" after {attempts} in {duration:.3f} s")

    def _print_attempt(self, attempt: Attempt) -> None:
        target = f"{attempt.method} {attempt.url}"
        if target != self._target:
            self._target = target
            self._write(target)
        start = attempt.start - self._printed[0].start
        wait = "" if attempt.wait is None else f"; next in {attempt.wait:.3f} s"
        self._write(
            f"{attempt.number:>3}  at {start:8.3f} s  took {attempt.duration:7.3f} s  "
            f"{_result(attempt):<25}  {attempt.reason}{wait}"
        )

    def _write(self, text: str) -> None:
        """Print one line, with unprintable characters escaped."""
        print(harmless(text.replace("\n", "\\n").replace("\r", "\\r")), file=self._out, flush=True)


def _result(attempt: Attempt) -> str:
    parts = (attempt.status and str(attempt.status), attempt.error and type(attempt.error).__name__)
    return ", ".join(part for part in parts if part)


def _redact(error: Exception, arguments: RequestArguments) -> None:
    """Redact an error that no adapter redacted, such as one of a malformed URL."""
    request = requests.PreparedRequest()
    request.url = arguments.url
    request.headers = requests.structures.CaseInsensitiveDict(arguments.headers)
    redact_error(error, request)
