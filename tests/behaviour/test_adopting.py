"""What is wrapped keeps what it was set up with, and whoever holds an adapter keeps it unchanged."""

from __future__ import annotations

import copy
import http.cookiejar
import os
import ssl
import threading
import warnings

import pytest
import requests
import requests.adapters
import urllib3
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar

from resilient_session import (
    LoggingHTTPAdapter,
    TimeoutHTTPAdapter,
    attempts_of,
    deadline,
    install,
    resilient_session,
)
from resilient_session._driven import DrivenHTTPAdapter
from resilient_session._forks import renew_in_children
from resilient_session._transport._pools import stock
from resilient_session.testing import FaultServer, Reply

ABOUT_A_SECOND = 5.0


def mounted(adapter):
    session = requests.Session()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def pinned(adapter):
    adapter.init_poolmanager(10, 10, assert_fingerprint="00" * 32)


def pinned_later(adapter):
    adapter.poolmanager.connection_pool_kw["assert_fingerprint"] = "00" * 32


def pinned_by_context(adapter):
    context = ssl.create_default_context()  # knows nothing of the server's authority
    adapter.init_poolmanager(10, 10, ssl_context=context)


def with_another_name(adapter):
    adapter.init_poolmanager(10, 10, assert_hostname="other.test")


def with_an_old_version(adapter):
    adapter.init_poolmanager(10, 10, ssl_maximum_version=ssl.TLSVersion.TLSv1)


def with_a_manager_of_its_own(adapter):
    adapter.poolmanager = urllib3.PoolManager(assert_fingerprint="00" * 32)


SET_UP = [pinned, pinned_later, with_another_name, with_an_old_version, with_a_manager_of_its_own]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated:DeprecationWarning")
@pytest.mark.parametrize("set_up", SET_UP)
def test_adapter_that_was_set_up_by_hand_keeps_refusing_what_it_refused(set_up, server_tls, bundle, clock):
    adapter = HTTPAdapter()
    set_up(adapter)
    with FaultServer(tls=server_tls) as server:
        for session in (mounted(adapter), resilient_session(mounted(adapter), clock=clock)):
            with pytest.raises(requests.exceptions.SSLError):
                session.get(server.url("/"), verify=bundle)
        assert not server.requests


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated:DeprecationWarning")
@pytest.mark.parametrize("set_up", SET_UP)
def test_our_own_adapter_keeps_it_when_it_is_wrapped_again(set_up, server_tls, bundle, clock):
    adapter = TimeoutHTTPAdapter(clock=clock)
    set_up(adapter)
    session = resilient_session(mounted(adapter), pool_maxsize=3, pool_connections=2)
    assert session.get_adapter("https://")._pool_maxsize == 3
    assert session.get_adapter("https://").poolmanager.connection_pool_kw["maxsize"] == 3
    with FaultServer(tls=server_tls) as server, pytest.raises(requests.exceptions.SSLError):
        session.get(server.url("/"), verify=bundle)


def test_inside_a_client_under_install_it_is_kept(server_tls, bundle):
    with FaultServer(tls=server_tls) as server, install():
        adapter = HTTPAdapter()
        pinned(adapter)
        with mounted(adapter) as session, pytest.raises(requests.exceptions.SSLError):
            session.get(server.url("/"), verify=bundle)


def test_source_address_is_kept():
    adapter = HTTPAdapter()
    adapter.init_poolmanager(10, 10, source_address=("127.0.0.9", 0))
    with FaultServer() as server, resilient_session(mounted(adapter)).get(server.url("/"), stream=True) as response:
        assert response.raw.connection.sock.getsockname()[0] == "127.0.0.9"


@pytest.mark.parametrize("name", ["send", "build_response", "add_headers", "cert_verify"])
def test_method_set_on_the_instance_is_kept(name, clock):
    adapter = HTTPAdapter()
    called = []
    original = getattr(adapter, name)
    setattr(adapter, name, lambda *args, **kwargs: called.append(name) or original(*args, **kwargs))
    with FaultServer(Reply(503), Reply(200)) as server:
        assert resilient_session(mounted(adapter), clock=clock).get(server.url("/")).status_code == 200
    assert called == [name, name]


def test_adapter_as_its_constructor_left_it_is_replaced_with_the_sizes_of_its_pools():
    session = mounted(HTTPAdapter(pool_maxsize=5))
    with FaultServer() as server:
        session.get(server.url("/"))
        resilient_session(session).get(server.url("/"))
    assert not isinstance(session.get_adapter("http://"), DrivenHTTPAdapter)
    assert session.get_adapter("http://")._pool_maxsize == 5


class OwnManager(urllib3.PoolManager):
    """A manager with a job of its own."""


class OwnPool(urllib3.HTTPConnectionPool):
    """A pool with a job of its own."""


@pytest.mark.parametrize("is_manager", [True, False])
def test_manager_or_pools_of_its_own_are_kept(is_manager, clock):
    adapter = HTTPAdapter()
    if is_manager:
        adapter.poolmanager = OwnManager(**adapter.poolmanager.connection_pool_kw)
    else:
        adapter.poolmanager.pool_classes_by_scheme = {
            **adapter.poolmanager.pool_classes_by_scheme,
            "http": OwnPool,
        }
    with FaultServer(Reply(503), Reply(200)) as server:
        session = resilient_session(mounted(adapter), clock=clock)
        assert session.get(server.url("/")).status_code == 200
        pool = adapter.poolmanager.connection_from_url(server.url("/"))
    assert isinstance(session.get_adapter("http://"), DrivenHTTPAdapter)
    assert isinstance(adapter.poolmanager, OwnManager) if is_manager else isinstance(pool, OwnPool)


def test_our_own_adapter_that_is_wrapped_again_keeps_its_connections(session):
    with FaultServer() as server:
        session.get(server.url("/"))
        resilient_session(session, total=1).get(server.url("/"))
        assert len({request.connection for request in server.requests}) == 1


def test_adapter_that_used_proxies_is_replaced_too():
    adapter = HTTPAdapter()
    with FaultServer() as proxy:
        mounted(adapter).get("http://origin.test/", proxies={"http": proxy.url()})
    assert not isinstance(resilient_session(mounted(adapter)).get_adapter("http://"), DrivenHTTPAdapter)
    adapter.proxy_manager_for("http://proxy.test:1").connection_pool_kw["timeout"] = 1
    assert isinstance(resilient_session(mounted(adapter)).get_adapter("http://"), DrivenHTTPAdapter)


def test_retries_taken_from_requests_default_are_no_choice(monkeypatch):
    monkeypatch.setattr(requests.adapters, "DEFAULT_RETRIES", 5)
    assert resilient_session().get_adapter("http://").max_retries.total == 3
    assert resilient_session(requests.Session()).get_adapter("http://").max_retries.total == 3


def test_copy_of_a_session_that_is_wrapped_leaves_the_original_as_it_is(clock):
    session = resilient_session(clock=clock, total=2)
    resilient_session(copy.copy(session), total=0)
    with FaultServer(Reply(503), Reply(503), Reply(200)) as server:
        assert session.get(server.url("/")).status_code == 200


def test_adapter_shared_by_two_sessions_changes_for_the_wrapped_one_only(clock):
    adapter = TimeoutHTTPAdapter(total=1, clock=clock)
    one, other = mounted(adapter), mounted(adapter)
    resilient_session(other, total=5, timeout=9)
    assert one.get_adapter("http://") is adapter
    assert (adapter.max_retries.total, other.get_adapter("http://").max_retries.total) == (1, 5)
    assert adapter.settings.values["timeout"] == (3.05, 27)


@pytest.mark.parametrize("slots", [(), "kept", ("kept",)])
def test_subclass_of_ours_that_is_wrapped_again_keeps_what_it_has(slots):
    class Mine(TimeoutHTTPAdapter):
        __slots__ = slots

    adapter = Mine()
    adapter.kept, adapter.more = "kept", "more"
    twin = resilient_session(mounted(adapter), total=7).get_adapter("http://")
    assert (type(twin), twin.kept, twin.more, twin.max_retries.total) == (Mine, "kept", "more", 7)


def test_subclass_with_an_unset_slot_can_be_wrapped_again():
    class Mine(TimeoutHTTPAdapter):
        __slots__ = ("unset",)

    assert not hasattr(resilient_session(mounted(Mine()), total=7).get_adapter("http://"), "unset")


def test_install_leaves_the_options_of_our_adapters_that_a_client_mounts(clock):
    with install(total=0), requests.Session() as session:
        session.mount("http://", TimeoutHTTPAdapter(total=2, clock=clock))
        with FaultServer(Reply(503), Reply(503), Reply(200)) as server:
            assert session.get(server.url("/")).status_code == 200


def test_retry_changed_with_new_and_assigned_rules_also_when_the_session_is_wrapped_again(clock):
    session = resilient_session(clock=clock, backoff_factor=0)
    adapter = session.get_adapter("http://")
    adapter.max_retries = adapter.max_retries.new(allowed_methods={"GET"}, total=1, backoff_factor=8)
    for options in ({}, {"timeout": 5}, {"jitter": False}):
        retries = resilient_session(session, **options).get_adapter("http://").max_retries
        assert (retries.allowed_methods, retries.total) == ({"GET"}, 1)
    with FaultServer(Reply(503), Reply(503)) as server:
        assert session.get(server.url("/")).status_code == 503
        assert clock.sleeps == (8,)
        session.put(server.url("/"), data="x")
    assert len(server.requests) == 3


# A forked child

fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")


def in_child(work):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if work() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@fork
@pytest.mark.parametrize("make", [HTTPAdapter, TimeoutHTTPAdapter])
def test_forked_child_keeps_what_the_adapter_was_set_up_with(make, server_tls, bundle):
    adapter = make()
    pinned(adapter)
    session = resilient_session(mounted(adapter))

    def is_refused():
        try:
            session.get(server.url("/"), verify=bundle)
        except requests.exceptions.SSLError:
            return True
        return False

    with FaultServer(tls=server_tls) as server:
        assert in_child(is_refused)


@fork
def test_child_that_is_forked_while_a_pool_is_locked_gets_pools_of_its_own():
    session = resilient_session(mounted(type("Theirs", (HTTPAdapter,), {})()))
    with FaultServer() as server:
        session.get(server.url("/"))
        inner = session.get_adapter("http://").inner
        pool = inner.poolmanager.connection_from_url(server.url("/"))
        with pool.pool.mutex, inner.poolmanager.pools.lock:
            assert in_child(lambda: session.get(server.url("/")).status_code == 200)


@fork
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_object_that_cannot_be_renewed_keeps_no_other_from_it():
    class Broken:
        def renew_after_fork(self):
            raise FileNotFoundError("gone")

    broken = [Broken() for _ in range(20)]
    for one in broken:
        renew_in_children(one)
    session = resilient_session()
    with FaultServer(default=lambda request: Reply(200, request.path)) as server:
        session.get(server.url("/warm"))
        assert in_child(lambda: session.get(server.url("/child")).text == "/child")
        assert session.get(server.url("/parent")).text == "/parent"
    by_connection = {request.path: request.connection for request in server.requests}
    assert by_connection["/child"] != by_connection["/parent"] == by_connection["/warm"]


def test_adapter_whose_construction_failed_is_not_renewed():
    class Failing(TimeoutHTTPAdapter):
        def init_poolmanager(self, *args, **kwargs):
            raise FileNotFoundError("gone")

    adapter = Failing.__new__(Failing)
    with pytest.raises(FileNotFoundError):
        adapter.__init__()
    if hasattr(os, "fork"):
        assert in_child(lambda: True)


# One call stays one call


@pytest.mark.parametrize("options", [{}, {"total": 5}], ids=["as it is", "with options"])
def test_redirect_stays_in_its_call_when_another_thread_wraps_the_session(options, clock):
    session = resilient_session(clock=clock, idempotency_keys=True)

    def redirect(request):
        thread = threading.Thread(target=resilient_session, args=(session,), kwargs=options)
        thread.start()
        thread.join()
        return Reply(307, headers={"Location": "/next"})

    with FaultServer(default=lambda request: redirect(request) if request.path == "/" else Reply(200)) as server:
        response = session.post(server.url("/"), data="x")
        assert [attempt.status for attempt in attempts_of(response)] == [307, 200]
        assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1


def tokens_in_header(request):
    request.headers["X-Api-Token"] = "fresh"


def tokens_in_cookie(request):
    request.headers["Cookie"] = "token=fresh"


def tokens_in_query(request):
    request.url += "?token=fresh"


@pytest.mark.parametrize("sign", [tokens_in_header, tokens_in_cookie, tokens_in_query])
def test_hook_that_answers_a_challenge_in_its_own_way_stays_in_the_call(sign, clock):
    session = resilient_session(clock=clock, idempotency_keys=True)

    def resend(response, **kwargs):
        if response.status_code == 401:
            request = response.request.copy()
            sign(request)
            response.content  # noqa: B018 - as auth handlers do
            return response.connection.send(request, **kwargs)
        return response

    with FaultServer(Reply(401), Reply(200)) as server:
        response = session.post(server.url("/"), data="x", hooks={"response": resend})
        assert [attempt.status for attempt in attempts_of(response)] == [401, 200]
        assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1


# Cookies


class BlockAll(http.cookiejar.DefaultCookiePolicy):
    def set_ok(self, cookie, request):
        return False


def failing(*cookies):
    return [Reply(503, headers={"Set-Cookie": cookie}) for cookie in cookies]


@pytest.mark.parametrize("policy", [BlockAll(), http.cookiejar.DefaultCookiePolicy(allowed_domains=[])])
def test_cookie_policy_of_the_session_rules_between_attempts(policy, session):
    session.cookies.set_policy(policy)
    with FaultServer(*failing("a=1"), Reply(200)) as server:
        session.get(server.url("/"))
    assert "Cookie" not in server.requests[-1].headers
    assert not list(session.cookies)


def test_cookies_of_failed_attempts_reach_the_next_one_and_the_session(session):
    with FaultServer(*failing("a=1", "b=2"), Reply(200, headers={"Set-Cookie": "b=3"})) as server:
        session.get(server.url("/"))
    assert server.requests[-1].headers["Cookie"] == "a=1; b=2"
    assert dict(session.cookies) == {"a": "1", "b": "3"}


@pytest.mark.parametrize(
    ("last", "kept"),
    [
        (Reply.reset(), {"a": "1"}),
        (Reply(200, "x" * 9, cut="body", headers={"Set-Cookie": "b=2"}), {"a": "1", "b": "2"}),
    ],
    ids=["without a response", "with a body that breaks"],
)
def test_cookies_of_failed_attempts_reach_the_session_also_when_the_call_fails(last, kept, clock):
    session = resilient_session(clock=clock, total=1)
    with FaultServer(*failing("a=1"), last) as server, pytest.raises(requests.RequestException):
        session.get(server.url("/"))
    assert dict(session.cookies) == kept


def test_cookies_reach_a_jar_that_took_the_place_of_the_session_s(session):
    session.cookies = RequestsCookieJar()
    with FaultServer(*failing("a=1"), Reply(200)) as server:
        session.get(server.url("/"))
    assert dict(session.cookies) == {"a": "1"}


def test_plain_cookie_jar_will_do(session):
    session.cookies = http.cookiejar.CookieJar(policy=BlockAll())
    with FaultServer(*failing("a=1"), Reply(200)) as server:
        session.get(server.url("/"))
    assert "Cookie" not in server.requests[-1].headers


def test_adapter_mounted_by_hand_hands_cookies_over_with_the_response(clock):
    session = mounted(TimeoutHTTPAdapter(clock=clock))
    with FaultServer(*failing("a=1"), Reply(200)) as server:
        session.get(server.url("/"))
    assert dict(session.cookies) == {"a": "1"}


def test_session_is_not_kept_alive_by_its_adapters():
    session = resilient_session()
    adapter = session.get_adapter("http://")
    del session
    with FaultServer() as server, requests.Session() as other, deadline(ABOUT_A_SECOND):
        other.mount("http://", adapter)
        assert other.get(server.url("/")).status_code == 200


def test_adapter_that_others_are_compared_with_learns_no_proxy():
    with requests.Session() as session:
        session.get_adapter("http://").proxy_manager_for("http://me:secret@proxy.example:3128")
        adapter = resilient_session(session).get_adapter("http://")
    assert type(adapter) is LoggingHTTPAdapter
    assert not stock().proxy_manager
