"""A session in the threads, or processes, of requests-futures."""

from __future__ import annotations

import concurrent.futures
import contextvars
import multiprocessing

import pytest

from resilient_session import attempts_of, deadline, resilient_session
from resilient_session.testing import FaultServer, Reply

sessions = pytest.importorskip("requests_futures.sessions")


@pytest.mark.parametrize("inside", [True, False], ids=["session=", "wrapped"])
def test_futures_read_and_create(inside, faulty, keeps_promises):
    server = faulty()
    if inside:
        futures = sessions.FuturesSession(session=resilient_session(total=10, logger=None), max_workers=8)
    else:
        futures = resilient_session(sessions.FuturesSession(max_workers=8), total=10, logger=None)
    with futures as session:
        keeps_promises(
            server,
            read=lambda: all(one.result().ok for one in [session.get(server.url("/")) for _ in range(8)]),
            create=lambda name: [
                one.exception() for one in [session.post(server.url("/"), data=f"{name} {n}") for n in range(8)]
            ],
        )


class Carrying(concurrent.futures.ThreadPoolExecutor):
    """Runs what is submitted in the context of who submits it."""

    def submit(self, function, /, *args, **kwargs):
        return super().submit(contextvars.copy_context().run, function, *args, **kwargs)


@pytest.mark.parametrize(("executor", "attempts"), [(concurrent.futures.ThreadPoolExecutor, 4), (Carrying, 1)])
def test_deadline_scope_reaches_a_future_only_through_an_executor_that_carries_it(executor, attempts, fast_retries):
    with (
        FaultServer(default=Reply(503, headers={"Retry-After": "30"})) as server,
        executor(max_workers=1) as pool,
        sessions.FuturesSession(pool, session=resilient_session(logger=None)) as session,
        deadline(20),
    ):
        assert len(attempts_of(session.get(server.url("/")).result())) == attempts


def test_pools_are_sized_for_many_workers_and_stay_ours(faulty):
    server = faulty()
    with sessions.FuturesSession(max_workers=20, session=resilient_session(logger=None, total=10)) as session:
        futures = [session.get(server.url("/")) for _ in range(60)]
        assert all(future.result().ok for future in futures)
        assert server.connections < 60


def test_futures_in_processes(faulty):
    server = faulty()
    with (
        concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool,
        sessions.FuturesSession(pool, session=resilient_session(logger=None, backoff_factor=0.001)) as session,
    ):
        futures = [session.get(server.url("/")) for _ in range(4)]
        assert [future.result().status_code for future in futures] == [200] * 4
        assert {attempts_of(future.result()) for future in futures} == {()}  # requests pickles no attribute of ours
    assert len(server.requests) > 4
