"""What is explained: it holds when the failure really comes, it names who says so, and it finds the mistakes."""

from __future__ import annotations

import contextlib
import json
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from resilient_session import (
    Breaker,
    ExplainedFailure,
    Explanation,
    LoggingHTTPAdapter,
    TimeoutHTTPAdapter,
    attempts_of,
    deadline,
    explain,
    resilient_session,
)
from resilient_session.testing import FaultServer, Reply, VirtualClock, black_hole, refused_url

if TYPE_CHECKING:
    from collections.abc import Mapping

URL = "https://api.example.com/items"
RECIPE = {"total": 3, "backoff_factor": 1, "status_forcelist": [429, 500, 502, 503, 504]}


def row(explanation, failure):
    (found,) = [row for row in explanation.rows if row.failure == failure]
    return found


def stock(prefix="https://", adapter=None, **retry):
    """Make a session the usual way, with urllib3's retries mounted at one prefix."""
    session = requests.Session()
    session.mount(prefix, adapter or HTTPAdapter(max_retries=urllib3.Retry(**retry)))
    return session


def warned(explanation, *texts):
    """Tell whether one of the warnings has all of the texts."""
    return any(all(text in warning for text in texts) for warning in explanation.warnings)


class ExplainedCase(NamedTuple):
    failure: str
    where: object
    method: str = "GET"
    options: Mapping[str, object] = MappingProxyType({})
    sending: Mapping[str, object] = MappingProxyType({})


def serving(**reply):
    return lambda: FaultServer(default=Reply(**reply))


@contextlib.contextmanager
def origin_of(where):
    with where() as place:
        yield place if isinstance(place, str) else place.url("/")


def unresolvable():
    return contextlib.nullcontext("http://nowhere.invalid/")


CASES = {
    "503": ExplainedCase("status 503", serving(status=503)),
    "503 without jitter": ExplainedCase("status 503", serving(status=503), options={"jitter": False, "total": 5}),
    "503 to a POST": ExplainedCase("status 503", serving(status=503), "POST"),
    "404": ExplainedCase("status 404", serving(status=404)),
    "404 on the list": ExplainedCase("status 404", serving(status=404), options={"status_forcelist": [404]}),
    "429 to a POST": ExplainedCase("status 429", serving(status=429), "POST"),
    "429 to a generator": ExplainedCase("status 429", serving(status=429), "POST", sending={"data": "generator"}),
    "429 with a wish": ExplainedCase(
        "status 429, Retry-After: 120", serving(status=429, headers={"Retry-After": "120"}), "POST"
    ),
    "503 with a wish beyond": ExplainedCase(
        "status 503, Retry-After: 121", serving(status=503, headers={"Retry-After": "121"})
    ),
    "503 with a lower limit": ExplainedCase(
        "status 503, Retry-After: 7",
        serving(status=503, headers={"Retry-After": "7"}),
        options={"retry_after_max": 7.5},
    ),
    "503 with a wish that does not count": ExplainedCase(
        "status 503, Retry-After: 121",
        serving(status=503, headers={"Retry-After": "121"}),
        options={"respect_retry_after_header": False},
    ),
    "500 with a key": ExplainedCase("status 500", serving(status=500), "POST", {"idempotency_keys": True}),
    "500 with a header": ExplainedCase(
        "status 500", serving(status=500), "PATCH", sending={"headers": {"idempotency-key": "1"}}
    ),
    "500 and no methods": ExplainedCase("status 500", serving(status=500), options={"allowed_methods": []}),
    "503 by a rule": ExplainedCase("status 503", serving(status=503), options={"backoff": lambda n: 120 * n}),
    "503 and a deadline": ExplainedCase(
        "status 503", serving(status=503), options={"jitter": False, "deadline": 3, "total": 9}
    ),
    "503 capped by status": ExplainedCase("status 503", serving(status=503), options={"status": 1}),
    "503 by a Retry": ExplainedCase(
        "status 503", serving(status=503), options={"max_retries": urllib3.Retry(**RECIPE, backoff_jitter=0.5)}
    ),
    "503 by a Retry with a lower limit": ExplainedCase(
        "status 503, Retry-After: 120",
        serving(status=503, headers={"Retry-After": "120"}),
        options={"max_retries": urllib3.Retry(**RECIPE)},
    ),
    "reset": ExplainedCase("reset after sending", serving(cut="before", by="reset")),
    "reset of a POST": ExplainedCase("reset after sending", serving(cut="before", by="reset"), "POST"),
    "silence": ExplainedCase(
        "read timeout", serving(cut="before", by="stall"), options={"total": 1}, sending={"timeout": 0.05}
    ),
    "cut body": ExplainedCase("cut body", serving(body="body", cut="body")),
    "cut body of a POST": ExplainedCase("cut body", serving(body="body", cut="body"), "POST"),
    "cut body of a stream": ExplainedCase("cut body", serving(body="body", cut="body"), sending={"stream": True}),
    "refused port": ExplainedCase("connection refused", refused_url, "POST"),
    "refused port and a generator": ExplainedCase(
        "connection refused", refused_url, "POST", sending={"data": "generator"}
    ),
    "refused port by connect=0": ExplainedCase("connection refused", refused_url, options={"connect": 0}),
    "name": ExplainedCase("name does not resolve", unresolvable, "POST", {"connect": 1}),
    "connect timeout": ExplainedCase("connect timeout", black_hole, "POST", {"total": 1}, {"timeout": (0.05, 1)}),
}


def body_of(sending):
    """Make the body afresh, for a generator can be used once."""
    return {**sending, "data": (part for part in [b"body"])} if "data" in sending else sending


def agree(row, attempts, sleeps):
    """Compare what was explained with what happened."""
    assert len(attempts) == row.retries + 1
    assert row.retried is (row.retries > 0)
    waits = [attempt.wait for attempt in attempts[:-1]]
    assert [wait for wait in waits if wait] == list(sleeps)
    assert all(low <= wait <= high for wait, (low, high) in zip(waits, row.waits, strict=True))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_explanation_holds_when_the_failure_comes(case, clock):
    with resilient_session(clock=clock, **case.options) as session, origin_of(case.where) as url:
        explanation = explain(session, case.method, url, **body_of(case.sending))
        try:
            with session.request(case.method, url, **body_of(case.sending)) as outcome:
                pass
        except requests.RequestException as error:
            outcome = error
    agree(row(explanation, case.failure), attempts_of(outcome), clock.sleeps)


def test_explanation_of_a_broken_handshake_holds(clock, session, server_tls, bundle):
    with FaultServer(tls=server_tls, handshakes=["reset"] * 9) as server:
        explanation = explain(session, "POST", server.url("/"))
        with pytest.raises(requests.ConnectionError) as caught:
            session.post(server.url("/"), data="order", verify=bundle)
    agree(row(explanation, "reset in TLS handshake"), attempts_of(caught.value), clock.sleeps)


def test_explanation_of_a_refused_certificate_holds(clock, session, server_tls):
    with FaultServer(tls=server_tls) as server:
        explanation = explain(session, "GET", server.url("/"))
        with pytest.raises(requests.exceptions.SSLError) as caught:
            session.get(server.url("/"))
    agree(row(explanation, "untrusted certificate"), attempts_of(caught.value), clock.sleeps)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_explanation_of_a_refusing_proxy_holds(clock, session, scheme):
    with FaultServer(default=Reply(407)) as server:
        session.proxies = {scheme: server.origin}
        url = f"{scheme}://behind.example/"
        explanation = explain(session, "GET", url)
        try:
            outcome = session.get(url)
        except requests.exceptions.ProxyError as error:
            outcome = error
    agree(row(explanation, "proxy responds 407"), attempts_of(outcome), clock.sleeps)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_explanation_of_a_refused_port_of_a_proxy_holds(clock, session, method):
    with refused_url() as proxy:
        session.proxies = {"http": proxy}
        explanation = explain(session, method, "http://behind.example/")
        with pytest.raises(requests.exceptions.ProxyError) as caught:
            session.request(method, "http://behind.example/")
    agree(row(explanation, "connection refused (proxy)"), attempts_of(caught.value), clock.sleeps)


STOCK_CASES = {
    "503": ("status 503", {"status": 503}, "GET", RECIPE),
    "503 to a POST": ("status 503", {"status": 503}, "POST", RECIPE),
    "503 to any method": ("status 503", {"status": 503}, "POST", {**RECIPE, "allowed_methods": None}),
    "404": ("status 404", {"status": 404}, "GET", RECIPE),
    "wish": ("status 429, Retry-After: 21600", {"status": 429, "headers": {"Retry-After": "21600"}}, "GET", RECIPE),
    "wish off the list": (
        "status 503, Retry-After: 21600",
        {"status": 503, "headers": {"Retry-After": "21600"}},
        "GET",
        {"total": 2},
    ),
    "reset": ("reset after sending", {"cut": "before", "by": "reset"}, "GET", {**RECIPE, "backoff_jitter": 1}),
    "reset of a POST": ("reset after sending", {"cut": "before", "by": "reset"}, "POST", RECIPE),
    "cut body": ("cut body", {"body": "body", "cut": "body"}, "GET", RECIPE),
    "capped": ("status 503", {"status": 503}, "GET", {**RECIPE, "status": 1}),
    "disabled": ("reset after sending", {"cut": "before", "by": "reset"}, "GET", {"total": False}),
}


@pytest.mark.parametrize(("failure", "reply", "method", "retry"), STOCK_CASES.values(), ids=STOCK_CASES.keys())
def test_explanation_of_a_stock_session_holds(failure, reply, method, retry, monkeypatch):
    clock = VirtualClock()
    monkeypatch.setattr("urllib3.util.retry.time", SimpleNamespace(sleep=clock.sleep))
    with stock("http://", **retry) as session, FaultServer(default=Reply(**reply)) as server:
        explained = row(explain(session, method, server.url("/")), failure)
        with contextlib.suppress(requests.RequestException):
            session.request(method, server.url("/"))
        assert len(server.requests) == explained.retries + 1
    waits = [wait for wait in explained.waits if wait != (0, 0)]
    assert len(waits) == len(clock.sleeps)
    assert all(low <= slept <= high for slept, (low, high) in zip(clock.sleeps, waits, strict=True))


@pytest.mark.parametrize(
    ("failure", "handshakes", "connections"),
    [("reset in TLS handshake", ["reset"] * 9, 1), ("untrusted certificate", [], 3)],
)
def test_explanation_of_tls_errors_of_a_stock_session_holds(failure, handshakes, connections, server_tls):
    with stock(total=2) as session, FaultServer(tls=server_tls, handshakes=handshakes) as server:
        explained = row(explain(session, "POST", server.url("/")), failure)
        with pytest.raises(requests.ConnectionError):
            session.post(server.url("/"), data="order")
        assert server.connections == explained.retries + 1 == connections


def test_nothing_is_sent_and_nothing_is_changed(clock):
    session = resilient_session(clock=clock, total=7)
    adapters, body = dict(session.adapters), iter([b"body"])
    with FaultServer() as server:
        explain(session, "POST", server.url("/"), data=body)
        assert server.connections == 0
    assert dict(session.adapters) == adapters
    assert session.get_adapter(URL).max_retries.history == ()
    assert next(body) == b"body"
    assert clock.sleeps == ()


def test_users_own_callables_are_not_asked():
    def never(_):
        raise AssertionError

    session = resilient_session(retry_if=never, idempotency_keys=never)
    session.auth = never
    explanation = explain(session, "POST", URL)
    assert warned(explanation, "retry_if (argument) is called")
    assert row(explanation, "status 503").retries == 3


# Who says so


@pytest.mark.parametrize(
    ("failure", "method", "options", "reason"),
    [
        ("connection refused", "POST", {}, "total=3 (default)"),
        ("status 503", "GET", {}, "GET is in allowed_methods (default); total=3 (default)"),
        ("status 503", "GET", {"total": 0}, "total=0 (argument)"),
        (
            "status 503",
            "PATCH",
            {"allowed_methods": None},
            "allowed_methods (argument) allows any method; total=3 (default)",
        ),
        ("status 503", "POST", {}, "POST is not in allowed_methods (default)"),
        ("status 404", "GET", {}, "the status is not in status_forcelist (default)"),
        ("status 429", "POST", {}, "the status is in unprocessed_statuses (default); total=3 (default)"),
        ("status 503", "POST", {"idempotency_keys": True}, "an idempotency key makes it safe; total=3 (default)"),
        ("status 503, Retry-After: 121", "GET", {}, "exceeds retry_after_max=120 (default)"),
        ("status 503, Retry-After: 120", "GET", {"deadline": 60}, "deadline=60 (argument) leaves no time"),
        ("read timeout", "GET", {"deadline": 20}, "deadline=20 (argument) leaves no time"),
        ("connection refused", "GET", {"total": 2, "connect": 2}, "total=2 (argument) and connect=2 (argument)"),
        ("connection refused", "GET", {"connect": 2}, "connect=2 (argument)"),
        ("untrusted certificate", "GET", {}, "not retried: the certificate or handshake would be refused again"),
        ("status 503", "GET", {"max_retries": 1}, "GET is in allowed_methods (default); total=1 (max_retries)"),
        (
            "status 503",
            "POST",
            {"max_retries": urllib3.Retry(**RECIPE)},
            "POST is not in allowed_methods (max_retries)",
        ),
        ("connect timeout", "GET", {"timeout": None}, "cannot occur: there is no connect timeout"),
    ],
)
def test_reason_names_the_option_and_where_it_comes_from(failure, method, options, reason):
    assert row(explain(resilient_session(**options), method, URL), failure).reason == reason


def test_reason_names_the_variable(monkeypatch):
    monkeypatch.setenv("RESILIENT_SESSION_TOTAL", "5")
    monkeypatch.setenv("RESILIENT_SESSION_ALLOWED_METHODS", "GET,PUT")
    explanation = explain(resilient_session(), "DELETE", URL)
    assert row(explanation, "connection refused").reason == "RESILIENT_SESSION_TOTAL=5"
    said = "DELETE is not in RESILIENT_SESSION_ALLOWED_METHODS"
    assert row(explanation, "status 500").reason == said


def test_reason_names_the_body():
    body = iter([b"x"])
    explanation = explain(resilient_session(), "PUT", URL, data=body)
    assert row(explanation, "status 503").reason == "the body cannot be sent again"
    assert row(explanation, "connection refused").retries == 3


@pytest.mark.skipif(not hasattr(urllib3.Retry, "DEFAULT_RETRY_AFTER_MAX"), reason="urllib3 has no such limit")
def test_lower_limit_of_a_given_retry_is_named():
    retries = urllib3.Retry(**RECIPE)
    retries.retry_after_max = 60
    explanation = explain(resilient_session(max_retries=retries), "GET", URL)
    said = "exceeds retry_after_max of the urllib3.Retry"
    assert row(explanation, "status 503, Retry-After: 61").reason == said
    assert row(explanation, "status 503, Retry-After: 60").waits == ((60, 60),) * 3


def test_retries_that_no_option_ends_are_told_as_such():
    retries = urllib3.Retry(total=None, connect=2)
    explanation = explain(resilient_session(max_retries=retries), "GET", URL)
    assert row(explanation, "connection refused").retries == 2
    endless = row(explanation, "reset after sending")
    assert (endless.worst_case, endless.reason) == (None, "still retrying after 200 retries")
    assert explanation.answer.startswith("Retried 200 or more times. ")


# Times


def test_worst_case_is_all_waits_and_all_timeouts():
    explanation = explain(resilient_session(timeout=(1, 10)), "GET", URL.replace("https", "http"))
    assert row(explanation, "connection refused").worst_case == 0.5 + 1 + 2 + 4 * 1
    assert row(explanation, "read timeout").worst_case == 0.5 + 1 + 2 + 4 * (1 + 10)
    assert row(explanation, "status 404").worst_case == 1 + 10


def test_handshake_has_the_connect_timeout_once_more():
    explanation = explain(resilient_session(timeout=(1, 10), total=0), "GET", URL)
    assert row(explanation, "reset in TLS handshake").worst_case == 2
    assert row(explanation, "read timeout").worst_case == 2 + 10


def test_worst_case_ends_at_the_deadline():
    explanation = explain(resilient_session(deadline=30), "GET", URL)
    assert explanation.deadline == 30
    assert row(explanation, "status 503").worst_case == 30
    assert row(explanation, "connection refused").worst_case == pytest.approx(0.5 + 1 + 2 + 4 * 3.05)


def test_no_timeout_is_no_end():
    explanation = explain(resilient_session(), "GET", URL, timeout=(2, None))
    assert row(explanation, "status 503").worst_case is None
    assert row(explanation, "connection refused").worst_case is not None
    assert row(explanation, "read timeout") == ExplainedFailure(
        "read timeout", False, 0, (), None, "cannot occur: there is no read timeout"
    )
    assert warned(explanation, "no read timeout is set")


def test_deadline_ends_what_has_no_timeout():
    explanation = explain(resilient_session(deadline=5), "GET", URL, timeout=(None, None))
    silent = row(explanation, "read timeout")
    assert (silent.retries, silent.worst_case) == (0, 5)
    assert silent.reason == "deadline=5 (argument) leaves no time"
    assert not warned(explanation, "timeout")


def test_scope_of_a_deadline_counts_if_it_ends_first():
    session = resilient_session(deadline=60)
    with deadline(9):
        explanation = explain(session, "GET", URL)
    assert 8 < explanation.deadline <= 9
    assert explanation.deadline_origin == "deadline() scope"
    with deadline(90):
        assert explain(session, "GET", URL).deadline == 60


@pytest.mark.parametrize(
    ("timeout", "timeouts", "origin"),
    [(None, (3.05, 27), "default"), (5, (5, 5), "call"), ((1, 2), (1, 2), "call")],
)
def test_timeouts_are_those_of_the_call_or_the_option(timeout, timeouts, origin):
    explanation = explain(resilient_session(), "GET", URL, timeout=timeout)
    assert (explanation.timeouts, explanation.timeout_origin) == (timeouts, origin)


# Mistakes


def test_default_session_has_no_warnings():
    for url in (URL, "http://127.0.0.1:8000/"):
        explanation = explain(resilient_session(), "GET", url)
        assert explanation.resilient
        assert explanation.warnings == ()


def test_one_scheme_mounted_is_found_from_either_side():
    session = requests.Session()
    session.mount("https://", LoggingHTTPAdapter())
    safe, unsafe = explain(session, "GET", URL), explain(session, "GET", URL.replace("https", "http"))
    assert (safe.resilient, unsafe.resilient) == (True, False)
    assert warned(safe, "http:// has a different adapter", "HTTPAdapter: not resilient, no retries")
    assert warned(unsafe, "https:// has a different adapter", "LoggingHTTPAdapter: resilient")
    assert not any(failure.retried for failure in unsafe.rows)


def test_other_scheme_that_is_not_mounted_is_no_mistake():
    session = resilient_session()
    del session.adapters["http://"]
    assert explain(session, "GET", URL).warnings == ()


def test_longer_prefix_that_captures_the_url_is_named():
    session = resilient_session()
    session.mount("https://api.example.com/", HTTPAdapter())
    explanation = explain(session, "GET", URL)
    assert (explanation.prefix, explanation.adapter) == ("https://api.example.com/", "HTTPAdapter")
    assert warned(
        explanation,
        "the longer prefix https://api.example.com/ (HTTPAdapter: not resilient, no retries) wins",
        "over https:// (LoggingHTTPAdapter: resilient)",
    )


def test_prefix_without_a_slash_is_named():
    session = resilient_session()
    session.mount("https://api.example.com", session.get_adapter(URL))
    assert warned(explain(session, "GET", URL), "no trailing slash", "https://api.example.com.evil.example")


@pytest.mark.parametrize("prefix", ["https://api.example.com:443/", "https://user:secret@api.example.com/"])
def test_prefix_that_just_misses_is_named(prefix):
    session = resilient_session()
    session.mount(prefix, HTTPAdapter())
    explanation = explain(session, "GET", URL)
    assert warned(explanation, "has the same host but does not match")
    assert "secret" not in str(explanation)


@pytest.mark.parametrize("prefix", ["https://other.example.com/", "https://api.example.com/v2/", "https://[bad"])
def test_prefix_for_something_else_is_no_mistake(prefix):
    session = resilient_session()
    session.mount(prefix, HTTPAdapter())
    assert explain(session, "GET", URL).warnings == ()


def test_stock_session_without_anything_retries_nothing_and_waits_for_ever():
    explanation = explain(requests.Session(), "GET", URL)
    assert explanation.answer.startswith("Nothing is retried.")
    assert {failure.retries for failure in explanation.rows} == {0}
    assert row(explanation, "status 503").reason == "max_retries=0 (requests' default)"
    assert warned(explanation, "HTTPAdapter is not resilient")
    assert warned(explanation, "no timeout is set")


def test_usual_recipe_is_told_what_it_does_silently():
    explanation = explain(stock(**RECIPE), "GET", URL, data=iter([b"x"]))
    limit = "up to 6 h" if hasattr(urllib3.Retry, "DEFAULT_RETRY_AFTER_MAX") else "without limit"
    assert warned(explanation, "sleeps as long as Retry-After requests", limit)
    assert warned(explanation, "retries certificate errors")
    assert warned(explanation, "cut body: not retried")
    assert warned(explanation, "this body cannot be sent again")
    assert warned(explanation, "RetryError without the response")
    assert row(explanation, "untrusted certificate").retries == 3
    assert not row(explanation, "cut body").retried


def test_only_what_would_happen_is_warned_of():
    url = URL.replace("https", "http")
    retry = {**RECIPE, "raise_on_status": False, "respect_retry_after_header": False}
    explanation = explain(stock("http://", **retry), "GET", url, timeout=5)
    for text in ("Retry-After", "certificate", "body cannot", "RetryError"):
        assert not warned(explanation, text)
    assert not warned(explain(stock(total=0), "GET", URL), "urllib3 ")


def test_recipe_and_a_post_is_retried_only_where_nothing_was_sent():
    explanation = explain(stock(**RECIPE), "post", URL, timeout=1)
    assert explanation.method == "POST"
    assert explanation.answer.startswith("Retried up to 3 times, only if not yet sent, or after TLS errors.")
    assert row(explanation, "connection refused").reason == "total=3 (mounted Retry)"
    said = (
        "POST is not in allowed_methods (mounted Retry) and the status is not in status_forcelist (mounted Retry)"
    )
    assert row(explanation, "status 404").reason == said
    assert warned(explanation, "POST is not in allowed_methods", "not retried if the server may have acted")


@pytest.mark.parametrize("session", [resilient_session(), resilient_session(max_retries=urllib3.Retry(2))])
def test_post_to_a_resilient_session_is_told_of_the_way_out(session):
    explanation = explain(session, "POST", URL)
    assert explanation.answer.startswith("Retried up to ")
    assert "only while the server cannot have acted" in explanation.answer
    assert warned(explanation, "POST is not in", "idempotency_keys=True")


def test_method_that_no_key_helps_is_told_of_no_way_out():
    explanation = explain(resilient_session(allowed_methods=["GET"]), "DELETE", URL)
    assert warned(explanation, "DELETE is not in")
    assert not warned(explanation, "idempotency_keys")


def test_statuses_that_are_missing_from_the_list_are_named():
    assert warned(
        explain(stock(total=3), "GET", URL),
        "status_forcelist (mounted Retry) lacks 429, 500, 502, 503, 504",
    )
    session = resilient_session(status_forcelist=[500, 502, 503, 504])
    assert warned(explain(session, "GET", URL), "status_forcelist (argument) lacks 429")


def test_lower_case_that_urllib3_does_not_find_is_named():
    explanation = explain(stock(**RECIPE, allowed_methods={"get"}), "GET", URL)
    assert warned(explanation, "must be upper case")
    assert not row(explanation, "status 503").retried


@pytest.mark.filterwarnings("ignore:Using an empty collection:FutureWarning")
def test_empty_list_that_means_any_is_named():
    retries = urllib3.Retry(**RECIPE, allowed_methods=frozenset())
    for session in (stock(adapter=HTTPAdapter(max_retries=retries)), resilient_session(max_retries=retries)):
        explanation = explain(session, "POST", URL)
        assert warned(explanation, "is empty: urllib3 treats this as any method")
        assert row(explanation, "status 503").retries == 3


# Adapters of others


class Custom(HTTPAdapter):
    def send(self, request, **kwargs):
        return super().send(request, **kwargs)


class Canned(BaseAdapter):
    def send(self, request, **kwargs):
        raise requests.ConnectionError(urllib3.exceptions.ProtocolError("reset"), request=request)

    def close(self):
        """Nothing is open."""


def test_adapter_with_a_send_of_its_own_may_do_more_than_is_seen():
    assert warned(explain(stock(adapter=Custom()), "GET", URL), "Custom overrides send()")


def test_driven_adapter_is_named_and_what_depends_on_it():
    session = resilient_session(stock(adapter=Custom()))
    explanation = explain(session, "POST", URL)
    assert (explanation.adapter, explanation.resilient) == ("DrivenHTTPAdapter", True)
    assert warned(explanation, "Custom sends the requests: whether bytes were written")
    assert row(explanation, "reset before sending").retries == 3


def test_bytes_count_as_written_where_nobody_can_tell(clock):
    session = resilient_session(stock(adapter=Canned()), clock=clock)
    explanation = explain(session, "POST", URL)
    with pytest.raises(requests.ConnectionError) as caught:
        session.post(URL)
    agree(row(explanation, "reset before sending"), attempts_of(caught.value), clock.sleeps)
    assert not row(explanation, "reset before sending").retried


def test_adapter_that_is_none_of_requests_is_its_own_affair():
    explanation = explain(stock(adapter=Canned()), "GET", URL)
    assert (explanation.rows, explanation.timeouts, explanation.resilient) == ((), None, False)
    assert warned(explanation, "its behaviour is unknown")
    assert warned(explanation, "http:// has a different adapter")
    assert str(explanation).startswith("Unknown")
    assert explanation.as_dict()["timeouts"] is None


def test_session_that_chooses_adapters_itself_is_named():
    adapter = TimeoutHTTPAdapter(total=1)

    class Choosing(requests.Session):
        def get_adapter(self, url):
            return adapter

    explanation = explain(Choosing(), "GET", URL)
    assert (explanation.prefix, explanation.resilient) == (None, True)
    assert warned(explanation, "Choosing overrides get_adapter")
    assert "mount unknown" in str(explanation)
    session = Choosing()
    session.adapters.clear()
    assert explain(session, "GET", URL).prefix is None


def test_url_of_another_scheme_is_explained_by_what_is_mounted():
    session = stock("unix://", adapter=HTTPAdapter())
    explanation = explain(session, "GET", "unix://socket/path")
    assert explanation.prefix == "unix://"
    assert not warned(explanation, "mounted otherwise")


# What comes in, what goes out


def test_session_that_is_none_is_refused():
    with pytest.raises(TypeError, match=r"^session=<class .*>: must be a requests.Session instance$"):
        explain(requests.Session, "GET", URL)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("https://user:secret@host:99999/?token=secret", requests.exceptions.InvalidURL),
        ("ftp://user:secret@host/?token=secret", requests.exceptions.InvalidSchema),
        ("secret", requests.exceptions.MissingSchema),
    ],
)
def test_url_that_cannot_be_sent_to_raises_what_requests_raises(url, error):
    with pytest.raises(error) as caught:
        explain(resilient_session(), "GET", url)
    assert "token=secret" not in str(caught.value)
    assert "user:" not in str(caught.value)


def test_bad_timeout_is_refused():
    with pytest.raises(ValueError, match="timeout=-1"):
        explain(resilient_session(), "GET", URL, timeout=-1)


@pytest.mark.parametrize("session", [resilient_session(), stock(**RECIPE), resilient_session(deadline=5, total=20)])
def test_text_begins_with_the_answer_and_fits_100_columns(session):
    url = f"https://user:secret@api.example.com/{'a' * 200}?token=secret"
    explanation = explain(session, "GET", url)
    lines = str(explanation).splitlines()
    assert lines[0].startswith("Retried up to ")
    assert max(map(len, lines)) <= 100
    assert "secret" not in str(explanation)
    assert all(line == line.rstrip() for line in lines)


def test_text_tells_many_waits_by_the_first_and_the_last():
    text = str(explain(resilient_session(total=20, jitter=False), "GET", URL))
    assert "0.5, 1, 2, ...," in text
    assert "Retried once" in str(explain(resilient_session(total=1), "GET", URL))


def test_text_puts_statuses_together_that_come_to_the_same():
    text = str(explain(resilient_session(), "GET", URL))
    assert "status 400 404 " in text
    assert "status 429 503, Retry-After:" in text
    assert "status 408 500 502-504" in text


def test_dict_is_what_json_holds():
    explanation = explain(resilient_session(), "GET", URL)
    told = explanation.as_dict()
    assert isinstance(explanation, Explanation)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["rows"][0] == {
        "failure": "name does not resolve",
        "retried": True,
        "retries": 3,
        "waits": [[0.0, 0.5], [0.0, 1.0], [0.0, 2.0]],
        "worst_case": pytest.approx(15.7),
        "reason": "total=3 (default)",
    }
    assert told["timeouts"] == {"connect": 3.05, "read": 27}
    assert told["answer"] == explanation.answer


def storm(session, url="http://127.0.0.1:9/"):
    return dict(explain(session, "GET", url).storm)


def test_quota_is_shown_with_what_a_large_total_comes_to(clock):
    session = resilient_session(clock=clock, total=50, logger=None, backoff_factor=0)
    assert storm(session)["quota"] == (
        "100 tokens (default), 0 in use; a retry uses 5, so at most 20 retries while calls fail"
    )
    assert "quota     100 tokens (default)" in str(explain(session, "GET", "http://127.0.0.1:9/"))
    assert "so at most" not in storm(resilient_session(clock=clock))["quota"]
    with FaultServer(default=Reply(503)) as server:
        session.get(server.url("/"))
        assert "100 in use" in storm(session, server.url("/"))["quota"]
    assert "quota" not in storm(resilient_session(retry_quota=None))
    assert explain(session, "GET", "http://127.0.0.1:9/").as_dict()["storm"]["quota"].startswith("100 tokens")


def test_circuit_pause_and_rate_are_shown_as_they_are_now(clock):
    session = resilient_session(
        clock=clock, total=0, logger=None, breaker=Breaker(minimum=1), cool_down=True, rate_limit="9/second"
    )
    with FaultServer(Reply(503, headers={"Retry-After": "7"})) as server:
        before = storm(session, server.url("/"))
        session.get(server.url("/"))
        after = storm(session, server.url("/"))
    assert before == {
        "quota": before["quota"],
        "breaker": "closed (argument)",
        "cool-down": "none now (argument)",
        "rate": "at most 9 in 1 s (argument)",
    }
    assert after["breaker"].startswith("open for ")
    assert after["cool-down"] == "no call is sent for 7 s (argument)"


def test_session_without_ours_has_no_storm_control():
    assert explain(requests.Session(), "GET", "http://127.0.0.1:9/").storm == ()
