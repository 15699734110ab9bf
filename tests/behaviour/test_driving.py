"""Adapters, `Retry` subclasses, bodies and patches of other makers count as they are meant."""

from __future__ import annotations

import errno
import io
import itertools
import socket
from unittest import mock

import pytest
import requests
import urllib3
import urllib3.connection
import urllib3.util.connection
from requests.adapters import BaseAdapter, HTTPAdapter

from resilient_session import DeadlineExceeded, TimeoutHTTPAdapter, attempts_of, resilient_session
from resilient_session.testing import FaultServer, Reply, refused_url


def driving(adapter, clock, **options):
    session = requests.Session()
    session.mount("http://", adapter)
    return resilient_session(session, clock=clock, logger=None, **options)


# What a request's way proves


class FallsBack(HTTPAdapter):
    """Sends by a second adapter of its own if the first fails, or before it."""

    def __init__(self, first, second, **kwargs):
        super().__init__(**kwargs)
        self.backup = HTTPAdapter()
        self.places = first, second

    def send(self, request, **kwargs):
        first, second = self.places
        try:
            return self.by(first, request, **kwargs)
        except requests.ConnectionError:
            return self.by(second, request, **kwargs)

    def by(self, place, request, **kwargs):
        kind, url = place
        request.url = url
        sender = self.backup if kind == "backup" else super()
        return sender.send(request, **kwargs)


class FallsBackAfterOurs(TimeoutHTTPAdapter, FallsBack):
    pass


@pytest.mark.parametrize("ours_first", [True, False])
def test_post_that_a_fallback_may_have_sent_is_not_sent_again(ours_first, clock):
    with FaultServer(default=Reply.reset()) as server, refused_url() as nowhere:
        ours, backup = ("ours", nowhere), ("backup", server.url("/"))
        session = driving(FallsBack(*((ours, backup) if ours_first else (backup, ours))), clock)
        with pytest.raises(requests.ConnectionError):
            session.post(nowhere, data="order")
        assert len(server.requests) == 1


def test_post_that_a_class_mixed_in_may_have_sent_is_not_sent_again(clock):
    with FaultServer(default=Reply.reset()) as server, refused_url() as nowhere:
        session = requests.Session()
        adapter = FallsBackAfterOurs(clock=clock, first=("backup", server.url("/")), second=("ours", nowhere))
        session.mount("http://", adapter)
        with pytest.raises(requests.ConnectionError):
            session.post(nowhere, data="order")
        assert len(server.requests) == 1


def test_post_that_an_instance_may_have_sent_is_not_sent_again(clock):
    adapter = HTTPAdapter()
    backup = HTTPAdapter()

    def send(request, **kwargs):
        try:
            backup.send(requests.Request("POST", server.url("/"), data="order").prepare(), **kwargs)
        finally:
            HTTPAdapter.send(adapter, request, **kwargs)

    adapter.send = send
    with FaultServer(default=Reply.reset()) as server, refused_url() as nowhere:
        session = driving(adapter, clock)
        with pytest.raises(requests.ConnectionError):
            session.post(nowhere, data="order")
        assert len(server.requests) == 1


class SetUp(HTTPAdapter):
    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, **kwargs)


def test_post_that_was_refused_is_sent_again_by_an_adapter_that_sends_as_requests_does(clock):
    server = FaultServer(Reply(201)).start()
    server.refuse()
    session = driving(SetUp(), clock, on_event=lambda event: server.accept())
    assert session.post(server.url("/"), data="order").status_code == 201
    server.close()


# Adapters that change the request


class Prefixing(HTTPAdapter):
    def send(self, request, **kwargs):
        request.url = request.url.replace("/items", "/api/items")
        request.headers["X-Seen"] = request.headers.get("X-Seen", "") + "1"
        return super().send(request, **kwargs)


class PrefixingAfterOurs(TimeoutHTTPAdapter, Prefixing):
    pass


class Keyed(BaseAdapter):
    def send(self, request, stream=False, **kwargs):
        request.url += "&key=1" if "?" in request.url else "?key=1"
        with requests.Session() as session:
            return session.request(request.method, request.url)

    def close(self):
        pass


@pytest.mark.parametrize("make", [Prefixing, lambda: PrefixingAfterOurs(backoff_factor=0)])
def test_adapter_that_changes_the_request_changes_each_attempt_once(make, clock):
    session = driving(make(), clock)
    with FaultServer(Reply(503), Reply(503), Reply(200)) as server:
        response = session.get(server.url("/items"))
    assert [(each.target, each.headers["X-Seen"]) for each in server.requests] == [("/api/items", "1")] * 3
    assert response.request.headers["X-Seen"] == "1"


def test_adapter_without_urllib3_that_changes_the_request_does_so_once(clock):
    session = driving(Keyed(), clock)
    with FaultServer(Reply(503), Reply(200)) as server:
        session.get(server.url("/items"))
    assert [each.target for each in server.requests] == ["/items?key=1"] * 2


# Adapters that raise for a status


class ApiError(Exception):
    def __init__(self, text="", response=None):
        super().__init__(text)
        self.response = response


def raises_http_error(response, request):
    response.raise_for_status()


def raises_own_with_response(response, request):
    if response.status_code >= 400:
        raise ApiError("bad", response)


def raises_own_without_response(response, request):
    if response.status_code >= 400:
        raise ApiError("bad")


class InSend(HTTPAdapter):
    def __init__(self, check):
        super().__init__()
        self.check = check

    def send(self, request, **kwargs):
        response = super().send(request, **kwargs)
        self.check(response, request)
        return response


class InBuild(HTTPAdapter):
    def __init__(self, check):
        super().__init__()
        self.check = check

    def build_response(self, request, raw):
        response = super().build_response(request, raw)
        self.check(response, request)
        return response


class OursInBuild(TimeoutHTTPAdapter):
    def build_response(self, request, raw):
        response = super().build_response(request, raw)
        response.raise_for_status()
        return response


CHECKS = [raises_http_error, raises_own_with_response, raises_own_without_response]


@pytest.mark.parametrize("kind", [InSend, InBuild])
@pytest.mark.parametrize("check", CHECKS)
def test_adapter_that_raises_for_a_status_is_judged_by_the_status(kind, check, clock):
    session = driving(kind(check), clock, pool_maxsize=1, pool_block=True)
    with FaultServer(Reply(503, "why"), Reply(200, "here")) as server:
        response = session.get(server.url("/"))
    assert response.text == "here"
    assert [attempt.status for attempt in attempts_of(response)] == [503, 200]


@pytest.mark.parametrize("kind", [InSend, InBuild])
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    ("method", "status", "sent"), [("POST", 503, 1), ("GET", 404, 1), ("GET", 503, 4), ("POST", 429, 4)]
)
def test_what_it_raised_leaves_the_call_if_nothing_helps(kind, check, method, status, sent, clock):
    session = driving(kind(check), clock)
    with (
        FaultServer(default=Reply(status, "why")) as server,
        pytest.raises((ApiError, requests.HTTPError)) as caught,
    ):
        session.request(method, server.url("/"))
    assert len(server.requests) == sent
    assert [attempt.status for attempt in attempts_of(caught.value)] == [status] * sent
    if check is not raises_own_without_response:
        assert caught.value.response.text == "why"


def test_adapter_of_ours_that_raises_for_a_status_is_judged_by_it(clock):
    session = requests.Session()
    session.mount("http://", OursInBuild(clock=clock, logger=None))
    with FaultServer(Reply(503, headers={"Retry-After": "7"}), Reply(200)) as server:
        assert session.get(server.url("/")).ok
    assert clock.sleeps[0] >= 7


class Translating(HTTPAdapter):
    def __init__(self, how):
        super().__init__()
        self.how = how

    def send(self, request, **kwargs):
        try:
            return super().send(request, **kwargs)
        except requests.ConnectionError as error:
            if self.how == "from":
                raise ApiError("down") from error
            raise ApiError("down")  # noqa: B904 - as people do


@pytest.mark.parametrize("how", ["from", "context"])
def test_translated_failure_is_judged_by_its_cause(how, clock):
    session = driving(Translating(how), clock)
    with FaultServer(Reply.reset(), Reply(200)) as server:
        assert session.get(server.url("/")).ok
    with FaultServer(default=Reply.reset()) as server, pytest.raises(ApiError) as caught:
        session.get(server.url("/"))
    assert len(attempts_of(caught.value)) == 4
    with FaultServer(default=Reply.reset()) as server, pytest.raises(ApiError):
        session.post(server.url("/"))
    assert len(server.requests) == 1


def test_bug_of_an_adapter_is_raised_at_once(clock):
    class Buggy(HTTPAdapter):
        def send(self, request, **kwargs):
            return {}["missing"]

    session = driving(Buggy(), clock)
    with pytest.raises(KeyError, match="missing") as caught:
        session.get("http://example.com/")
    assert [(one.cause, one.verdict) for one in attempts_of(caught.value)] == [("error", "hopeless")]


class Hasty(HTTPAdapter):
    """The recipe that people copy: an adapter with a default timeout of its own."""

    def send(self, request, **kwargs):
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = 0.1
        return super().send(request, **kwargs)


def test_default_timeout_of_an_adapter_of_ones_own_counts(clock):
    session = driving(Hasty(), clock, total=0)
    with FaultServer(Reply.stall()) as server, pytest.raises(requests.ReadTimeout, match=r"read timeout=0\.1"):
        session.get(server.url("/"))


# Subclasses of Retry


class Sleeper(urllib3.Retry):
    slept: list = []  # noqa: RUF012 - shared by the copies that `new` makes

    def sleep(self, response=None):
        self.slept.append(None if response is None else response.status)


class SleepsForRetry(urllib3.Retry):
    slept: list = []  # noqa: RUF012

    def sleep_for_retry(self, response):
        self.slept.append(response.status)
        return True


class SleepsBackoff(urllib3.Retry):
    slept: list = []  # noqa: RUF012

    def _sleep_backoff(self):
        self.slept.append(len(self.history))


@pytest.mark.parametrize(("cls", "slept"), [(Sleeper, [503, None, 503]), (SleepsForRetry, [503, 503])])
def test_retry_that_sleeps_by_itself_is_called_for_each_retry(cls, slept, clock):
    cls.slept.clear()
    long = {"Retry-After": "9999"}
    session = resilient_session(max_retries=cls(5, status_forcelist=[503]), clock=clock, logger=None)
    with FaultServer(Reply(503, headers=long), Reply.reset(), Reply(503, headers=long), Reply(200)) as server:
        assert session.get(server.url("/")).ok
    assert cls.slept == slept
    assert sum(clock.sleeps) == 0


def test_retry_with_a_backoff_of_its_own_is_called_where_the_server_requests_no_delay(clock):
    SleepsBackoff.slept.clear()
    session = resilient_session(max_retries=SleepsBackoff(5, status_forcelist=[503]), clock=clock, logger=None)
    with FaultServer(Reply(503), Reply(503, headers={"Retry-After": "7"}), Reply.reset(), Reply(200)) as server:
        assert session.get(server.url("/")).ok
    assert SleepsBackoff.slept == [1, 3]
    assert clock.sleeps == (7,)


class Knows(urllib3.Retry):
    def is_retry(self, method, status_code, has_retry_after=False):
        return status_code == 409 or super().is_retry(method, status_code, has_retry_after)


class KnowsMethods(urllib3.Retry):
    def _is_method_retryable(self, method):
        return method in {"GET", "POST"}


def test_is_retry_of_a_subclass_has_the_last_word(clock):
    session = resilient_session(max_retries=Knows(3, status_forcelist=[503]), clock=clock, logger=None)
    with FaultServer(Reply(409), Reply(201)) as server:
        assert session.post(server.url("/")).status_code == 201
    with FaultServer(Reply(503), Reply(201)) as server:
        assert session.post(server.url("/")).status_code == 503
    with FaultServer(Reply(503), Reply(200)) as server:
        assert session.get(server.url("/")).status_code == 200


def test_is_method_retryable_of_a_subclass_has_the_last_word(clock):
    session = resilient_session(max_retries=KnowsMethods(3, status_forcelist=[503]), clock=clock, logger=None)
    with FaultServer(Reply(503), Reply.reset(), Reply(201)) as server:
        assert session.post(server.url("/")).status_code == 201
    with FaultServer(Reply(503), Reply(200)) as server:
        assert session.put(server.url("/")).status_code == 503


class Records(urllib3.Retry):
    seen: list = []  # noqa: RUF012

    def increment(self, method=None, url=None, response=None, error=None, _pool=None, _stacktrace=None):
        self.seen.append((getattr(_pool, "host", None), error is None, _stacktrace is not None))
        return super().increment(method, url, response, error, _pool, _stacktrace)


def test_increment_of_a_subclass_gets_its_pool_and_traceback(clock):
    Records.seen.clear()
    session = resilient_session(max_retries=Records(3, status_forcelist=[503]), clock=clock, logger=None)
    with FaultServer(Reply(503), Reply.reset(), Reply(200)) as server:
        assert session.get(server.url("/")).ok
    with refused_url() as url, pytest.raises(requests.ConnectionError):
        session.get(url)
    assert [host for host, _, _ in Records.seen] == ["127.0.0.1"] * len(Records.seen)
    assert Records.seen[:2] == [("127.0.0.1", True, False), ("127.0.0.1", False, True)]


# Patches


def counting(original, calls):
    def patched(*args, **kwargs):
        calls.append(args)
        return original(*args, **kwargs)

    return patched


HTTP = urllib3.connection.HTTPConnection
POOL = urllib3.connectionpool.HTTPConnectionPool
SEAMS = [
    (HTTP, "_new_conn"), (HTTP, "connect"), (HTTP, "request"), (HTTP, "getresponse"), (HTTP, "putrequest"),
    (HTTP, "endheaders"), (HTTP, "close"), (POOL, "urlopen"), (POOL, "_make_request"), (POOL, "_new_conn"),
    (POOL, "_get_conn"), (urllib3.util.connection, "create_connection"), (socket, "getaddrinfo"),
]  # fmt: skip


@pytest.mark.parametrize(("owner", "name"), SEAMS, ids=lambda value: getattr(value, "__name__", value))
def test_patch_of_a_hook_is_called(owner, name, clock):
    calls = []
    session = resilient_session(clock=clock, logger=None)
    with FaultServer() as server, mock.patch.object(owner, name, counting(getattr(owner, name), calls)):
        assert session.get(server.url("/", host="localhost")).ok
        session.close()
    assert calls


@pytest.mark.parametrize("autospec", [True, None])
@pytest.mark.parametrize(("owner", "name"), SEAMS[:2])
def test_mock_that_refuses_keeps_every_byte_from_the_network(owner, name, autospec, clock):
    session = resilient_session(clock=clock, logger=None, total=2)
    with FaultServer() as server, mock.patch.object(owner, name, autospec=autospec) as refusing:
        refusing.side_effect = ConnectionRefusedError(111, "no network in tests")
        with pytest.raises(requests.ConnectionError):
            session.get(server.url("/"))
    assert refusing.call_count == 3
    assert server.connections == 0


def test_connection_class_of_somebody_elses_is_used(clock):
    class Theirs(HTTP):
        made = 0

        def connect(self):
            type(self).made += 1
            super().connect()

    session = resilient_session(clock=clock, logger=None)
    with FaultServer() as server, mock.patch.object(POOL, "ConnectionCls", Theirs):
        assert session.get(server.url("/")).ok
    assert Theirs.made == 1


def test_name_that_is_pinned_in_new_conn_is_connected_to_there(clock):
    with FaultServer() as server:

        def pinned(self):
            return socket.create_connection(("127.0.0.1", server.port))

        with mock.patch.object(HTTP, "_new_conn", pinned):
            session = resilient_session(clock=clock, logger=None)
            assert session.get(f"http://pinned.invalid:{server.port}/").ok


# What the user's own code raises


class Reader(io.RawIOBase):
    def __init__(self, error):
        self.parts = itertools.chain([b"first"], [error])

    def read(self, size=-1):
        part = next(self.parts)
        if isinstance(part, BaseException):
            raise part
        return part

    def __len__(self):
        return 99


def generated(error):
    yield b"first"
    raise error


OWN = [
    lambda: OSError(errno.EIO, "Input/output error"),
    lambda: KeyError("really?yes"),
    lambda: TimeoutError("mine"),
    lambda: ConnectionResetError(errno.ECONNRESET, "of another connection"),
    lambda: BrokenPipeError(errno.EPIPE, "mine"),
    lambda: requests.ConnectionError("of a request inside"),
    lambda: urllib3.exceptions.ProtocolError("mine"),
    lambda: ValueError("token=s3cret?yes"),
]


@pytest.mark.parametrize("make", OWN)
@pytest.mark.parametrize("body", [generated, Reader])
@pytest.mark.parametrize("limit", [None, 30])
def test_what_a_body_raises_ends_the_call_as_it_is(make, body, limit, clock):
    error = make()
    text = str(error)
    session = resilient_session(clock=clock, logger=None, deadline=limit)
    with FaultServer(default=Reply(200)) as server, pytest.raises(type(error)) as caught:
        session.put(server.url("/"), data=body(error))
    assert caught.value is error
    assert str(error) == text
    assert [(one.cause, one.verdict) for one in attempts_of(error)] == [("error", "hopeless")]


@pytest.mark.parametrize("error", [ValueError("mine?yes"), requests.ConnectionError("mine"), TimeoutError("mine")])
def test_what_a_backoff_raises_ends_the_call_as_it_is(error, clock, events):
    def backoff(_):
        raise error

    session = resilient_session(
        backoff=backoff,
        clock=clock,
        logger=None,
        on_event=events.append,
        pool_maxsize=1,
        pool_block=True,
        timeout=1,
    )
    with FaultServer(default=Reply(503, "x" * 9)) as server:
        for _ in range(2):
            with pytest.raises(type(error)) as caught:
                session.get(server.url("/"))
            assert caught.value is error
    assert [event.kind for event in events] == ["attempt-finished", "gave-up"] * 2


def test_timeout_of_the_kernel_is_no_deadline(clock):
    def kernel_gives_up(self):
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    session = resilient_session(clock=clock, logger=None, deadline=2, timeout=60, total=0)
    with (
        FaultServer() as server,
        mock.patch.object(HTTP, "_new_conn", kernel_gives_up),
        pytest.raises(requests.RequestException) as caught,
    ):
        session.get(server.url("/"))
    assert not isinstance(caught.value, DeadlineExceeded)


def test_clock_that_raises_ends_the_call_with_an_event(events):
    class Broken:
        def now(self):
            return 0.0

        def sleep(self, seconds):
            raise RuntimeError("no sleep")

    session = resilient_session(clock=Broken(), logger=None, on_event=events.append)
    with FaultServer(Reply(503)) as server, pytest.raises(RuntimeError, match="no sleep"):
        session.get(server.url("/"))
    assert [event.kind for event in events] == ["attempt-finished", "retry-scheduled", "gave-up"]


@pytest.mark.parametrize("check", CHECKS)
def test_streamed_response_that_was_raised_is_left_to_who_holds_it(check, clock):
    session = driving(InSend(check), clock, pool_maxsize=1, pool_block=True, timeout=1)
    with FaultServer(Reply(404, "why"), Reply(200)) as server:
        with pytest.raises((ApiError, requests.HTTPError)) as caught:
            session.get(server.url("/"), stream=True)
        if caught.value.response is not None:
            assert caught.value.response.text == "why"
        assert session.get(server.url("/")).ok


def test_attribute_of_a_driven_adapter_can_be_deleted(clock):
    adapter = SetUp()
    session = driving(adapter, clock)
    mounted = session.get_adapter("http://")
    mounted.note = "mine"
    assert adapter.note == "mine"
    del mounted.note
    assert not hasattr(adapter, "note")
    mounted._of_parent = None
    del mounted._of_parent
    assert "_of_parent" not in vars(adapter)


class WithoutManager(HTTPAdapter):
    """An adapter that finds its connections in a way of its own."""

    def __init__(self):
        super().__init__()
        self.mine = self.poolmanager
        self.poolmanager = None

    def get_connection_with_tls_context(self, request, verify, proxies=None, cert=None):
        return self.mine.connection_from_url(request.url)

    def get_connection(self, url, proxies=None):
        return self.mine.connection_from_url(url)

    def close(self):
        self.mine.clear()


def test_driven_adapter_without_a_manager_that_we_know_is_sent_through(clock):
    session = driving(WithoutManager(), clock)
    with FaultServer(Reply(503), Reply(200)) as server:
        assert session.get(server.url("/")).ok
    session.close()


def test_timeout_of_the_call_reaches_an_adapter_without_urllib3(clock):
    class Asked(BaseAdapter):
        seen: list = []  # noqa: RUF012

        def send(self, request, stream=False, timeout=None, **kwargs):
            self.seen.append(timeout)
            raise requests.ConnectionError("x")

        def close(self):
            pass

    session = driving(Asked(), clock, total=0)
    for timeout in (None, 7):
        with pytest.raises(requests.ConnectionError):
            session.get("http://example.com/", timeout=timeout)
    assert Asked.seen == [(3.05, 27), 7]


class OwnClass(HTTP):
    pass


def test_connection_class_that_is_set_on_a_pool_counts(clock):
    session = resilient_session(clock=clock, logger=None)
    adapter = session.get_adapter("http://")
    with FaultServer() as server:
        assert session.get(server.url("/")).ok
        pool = adapter.poolmanager.connection_from_url(server.url("/"))
        pool.ConnectionCls = OwnClass
        assert pool.ConnectionCls is OwnClass
        session.close()


def test_translated_error_with_nothing_behind_it_is_raised_at_once(clock):
    class Odd(HTTPAdapter):
        def send(self, request, **kwargs):
            raise ApiError("odd") from GeneratorExit()

    session = driving(Odd(), clock)
    with pytest.raises(ApiError) as caught:
        session.get("http://example.com/")
    assert len(attempts_of(caught.value)) == 1


def test_driven_adapter_without_urllib3_has_nothing_to_renew_after_a_fork(clock):
    class Plain(BaseAdapter):
        def send(self, request, **kwargs):
            raise requests.ConnectionError("x")

        def close(self):
            pass

    inner = Plain()
    driving(inner, clock).get_adapter("http://").renew_after_fork()
    assert vars(inner) == {}
