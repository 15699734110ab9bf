"""A pool that is found again is the one that `requests` would have found."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import ClassVar

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager

from resilient_session import TimeoutHTTPAdapter, resilient_session
from resilient_session._transport._known_pools import KnownPools, place_of
from resilient_session._transport._pools import _instrumenting, instrument
from resilient_session.testing import FaultServer, Reply

URL = "https://shop.example:8443/items?page=2"


@pytest.fixture
def adapter():
    with requests.Session() as session:
        ours = TimeoutHTTPAdapter()
        session.mount("https://", ours)
        yield ours


def pool_of(adapter, url=URL, verify=True, proxies=None, cert=None):
    return adapter.get_connection_with_tls_context(requests.Request("GET", url).prepare(), verify, proxies, cert)


def known_pool_of(adapter):
    """Return a pool whose key was learned, as it is when a place is asked for again."""
    for _ in range(2):
        pool = pool_of(adapter)
    return pool


def pool_of_requests(adapter, url=URL, verify=True, proxies=None, cert=None):
    request = requests.Request("GET", url).prepare()
    return HTTPAdapter.get_connection_with_tls_context(adapter, request, verify, proxies, cert)


@pytest.mark.parametrize("verify", [True, False, "/etc/hosts", "/etc", "", None, 0])
@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://shop.example/",
        "https://shop.example:443/",
        "https://SHOP.example",
        "https://user:secret@shop.example/x",
        "http://shop.example:8443/",
        "https://[::1]:8443/#part",
        "https://shop.example?page=2",
        "https://bücher.example/",
    ],
)
def test_pool_is_that_of_requests_the_second_time_too(url, verify, adapter):
    found = [pool_of(adapter, url, verify) for _ in range(3)]
    assert {*found} == {pool_of_requests(adapter, url, verify)}


def test_places_that_differ_have_pools_that_differ(adapter):
    urls = ["https://a.example/", "https://a.example:1/", "http://a.example/", "https://b.example/"]
    asked = [(url, verify) for url in urls for verify in (True, False, "/etc/hosts", "/etc")]
    for _ in range(2):
        assert len({pool_of(adapter, *one) for one in asked[:9]}) == 9


def test_bundle_that_becomes_a_folder_is_asked_about_anew(adapter, tmp_path):
    path = tmp_path / "bundle"
    path.write_text("")
    first = pool_of(adapter, verify=str(path))
    path.unlink()
    path.mkdir()
    assert pool_of(adapter, verify=str(path)) is not first
    assert pool_of(adapter, verify=str(path)) is pool_of_requests(adapter, verify=str(path))


def test_manager_whose_settings_change_is_asked_anew(adapter):
    first = known_pool_of(adapter)
    adapter.poolmanager.connection_pool_kw["assert_hostname"] = "other.example"
    second = pool_of(adapter)
    assert (first.assert_hostname, second.assert_hostname) == (None, "other.example")
    del adapter.poolmanager.connection_pool_kw["assert_hostname"]
    assert pool_of(adapter) is first


def test_settings_that_may_change_unseen_are_not_relied_on(adapter):
    options = adapter.poolmanager.connection_pool_kw["socket_options"] = [(1, 2, 3)]
    first = known_pool_of(adapter)
    options.append((4, 5, 6))
    assert pool_of(adapter) is not first


def test_pool_that_its_manager_dropped_is_not_used(adapter):
    first = known_pool_of(adapter)
    adapter.poolmanager.clear()
    assert pool_of(adapter) is not first


def test_manager_that_was_put_in_place_of_another_is_asked(adapter):
    first = known_pool_of(adapter)
    adapter.init_poolmanager(10, 10)
    assert pool_of(adapter) is not first


def test_manager_of_a_class_of_its_own_is_always_asked(adapter):
    class Pinned(PoolManager):
        def connection_from_host(self, host, *args, **kwargs):
            asked.append(host)
            return super().connection_from_host(host, *args, **kwargs)

    asked = []
    adapter.poolmanager = Pinned()
    assert pool_of(adapter) is pool_of(adapter)
    assert asked == ["shop.example"] * 2


def test_adapter_that_makes_keys_of_its_own_is_asked_for_them():
    class Sharded(TimeoutHTTPAdapter):
        def build_connection_pool_key_attributes(self, request, verify, cert=None):
            place, settings = super().build_connection_pool_key_attributes(request, verify, cert)
            return place, {**settings, "assert_hostname": request.headers["X-Shard"]}

    if not hasattr(HTTPAdapter, "build_connection_pool_key_attributes"):
        pytest.skip("this seam came with requests 2.32.3")
    ours = Sharded()
    names = []
    for shard in ("a.example", "b.example", "a.example"):
        request = requests.Request("GET", URL, headers={"X-Shard": shard}).prepare()
        names.append(ours.get_connection_with_tls_context(request, verify=True).assert_hostname)
    assert names == ["a.example", "b.example", "a.example"]


class Theirs(HTTPAdapter):
    """Sends the requests of each tenant to a pool of its own."""

    asked: ClassVar[list[str]] = []

    def get_connection_with_tls_context(self, request, verify, proxies, cert):
        self.asked.append(request.url)
        return super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)

    def request_url(self, request, proxies):
        return f"/tenant{super().request_url(request, proxies)}"


def test_class_that_comes_after_ours_is_asked_each_time(clock):
    class Mine(TimeoutHTTPAdapter, Theirs):
        pass

    session = requests.Session()
    session.mount("http://", Mine(clock=clock))
    with FaultServer() as server, session:
        for _ in range(3):
            session.get(server.url("/a"))
        assert [request.path for request in server.requests] == ["/tenant/a"] * 3
    assert len(Theirs.asked) == 3


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (HTTPAdapter, "get_connection_with_tls_context"),
        (HTTPAdapter, "build_connection_pool_key_attributes"),
        (HTTPAdapter, "request_url"),
        (PoolManager, "connection_from_host"),
        (PoolManager, "connection_from_context"),
        (PoolManager, "connection_from_pool_key"),
    ],
)
def test_patch_is_heard_also_when_the_pool_is_known(owner, name, session, monkeypatch):
    def spy(*args, **kwargs):
        heard.append(name)
        return stock(*args, **kwargs)

    heard, stock = [], getattr(owner, name, None)
    if stock is None:
        pytest.skip("this seam came with requests 2.32.3")
    with FaultServer() as server:
        session.get(server.url("/"))
        session.get(server.url("/"))
        monkeypatch.setattr(owner, name, spy)
        session.get(server.url("/"))
        session.get(server.url("/"))
    assert heard == [name] * 2


def test_patch_of_a_manager_is_heard_also_when_the_pool_is_known(adapter):
    def spy(*args, **kwargs):
        heard.append(args)
        return stock(*args, **kwargs)

    heard, stock = [], adapter.poolmanager.connection_from_host
    known_pool_of(adapter)
    adapter.poolmanager.connection_from_host = spy
    pool_of(adapter)
    assert len(heard) == 1


def test_patch_that_was_there_before_us_is_heard():
    code = """if True:
        import functools, requests
        stock = requests.adapters.HTTPAdapter.get_connection_with_tls_context
        @functools.wraps(stock)
        def spy(*args, **kwargs):
            heard.append(args)
            return stock(*args, **kwargs)
        heard = []
        requests.adapters.HTTPAdapter.get_connection_with_tls_context = spy
        from resilient_session import TimeoutHTTPAdapter, resilient_session
        adapter = TimeoutHTTPAdapter()
        for _ in range(3):
            adapter.get_connection_with_tls_context(requests.Request("GET", "http://a/").prepare(), True)
        print(len(heard))
    """
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    assert done.stdout == "3\n"


def test_adapter_whose_own_attributes_are_patched_is_asked_for_them(adapter):
    stock = getattr(adapter, "build_connection_pool_key_attributes", None)
    if stock is None:
        pytest.skip("this seam came with requests 2.32.3")
    first = known_pool_of(adapter)
    adapter.build_connection_pool_key_attributes = lambda *args: (stock(*args)[0], {"cert_reqs": "CERT_NONE"})
    assert pool_of(adapter) is not first


def test_manager_that_makes_other_keys_is_asked_anew(adapter):
    first = known_pool_of(adapter)
    stock = adapter.poolmanager.key_fn_by_scheme
    adapter.poolmanager.key_fn_by_scheme = {
        "https": lambda context: stock["https"](context)._replace(key_timeout=9)
    }
    assert pool_of(adapter) is not first


@pytest.mark.filterwarnings("ignore:The 'strict' parameter")
def test_setting_that_no_key_holds_fails_no_request():
    class Lenient(TimeoutHTTPAdapter):
        def init_poolmanager(self, *args, **kwargs):
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.connection_pool_kw["strict"] = True

    with FaultServer() as server, requests.Session() as session:
        session.mount("http://", Lenient())
        assert session.get(server.url("/")).status_code == 200


def test_pools_that_come_and_go_are_known_by_the_same_keys():
    ours = TimeoutHTTPAdapter(pool_connections=2)
    for _ in range(3):
        for name in "abc":
            pool_of(ours, f"http://{name}.example/")
    assert len(ours._known_pools._known) == (
        3 if hasattr(HTTPAdapter, "build_connection_pool_key_attributes") else 0
    )


def test_key_is_learned_when_a_place_is_asked_for_again(adapter, monkeypatch):
    learned = []
    monkeypatch.setattr(KnownPools, "learn", lambda _known, _manager, place, *_: learned.append(place))
    for _ in range(2):
        pool_of(adapter, "http://one.example/")
    pool_of(adapter, "http://two.example/")
    has_seam = hasattr(HTTPAdapter, "build_connection_pool_key_attributes")
    assert learned == [("http://one.example", True, False)] * has_seam


def test_pool_that_is_not_found_by_its_key_is_not_known():
    known, manager, place = KnownPools(), PoolManager(), place_of(URL, verify=True)
    pool = PoolManager().connection_from_host("shop.example", 8443, "https")
    known.learn(manager, place, pool, {"scheme": "https", "host": "shop.example", "port": 8443})
    assert known.find(manager, place) is None


def test_secrets_in_urls_are_not_remembered(adapter):
    pool_of(adapter, "https://user:secret@shop.example/")
    assert not adapter._known_pools._known


def test_client_certificates_and_proxies_are_left_to_requests(adapter):
    plain = known_pool_of(adapter)
    assert pool_of(adapter, cert="/etc/hosts").cert_file == "/etc/hosts"
    assert pool_of(adapter, proxies={"https": "http://proxy.example:3128"}).proxy.host == "proxy.example"
    assert pool_of(adapter) is plain


def test_known_pools_are_bounded_and_do_not_travel():
    known, manager = KnownPools(), PoolManager(num_pools=1000)
    for number in range(300):
        url = f"http://host-{number}.example/"
        host = {"scheme": "http", "host": f"host-{number}.example", "port": None}
        pool = manager.connection_from_host(**host, pool_kwargs={"cert_reqs": "CERT_REQUIRED"})
        assert not known.meet(place_of(url, verify=True))
        known.learn(manager, place_of(url, verify=True), pool, {**host, "cert_reqs": "CERT_REQUIRED"})
        assert known.find(manager, place_of(url, verify=True)) is pool
    assert 0 < len(known._known) <= 256
    assert not pickle.loads(pickle.dumps(known))._known  # noqa: S301 - its own


@pytest.mark.parametrize("path", ["/a/b?c=d", "//evil.example/", "/?", "/#x", "/%7Ea b"])
def test_what_is_asked_for_is_what_requests_asks_for(path, adapter):
    for proxies in ({}, None, {"https": "http://proxy.example:3128"}, {"http": "http://proxy.example:3128"}):
        request = requests.Request("GET", f"http://shop.example{path}").prepare()
        assert adapter.request_url(request, proxies) == HTTPAdapter.request_url(adapter, request, proxies)


@pytest.mark.parametrize("form", ["https://{}.example", "http:\t//{}.example/", "HTTPS://{}.example/"])
def test_two_hosts_are_two_hosts_however_they_are_written(form, adapter):
    request = requests.Request("GET", URL).prepare()
    pools = []
    for url in map(form.format, "ab"):  # nobody prepares such a URL, but a hook may write it
        request.url = url
        pools.append(adapter.get_connection_with_tls_context(request, verify=True).host)
    assert pools == ["a.example", "b.example"]


def test_connections_are_reused_through_known_pools(session):
    with FaultServer(default=Reply(200)) as server:
        for _ in range(5):
            session.get(server.url("/"))
        assert server.connections == 1


class Interrupt(BaseException):
    """A soft time limit."""


def one_slot(clock, **options):
    return resilient_session(pool_maxsize=1, pool_block=True, timeout=0.5, clock=clock, logger=None, **options)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["attempt-finished", "retry-scheduled", "recovered", "gave-up"])
def test_listener_may_use_the_only_connection(kind, stream, clock):
    seen = []

    def on_event(event):
        if event.kind == kind and not seen:
            seen.append(kind)
            seen.append(session.get(server.url("/metrics")).status_code)

    session = one_slot(clock, on_event=on_event, total=1)
    script = [Reply(503, "x" * 99)] * 2 if kind == "gave-up" else [Reply(503, "x" * 99), Reply(200)]
    with FaultServer(default=lambda request: Reply(200) if request.path == "/metrics" else script.pop(0)) as server:
        if kind in {"recovered", "gave-up"} and stream:
            pytest.skip("the reader of a stream holds its connection")
        session.get(server.url("/"), stream=stream).close()
    assert seen == [kind, 200]


HOOKS = ["attempt-finished", "retry-scheduled", "recovered", "retry_if", "give_up_if", "backoff", "finisher"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("where", HOOKS)
@pytest.mark.parametrize("reply", [Reply(503, "x" * 99), Reply.reset()])
def test_interrupt_in_a_hook_loses_no_connection(reply, where, stream, clock):
    interrupts = [Interrupt()]

    def interrupt(*_):
        if interrupts:
            raise interrupts.pop()

    class Tracer:
        def on_event(self, event):
            if event.kind == where:
                interrupt()

        def before_attempt(self, request, number):
            return interrupt if where == "finisher" else None

    hook = {where: lambda _: interrupt() or 0} if "_if" in where or where == "backoff" else {}
    session = one_slot(clock, observers=[Tracer()], **hook)
    with FaultServer(reply, default=Reply(200, "x" * 99)) as server:
        with pytest.raises(Interrupt):
            session.get(server.url("/"), stream=stream)
        assert session.get(server.url("/")).ok


def test_manager_that_another_thread_instrumented_meanwhile_keeps_its_pools():
    manager = PoolManager()
    instrument(manager)
    pool = manager.connection_from_url("http://example.com/")
    _instrumenting.of(manager)
    assert manager.connection_from_url("http://example.com/") is pool


def test_cookies_of_failed_attempts_arrive_with_those_of_the_last_for_an_adapter_without_a_session(clock):
    first, second = {"Set-Cookie": "a=1"}, {"Set-Cookie": "b=2", "X-Other": "kept"}
    session = requests.Session()
    session.mount("http://", TimeoutHTTPAdapter(clock=clock))
    with FaultServer(Reply(503, headers=first), Reply(200, headers=second)) as server:
        response = session.get(server.url("/"))
    assert session.cookies.get_dict() == {"a": "1", "b": "2"}
    assert response.headers["X-Other"] == "kept"
    session.close()
