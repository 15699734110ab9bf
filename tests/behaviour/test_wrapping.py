"""Around a session that is there already: what is replaced, adopted, driven and kept."""

from __future__ import annotations

import copy
import importlib.metadata
import inspect
import pickle

import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

import resilient_session as resilient_session_package
from resilient_session import LoggingHTTPAdapter, TimeoutHTTPAdapter, attempts_of, resilient_session
from resilient_session.testing import FaultServer, Reply


class Counting(HTTPAdapter):
    """An adapter that does something of its own."""

    def __init__(self, **kwargs):
        self.sent = 0
        super().__init__(**kwargs)

    def send(self, *args, **kwargs):
        self.sent += 1
        return super().send(*args, **kwargs)


class Canned(BaseAdapter):
    """An adapter that knows nothing of urllib3."""

    def __init__(self):
        super().__init__()
        self.statuses = [503, 200]
        self.closed = False

    def send(self, request, **kwargs):
        response = requests.Response()
        response.status_code = self.statuses.pop(0)
        response.request = request
        response.url = request.url
        response._content = b"canned"
        return response

    def close(self):
        self.closed = True


def test_new_session_logs_and_without_a_logger_does_not():
    assert type(resilient_session().get_adapter("https://")) is LoggingHTTPAdapter
    assert type(resilient_session(logger=None).get_adapter("http://")) is TimeoutHTTPAdapter


def test_new_session_has_pools_for_threads_and_a_wrapped_one_keeps_its_own():
    own = requests.Session()
    own.mount("https://", HTTPAdapter(pool_maxsize=3, pool_connections=2))
    assert resilient_session().get_adapter("https://").settings.values["pool_maxsize"] == 64
    resilient_session(own)
    assert own.get_adapter("https://").settings.values["pool_maxsize"] == 3
    assert own.get_adapter("https://").settings.values["pool_connections"] == 2
    resilient_session(own, pool_maxsize=20)
    assert own.get_adapter("https://").settings.values["pool_maxsize"] == 20
    assert own.get_adapter("https://").poolmanager.connection_pool_kw["maxsize"] == 20


@pytest.mark.parametrize("bad", [requests.Session, "session", HTTPAdapter(), 3])
def test_what_is_no_session_is_refused(bad):
    with pytest.raises(TypeError, match=r"^session=.*: must be a requests\.Session instance or None$"):
        resilient_session(bad)


def test_every_prefix_of_http_becomes_resilient_and_others_stay():
    own = requests.Session()
    other = Canned()
    own.mount("https://api.example.com/v1/", HTTPAdapter())
    own.mount("HTTP://upper.example.com/", HTTPAdapter())
    own.mount("ftp://", other)
    before = list(own.adapters)
    resilient_session(own)
    assert list(own.adapters) == before
    assert own.adapters["ftp://"] is other
    assert all(isinstance(own.adapters[prefix], TimeoutHTTPAdapter) for prefix in before if prefix != "ftp://")


def test_adapter_that_is_mounted_twice_stays_one():
    own = requests.Session()
    shared = HTTPAdapter()
    own.mount("https://", shared)
    own.mount("http://", shared)
    resilient_session(own)
    assert own.adapters["https://"] is own.adapters["http://"]


def test_wrapping_twice_changes_nothing_and_with_options_changes_those():
    session = resilient_session(total=5, timeout=9)
    adapters = dict(session.adapters)
    resilient_session(session)
    assert dict(session.adapters) == adapters
    assert session.get_adapter("http://").max_retries.total == 5
    resilient_session(session, total=1)
    assert session.get_adapter("http://").max_retries.total == 1
    assert session.get_adapter("http://").settings.values["timeout"] == (9, 9)
    assert adapters["http://"].max_retries.total == 5, "whoever holds it keeps it unchanged"


def test_retry_of_a_stock_adapter_rules_unless_the_call_gives_what_it_rules():
    def wrapped(**options):
        own = requests.Session()
        own.mount("http://", HTTPAdapter(max_retries=urllib3.Retry(total=7, status_forcelist=[418])))
        return resilient_session(own, **options).get_adapter("http://").max_retries

    assert wrapped().total == 7
    assert wrapped(timeout=5).status_forcelist == [418]
    assert wrapped(total=2).total == 2
    assert 418 not in wrapped(total=2).status_forcelist
    assert wrapped(max_retries=1).total == 1


def test_stock_default_is_not_adopted():
    assert resilient_session(requests.Session()).get_adapter("http://").max_retries.total == 3


def test_adopted_retry_gives_way_when_wrapped_again_with_options(clock):
    own = requests.Session()
    own.mount("http://", HTTPAdapter(max_retries=urllib3.Retry(total=7)))
    resilient_session(own)
    resilient_session(own, total=1)
    assert own.get_adapter("http://").max_retries.total == 1


def test_adapter_of_another_maker_is_driven_once_per_attempt(clock):
    own = requests.Session()
    inner = Counting(max_retries=urllib3.Retry(total=9, status_forcelist=[503], backoff_factor=9))
    own.mount("http://", inner)
    session = resilient_session(own, total=2, clock=clock)
    with FaultServer(default=Reply(503)) as server:
        response = session.get(server.url("/"))
    assert inner.sent == len(server.requests) == len(attempts_of(response)) == 3
    assert inner.max_retries.total == 9
    assert response.connection is session.get_adapter("http://")


@pytest.mark.parametrize("stream", [False, True])
def test_adapter_that_knows_nothing_of_urllib3_is_driven_too(stream, clock):
    own = requests.Session()
    inner = Canned()
    own.mount("https://", inner)
    session = resilient_session(own, clock=clock)
    response = session.get("https://example.com/", stream=stream)
    assert response.text == "canned"
    assert [attempt.status for attempt in attempts_of(response)] == [503, 200]
    session.close()
    assert inner.closed


def test_driven_adapter_gets_connections_that_keep_the_promises(clock):
    own = requests.Session()
    own.mount("http://", Counting())
    session = resilient_session(own, clock=clock)
    with FaultServer(Reply(200, "body", cut="head"), Reply(200, "whole")) as server:
        assert session.get(server.url("/")).text == "whole"


def test_subclass_of_ours_may_override_what_requests_lets_it(clock):
    class Signing(LoggingHTTPAdapter):
        def __init__(self, **kwargs):
            self.calls = 0
            super().__init__(**kwargs)

        def send(self, request, **kwargs):
            self.calls += 1
            return super().send(request, **kwargs)

        def add_headers(self, request, **kwargs):
            request.headers["X-Attempt"] = str(int(request.headers.get("X-Attempt", 0)) + 1)

    session = requests.Session()
    adapter = Signing(clock=clock)
    session.mount("http://", adapter)
    with FaultServer(Reply(503), Reply(200)) as server:
        session.get(server.url("/"))
    assert adapter.calls == 1
    assert [request.headers["X-Attempt"] for request in server.requests] == ["1", "2"]


@pytest.mark.parametrize("first", [True, False], ids=["ours first", "theirs first"])
def test_adapters_mix_in_both_orders(first, clock):
    class Headers(HTTPAdapter):
        def send(self, request, *args, **kwargs):
            request.headers["X-Mixed"] = "yes"
            return super().send(request, *args, **kwargs)

    bases = (TimeoutHTTPAdapter, Headers) if first else (Headers, TimeoutHTTPAdapter)
    mixed = type("Mixed", bases, {})
    session = requests.Session()
    session.mount("http://", mixed(total=1, clock=clock))
    with FaultServer(Reply(503), Reply(200)) as server:
        assert session.get(server.url("/")).status_code == 200
    assert {request.headers["X-Mixed"] for request in server.requests} == {"yes"}


def test_adapter_with_a_finalizer_is_not_finalized_by_its_attempts(clock):
    class Finalized(TimeoutHTTPAdapter):
        finalized = 0

        def __del__(self):
            type(self).finalized += 1

    session = requests.Session()
    session.mount("http://", Finalized(clock=clock))
    with FaultServer(Reply(503), Reply(200)) as server:
        session.get(server.url("/"))
    assert Finalized.finalized == 0


def test_adapter_takes_the_four_of_requests_by_position():
    adapter = TimeoutHTTPAdapter(3, 4, urllib3.Retry(5), True)
    assert adapter.settings.values["pool_connections"] == 3
    assert adapter.settings.values["pool_maxsize"] == 4
    assert adapter.max_retries.total == 5
    assert adapter.settings.values["pool_block"] is True


def test_more_by_position_or_twice_is_an_error():
    with pytest.raises(TypeError, match="5 positional arguments"):
        TimeoutHTTPAdapter(1, 2, 3, False, 5)
    with pytest.raises(TypeError, match="pool_connections: given twice"):
        TimeoutHTTPAdapter(1, pool_connections=2)


def test_version_is_the_one_of_the_distribution():
    assert resilient_session_package.__version__ == importlib.metadata.version("resilient-session")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = resilient_session_package.nonsense


def test_signature_shows_every_option_with_its_default():
    for shown in (resilient_session, TimeoutHTTPAdapter, LoggingHTTPAdapter):
        parameters = inspect.signature(shown).parameters
        assert parameters["total"].default == 3
        assert parameters["backoff_max"].default == 30
    assert next(iter(inspect.signature(resilient_session).parameters)) == "session"


@pytest.mark.parametrize("again", [lambda it: pickle.loads(pickle.dumps(it)), copy.deepcopy])  # noqa: S301
def test_session_pickles_and_copies_with_its_options(again):
    session = again(resilient_session(total=7, timeout=(1, 2)))
    assert session.get_adapter("http://").max_retries.total == 7
    assert session.get_adapter("http://").settings.values["timeout"] == (1, 2)
    with FaultServer() as server:
        assert session.get(server.url("/")).text == "ok"


def test_driven_session_pickles():
    own = requests.Session()
    own.mount("http://", Canned())
    session = pickle.loads(pickle.dumps(resilient_session(own)))  # noqa: S301
    assert isinstance(session.get_adapter("http://").inner, Canned)


def test_session_that_picks_adapters_by_itself_is_warned_about(clock):
    class Own(requests.Session):
        def get_adapter(self, url):
            return HTTPAdapter()

    with pytest.warns(UserWarning, match=r"Own overrides get_adapter\(\)"):
        resilient_session(Own())


def test_adapter_that_knows_nothing_of_urllib3_is_not_believed_that_nothing_was_sent(clock):
    class Failing(Canned):
        sent = 0

        def send(self, request, **kwargs):
            self.sent += 1
            raise requests.ConnectTimeout("perhaps of a second request of its own")

    own = requests.Session()
    inner = Failing()
    own.mount("http://", inner)
    with pytest.raises(requests.ConnectTimeout):
        resilient_session(own, clock=clock).post("http://example.com/")
    assert inner.sent == 1


def test_variables_rule_below_arguments_and_above_defaults(monkeypatch):
    monkeypatch.setenv("RESILIENT_SESSION_TOTAL", "5")
    monkeypatch.setenv("RESILIENT_SESSION_TIMEOUT", "1,2")
    assert resilient_session().get_adapter("http://").max_retries.total == 5
    assert resilient_session(total=1).get_adapter("http://").max_retries.total == 1
    assert TimeoutHTTPAdapter().settings.values["timeout"] == (1, 2)
    monkeypatch.setenv("RESILIENT_SESSION_TOTAL", "many")
    with pytest.raises(ValueError, match="RESILIENT_SESSION_TOTAL='many': must be an integer"):
        resilient_session()


class OwnProxies(TimeoutHTTPAdapter):
    """An adapter that makes the managers of its proxies by itself."""

    def proxy_manager_for(self, proxy, **kwargs):
        return self.proxy_manager.setdefault(proxy, urllib3.ProxyManager(proxy))


@pytest.mark.parametrize("make", [Counting, OwnProxies])
def test_post_behind_a_proxy_is_not_doubled_whoever_makes_the_connections(make, clock):
    own = requests.Session()
    own.mount("http://", make())
    session = resilient_session(own, clock=clock)
    with FaultServer(Reply.reset(), Reply(200, "cut", cut="head"), Reply(200, "whole")) as proxy:
        proxies = {"http": proxy.url()}
        with pytest.raises(requests.ConnectionError):
            session.post("http://origin.test/", data="order", proxies=proxies)
        assert len(proxy.requests) == 1
        assert session.get("http://origin.test/", proxies=proxies).text == "whole"


def test_adapter_that_was_used_before_it_was_wrapped_keeps_the_promises_from_then_on(clock):
    own = requests.Session()
    own.mount("http://", Counting())
    with FaultServer(Reply(200), Reply(200, "cut", cut="head"), Reply(200, "whole")) as server:
        own.get(server.url("/"))
        assert resilient_session(own, clock=clock).get(server.url("/")).text == "whole"


def test_redirect_from_one_adapter_to_another_is_one_call(session, clock):
    with FaultServer(Reply(200)) as other:
        session.mount(other.url("/"), TimeoutHTTPAdapter(clock=clock))
        with FaultServer(Reply(302, headers={"Location": other.url("/")})) as server:
            assert [attempt.status for attempt in attempts_of(session.get(server.url("/")))] == [302, 200]


def test_logger_that_is_given_later_is_written_to(caplog, clock):
    session = resilient_session(resilient_session(logger=None, total=1, clock=clock), logger="mine")
    with FaultServer(Reply(503), Reply(200)) as server:
        session.get(server.url("/"))
    assert {record.name for record in caplog.records} == {"mine"}
    assert session.get_adapter("http://").max_retries.total == 1


def test_attributes_of_a_driven_adapter_are_seen():
    own = requests.Session()
    own.mount("http://", Counting())
    adapter = resilient_session(own).get_adapter("http://")
    assert adapter.sent == 0
    with pytest.raises(AttributeError, match="nonsense"):
        _ = adapter.nonsense


class Registered(HTTPAdapter):
    """An adapter as far from plain as they come."""

    __slots__ = ("kept",)
    known: list[str] = []  # noqa: RUF012 - a registry

    def __init_subclass__(cls, *, name, **kwargs):
        cls.known.append(name)
        super().__init_subclass__(**kwargs)


class Odd(Registered, name="odd"):
    """One that reaches for its own class, its slots and its retries while it sends."""

    def __init__(self):
        self.kept = "kept"
        super().__init__()

    def add_headers(self, request, **kwargs):
        request.headers["X-Kept"] = self.kept
        self.max_retries = urllib3.Retry(7)

    def build_response(self, *args):
        return super(self.__class__, self).build_response(*args)


class OddOfOurs(TimeoutHTTPAdapter):
    """The same, derived from ours."""

    __slots__ = ("kept",)

    def add_headers(self, request, **kwargs):
        self.max_retries = urllib3.Retry(7)

    def build_response(self, *args):
        return super(self.__class__, self).build_response(*args)


@pytest.mark.parametrize("make", [Odd, OddOfOurs])
def test_adapter_does_not_notice_that_it_is_sent_through_once(make, clock):
    own = requests.Session()
    adapter = make()
    own.mount("http://", adapter)
    session = resilient_session(own, total=1, clock=clock)
    with FaultServer(Reply(503), Reply(200)) as server:
        assert session.get(server.url("/")).status_code == 200
    assert (adapter if make is Odd else session.get_adapter("http://")).max_retries.total == 7
    assert Registered.known == ["odd"]
    if make is Odd:
        assert {request.headers["X-Kept"] for request in server.requests} == {"kept"}


@pytest.mark.parametrize(("method", "sleeps"), [("get_retry_after", (2.0,)), ("parse_retry_after", (1.0,))])
def test_own_way_of_reading_a_retry_after_counts(method, sleeps, clock):
    readers = {"get_retry_after": lambda self, response: 2, "parse_retry_after": lambda self, text: 1}
    own_retry = type("Own", (urllib3.Retry,), {method: readers[method]})
    session = resilient_session(max_retries=own_retry(2, status_forcelist=[503]), clock=clock)
    with FaultServer(Reply(503, headers={"Retry-After": "soon"}), Reply(200)) as server:
        session.get(server.url("/"))
    assert clock.sleeps == sleeps


def test_own_way_of_reading_a_retry_after_may_fail(clock):
    class Own(urllib3.Retry):
        def parse_retry_after(self, retry_after):
            raise urllib3.exceptions.InvalidHeader(retry_after)

    session = resilient_session(max_retries=Own(2, status_forcelist=[503]), clock=clock)
    with FaultServer(Reply(503, headers={"Retry-After": "soon"}), Reply(200)) as server:
        assert session.get(server.url("/")).status_code == 200


def test_variable_in_lower_case_is_a_warning_with_the_right_name(monkeypatch):
    monkeypatch.setenv("RESILIENT_SESSION_total", "5")
    with pytest.warns(UserWarning, match="must be upper case: RESILIENT_SESSION_TOTAL"):
        resilient_session()
