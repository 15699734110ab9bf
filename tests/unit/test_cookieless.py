"""A response whose head sets no cookies is built without a search for them, and is the same."""

from __future__ import annotations

import subprocess
import sys
from http.client import HTTPMessage
from types import SimpleNamespace

import pytest
import requests
from requests import PreparedRequest, adapters
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from resilient_session import resilient_session
from resilient_session._call._cookies import hand_over
from resilient_session._transport._cookieless import built
from resilient_session.testing import FaultServer, Reply

COOKIES = [
    ({}, []),
    ({"Set-Cookie": "a=b"}, ["a"]),
    ({"SET-COOKIE": "c=d; Path=/"}, ["c"]),
    ({"Set-Cookie2": 'e="f"; Version="1"'}, []),
]


def raw_with(fields):
    message = HTTPMessage()
    for field in fields.items():
        message.set_raw(*field)
    original = SimpleNamespace(msg=message)
    return HTTPResponse(headers=fields, status=200, preload_content=False, original_response=original)


def prepared():
    request = PreparedRequest()
    request.prepare("GET", "http://localhost/a/b")
    return request


@pytest.mark.parametrize(("fields", "names"), COOKIES)
def test_responses_are_what_requests_builds(fields, names):
    adapter, request = HTTPAdapter(), prepared()
    ours, theirs = (
        vars(build(raw_with(fields)))
        for build in (
            lambda raw: built(adapter.build_response, request, raw),
            lambda raw: adapter.build_response(request, raw),
        )
    )
    assert ours.pop("raw")._original_response.msg is not theirs.pop("raw")._original_response.msg
    assert [*map(vars, ours.pop("cookies"))] == [*map(vars, theirs["cookies"])]
    assert [cookie.name for cookie in theirs.pop("cookies")] == names
    assert ours == theirs


@pytest.mark.parametrize(("fields", "names"), COOKIES)
def test_sessions_find_cookies_where_they_are_set(fields, names):
    with FaultServer(default=Reply(200, headers=fields, body=b"ok")) as server, resilient_session() as session:
        response = session.get(server.url())
        assert [cookie.name for cookie in response.cookies] == names
        assert [cookie.name for cookie in session.cookies] == names
        assert response.raw._original_response is not None


def test_a_patched_search_is_made(monkeypatch):
    searched = []
    monkeypatch.setattr(
        adapters, "extract_cookies_to_jar", lambda _jar, _request, raw: searched.append(raw._original_response)
    )
    with FaultServer(default=Reply(200, body=b"ok")) as server:
        for session in (requests.Session(), resilient_session()):
            with session:
                session.get(server.url())
    assert len(searched) == 2
    assert None not in searched


def test_a_search_that_was_patched_before_the_import_is_made():
    code = """if True:
        from requests import adapters
        searched = []
        adapters.extract_cookies_to_jar = lambda jar, request, raw: searched.append(raw._original_response)
        from resilient_session import resilient_session
        from resilient_session.testing import FaultServer
        with FaultServer() as server, resilient_session() as session:
            session.get(server.url())
        assert searched != [] and None not in searched
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)  # noqa: S603 - our own


def test_no_search_without_a_patch():
    seen = []
    raw = raw_with({})
    built(lambda _request, raw: seen.append(raw._original_response), prepared(), raw)
    assert seen == [None]


def test_the_message_is_there_again_if_building_raises():
    def raising(_request, _raw):
        raise KeyboardInterrupt

    raw = raw_with({})
    with pytest.raises(KeyboardInterrupt):
        built(raising, prepared(), raw)
    assert raw._original_response is not None


def test_a_response_of_another_make_is_left_alone():
    raw = SimpleNamespace(headers={}, _original_response="theirs")
    seen = []
    built(lambda _request, raw: seen.append(raw._original_response), prepared(), raw)
    assert seen == ["theirs"]


def test_cookies_of_earlier_attempts_need_a_message_to_be_found_in():
    response = requests.Response()
    hand_over(("a=b",), response)
    assert response.raw is None
