"""Who is told of a call, in what order, exactly once; and what is done to each attempt before it is sent."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import gc
import pickle
import typing
import warnings

import pytest
import requests
from requests.auth import HTTPDigestAuth

import resilient_session._events as vocabulary
from resilient_session import Cause, Stages, TimeoutHTTPAdapter, attempts_of, resilient_session
from resilient_session._limits._notice import Notice
from resilient_session._logging import log_store
from resilient_session.testing import FaultServer, Reply, VirtualClock, refused_url

ENDS = {"succeeded", "recovered", "gave-up"}
CHALLENGE = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'}


def redirect(status=302, to="/b"):
    return Reply(status, headers={"Location": to})


def kinds(events):
    return [event.kind for event in events]


def ends(events):
    return [event for event in events if event.kind in ENDS]


@pytest.fixture
def listened(events, clock):
    return resilient_session(on_event=events.append, clock=clock, logger=None)


@pytest.mark.parametrize(
    ("script", "kwargs", "end"),
    [
        ([Reply(200)], {}, ["succeeded"]),
        ([Reply(404)], {}, ["succeeded"]),
        ([redirect(), Reply(200)], {}, ["succeeded"]),
        ([redirect(), redirect(307, "/c"), Reply(200)], {}, ["succeeded"]),
        ([Reply(503), redirect(), Reply(200)], {}, ["recovered"]),
        ([redirect(), Reply(503), Reply(200)], {}, ["recovered"]),
        ([redirect(), *[Reply(503)] * 4], {}, ["gave-up"]),
        ([Reply(503)] * 4, {}, ["gave-up"]),
        ([Reply.reset()] * 4, {}, ["gave-up"]),
        ([Reply(401, headers=CHALLENGE), Reply(200)], {"auth": HTTPDigestAuth("me", "pw")}, ["succeeded"]),
        ([Reply(401, headers=CHALLENGE), Reply(401)], {"auth": HTTPDigestAuth("me", "pw")}, ["succeeded"]),
        ([Reply(401)], {}, ["succeeded"]),
        ([redirect()], {"allow_redirects": False}, ["succeeded"]),
        ([redirect()] * 40, {}, ["succeeded"]),
        ([redirect(to="ftp://example.com/")], {}, ["succeeded"]),
        ([redirect(308), Reply(200)], {"method": "PUT", "data": (part for part in [b"once"])}, ["gave-up"]),
    ],
)
def test_call_ends_once_whatever_it_went_through(script, kwargs, end, listened, events):
    arguments = {"method": "GET", **kwargs}
    with FaultServer(*script) as server, contextlib.suppress(requests.RequestException, TypeError):
        response = listened.request(url=server.url("/a"), **arguments)
        del response
    gc.collect()
    assert kinds(ends(events)) == end
    finished = tuple(event.attempt for event in events if event.kind == "attempt-finished")
    assert ends(events)[0].attempts == finished


def test_plain_redirect_logs_nothing(session, caplog):
    with FaultServer(redirect(), Reply(200)) as server, caplog.at_level("DEBUG", "resilient_session"):
        session.get(server.url("/"))
    assert [record for record in caplog.records if record.name == "resilient_session"] == []


def test_retried_redirect_logs_its_recovery_once(session, caplog):
    with (
        FaultServer(Reply(503), redirect(), Reply(200)) as server,
        caplog.at_level("INFO", "resilient_session"),
    ):
        session.get(server.url("/"))
    ours = [record.kind for record in caplog.records if record.name == "resilient_session"]
    assert ours == ["retry-scheduled", "recovered"]


def test_end_names_what_happened_in_words_of_the_vocabulary(listened, events):
    with FaultServer(Reply(503), Reply(200, "x" * 99, cut="body"), Reply(429), Reply(200)) as server:
        listened.get(server.url("/"))
    words = [(attempt.cause, attempt.verdict) for attempt in events[-1].attempts]
    assert words == [("status", "retry"), ("body", "retry"), ("status", "retry"), ("ok", "done")]
    assert all(cause in typing.get_args(Cause) for cause, _ in words)


@pytest.mark.parametrize(
    ("options", "request_of", "words"),
    [
        ({"total": 0}, {"method": "GET"}, ("status", "exhausted")),
        ({}, {"method": "POST"}, ("status", "unsafe-method")),
        ({}, {"method": "PUT", "data": iter([b"x"])}, ("status", "unrepeatable-body")),
        ({"deadline": 0.4, "jitter": False}, {"method": "GET"}, ("status", "deadline")),
        ({"retry_after_max": 0.5}, {"method": "GET"}, ("status", "retry-after-too-long")),
        ({"give_up_if": lambda _: True}, {"method": "GET"}, ("status", "give-up")),
    ],
)
def test_each_verdict_on_a_status_has_its_word(options, request_of, words, clock):
    session = resilient_session(clock=clock, logger=None, **options)
    with FaultServer(default=Reply(503, headers={"Retry-After": "1"})) as server:
        last = attempts_of(session.request(url=server.url("/"), **request_of))[-1]
    assert (last.cause, last.verdict) == words


def test_attempt_that_the_deadline_cuts_says_so():
    session = resilient_session(deadline=0.2, logger=None)
    with FaultServer(Reply.stall()) as server, pytest.raises(requests.Timeout) as caught:
        session.get(server.url("/"))
    last = attempts_of(caught.value)[-1]
    assert (last.cause, last.verdict) == ("deadline", "deadline")


@pytest.mark.parametrize(
    ("url", "cause"),
    [("http://no.such.host.invalid/", "name"), (None, "connect"), ("https://127.0.0.1:1/", "connect")],
)
def test_failure_to_connect_has_its_cause(url, cause, clock):
    session = resilient_session(total=0, clock=clock, logger=None)
    with refused_url() as refused, pytest.raises(requests.ConnectionError) as caught:
        session.get(url or refused)
    assert [attempt.cause for attempt in attempts_of(caught.value)] == [cause]


def test_untrusted_certificate_has_its_cause(server_tls, clock):
    session = resilient_session(clock=clock, logger=None)
    with FaultServer(tls=server_tls) as server, pytest.raises(requests.exceptions.SSLError) as caught:
        session.get(server.url("/"))
    (attempt,) = attempts_of(caught.value)
    assert (attempt.cause, attempt.verdict) == ("certificate", "hopeless")


def test_pool_without_a_free_connection_is_a_failure_to_connect(clock):
    session = resilient_session(pool_maxsize=1, pool_block=True, timeout=0.05, total=0, clock=clock, logger=None)
    with FaultServer(default=Reply(200, "x" * 99)) as server:
        held = session.get(server.url("/"), stream=True)
        with pytest.raises(requests.ConnectionError) as caught:
            session.get(server.url("/"))
        held.close()
    (attempt,) = attempts_of(caught.value)
    assert attempt.cause == "connect"
    assert attempt.stages.blocked > 0.04


class OfSomebodyElse(requests.adapters.BaseAdapter):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def send(self, request, **_):
        raise self.error

    def close(self):
        pass


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (requests.ConnectTimeout("x"), "connect"),
        (requests.ReadTimeout("x"), "timeout"),
        (requests.exceptions.ProxyError("x"), "proxy"),
        (requests.exceptions.SSLError("x"), "tls"),
        (requests.exceptions.ChunkedEncodingError("x"), "body"),
        (requests.exceptions.ContentDecodingError("x"), "body"),
        (requests.ConnectionError("x"), "reset"),
        (requests.exceptions.InvalidURL("x"), "error"),
        (KeyError("x"), "error"),
    ],
)
def test_error_of_an_adapter_without_our_connections_is_classed_by_its_type(error, cause, clock):
    session = requests.Session()
    session.mount("http://", OfSomebodyElse(error))
    resilient_session(session, total=0, clock=clock, logger=None)
    with pytest.raises(type(error)) as caught:
        session.get("http://example.com/")
    assert [attempt.cause for attempt in attempts_of(caught.value)] == [cause]


def test_stages_tell_where_the_time_went(authority, server_tls, bundle):
    session = resilient_session(logger=None)
    with FaultServer(default=Reply(200, "x" * 99), tls=server_tls) as server:
        url = server.url("/", host="localhost")
        first, second = (attempts_of(session.get(url, verify=bundle))[0] for _ in range(2))
    assert min(first.stages.dns, first.stages.connect, first.stages.tls, first.stages.wait) > 0
    assert (first.stages.reused, second.stages.reused) == (False, True)
    assert (second.stages.dns, second.stages.connect, second.stages.tls) == (0, 0, 0)
    total = sum(getattr(first.stages, name) for name in Stages._fields[:-1])
    assert total == pytest.approx(first.duration, abs=0.05)


def test_origin_has_a_port_only_if_it_is_not_the_schemes_own(clock):
    with FaultServer() as server:
        (attempt,) = attempts_of(resilient_session(clock=clock).get(server.url("/")))
        assert attempt.origin == f"http://127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://example.com:443/a?b=***", "https://example.com"),
        ("http://example.com:80", "http://example.com"),
        ("http://***@example.com:443/", "http://example.com:443"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("http://example.com:x/", ""),
        ("file:///etc/hosts", "file://"),
    ],
)
def test_origin_of_a_url(url, origin):
    assert vocabulary.origin_of(url) == origin


class Tracer:
    def __init__(self):
        self.seen = []

    def on_event(self, event):
        self.seen.append(event.kind)

    def before_attempt(self, request, number):
        request.headers["X-Attempt"] = str(number)
        return lambda attempt: self.seen.append((number, attempt.number, attempt.cause))


def test_observer_ties_what_it_began_to_the_finished_attempt(clock):
    tracer = Tracer()
    session = resilient_session(observers=[tracer], clock=clock, logger=None)
    request = requests.Request("GET", "http://example.com/")
    with FaultServer(Reply(503), Reply(200)) as server:
        request.url = server.url("/")
        prepared = session.prepare_request(request)
        session.send(prepared)
    assert [each.headers["X-Attempt"] for each in server.requests] == ["1", "2"]
    assert "X-Attempt" not in prepared.headers
    assert [each for each in tracer.seen if isinstance(each, tuple)] == [(1, 1, "status"), (2, 2, "ok")]
    assert ends_of(tracer) == ["recovered"]


def ends_of(tracer):
    return [kind for kind in tracer.seen if kind in ENDS]


@pytest.mark.parametrize("where", ["on_event", "before_attempt", "finisher"])
def test_observer_that_raises_is_dropped_and_logged_and_the_others_go_on(where, caplog, clock):
    class Broken(Tracer):
        def on_event(self, event):
            if where == "on_event":
                raise RuntimeError("mine")

        def before_attempt(self, request, number):
            if where == "before_attempt":
                raise RuntimeError("mine")
            return (lambda attempt: 1 / 0) if where == "finisher" else None

    tracer = Tracer()
    session = resilient_session(observers=[Broken(), tracer], clock=clock)
    with FaultServer() as server:
        assert session.get(server.url("/")).ok
    assert ends_of(tracer) == ["succeeded"]
    assert any(record.exc_info for record in caplog.records)


def test_listener_of_every_kind_is_told(clock):
    heard: dict[str, list[str]] = {"report": [], "on_event": [], "observer": []}
    tracer = Tracer()
    tracer.seen = heard["observer"]
    adapter = TimeoutHTTPAdapter(
        clock=clock, on_event=lambda event: heard["on_event"].append(event.kind), observers=[tracer]
    )
    with FaultServer() as server:
        request = requests.Request("GET", server.url("/")).prepare()
        adapter.send(request, report=lambda event: heard["report"].append(event.kind))
    adapter.close()
    assert heard["report"] == heard["on_event"] == ["attempt-finished", "succeeded"]
    assert ends_of(tracer) == ["succeeded"]


def test_each_attempt_is_prepared_anew_on_a_copy(clock):
    numbers = []

    def sign(request, number):
        numbers.append(number)
        request.headers["X-Nonce"] = f"nonce-{number}"

    session = resilient_session(prepare_attempt=sign, clock=clock, logger=None)
    with FaultServer(Reply(503), Reply.reset(), Reply(200)) as server:
        assert session.get(server.url("/")).ok
    assert [each.headers["X-Nonce"] for each in server.requests] == ["nonce-1", "nonce-2", "nonce-3"]
    assert numbers == [1, 2, 3]


def test_prepared_request_may_be_another_one(clock):
    def elsewhere(request, number):
        other = request.copy()
        other.url = request.url + f"?attempt={number}"
        return other

    session = resilient_session(prepare_attempt=elsewhere, clock=clock, logger=None)
    with FaultServer(Reply(503), Reply(200)) as server:
        session.get(server.url("/x"))
    assert [each.target for each in server.requests] == ["/x?attempt=1", "/x?attempt=2"]


@pytest.mark.parametrize(
    "error", [requests.ConnectionError("token"), ValueError("really?yes"), TimeoutError("mine")]
)
def test_what_prepare_attempt_raises_ends_the_call_as_it_is(error, clock, events):
    def sign(request, number):
        if number == 2:
            raise error

    session = resilient_session(prepare_attempt=sign, clock=clock, logger=None, on_event=events.append)
    with FaultServer(Reply(503), Reply(200)) as server, pytest.raises(type(error)) as caught:
        session.get(server.url("/"))
    assert caught.value is error
    assert str(error) in {"token", "really?yes", "mine"}
    assert len(server.requests) == 1
    assert [(attempt.cause, attempt.verdict) for attempt in attempts_of(error)] == [
        ("status", "retry"),
        ("error", "hopeless"),
    ]
    assert kinds(ends(events)) == ["gave-up"]


def test_prepare_attempt_that_returns_no_request_is_an_error(clock):
    session = resilient_session(prepare_attempt=lambda request, number: "x", clock=clock, logger=None)
    with FaultServer() as server, pytest.raises(TypeError, match="prepare_attempt returned str: must return"):
        session.get(server.url("/"))
    assert server.requests == ()


def test_idempotency_key_goes_out_under_the_name_that_the_server_reads(clock):
    session = resilient_session(
        idempotency_keys=True, idempotency_header="PayPal-Request-Id", clock=clock, logger=None
    )
    with FaultServer(Reply(503), Reply(201)) as server:
        assert session.post(server.url("/")).status_code == 201
    keys = {each.headers["PayPal-Request-Id"] for each in server.requests}
    assert len(server.requests) == 2
    assert len(keys) == 1
    assert "Idempotency-Key" not in server.requests[0].headers


@pytest.mark.parametrize("says", [False, None])
def test_retry_if_that_does_not_say_yes_switches_nothing_off(says, clock):
    session = resilient_session(retry_if=lambda response: says, clock=clock, logger=None)
    with FaultServer(Reply(503), Reply(200)) as server:
        assert session.get(server.url("/")).ok


def test_give_up_outranks_retry_if(clock):
    session = resilient_session(
        retry_if=lambda response: True, give_up_if=lambda response: True, clock=clock, logger=None
    )
    with FaultServer() as server:
        assert attempts_of(session.get(server.url("/")))[-1].verdict == "give-up"


def test_give_up_that_fails_is_logged_and_dropped(clock, caplog):
    session = resilient_session(give_up_if=lambda response: response.json()["fatal"], clock=clock)
    with FaultServer(Reply(503, "no json"), Reply(200, '{"fatal": false}')) as server:
        assert session.get(server.url("/")).ok
    assert "give_up_if failed" in caplog.text


def test_durations_may_be_timedeltas(clock):
    second = dt.timedelta(seconds=1)
    session = resilient_session(
        timeout=(second, 2 * second),
        deadline=60 * second,
        backoff_max=0 * second,
        retry_after_max=second,
        clock=clock,
    )
    settings = session.get_adapter("http://").settings.values
    assert settings["timeout"] == (1, 2)
    assert (settings["deadline"], settings["retry_after_max"]) == (60, 1)


class Native:
    """A logger like structlog's: it takes fields as keywords."""

    def __init__(self):
        self.lines = []

    def info(self, message, **fields):
        self.lines.append(("info", message, fields))

    def warning(self, message, **fields):
        self.lines.append(("warning", message, fields))

    def exception(self, message, **fields):
        self.lines.append(("exception", message, fields))


def test_logger_that_takes_fields_as_keywords_gets_them_so(clock):
    logger = Native()
    session = resilient_session(logger=logger, clock=clock)
    with FaultServer(Reply(503), Reply(200)) as server:
        session.get(server.url("/"))
    (level, message, fields), (recovered, _, _) = logger.lines
    assert (level, recovered) == ("warning", "info")
    assert message.startswith("Retrying GET http://127.0.0.1")
    assert (fields["kind"], fields["cause"], fields["number"]) == ("retry-scheduled", "status", 1)


def test_hook_that_fails_is_told_to_such_a_logger(clock):
    logger = Native()
    session = resilient_session(logger=logger, on_event=lambda event: 1 / 0, clock=clock)
    with FaultServer() as server:
        session.get(server.url("/"))
    assert ("exception", "on_event failed; the call continues without its result", {}) in logger.lines


def test_logger_that_fails_does_not_end_the_call(clock):
    class Failing(Native):
        def warning(self, message, **fields):
            raise OSError("disk full")

    session = resilient_session(logger=Failing(), clock=clock)
    with (
        FaultServer(Reply(503), Reply(200)) as server,
        pytest.warns(RuntimeWarning, match="logger failed with OSError") as warnings,
    ):
        assert session.get(server.url("/")).ok
    assert {warning.filename for warning in warnings} == {__file__}


def takes_none():
    return None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retry_if": takes_none}, r"must be a callable \(response\) -> bool"),
        ({"give_up_if": lambda response, more: True}, r"must be a callable \(response\) -> bool"),
        ({"on_event": lambda *, event: None}, r"must be a callable \(event\)"),
        ({"prepare_attempt": lambda request: None}, r"must be a callable \(request, number\)"),
        ({"backoff": takes_none}, r"must be a callable \(retry number\)"),
        ({"idempotency_keys": takes_none}, r"True, False or a callable \(request\)"),
        ({"observers": [print]}, r"a collection of objects with on_event\(event\)"),
        ({"observers": "tracer"}, r"a collection of objects with on_event\(event\)"),
        ({"observers": [Tracer]}, r"a collection of objects with on_event\(event\)"),
        ({"idempotency_header": "a header"}, "the name of a header"),
        ({"idempotency_header": None}, "the name of a header"),
        ({"logger": object()}, "a logger of logging or structlog"),
    ],
)
def test_hook_that_could_never_be_called_is_refused_at_construction(options, message):
    (name,) = options
    with pytest.raises((TypeError, ValueError), match=rf"^{name}=.*{message}"):
        resilient_session(**options)


def test_hook_with_optional_parameters_is_accepted():
    resilient_session(
        retry_if=lambda response, limit=3: True, on_event=lambda *events: None, prepare_attempt=lambda *a, **k: None
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resilient_session(on_event=[].append, backoff=abs, clock=VirtualClock())


def test_observer_without_before_attempt_stands_beside_one_that_has_it(clock):
    class Plain:
        def __init__(self):
            self.seen = []

        def on_event(self, event):
            self.seen.append(event.kind)

    plain, tracer = Plain(), Tracer()
    session = resilient_session(observers=[plain, tracer], clock=clock, logger=None)
    with FaultServer() as server:
        session.get(server.url("/"))
    assert plain.seen == ["attempt-finished", "succeeded"]


def test_attempt_survives_pickling_with_its_stages():
    session = resilient_session(logger=None)
    with FaultServer() as server:
        (attempt,) = attempts_of(session.get(server.url("/")))
    again = pickle.loads(pickle.dumps(attempt))  # noqa: S301 - our own
    assert again == attempt
    assert pickle.loads(pickle.dumps(attempt.stages)) == attempt.stages  # noqa: S301


class Callable:
    """A callable without code of its own."""

    def __call__(self, response):
        return False


def test_callable_object_and_builtin_are_checked_by_their_signature():
    resilient_session(retry_if=Callable(), on_event=print, give_up_if=functools.partial(getattr, object()))
    with pytest.raises(TypeError, match=r"^prepare_attempt=.*must be a callable \(request, number\)"):
        resilient_session(prepare_attempt=Callable())


def test_store_that_is_lost_is_logged_once(caplog):
    session = resilient_session(store="redis://127.0.0.1:1/0", rate_limit="100/second")
    with FaultServer() as server:
        for _ in range(4):
            assert session.get(server.url("/")).ok
    assert caplog.text.count("is lost") == 1


def test_store_that_is_back_is_logged_unless_nobody_listens(caplog):
    with caplog.at_level("INFO"):
        for logger in ("resilient_session", None):
            log_store(Notice("store-back", "redis://127.0.0.1:1/0"), logger)
            log_store(Notice("store-lost", "redis://127.0.0.1:1/0", "ConnectionError"), logger)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]


def test_refused_handshake_has_its_cause(server_tls, bundle, clock):
    session = resilient_session(clock=clock, logger=None, total=0)
    refusing = FaultServer(tls=server_tls, handshakes=("close",))
    with refusing as server, pytest.raises(requests.exceptions.SSLError) as caught:
        session.get(server.url("/"), verify=bundle)
    assert [attempt.cause for attempt in attempts_of(caught.value)] == ["tls"]
