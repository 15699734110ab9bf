"""What users write, checked by type checkers only. Lines that must not pass carry an ignore that must be needed."""

from __future__ import annotations

import logging

import requests
import urllib3

from resilient_session import (
    Attempt,
    DeadlineExceeded,
    Event,
    GaveUp,
    LoggingHTTPAdapter,
    Options,
    Recovered,
    RetryScheduled,
    TimeoutHTTPAdapter,
    attempts_of,
    deadline,
    resilient_session,
)
from resilient_session.testing import FaultServer, Reply, VirtualClock, fast_retries

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


def decides(response: requests.Response) -> bool | None:
    return response.json()["state"] == "pending" if response.ok else None


def listens(event: Event) -> None:
    if isinstance(event, RetryScheduled):
        number: int = event.attempt.number
        log.info("%s", number)
    else:
        ending: Recovered | GaveUp = event
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
    waits: list[float | None] = [attempt.wait for attempt in attempts_of(response)]
    log.info("%s", waits)


def tests_code() -> None:
    with FaultServer(Reply(503), Reply(200, "hello")) as server, fast_retries() as clock:
        resilient_session().get(server.url("/"))
        slept: tuple[float, ...] = tuple(clock.sleeps)
        log.info("%s", slept)


def mistakes() -> None:
    resilient_session(totl=5)  # type: ignore[call-overload]
    resilient_session(total="5")  # type: ignore[call-overload]
    resilient_session("session")  # type: ignore[call-overload]
    TimeoutHTTPAdapter(method_whitelist=["GET"])  # type: ignore[call-arg]
