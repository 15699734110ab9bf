"""The response of an attempt that is repeated is never built; any other is what `requests` makes of it."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
import requests
from requests import Response
from requests.adapters import HTTPAdapter

from resilient_session import LoggingHTTPAdapter, TimeoutHTTPAdapter, resilient_session
from resilient_session._transport._late_response import LateResponse
from resilient_session.testing import FaultServer, Reply

HEADERS = {"Content-Type": "text/html; charset=latin-1", "X-Tea": "green", "Set-Cookie": "a=b"}


def failing(status=503):
    return Reply(status, b"sorry", headers=HEADERS)


@pytest.fixture
def built(monkeypatch):
    """The responses that are built: `build_response` of requests makes each."""
    found = []
    real = Response.__init__

    def init(self):
        found.append(self)
        real(self)

    monkeypatch.setattr(Response, "__init__", init)
    return found


def test_response_of_an_attempt_that_is_repeated_is_not_built(session, built):
    with FaultServer(Reply(503), Reply(429), Reply(500), default=Reply(200, "tea")) as server:
        assert session.get(server.url()).text == "tea"
        assert len(server.requests) == 4
    assert len(built) == 1


def test_cookies_of_a_response_that_is_not_built_are_kept(session):
    with FaultServer(failing(), default=Reply(200)) as server:
        session.get(server.url())
        assert server.requests[1].headers["Cookie"] == "a=b"
    assert session.cookies["a"] == "b"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [404, 503])
def test_response_that_is_returned_is_what_requests_makes_of_it(session, status, stream):
    with FaultServer(default=failing(status)) as server:
        ours = session.get(server.url(), stream=stream)
        with requests.Session() as stock:
            theirs = stock.get(server.url(), stream=stream)
            assert type(ours) is Response
            assert vars(ours).keys() == vars(theirs).keys() | {"attempts"}
            for name in ("status_code", "url", "reason", "encoding", "headers", "history", "_content_consumed"):
                assert getattr(ours, name) == getattr(theirs, name)
            assert ours.cookies.get_dict() == theirs.cookies.get_dict() == {"a": "b"}
            assert ours.text == theirs.text == "sorry"
            assert pickle.loads(pickle.dumps(ours)).text == "sorry"  # noqa: S301 - our own


@pytest.mark.parametrize("option", ["retry_if", "give_up_if"])
@pytest.mark.parametrize("stream", [False, True])
def test_functions_of_the_user_get_a_response_of_requests(clock, option, stream):
    seen = []
    with (
        FaultServer(failing(), default=Reply(200)) as server,
        resilient_session(
            clock=clock, logger=None, **{option: lambda response: seen.append(dict(vars(response)))}
        ) as it,
    ):
        it.get(server.url(), stream=stream).close()
    assert len(seen) == 2
    assert seen[0].keys() == seen[1].keys()


def test_exception_for_a_status_holds_a_response_of_requests(clock):
    with (
        FaultServer(default=failing()) as server,
        resilient_session(clock=clock, logger=None, raise_on_status=True) as session,
        pytest.raises(requests.exceptions.RetryError) as caught,
    ):
        session.get(server.url())
    assert type(caught.value.response) is Response
    assert caught.value.response.headers["X-Tea"] == "green"


def test_response_that_stays_the_outcome_because_the_next_attempt_is_refused_is_complete(clock):
    with (
        FaultServer(default=Reply(503, b"sorry")) as server,
        resilient_session(
            clock=clock, logger=None, rate_limit="1/minute", deadline=30, backoff_factor=0
        ) as session,
    ):
        response = session.get(server.url())
        assert len(server.requests) == 1
    assert type(response) is Response
    assert vars(response).keys() >= vars(Response()).keys()
    assert response.text == "sorry"


class Recording:
    """Somebody's own way to build responses."""

    def build_response(self, req, resp):
        response = super().build_response(req, resp)
        seen.append(type(response))
        return response


class Sending(HTTPAdapter):
    """Somebody's own way to send, which sees each response."""

    def send(self, *args, **kwargs):
        response = super().send(*args, **kwargs)
        seen.append(type(response))
        return response


class Subclass(Recording, LoggingHTTPAdapter):
    pass


class Mixed(TimeoutHTTPAdapter, type("Base", (Recording, HTTPAdapter), {})):
    pass


class Wrapped(TimeoutHTTPAdapter, Sending):
    pass


seen: list[type] = []


@pytest.fixture(autouse=True)
def forget():
    seen.clear()


@pytest.mark.parametrize("kind", [Subclass, Mixed, Wrapped])
def test_code_of_others_sees_each_response_as_requests_makes_it(clock, kind):
    with FaultServer(failing(), default=Reply(200)) as server, requests.Session() as session:
        session.mount("http://", kind(clock=clock))
        assert session.get(server.url()).status_code == 200
    assert seen == [Response, Response]


@pytest.mark.parametrize("owner", ["class", "adapter"])
def test_patch_sees_each_response_as_requests_makes_it(session, monkeypatch, owner):
    real = HTTPAdapter.build_response

    def patched(self, req, resp):
        response = real(self, req, resp)
        seen.append(type(response))
        return response

    adapter = session.get_adapter("http://")
    if owner == "class":
        monkeypatch.setattr(HTTPAdapter, "build_response", patched)
    else:
        monkeypatch.setattr(adapter, "build_response", patched.__get__(adapter))
    with FaultServer(failing(), default=Reply(200)) as server:
        session.get(server.url())
    assert seen == [Response, Response]


def test_patch_of_send_sees_each_response_as_requests_makes_it(session, monkeypatch):
    real = HTTPAdapter.send

    def patched(self, *args, **kwargs):
        response = real(self, *args, **kwargs)
        seen.append(type(response))
        return response

    monkeypatch.setattr(HTTPAdapter, "send", patched)
    with FaultServer(failing(), default=Reply(200)) as server:
        session.get(server.url())
    assert seen == [Response, Response]


def test_response_built_outside_an_attempt_is_one_of_requests(session):
    with FaultServer(default=failing()) as server:
        response = session.get(server.url(), stream=True)
        again = session.get_adapter(server.url()).build_response(response.request, response.raw)
        assert type(again) is Response


def test_what_is_not_there_yet_comes_when_it_is_needed(session):
    with FaultServer(default=failing()) as server:
        response = session.get(server.url(), stream=True)
        late = LateResponse(session.get_adapter(server.url()), response.request, response.raw)
        assert late.status_code == 503
        assert type(late) is LateResponse
        assert not hasattr(late, "nothing")
        assert type(late) is Response
        assert late.encoding == "latin-1"
        assert late.text == "sorry"


@pytest.mark.parametrize("name", ["build_response", "send", "request_url", "get_connection_with_tls_context"])
def test_import_while_a_method_of_requests_is_mocked(name):
    """Not every patch is a function."""
    code = f"""if True:
        from unittest import mock
        from requests.adapters import HTTPAdapter
        with mock.patch.object(HTTPAdapter, {name!r}):
            import resilient_session
        from resilient_session.testing import FaultServer, Reply
        with FaultServer(Reply(503), default=Reply(200)) as server:
            session = resilient_session.resilient_session(backoff_factor=0, logger=None)
            assert session.get(server.url()).status_code == 200
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)  # noqa: S603 - our own
