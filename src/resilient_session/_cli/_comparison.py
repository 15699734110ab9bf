"""Compare the usual recipe with a resilient session in seven scenarios, by measurement.

Nothing in the table is hard-coded: a real server on loopback counts requests and their effects, the outcome is what
the session returned or raised, and the waits are those requested from its clock. Both sides use a virtual clock, so
the waits take no time.
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

from resilient_session._cli._scenarios import Measured, Scenario, scenarios
from resilient_session._cli._selfsigned import SelfSigned
from resilient_session._config._options import TABLE, Options
from resilient_session._session import resilient_session
from resilient_session.testing import FaultServer, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from resilient_session._cli._scenarios import Send

_CHANGING = ("POST", "PUT")


class Row(NamedTuple):
    """The results of both sessions in one scenario."""

    scenario: Scenario
    recipe: Measured
    ours: Measured

    @property
    def kept(self) -> bool:
        """Whether the resilient session kept its promise."""
        return self.scenario.kept(self.ours)


def compare(*, openssl: bool = True) -> tuple[Row, ...]:
    """Run all scenarios with both sessions.

    Args:
        openssl: False runs the scenarios of a machine without openssl.
    """
    with tempfile.TemporaryDirectory() as directory:
        certificate = SelfSigned.make(Path(directory)) if openssl else None
        return tuple(_row(scenario) for scenario in scenarios(certificate))


def run(scenario: Scenario, send: Send, session: requests.Session, clock: VirtualClock) -> Measured:
    """Send the request of a scenario through a session to a new server.

    Args:
        scenario: the scenario.
        send: sends it.
        session: a new session; it is closed at the end.
        clock: the clock of the session.
    """
    session.trust_env = False  # a proxy from the environment cannot reach loopback
    status = None
    with FaultServer(*scenario.script, tls=scenario.tls) as server, session:
        try:
            result = send(session, server.url())
        except Exception as error:  # noqa: BLE001 - any exception is an outcome
            outcome = _error_text(error)
        else:
            if isinstance(result, int):
                outcome = f"{_megabytes(result)} saved, {_megabytes(sent_by(server))} fetched"
            else:
                status, outcome = result.status_code, f"{result.status_code}: {result.text}"
    effects = sum(server.effects(method) for method in _CHANGING)
    return Measured(server.connections, len(server.requests), effects, sum(clock.sleeps), status, outcome)


def sent_by(server: FaultServer) -> int:
    """Return the bytes of all bodies that a server sent, up to their cuts."""
    replies = [request.reply for request in server.requests if request.reply is not None]
    return sum(len(reply.body) if reply.cut is None else reply.after or 0 for reply in replies)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def render(rows: Iterable[Row]) -> str:
    """Return the comparison as text of at most 100 columns."""
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
effects: requests that changed the server; waits: simulated on a virtual clock"""


def _line(*cells: str) -> str:
    return "{:<19}  {:>11}  {:>8}  {:>7}  {:>8}  {}".format(*cells).rstrip()


def _measured(name: str, one: Measured) -> str:
    return _line(
        name, str(one.connections), str(one.requests), str(one.effects), f"{one.waited:.1f} s", one.outcome
    )


def _error_text(error: Exception) -> str:
    """Return the class of an error, and note if a RetryError has no response."""
    lost = isinstance(error, requests.exceptions.RetryError) and error.response is None
    return type(error).__name__ + (", response: None" if lost else "")


def _row(scenario: Scenario) -> Row:
    clock, own_clock = VirtualClock(), VirtualClock()
    with urllib3_sleeps_on(clock):
        recipe = run(scenario, scenario.send_by_recipe or scenario.send, _recipe(), clock)
    return Row(scenario, recipe, run(scenario, scenario.send, _ours(own_clock), own_clock))


def _recipe() -> requests.Session:
    """Return a session with the usual `urllib3.Retry` recipe."""
    session = requests.Session()
    retries = urllib3.Retry(total=3, backoff_factor=1, status_forcelist=[429, 500, 502, 503, 504])
    session.mount("http://", HTTPAdapter(max_retries=retries))
    session.mount("https://", HTTPAdapter(max_retries=retries))
    return session


def _ours(clock: VirtualClock) -> requests.Session:
    """Return a resilient session with the defaults, as arguments so that no variable changes them."""
    defaults = {name: option.default for name, option in TABLE.items()}
    return resilient_session(**cast("Options", {**defaults, "clock": clock, "logger": None}))


@contextlib.contextmanager
def urllib3_sleeps_on(clock: VirtualClock) -> Iterator[None]:
    """Make urllib3's retries sleep on a virtual clock, by a patch: urllib3 has no argument for it."""
    names = vars(urllib3.util.retry)
    real = names["time"]
    names["time"] = SimpleNamespace(time=time.time, sleep=clock.sleep)
    try:
        yield
    finally:
        names["time"] = real
