"""Every row of the fault matrix comes out as promised, whatever the method and the way."""

from __future__ import annotations

import time

import pytest

from resilient_session import AttemptFinished, resilient_session
from resilient_session.testing import VirtualClock
from support.fault_matrix import NONE, ROWS, Stage, expected

AT_MOST = 8.0
"""Seconds; a bound that nothing comes near, unless it would never end."""

ONCE_EACH = [
    pytest.param(row, transport, method, id=f"{row.title}-{transport}-{method}")
    for place, row in enumerate(ROWS)
    for turn, transport in enumerate(row.transports)
    for method in (("GET", "PUT", "POST") if turn == 0 else (("GET", "PUT", "POST")[(place + turn) % 3],))
]
"""Each row with each method, and each other way with one of them, in turn."""


@pytest.fixture(scope="module")
def stage(server_tls, bundle):
    return Stage(server_tls, bundle)


def test_matrix_has_sixty_rows():
    assert len(ROWS) >= 60
    assert len({row.title for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("row", "transport", "method"), ONCE_EACH)
def test_fault_comes_out_as_promised(row, transport, method, stage):
    with resilient_session(clock=VirtualClock(), logger=None) as session:
        start = time.monotonic()
        played = stage.play(row, session, transport=transport, method=method)
        assert time.monotonic() - start < AT_MOST
    assert played == expected(row, method, transport)


@pytest.mark.parametrize("row", [row for row in ROWS if "plain" in row.transports], ids=lambda row: row.title)
def test_fault_comes_out_likewise_for_a_stream_but_for_its_body(row, stage):
    with resilient_session(clock=VirtualClock(), logger=None) as session:
        played = stage.play(row, session, method="GET", stream=True)
    promised = expected(row, "GET")
    if row.in_body:
        # nobody repeats what the reader of a stream meets
        promised = promised._replace(requests=1, effects=1, attempts=1, outcome=row.once)
    assert played == promised


def verdict(row, method, transport):
    """Say what is to follow the first attempt at a row."""
    if expected(row, method, transport).attempts > 1:
        return "retry"
    if row.cause == "ok":
        return "done"
    return "unsafe-method" if row.repeat != NONE or (row.stop and method == "POST") else row.stop or "hopeless"


@pytest.mark.parametrize(("row", "transport", "method"), ONCE_EACH)
def test_fault_has_its_cause_and_its_verdict(row, transport, method, stage, events):
    with resilient_session(clock=VirtualClock(), logger=None, on_event=events.append) as session:
        stage.play(row, session, transport=transport, method=method)
    finished = [event.attempt for event in events if isinstance(event, AttemptFinished)]
    assert finished[0].cause in {row.cause, *(["send"] if "first byte" in row.title else [])}
    assert finished[0].verdict == verdict(row, method, transport)
    assert [event.kind for event in events if event.kind in ENDS] == [events[-1].kind]
    assert events[-1].attempts == tuple(finished)


ENDS = {"succeeded", "recovered", "gave-up"}
