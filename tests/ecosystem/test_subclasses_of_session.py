"""Sessions with a class of their own, wrapped: caches, OAuth 2, Google's credentials."""

from __future__ import annotations

import pytest

from resilient_session import attempts_of, resilient_session
from resilient_session.testing import FaultServer, Reply


def test_requests_cache_caches_what_the_retries_came_to(faulty, keeps_promises):
    requests_cache = pytest.importorskip("requests_cache")
    server = faulty()
    session = resilient_session(requests_cache.CachedSession(backend="memory"), logger=None)
    paths = iter(range(1000))
    keeps_promises(
        server,
        read=lambda: session.get(server.url(f"/{next(paths)}")).ok,
        create=lambda name: session.post(server.url("/"), data=name),
    )
    before = len(server.requests)
    hit = session.get(server.url("/0"))
    assert hit.from_cache
    assert len(server.requests) == before
    assert attempts_of(hit) == ()


def test_requests_cache_does_not_cache_what_the_retries_could_not_mend(fast_retries):
    requests_cache = pytest.importorskip("requests_cache")
    session = resilient_session(requests_cache.CachedSession(backend="memory"), total=1, logger=None)
    with FaultServer(Reply(503), Reply(503), Reply(200, "mended")) as server:
        assert session.get(server.url("/")).status_code == 503
        assert session.get(server.url("/")).text == "mended"


def test_requests_cache_serves_stale_answers_when_the_retries_are_exhausted(fast_retries):
    requests_cache = pytest.importorskip("requests_cache")
    stale = requests_cache.CachedSession(backend="memory", expire_after=0.001, stale_if_error=True)
    session = resilient_session(stale, logger=None)
    with FaultServer(Reply(200, "old"), default=Reply(503)) as server:
        session.get(server.url("/"))
        answer = session.get(server.url("/"))
        assert (answer.text, answer.from_cache, len(server.requests)) == ("old", True, 5)


def test_oauth2_session_reads_creates_and_fetches_its_token(faulty, keeps_promises, monkeypatch):
    oauthlib = pytest.importorskip("oauthlib.oauth2")
    requests_oauthlib = pytest.importorskip("requests_oauthlib")
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    token = Reply(200, '{"access_token": "t", "token_type": "Bearer", "ok": true}')
    server = faulty(token)
    client = oauthlib.BackendApplicationClient(client_id="me")
    session = resilient_session(requests_oauthlib.OAuth2Session(client=client), logger=None)
    session.fetch_token(server.url("/token"), client_secret="secret")  # noqa: S106
    keeps_promises(
        server,
        read=lambda: session.get(server.url("/")).json()["ok"],
        create=lambda name: session.post(server.url("/"), data=name),
    )
    assert {one.headers.get("Authorization") for one in server.requests if one.path == "/"} == {"Bearer t"}


def test_google_authorized_session_reads_and_creates(faulty, keeps_promises):
    credentials = pytest.importorskip("google.oauth2.credentials")
    transport = pytest.importorskip("google.auth.transport.requests")
    server = faulty()
    session = resilient_session(transport.AuthorizedSession(credentials.Credentials("token")), logger=None)
    keeps_promises(
        server,
        read=lambda: session.get(server.url("/")).ok,
        create=lambda name: session.post(server.url("/"), data=name),
    )
    assert {one.headers["Authorization"] for one in server.requests} == {"Bearer token"}


def test_google_fetches_tokens_through_a_session_of_its_own_unless_given_one(faulty):
    credentials = pytest.importorskip("google.oauth2.credentials")
    transport = pytest.importorskip("google.auth.transport.requests")
    with FaultServer(Reply(429), Reply(429), default=Reply(200, '{"access_token": "fresh"}')) as server:
        secrets = dict.fromkeys(("refresh_token", "client_id", "client_secret"), "secret")
        user = credentials.Credentials(None, token_uri=server.url("/token"), **secrets)
        tokens = transport.Request(resilient_session(logger=None))
        session = resilient_session(transport.AuthorizedSession(user, auth_request=tokens), logger=None)
        assert session.get(server.url("/")).request.headers["Authorization"] == "Bearer fresh"
        assert [one.path for one in server.requests] == ["/token", "/token", "/token", "/"]
