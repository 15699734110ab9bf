"""Six faults, each met by the usual recipe and by a resilient session: what they sent, caused and got, as measured.

Nothing in the table is known beforehand: the requests and their effects are counted by a real server on
loopback, the outcome is what the session returned or raised, and the waits are what it asked its clock for.
That clock is a virtual one on both sides, so nobody sleeps.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple, cast

import requests
import urllib3
from requests.adapters import HTTPAdapter

from resilient_session._cli._selfsigned import SelfSigned
from resilient_session._config._options import TABLE, Options
from resilient_session._session import resilient_session
from resilient_session.testing import FaultServer, Reply, VirtualClock

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator

    from resilient_session.testing import RecordedRequest

_HOUR = 3600
_CONTENT = "all that was asked for"
_EXPLANATION = '{"error": "the disk is full"}'
_CHANGING = ("POST", "PUT")
_OK, _ERROR, _UNAVAILABLE = 200, 500, 503


class Measured(NamedTuple):
    """What one session did, and what came of it.

    Attributes:
        connections: how many the server accepted.
        requests: how many the server received.
        effects: how many requests changed something on the server.
        waited: seconds between attempts, on a virtual clock.
        status: the status of the response that was returned; None if an exception was raised.
        outcome: the status and the body that were returned, or the class of the exception.
    """

    connections: int
    requests: int
    effects: int
    waited: float
    status: int | None
    outcome: str


class Scenario(NamedTuple):
    """A fault, and what ours promises to make of it.

    Attributes:
        title: the request and its fault.
        script: the server's answers.
        send: sends the request to a URL through a session.
        promise: what is to come of it, in words.
        kept: whether that came of it.
        tls: the server's TLS context; None: plain HTTP.
    """

    title: str
    script: tuple[Reply | Callable[[RecordedRequest], Reply], ...]
    send: Callable[[requests.Session, str], requests.Response]
    promise: str
    kept: Callable[[Measured], bool]
    tls: ssl.SSLContext | None = None


class Row(NamedTuple):
    """One line of the comparison."""

    scenario: Scenario
    recipe: Measured
    ours: Measured

    @property
    def kept(self) -> bool:
        """Whether ours came out as promised."""
        return self.scenario.kept(self.ours)


def compare(*, openssl: bool = True) -> tuple[Row, ...]:
    """Play all scenarios to both sessions.

    Args:
        openssl: False plays, as on a machine without openssl, what can be played without TLS.
    """
    with tempfile.TemporaryDirectory() as directory:
        certificate = SelfSigned.make(Path(directory)) if openssl else None
        tls = _over_tls(certificate) if certificate else _WITHOUT_TLS
        return tuple(_row(scenario) for scenario in (*_BODIES, *tls, *_STATUSES))


def play(scenario: Scenario, session: requests.Session, clock: VirtualClock) -> Measured:
    """Send a scenario's request through a session to a server of its own.

    Args:
        scenario: the scenario.
        session: the session, new; it is closed in the end.
        clock: the clock that the session waits on.
    """
    session.trust_env = False  # the proxies of the environment do not lead to loopback
    status = None
    with FaultServer(*scenario.script, tls=scenario.tls) as server, session:
        try:
            response = scenario.send(session, server.url())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the outcome
            outcome = _described(error)
        else:
            status, outcome = response.status_code, f"{response.status_code}: {response.text}"
    effects = sum(server.effects(method) for method in _CHANGING)
    return Measured(server.connections, len(server.requests), effects, sum(clock.sleeps), status, outcome)


def render(rows: Iterable[Row]) -> str:
    """Return the comparison as a text of at most 100 columns."""
    rows = tuple(rows)
    broken = [f"NOT KEPT: {row.scenario.title}: {row.scenario.promise}" for row in rows if not row.kept]
    lines = [_line("", "connections", "requests", "effects", "waits", "outcome")]
    for row in rows:
        lines += ["", row.scenario.title, _measured("  usual recipe", row.recipe)]
        lines += [_measured("  resilient_session", row.ours)]
    lines += ["", _FOOTNOTE, *(broken or [f"All {len(rows)} promises were kept."])]
    return "\n".join(lines)


_FOOTNOTE = """\
usual recipe: Retry(total=3, backoff_factor=1, status_forcelist=[429, 500, 502, 503, 504])
effects: what the server did for good; waits: as asked for, on a virtual clock that nobody sleeps on"""


def _line(*cells: str) -> str:
    return "{:<19}  {:>11}  {:>8}  {:>7}  {:>8}  {}".format(*cells).rstrip()


def _measured(name: str, one: Measured) -> str:
    return _line(
        name, str(one.connections), str(one.requests), str(one.effects), f"{one.waited:.1f} s", one.outcome
    )


def _described(error: Exception) -> str:
    """Name the class of an error, and say of one that stands for a response whether it has it."""
    lost = isinstance(error, requests.exceptions.RetryError) and error.response is None
    return type(error).__name__ + (", response: None" if lost else "")


def _row(scenario: Scenario) -> Row:
    clock, own_clock = VirtualClock(), VirtualClock()
    with _urllib3_sleeps_on(clock):
        recipe = play(scenario, _recipe(), clock)
    return Row(scenario, recipe, play(scenario, _ours(own_clock), own_clock))


def _recipe() -> requests.Session:
    """Return the session of the recipe that is copied everywhere."""
    session = requests.Session()
    retries = urllib3.Retry(total=3, backoff_factor=1, status_forcelist=[429, 500, 502, 503, 504])
    session.mount("http://", HTTPAdapter(max_retries=retries))
    session.mount("https://", HTTPAdapter(max_retries=retries))
    return session


def _ours(clock: VirtualClock) -> requests.Session:
    """Return a resilient session with the defaults; given as arguments, lest variables change the show."""
    defaults = {name: option.default for name, option in TABLE.items()}
    return resilient_session(**cast("Options", {**defaults, "clock": clock, "logger": None}))


@contextlib.contextmanager
def _urllib3_sleeps_on(clock: VirtualClock) -> Iterator[None]:
    """Let urllib3's own retries sleep on a virtual clock, for it takes none as an argument."""
    names = vars(urllib3.util.retry)
    real = names["time"]
    names["time"] = SimpleNamespace(time=time.time, sleep=clock.sleep)
    try:
        yield
    finally:
        names["time"] = real


def _get(session: requests.Session, url: str) -> requests.Response:
    return session.get(url)


def _store(request: RecordedRequest) -> Reply:
    return Reply(200, f"stored {len(request.body)} bytes")


_BODIES = (
    Scenario(
        title="a GET whose first answer breaks off in the body",
        script=(Reply(200, _CONTENT, cut="body"), Reply(200, _CONTENT)),
        send=_get,
        promise="the whole body, by a second request",
        kept=lambda ours: ours.outcome == f"{_OK}: {_CONTENT}" and ours.requests == 2,  # noqa: PLR2004
    ),
    Scenario(
        title="a PUT of a generator (11 bytes) that is first answered 503",
        script=(Reply(503, "try again"), _store),
        send=lambda session, url: session.put(url, data=iter([b"hello ", b"world"])),
        promise="the 503 is handed over, and nothing is stored in place of what the generator gave",
        kept=lambda ours: ours.status == _UNAVAILABLE and ours.effects == 0,
    ),
)
_STATUSES = (
    Scenario(
        title="a GET that is answered 503 with Retry-After: 3600",
        script=(Reply(503, "back in an hour", headers={"Retry-After": f"{_HOUR}"}), Reply(200, "back again")),
        send=_get,
        promise="the 503 is handed over at once",
        kept=lambda ours: ours.status == _UNAVAILABLE and ours.waited == 0,
    ),
    Scenario(
        title="a GET that is answered 500 with an explanation, every time",
        script=(Reply(500, _EXPLANATION, headers={"Content-Type": "application/json"}),) * 4,
        send=_get,
        promise="after the last attempt, its response with the explanation",
        kept=lambda ours: ours.outcome == f"{_ERROR}: {_EXPLANATION}",
    ),
)
_WITHOUT_TLS = (
    Scenario(
        title="a POST whose answer is lost in a reset (no openssl here: over TLS this differs)",
        script=(Reply.reset(),),
        send=lambda session, url: session.post(url, data=b"amount=100"),
        promise="it takes effect once",
        kept=lambda ours: ours.effects == 1,
    ),
    Scenario(
        title="a GET that is answered 503 with Retry-After: 0.5 (no openssl here for a bad certificate)",
        script=(Reply(503, headers={"Retry-After": "0.5"}), Reply(200, _CONTENT)),
        send=_get,
        promise="the content, after the wait",
        kept=lambda ours: ours.outcome == f"{_OK}: {_CONTENT}",
    ),
)


def _over_tls(certificate: SelfSigned) -> tuple[Scenario, ...]:
    return (
        Scenario(
            title="a POST whose answer is lost in a broken TLS stream",
            script=(),
            send=lambda session, url: session.post(url, data=b"amount=100", verify=str(certificate.certificate)),
            promise="it takes effect once",
            kept=lambda ours: ours.effects == 1,
            tls=certificate.context(breaks=True),
        ),
        Scenario(
            title="a GET from a server with a self-signed certificate",
            script=(),
            send=_get,
            promise="refused at the first connection",
            kept=lambda ours: ours.connections == 1 and ours.outcome == "SSLError",
            tls=certificate.context(),
        ),
    )
