"""What users write, checked by type checkers only. Lines that must not pass carry an ignore that must be needed."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import requests
import urllib3

from resilient_session import (
    Attempt,
    AttemptFinished,
    Cause,
    ChunkedEncodingError,
    CircuitChanged,
    Clock,
    CoolDownStarted,
    DeadlineExceeded,
    Event,
    ExplainedFailure,
    Explanation,
    GaveUp,
    Installation,
    LoggingHTTPAdapter,
    Options,
    ReadTimeout,
    Recovered,
    RetryScheduled,
    StreamBroken,
    StreamResumed,
    Succeeded,
    TimeoutHTTPAdapter,
    attempts_of,
    deadline,
    explain,
    install,
    resilient_session,
    uninstall,
)
from resilient_session.testing import FaultServer, Reply, VirtualClock, fast_retries

if TYPE_CHECKING:
    from typing_extensions import Unpack

log = logging.getLogger(__name__)


class MySession(requests.Session):
    """A session of somebody's own."""

    token: str = ""


def wraps() -> None:
    session: requests.Session = resilient_session()
    mine: MySession = resilient_session(MySession(), total=5, timeout=(3.05, 27))
    mine.token = "x"  # noqa: S105
    resilient_session(session, allowed_methods=None, status_forcelist=[503], deadline=30, timeout=None)
    resilient_session(max_retries=urllib3.Retry(3), idempotency_keys=True, logger=logging.getLogger("mine"))
    options: Options = {"total": 5, "backoff": lambda retry: 2.0 * retry}
    resilient_session(**options)


def mounts() -> None:
    session = requests.Session()
    session.mount("https://", TimeoutHTTPAdapter(timeout=5, max_retries=urllib3.Retry(total=3)))
    session.mount("http://", LoggingHTTPAdapter(10, 20, total=1))
    clock: Clock = MyClock()
    adapter = TimeoutHTTPAdapter(max_retries=2, clock=clock, logger=None)
    adapter.max_retries = urllib3.Retry(total=1)
    retries: urllib3.Retry = adapter.max_retries
    adapter.send(requests.Request("GET", "https://example.com/").prepare(), timeout=(3.05, 27), report=listens)
    log.info("%s", retries)


class MyAdapter(TimeoutHTTPAdapter):
    """An adapter of somebody's own, made with their options."""

    def __init__(self, **options: Unpack[Options]) -> None:
        options.setdefault("total", 1)
        super().__init__(**options)


class MyClock:
    """A clock of somebody's own: it need not know of ours."""

    def now(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        log.info("%s", seconds)


def explains() -> None:
    session = resilient_session(total=5)
    timeouts = (3.05, 27)
    explanation: Explanation = explain(session, "POST", "https://example.com/", data={"a": 1}, timeout=timeouts)
    rows: tuple[ExplainedFailure, ...] = explanation.rows
    retried: list[str] = [row.failure for row in rows if row.retried and row.retries > 1]
    waits: list[tuple[float, float]] = [wait for row in rows for wait in row.waits]
    connect: float | None = explanation.timeouts.connect if explanation.timeouts is not None else None
    text: str = f"{explanation}: {explanation.answer} {explanation.warnings}"
    log.info("%s", [text, retried, waits, connect, explanation.as_dict()["rows"]])


def installs() -> None:
    install()
    with install(total=5, deadline=30) as installation:
        options: Options = installation.options
        requests.get("https://example.com/", timeout=5)
    kept: Installation = install(**options)
    kept.undo()
    uninstall()


def decides(response: requests.Response) -> bool | None:
    return response.json()["state"] == "pending" if response.ok else None


def listens(event: Event) -> None:
    if isinstance(event, AttemptFinished | RetryScheduled):
        number: int = event.attempt.number
        cause: Cause = event.attempt.cause
        log.info("%s %s %s", event.kind, number, cause)
    elif isinstance(event, StreamResumed | StreamBroken):
        received: int = event.received
        total: int | None = event.total
        log.info("%s %s of %s", event.kind, received, total)
    elif not isinstance(event, CircuitChanged | CoolDownStarted):
        ending: Succeeded | Recovered | GaveUp = event
        attempts: tuple[Attempt, ...] = ending.attempts
        log.info("%s", attempts)


def calls() -> None:
    session = resilient_session(retry_if=decides, on_event=listens, clock=VirtualClock())
    try:
        with deadline(2.5):
            response = session.get("https://example.com/", stream=True)
    except DeadlineExceeded as error:
        attempts_of(error)
        raise
    except (ReadTimeout, ChunkedEncodingError) as error:
        failed: requests.ConnectionError = error
        raise failed from None
    attempts: tuple[Attempt, ...] = attempts_of(response)
    waits: list[float | None] = [attempt.wait for attempt in attempts]
    errors: list[Exception | None] = [attempt.error for attempt in attempts if attempt.status is None]
    log.info("%s", [waits, errors, *(f"{attempt.number} {attempt.reason}" for attempt in attempts)])


def tests_code() -> None:
    with FaultServer(Reply(503), Reply(200, "hello")) as server, fast_retries() as clock:
        resilient_session().get(server.url("/"))
        slept: tuple[float, ...] = tuple(clock.sleeps)
        log.info("%s", slept)


def mistakes() -> None:
    resilient_session(totl=5)  # type: ignore[call-overload]
    resilient_session(total="5")  # type: ignore[call-overload]
    resilient_session("session")  # type: ignore[call-overload]
    resilient_session(clock=time)  # type: ignore[arg-type]
    resilient_session(on_event=decides)  # type: ignore[arg-type]
    TimeoutHTTPAdapter(method_whitelist=["GET"])  # type: ignore[call-arg]
    LoggingHTTPAdapter(timeouts=5)  # type: ignore[call-arg]
    install(deadlin=30)  # type: ignore[call-arg]
    explain(requests.Session(), "GET")  # type: ignore[call-arg]
    deadline("2.5")  # type: ignore[arg-type]
    deadline(None)  # type: ignore[arg-type]
    misspelt: Options = {"totl": 5}  # type: ignore[typeddict-unknown-key]
    requests.get("https://example.com/", timeout=5).attempts  # type: ignore[attr-defined]  # noqa: B018 - attempts_of() is typed
    log.info("%s", misspelt)
