"""What many processes share through a store, and what becomes of calls while the store cannot be used."""

from __future__ import annotations

import copy
import os
import pickle
import sys
import threading
import time
import warnings

import pytest
import requests

from resilient_session._config._limit_kinds import StoreUrl
from resilient_session._config._rate import Rates
from resilient_session._limits._circuit import Result
from resilient_session._limits._gate import Passed, Refused
from resilient_session._limits._groups import Groups, groups_of
from resilient_session._limits._health import StoreAway
from resilient_session._limits._limits import Limits
from resilient_session._limits._redis import _MOST_SHARED, store_of
from resilient_session._time import SystemClock
from resilient_session.testing import VirtualClock, forget_origins
from support.redis_server import FaultProxy, RedisServer

redis = pytest.importorskip("redis", reason="needs the package redis")
from resilient_session.fleet import RedisStore  # noqa: E402 - it needs redis

ORIGIN = "http://api.test"
RATES = Rates.of("3/second; 5/minute")
LONG = "FLEET_PROCESSES" in os.environ
"""Whether this is ``nox -s fleet``, which may take its time."""

GROUPS = 10_000 if LONG else 50

HEALED = ("black hole", "-READONLY")
"""Faults whose end the ordinary run waits for, too: a second each."""

PATIENT = 5.0
"""Seconds for an operation where a test is not about time: the machine may be busy."""


@pytest.fixture
def client(redis_server):
    with redis.Redis(port=redis_server.port) as made:
        yield made


@pytest.fixture
def store(redis_server):
    return RedisStore(redis_server.url, timeout=PATIENT, refresh=0)


@pytest.fixture
def proxy(redis_server):
    made = FaultProxy(redis_server.port)
    yield made
    made.close()


def gate_of(store, url=ORIGIN, **options):
    request = requests.Request("GET", url).prepare()
    options = {"cool_down": True, "rate_limit": Rates.of("1000/second"), **options}
    return Limits(store=store, **options).gate(request)


def as_another_process():
    """Forget what this process knows, so that only the store can."""
    forget_origins()


def test_cool_down_is_only_ever_lengthened(store):
    assert store.cooling("group", None) == (0, 0)
    store.cool("group", 20)
    store.cool("group", 5)
    left, length = store.cooling("group", None)
    assert 10 < left <= 20
    assert length == 20
    store.cool("group", 30)
    assert store.cooling("group", None)[1] == 30
    assert store.cooling("another", None) == (0, 0)


def test_cool_down_ends_by_itself(store):
    store.cool("group", 0.05)
    time.sleep(0.1)
    assert store.cooling("group", None) == (0, 0)


def test_moments_are_handed_out_in_the_order_of_asking(store):
    waits = [store.take("group", RATES, 100, None) for _ in range(6)]
    assert all(granted for _, granted, _ in waits)
    assert [round(wait) for wait, _, _ in waits] == [0, 0, 0, 1, 1, 60]
    wait, granted, _ = store.take("group", RATES, 10, None)
    assert (round(wait), granted) == (60, False)
    assert store.take("group", Rates.of("9/second"), 10, None)[:2] == (0, True)
    assert store.take("another", RATES, 10, None)[:2] == (0, True)


def test_another_process_respects_the_cool_down(store):
    gate_of(store).settle(Result.LIMITED, 30.0)
    as_another_process()
    gate = gate_of(store)
    refused = gate.enter(left=5)
    assert isinstance(refused, Refused)
    assert 20 < refused.error.retry_after <= 30
    assert [notice.kind for notice in gate.notices] == ["cool-down"]
    assert isinstance(gate_of(store, "http://elsewhere.test").enter(left=5), Passed)


def test_reply_that_took_longer_than_usual_is_late(proxy):
    store = RedisStore(proxy.url, timeout=PATIENT)
    assert min(store.take(str(number), RATES, 10, None)[2] for number in range(5)) < 0.25
    proxy.fault = "slow"
    assert store.take("group", RATES, 10, None)[2] > 0.25


def test_another_process_waits_for_its_turn(store):
    limit = {"rate_limit": Rates.of("1/minute")}
    assert isinstance(gate_of(store, **limit).enter(), Passed)
    as_another_process()
    assert 50 < gate_of(store, **limit).enter(left=5).error.retry_after <= 60.1


def test_cool_down_can_be_lifted_for_all(store):
    gate_of(store).settle(Result.LIMITED, 30.0)
    store.clear(ORIGIN)
    assert isinstance(gate_of(store).enter(left=5), Passed)
    gate_of(store).settle(Result.LIMITED, 30.0)
    as_another_process()
    assert isinstance(gate_of(store).enter(left=5), Refused)
    store.clear(ORIGIN)
    assert isinstance(gate_of(store).enter(left=5), Passed)


def test_store_is_read_once_in_each_interval(redis_server, proxy):
    store = RedisStore(proxy.url, timeout=PATIENT, refresh=60)
    for _ in range(20):
        gate_of(store, rate_limit=None).enter()
    assert proxy.scripts == 1
    gate_of(store, "http://elsewhere.test", rate_limit=None).enter()
    assert proxy.scripts == 2


def test_reading_that_began_before_this_process_wrote_ends_no_cool_down(store):
    """The store's response is older than what was written since."""

    class Late(RedisStore):
        def cooling(self, group, within):
            found = super().cooling(group, within)
            gate_of(store).settle(Result.LIMITED, 30.0)
            return found

    late = Late(store._given, timeout=PATIENT, refresh=0)
    assert isinstance(gate_of(late).enter(left=5), Refused)


def test_virtual_time_uses_no_store(proxy):
    limits = Limits(
        store=StoreUrl(proxy.url), cool_down=True, rate_limit=Rates.of("1/minute"), clock=VirtualClock()
    )
    gate = limits.gate(requests.Request("GET", ORIGIN).prepare())
    gate.settle(Result.LIMITED, 5.0)
    assert gate.enter().held >= 5
    assert proxy.connections == 0


def test_keys_are_few_and_short_lived_and_show_nothing(store, client):
    for number in range(GROUPS):
        group = f"{ORIGIN}/geheim{number}"
        store.cool(group, 100)
        for _ in range(7 if number < 50 else 1):
            store.take(group, RATES, 1000, None)
    keys = client.keys()
    assert len(keys) == 2 * GROUPS
    for key in keys:
        assert key.startswith(b"resilient-session:1:")
        assert b"geheim" not in key
        assert 0 < client.ttl(key) <= 200
    assert b"geheim" not in b"".join(client.dump(key) for key in keys)
    assert max(client.llen(key) for key in keys if b":rate:" in key) == 5


def test_prefix_separates_programs(store, redis_server):
    store.cool("group", 10)
    other = RedisStore(redis_server.url, prefix="other", timeout=PATIENT)
    assert other.cooling("group", None) == (0, 0)


def test_client_of_the_user_is_taken(client):
    store = RedisStore(client, timeout=PATIENT)
    store.cool("group", 10)
    assert store.cooling("group", None)[1] == 10
    decoding = redis.Redis(port=client.connection_pool.connection_kwargs["port"], decode_responses=True)
    with decoding:
        assert RedisStore(decoding, timeout=PATIENT).cooling("group", None)[1] == 10
        assert RedisStore(decoding, timeout=PATIENT).take("group", RATES, 1, None)[:2] == (0, True)


@pytest.mark.skipif(not LONG, reason="nox -s fleet")
def test_cluster_is_taken(tmp_path):
    server = RedisServer("--cluster-enabled", "yes", "--cluster-config-file", str(tmp_path / "nodes.conf")).start()
    try:
        with redis.Redis(port=server.port) as node:
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            while b"cluster_state:ok" not in node.execute_command("CLUSTER", "INFO"):
                time.sleep(0.05)
        with redis.RedisCluster(host="127.0.0.1", port=server.port) as cluster:
            use(RedisStore(cluster, timeout=PATIENT, refresh=0))
    finally:
        server.kill()


@pytest.mark.skipif(not LONG, reason="nox -s fleet")
def test_client_of_a_sentinel_is_taken(redis_server, tmp_path):
    config = tmp_path / "sentinel.conf"
    config.write_text(f"sentinel monitor it 127.0.0.1 {redis_server.port} 1\n", "utf-8")
    sentinel = RedisServer(config=config).start()
    try:
        master = redis.Sentinel([("127.0.0.1", sentinel.port)]).master_for("it")
        use(RedisStore(master, timeout=PATIENT, refresh=0))
    finally:
        sentinel.kill()


def use(store):
    """Do everything that a store can."""
    for number in range(20):
        group = str(number)
        store.cool(group, 10)
        assert store.cooling(group, None)[1] == 10
        assert [granted for _, granted, _ in (store.take(group, RATES, 0, None) for _ in range(4))] == [
            True,
            True,
            True,
            False,
        ]
        store.clear(group)
        assert store.cooling(group, None) == (0, 0)


def test_store_of_a_url_is_one_for_all_sessions():
    place = StoreUrl("redis://127.0.0.1:1/7")
    assert store_of(place) is store_of(StoreUrl(place.url))
    own = RedisStore(place.url)
    assert store_of(own) is own
    assert store_of(None) is None
    kept = store_of(place)
    for number in range(_MOST_SHARED + 1):
        store_of(StoreUrl(f"redis://127.0.0.1:1/{number + 100}"))
    assert store_of(place) is not kept


FAULTS = [
    "slow",
    "black hole",
    "reset",
    "drip",
    "-READONLY You can't write against a read only replica.",
    "-OOM command not allowed when used memory > 'maxmemory'.",
    "-LOADING Redis is loading the dataset in memory",
    "-NOSCRIPT No matching script. Please use EVAL.",
    "-MOVED 3999 127.0.0.1:6381",
    "-NOAUTH Authentication required.",
    "-WRONGTYPE Operation against a key holding the wrong kind of value",
    "-nonsense",
    "nonsense",
    "+OK",
    ":5",
    "$-1",
    "*1\r\n:1",
    "*2\r\n$1\r\nx\r\n$1\r\ny",
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.split()[0])
def test_calls_go_on_while_the_store_fails_and_it_heals(proxy, fault):
    store = RedisStore(f"{proxy.url}?client_name=geheim", timeout=0.1, refresh=0)
    gate_of(store).enter()
    proxy.fault = fault
    kinds = []
    begin = time.monotonic()
    for _ in range(20):
        gate = gate_of(store)
        assert isinstance(gate.enter(), Passed)
        gate.settle(Result.OK)
        kinds += gate.notices
    assert time.monotonic() - begin < 5  # two operations of a tenth of a second, on a busy machine
    [lost] = kinds
    assert lost.kind == "store-lost"
    assert "geheim" not in repr(lost)
    gate = gate_of(store)
    gate.settle(Result.LIMITED, 30.0)  # this process knows, though the store does not
    assert isinstance(gate.enter(left=5), Refused)
    if not LONG and not fault.startswith(HEALED):
        return
    proxy.fault = None
    heal(gate)
    assert isinstance(gate.enter(left=5), Refused)


def heal(gate):
    """Ask until the store is used again."""
    end = time.monotonic() + 20
    while not any(notice.kind == "store-back" for notice in gate.notices):
        assert time.monotonic() < end
        time.sleep(0.05)
        gate.enter(left=0.5)


def test_server_that_is_killed_and_comes_back_empty_is_used_again(redis_server):
    server = RedisServer().start()
    store = RedisStore(server.url, timeout=0.25, refresh=0)
    try:
        gate_of(store).settle(Result.LIMITED, 30.0)
        server.kill()
        gate = gate_of(store)
        for _ in range(5):
            assert isinstance(gate.enter(left=5), Refused)
        server.start()
        heal(gate)
        assert [notice.kind for notice in gate.notices] == ["store-lost", "store-back"]
    finally:
        server.kill()


def test_name_that_is_never_found_is_bounded(monkeypatch):
    """The name server is silent: the lookup hangs where no timeout of a socket reaches."""
    event = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_named: event.wait() and [])
    store = RedisStore("redis://silent.test", timeout=0.05)
    begin = time.monotonic()
    for _ in range(3):
        with pytest.raises(StoreAway):
            store.cool("group", 1)
    assert time.monotonic() - begin < 3
    event.set()


def test_call_that_has_no_time_to_ask_takes_no_moment_that_may_be_anothers(proxy):
    store = RedisStore(proxy.url, timeout=60)
    gate = gate_of(store)
    proxy.fault = "black hole"
    assert "the deadline comes first" in str(gate.enter(left=0.01).error)
    assert "the deadline comes first" in str(gate.enter(left=-1).error)
    proxy.cut()


def test_deadline_leaves_the_store_half_of_its_time(proxy):
    store = RedisStore(proxy.url, timeout=60)
    proxy.fault = "black hole"
    for within in (0.01, 0.01, 0.01, 0, -1):
        with pytest.raises(StoreAway):
            store.cooling("group", within)
    assert store.news() == []
    begin = time.monotonic()
    for _ in range(2):
        with pytest.raises(StoreAway):
            store.cooling("group", 0.4)
    assert time.monotonic() - begin < 5
    assert [what for what, _, _ in store.news()] == ["lost"]
    proxy.cut()


def test_store_that_hands_out_a_moment_beyond_what_was_asked_for_is_not_believed(proxy):
    store = RedisStore(proxy.url, timeout=PATIENT, refresh=0)
    proxy.fault = "*2\r\n:1\r\n:99000000"
    assert store.take("group", RATES, 10, None)[:2] == (99, False)
    proxy.fault = "*2\r\n:1\r\n:-5"
    assert store.take("group", RATES, 10, None)[:2] == (0, True)


def test_write_that_fails_is_kept_in_this_process(proxy):
    store = RedisStore(proxy.url, timeout=0.1, refresh=0)
    proxy.fault = "-READONLY You can't write against a read only replica."
    gate = gate_of(store)
    gate.settle(Result.LIMITED, 30.0)
    proxy.fault = None
    assert store.cooling(ORIGIN, None) == (0, 0)
    assert isinstance(gate.enter(left=5), Refused)


def test_clear_says_if_it_cannot(proxy):
    store = RedisStore(proxy.url, timeout=0.1)
    proxy.fault = "reset"
    with pytest.raises(ConnectionError, match="cannot be used now"):
        store.clear("group")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.parametrize("given", ["url", "client"])
def test_forked_child_has_connections_of_its_own(redis_server, proxy, client, given):
    proxied = redis.Redis(port=proxy.port)
    store = RedisStore(proxy.url if given == "url" else proxied, timeout=PATIENT, refresh=0)
    store.cool("parent", 10)
    before = proxy.connections
    held = store._health._lock
    held.acquire()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads, which the child does not need
        child = os.fork()
    if child == 0:
        status = 1
        try:
            store.cool("child", 10)
            status = 0 if store.cooling("parent", None)[1] == 10 else 1
        finally:
            sys.stderr.flush()
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    held.release()
    assert store.cooling("child", None)[1] == 10
    assert proxy.connections == before + 1
    proxied.close()


def test_store_survives_pickling_and_copying(redis_server):
    store = RedisStore(redis_server.url, prefix="p", timeout=PATIENT, refresh=1)
    for made in (pickle.loads(pickle.dumps(store)), copy.deepcopy(store)):  # noqa: S301 - our own
        assert repr(made) == repr(store)
        made.cool("group", 10)
    assert store.cooling("group", None)[1] == 10


def test_password_is_in_no_repr():
    store = RedisStore("redis://user:geheim@127.0.0.1:1/0?password=geheim")
    assert repr(store).startswith(
        "RedisStore('redis://***@127.0.0.1:1/0?password=***', prefix='resilient-session', "
    )
    with redis.Redis(password="geheim") as client:  # noqa: S106 - a test
        assert repr(RedisStore(client)).startswith("RedisStore(<Redis>, ")


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (("http://u:geheim@h",), ValueError, "must be a URL that begins with redis://"),
        (("redis://u:geheim@h:port",), ValueError, "the URL is malformed"),
        (("redis://u:a/b@geheim#?@h:port",), ValueError, "the URL is malformed"),
        (("redis://u:geheim@h?db=geheim",), ValueError, "the URL is malformed"),
        ((5,), TypeError, "must be given a URL, or a client"),
        (("redis://h", 5), TypeError, "RedisStore(prefix=5): must be a string"),
        (("redis://h", "p", 0), ValueError, "RedisStore(timeout=0): must be > 0 seconds"),
        (("redis://h", "p", None), TypeError, "RedisStore(timeout=None): must be > 0 seconds"),
        (("redis://h", "p", 1, -1), ValueError, "RedisStore(refresh=-1): must be >= 0 seconds"),
    ],
)
def test_wrong_argument_is_told_what_would_do(arguments, error, told):
    with pytest.raises(error) as raised:
        RedisStore(*arguments)
    assert told in str(raised.value)
    assert "geheim" not in str(raised.value)


def test_asynchronous_client_is_refused():
    asynchronous = pytest.importorskip("redis.asyncio")
    with pytest.raises(TypeError, match="asynchronous"):
        RedisStore(asynchronous.Redis())


def test_valkey_is_another_name(redis_server):
    store = RedisStore(redis_server.url.replace("redis", "valkey"), timeout=PATIENT)
    store.cool("group", 10)
    assert store.cooling("group", None)[1] == 10


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match=r"pip install 'resilient-session\[fleet\]'"):
        RedisStore("redis://localhost")


def test_groups_of_the_real_clock_are_those_that_a_store_serves():
    assert isinstance(groups_of(SystemClock()), Groups)
    assert groups_of(SystemClock()).is_real
