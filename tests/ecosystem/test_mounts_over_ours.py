"""CacheControl mounts its own adapter: before ours it is driven, after ours it takes its place."""

from __future__ import annotations

from email.utils import formatdate

import pytest
import requests

from resilient_session import LoggingHTTPAdapter, attempts_of, resilient_session
from resilient_session.testing import FaultServer, Reply

cachecontrol = pytest.importorskip("cachecontrol")
FRESH = {"Cache-Control": "max-age=3600", "Date": formatdate(usegmt=True)}
CACHEABLE = Reply(200, "kept", headers=FRESH)


def test_cachecontrol_before_ours_caches_and_is_retried(faulty, keeps_promises):
    server = faulty(lambda request: CACHEABLE)
    session = resilient_session(cachecontrol.CacheControl(requests.Session()), logger=None)
    paths = iter(range(1000))
    keeps_promises(
        server,
        read=lambda: session.get(server.url(f"/{next(paths)}")).text == "kept",
        create=lambda name: session.post(server.url("/"), data=name),
    )
    before = len(server.requests)
    hit = session.get(server.url("/0"))
    assert (hit.from_cache, hit.text, len(attempts_of(hit))) == (True, "kept", 1)
    assert len(server.requests) == before


def test_cachecontrol_does_not_keep_what_was_cut(fast_retries):
    session = resilient_session(cachecontrol.CacheControl(requests.Session()), logger=None)
    cut = Reply(200, "kept" * 9, headers=FRESH, cut="body")
    with FaultServer(cut, CACHEABLE) as server:
        assert [session.get(server.url("/")).text for _ in range(3)] == ["kept"] * 3
        assert len(server.requests) == 2


def test_cachecontrol_revalidates(fast_retries):
    session = resilient_session(cachecontrol.CacheControl(requests.Session()), logger=None)
    etag = {"ETag": '"1"'}
    with FaultServer(Reply(200, "kept", headers=etag), Reply(503), Reply(304, headers=etag)) as server:
        assert [session.get(server.url("/")).text for _ in range(2)] == ["kept"] * 2
        assert server.requests[-1].headers["If-None-Match"] == '"1"'


def test_cachecontrol_after_ours_takes_its_place_and_nothing_is_retried(fast_retries):
    session = cachecontrol.CacheControl(resilient_session(logger=None))
    with FaultServer(Reply(503), Reply(200)) as server:
        assert session.get(server.url("/")).status_code == 503
        assert resilient_session(session).get(server.url("/")).status_code == 200


def test_cachecontrol_adapter_and_ours_can_be_one_class(fast_retries):
    class Caching(cachecontrol.CacheControlAdapter, LoggingHTTPAdapter):
        """The cache is asked once for a call; what it has not is fetched with retries."""

    session = requests.Session()
    session.mount("http://", Caching(total=2, logger=None))
    with FaultServer(Reply(503), Reply(503), CACHEABLE) as server:
        assert [session.get(server.url("/")).text for _ in range(2)] == ["kept"] * 2
        assert len(server.requests) == 3
