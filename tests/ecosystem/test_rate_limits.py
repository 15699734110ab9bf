"""requests-ratelimiter: an adapter that was mounted before counts attempts, a session counts calls."""

from __future__ import annotations

import pytest
import requests

from resilient_session import TimeoutHTTPAdapter, resilient_session
from resilient_session.testing import FaultServer, Reply

ratelimiter = pytest.importorskip("requests_ratelimiter")


def counted(limiter, server):
    return limiter.bucket_factory[f"127.0.0.1:{server.port}"].count()


def test_limiter_adapter_counts_every_attempt(faulty, keeps_promises):
    server = faulty()
    adapter = ratelimiter.LimiterAdapter(per_hour=10_000)
    session = requests.Session()
    session.mount("http://", adapter)
    with resilient_session(session, logger=None):
        keeps_promises(
            server,
            read=lambda: session.get(server.url("/")).ok,
            create=lambda name: session.post(server.url("/"), data=name),
        )
        assert counted(adapter.limiter, server) == len(server.requests)


def test_limiter_session_counts_calls_and_not_the_attempts_within(fast_retries):
    with (
        FaultServer(Reply(503), Reply(503), Reply(200)) as server,
        resilient_session(ratelimiter.LimiterSession(per_hour=10_000), logger=None) as session,
    ):
        assert session.get(server.url("/")).ok
        assert (counted(session.limiter, server), len(server.requests)) == (1, 3)


def test_limiter_mixed_into_our_adapter_counts_calls(fast_retries):
    class Limited(ratelimiter.LimiterMixin, TimeoutHTTPAdapter):
        pass

    session = requests.Session()
    session.mount("http://", Limited(per_hour=10_000, total=1))
    with FaultServer(default=Reply(503)) as server, session:
        session.get(server.url("/"))
        assert (counted(session.get_adapter("http://").limiter, server), len(server.requests)) == (1, 2)
