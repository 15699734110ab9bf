"""`ResilientSession`: still a `requests.Session` for whoever subclasses, pickles, copies, patches or mocks it."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from inspect import getattr_static

import pytest
import requests
from requests.adapters import HTTPAdapter

from resilient_session import ResilientSession, TimeoutHTTPAdapter, attempts_of, install, resilient_session
from resilient_session._fast import _gate
from resilient_session.testing import Reply

WATCHED = [
    pytest.param(owner, name, id=f"{owner.__name__}.{name}")
    for originals in (_gate.PREPARE, _gate.ENVIRONMENT)
    for owner, names in originals.names.items()
    for name in names
]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    """Leave nothing in the environment that would close a short way."""
    for name in os.environ:
        if name.lower().endswith("_proxy") or "CA_BUNDLE" in name or name == "NETRC":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def pickled(session):
    return pickle.loads(pickle.dumps(session))  # noqa: S301 - our own


class Subclass(ResilientSession):
    def __init__(self):
        super().__init__(total=1)
        self.prepared = 0

    def prepare_request(self, request):
        self.prepared += 1
        return super().prepare_request(request)


def test_the_factory_makes_one_and_leaves_the_class_of_wrapped_sessions():
    assert type(resilient_session()) is ResilientSession
    assert type(resilient_session(requests.Session())) is requests.Session


def test_takes_the_options_of_the_factory():
    assert ResilientSession(total=7).adapters["https://"].max_retries.total == 7
    with pytest.raises(TypeError, match="unknown option"):
        ResilientSession(totl=7)


def test_a_subclass_may_override_what_is_short(fault_server):
    fault_server.script(Reply(503), Reply(200))
    with Subclass() as session:
        assert len(attempts_of(session.get(fault_server.url(), timeout=5, headers={"Retry-After": "0"}))) == 2
        assert session.prepared == 1


def test_is_resilient_again_after_a_pickle_with_its_cookies(fault_server):
    fault_server.script(Reply(503, headers={"Set-Cookie": "tea=green", "Retry-After": "0"}), Reply(400))
    with pickled(ResilientSession(raise_on_status=True)) as session:
        assert session.get(fault_server.url()).status_code == 400
        assert session.cookies.get_dict() == {"tea": "green"}
        assert [adapter._session() for adapter in session.adapters.values()] == [session] * 2


def test_a_pickle_keeps_adapters_of_others():
    session = ResilientSession()
    session.mount("http://mine", HTTPAdapter(max_retries=7))
    assert pickled(session).get_adapter("http://mine").max_retries.total == 7


def test_a_copy_sends_with_the_same_adapters(fault_server):
    session = ResilientSession()
    twin = copy.copy(session)
    assert type(twin) is ResilientSession
    assert twin.adapters["http://"] is session.adapters["http://"]
    assert twin.get(fault_server.url()).ok


def test_install_and_the_options_of_the_session_both_count():
    with install(total=7):
        adapter = ResilientSession(connect=1).adapters["https://"]
    assert isinstance(adapter, TimeoutHTTPAdapter)
    assert (adapter.max_retries.total, adapter.max_retries.connect) == (7, 1)


def act(session):
    """Go all the ways for which there are short ones."""
    request = requests.Request("POST", "http://localhost/tea?a=1", {"X-Tea": "green"}, params={"b": 2})
    prepared = session.prepare_request(request)
    settings = session.merge_environment_settings(prepared.url, {}, None, None, None)
    return prepared, settings, session.rebuild_proxies(prepared, settings["proxies"])


def counting(owner, name, called):
    original = getattr(owner, name)
    if isinstance(original, type):

        class Counting(original):
            def __init__(self, *args, **kwargs):
                called.append(self)
                super().__init__(*args, **kwargs)

        return Counting

    def count(*args, **kwargs):
        called.append(args)
        return original(*args, **kwargs)

    return staticmethod(count) if isinstance(getattr_static(owner, name), staticmethod) else count


@pytest.mark.parametrize(("owner", "name"), WATCHED)
def test_a_patched_function_is_called_as_often_as_by_stock(owner, name, monkeypatch):
    act(ResilientSession())
    sessions = [requests.Session(), ResilientSession()]
    counts = []
    called = []
    monkeypatch.setattr(owner, name, counting(owner, name, called))
    for session in sessions:
        called.clear()
        act(session)
        counts.append(len(called))
    assert counts[0] == counts[1] > 0


def test_short_ways_are_open_again_after_a_patch(monkeypatch):
    session, request = ResilientSession(), requests.Request("GET", "http://localhost/")
    assert _gate.prepared(session, request)
    with monkeypatch.context() as patch:
        patch.setattr(requests.sessions, "get_netrc_auth", lambda _url: ("me", "secret"))
        assert _gate.prepared(session, request) is None
        assert session.prepare_request(request).headers["Authorization"]
    assert _gate.prepared(session, request)
    assert "Authorization" not in session.prepare_request(request).headers


PATCH = "requests.sessions.get_netrc_auth = lambda url: ('me', 'secret')"
WRAPPER = """
from functools import wraps
requests.sessions.get_netrc_auth = wraps(requests.sessions.get_netrc_auth)(lambda url: ('me', 'secret'))"""


@pytest.mark.parametrize("patch", [PATCH, WRAPPER])
def test_a_patch_made_before_the_import_counts(patch):
    code = f"""import requests
{patch}
from resilient_session import ResilientSession
print(ResilientSession().prepare_request(requests.Request('GET', 'http://localhost/')).headers['Authorization'])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.stdout, done.stderr) == ("Basic bWU6c2VjcmV0\n", "")


def broken(_self, _request):
    raise AttributeError


@pytest.mark.parametrize("future", [lambda *_: requests.Request("GET", "http://localhost/").prepare(), broken])
def test_all_are_closed_if_a_future_requests_prepares_otherwise(future, monkeypatch):
    session, request = ResilientSession(), requests.Request("GET", "http://localhost/tea")
    _gate.agree.cache_clear()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(requests.Session, "prepare_request", future)
            assert not _gate.agree()
        assert _gate.PREPARE.are_there()
        assert _gate.prepared(session, request) is None
        assert _gate.merged(session, request.url, {}, None, None, None) is None
        assert session.prepare_request(request).url == request.url
    finally:
        _gate.agree.cache_clear()
    assert _gate.prepared(session, request)


def test_a_changed_header_of_the_session_is_checked_again():
    session, request = ResilientSession(), requests.Request("GET", "http://localhost/")
    session.prepare_request(request)
    session.headers["X-Tea"] = " green"
    with pytest.raises(requests.exceptions.InvalidHeader):
        session.prepare_request(request)
    session.headers["X-Tea"] = "green"
    assert session.prepare_request(request).headers["X-Tea"] == "green"


def test_a_prepared_request_shares_nothing_with_its_session():
    session, request = ResilientSession(), requests.Request("GET", "http://localhost/")
    prepared = session.prepare_request(request)
    prepared.headers["X-Tea"] = "green"
    prepared.hooks["response"].append(print)
    prepared._cookies.set("a", "b")
    assert "X-Tea" not in session.headers
    assert session.hooks == request.hooks == {"response": []}
    assert not session.cookies


@pytest.mark.parametrize("name", [".netrc", "_netrc"])
def test_a_netrc_file_is_found_that_appears_later(name, tmp_path):
    session, request = ResilientSession(), requests.Request("GET", "http://localhost/")
    assert "Authorization" not in session.prepare_request(request).headers
    (tmp_path / name).write_text("machine localhost login me password secret")
    assert session.prepare_request(request).headers["Authorization"] == "Basic bWU6c2VjcmV0"


def test_a_netrc_file_named_in_the_environment_is_found(tmp_path, monkeypatch):
    (tmp_path / "mine").write_text("machine localhost login me password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "mine"))
    request = requests.Request("GET", "http://localhost/")
    assert ResilientSession().prepare_request(request).headers["Authorization"] == "Basic bWU6c2VjcmV0"


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "Http_Proxy", "all_proxy"])
def test_a_proxy_counts_that_the_environment_names_later(name, monkeypatch):
    session = ResilientSession()
    given = ("http://localhost/", {}, None, None, None)
    assert session.merge_environment_settings(*given)["proxies"] == {}
    monkeypatch.setenv(name, "http://proxy.test")
    assert session.merge_environment_settings("http://a.test/", {}, None, None, None)["proxies"]


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_of_the_environment_counts(name, monkeypatch):
    monkeypatch.setenv(name, "/bundle.pem")
    settings = ResilientSession().merge_environment_settings("http://a.test/", {}, None, None, None)
    assert settings["verify"] == "/bundle.pem"


def test_works_where_the_environment_was_replaced(monkeypatch):
    monkeypatch.setattr(os, "environ", {"http_proxy": "http://proxy.test", "HOME": "/nowhere"})
    session = ResilientSession()
    prepared = session.prepare_request(requests.Request("GET", "http://a.test/"))
    settings = session.merge_environment_settings(prepared.url, {}, None, None, None)
    assert settings["proxies"] == {"http": "http://proxy.test"}


def test_a_body_of_more_than_is_read_at_once_is_whole(fault_server):
    body = bytes(range(256)) * (33 << 12)
    fault_server.script(Reply(200, body))
    with ResilientSession() as session:
        assert session.get(fault_server.url()).content == body


def test_a_redirect_keeps_no_credentials_of_a_proxy(fault_server):
    fault_server.script(Reply(302, headers={"Location": "/next"}), Reply(200))
    with ResilientSession() as session:
        session.get(fault_server.url(), headers={"Proxy-Authorization": "Basic secret"})
    assert [request.headers.get("Proxy-Authorization") for request in fault_server.requests] == [
        "Basic secret",
        None,
    ]
