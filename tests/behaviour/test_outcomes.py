"""What a call ends with: the right class, the last response, and the attempts that led there."""

from __future__ import annotations

import gc
import gzip
import pickle

import pytest
import requests
import urllib3

from resilient_session import DeadlineExceeded, TimeoutHTTPAdapter, attempts_of, resilient_session
from resilient_session._call import _continuing
from resilient_session.testing import FaultServer, Reply, black_hole, refused_url


def failing(session, reply, method="GET", **kwargs):
    """Send to a server that always fails like this; return what is raised and the requests that it saw."""
    with FaultServer(default=reply) as server, pytest.raises(requests.RequestException) as caught:
        session.request(method, server.url("/"), **kwargs)
    return caught.value, len(server.requests)


@pytest.mark.parametrize(
    "reply", [Reply.stall(), Reply(200, "body", cut="body", by="stall")], ids=["in the headers", "in the body"]
)
def test_read_timeout_is_a_read_timeout_and_a_connection_error(reply, session):
    error, wire = failing(session, reply, timeout=0.05)
    assert isinstance(error, requests.ReadTimeout)
    assert isinstance(error, requests.ConnectionError)
    assert len(attempts_of(error)) == wire == 4


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, "body", cut="body"),
        Reply(200, "body" * 9, framing="chunked", cut="body"),
        Reply(200, "body" * 2000, bad_chunk=b"zz"),
        Reply(200, "body" * 2000, bad_chunk=b"-5"),
        Reply(200, "body" * 2000, encoding="gzip", truncate=4),
        Reply(200, "body" * 2000, encoding="deflate", truncate=4),
        Reply(200, "short", length=50, cut="end"),
    ],
    ids=["length", "chunks", "no chunk size", "negative chunk size", "gzip", "deflate", "declared too long"],
)
@pytest.mark.parametrize("stream", [False, True])
def test_body_that_ends_early_is_a_chunked_encoding_error(reply, stream, session):
    with FaultServer(default=reply) as server, pytest.raises(requests.exceptions.ChunkedEncodingError) as caught:
        assert session.get(server.url("/"), stream=stream).content
    if not stream:
        assert isinstance(caught.value, requests.ConnectionError)
        assert len(attempts_of(caught.value)) == len(server.requests) == 4


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, "body", cut="head"),
        Reply.close(),
        Reply.reset(),
        Reply(200, "body", length="-5"),
        Reply(raw=b"NONSENSE\r\n\r\n", keep_alive=False),
    ],
    ids=["cut head", "closed", "reset", "negative length", "no HTTP"],
)
def test_answer_that_is_none_is_a_connection_error(reply, session):
    error, wire = failing(session, reply)
    assert type(error) is requests.ConnectionError
    assert wire == 4


def test_refused_port_is_a_connection_error(session):
    with refused_url() as url, pytest.raises(requests.ConnectionError) as caught:
        session.post(url, data="order")
    assert type(caught.value) is requests.ConnectionError
    assert len(attempts_of(caught.value)) == 4


def test_connect_timeout_is_a_connect_timeout(clock):
    session = resilient_session(total=1, clock=clock)
    with black_hole() as url, pytest.raises(requests.ConnectTimeout) as caught:
        session.post(url, data="order", timeout=(0.05, 5))
    assert len(attempts_of(caught.value)) == 2


def test_name_that_does_not_exist_counts_like_a_refused_port(clock):
    session = resilient_session(total=5, connect=2, clock=clock)
    with pytest.raises(requests.ConnectionError, match="Failed to resolve") as caught:
        session.post("http://nowhere.invalid/", data="order")
    assert len(attempts_of(caught.value)) == 3


def test_refused_client_certificate_is_tried_once(asking_tls, bundle, session):
    with FaultServer(tls=asking_tls) as server, pytest.raises(requests.ConnectionError) as caught:
        session.get(server.url("/"), verify=bundle)
    assert len(attempts_of(caught.value)) == 1


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://", requests.exceptions.InvalidURL),
        ("http://.example.com/", requests.exceptions.InvalidURL),
        ("ftp://example.com/", requests.exceptions.InvalidSchema),
        (f"http://{'x' * 70}.invalid/", requests.exceptions.InvalidURL),
    ],
)
def test_bad_url_raises_what_requests_raises_and_waits_for_nothing(url, error, session, clock):
    with pytest.raises(error):
        session.get(url)
    assert clock.sleeps == ()


def test_proxy_that_wants_a_login_is_asked_once(server_tls, session):
    with (
        FaultServer(default=Reply(407), tls=server_tls, tunnel=True) as proxy,
        pytest.raises(requests.exceptions.ProxyError) as caught,
    ):
        session.get("https://origin.test/", proxies={"https": proxy.url()})
    assert len(proxy.requests) == len(attempts_of(caught.value)) == 1


def test_tunnel_that_the_proxy_cannot_open_is_tried_again_with_any_method(server_tls, bundle, session):
    with FaultServer(Reply(503), Reply(200), Reply(201), tls=server_tls, tunnel=True) as proxy:
        response = session.post("https://origin.test/", data="order", proxies={"https": proxy.url()}, verify=bundle)
    assert response.status_code == 201
    assert [request.method for request in proxy.requests] == ["CONNECT", "CONNECT", "POST"]


@pytest.mark.parametrize("fault", ["stall", "reset", "close"])
def test_post_is_repeated_when_the_handshake_failed(fault, server_tls, bundle, session):
    with FaultServer(Reply(201), tls=server_tls, handshakes=(fault, "ok")) as server:
        response = session.post(server.url("/"), data="order", timeout=0.3, verify=bundle)
    assert response.status_code == 201
    assert [request.body for request in server.requests] == [b"order"]
    assert "before the request was sent" in attempts_of(response)[0].reason


def test_exception_of_an_exhausted_call_pickles_with_its_attempts(session):
    error, _ = failing(session, Reply.reset())
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is type(error)
    assert [attempt.reason for attempt in attempts_of(again)] == [attempt.reason for attempt in attempts_of(error)]


def test_response_pickles_without_its_attempts(session):
    with FaultServer() as server:
        response = session.get(server.url("/"))
    again = pickle.loads(pickle.dumps(response))  # noqa: S301
    assert again.text == "ok"
    assert attempts_of(again) == ()


def test_attempts_tell_status_error_wait_and_reason(session, clock):
    with FaultServer(Reply(503), Reply.reset(), Reply(200)) as server:
        response = session.get(server.url("/items?token=secret"))
    first, second, third = attempts_of(response)
    assert response.attempts == (first, second, third)
    assert [attempt.number for attempt in (first, second, third)] == [1, 2, 3]
    assert (first.status, first.error, first.reason) == (503, None, "status 503")
    assert (second.status, type(second.error)) == (None, requests.ConnectionError)
    assert (third.status, third.error, third.wait) == (200, None, None)
    assert (first.wait, second.wait) == clock.sleeps
    assert second.start == pytest.approx(first.start + first.duration + first.wait)
    assert first.url == server.url("/items?token=***")


def test_history_of_urllib3_is_kept_on_raw(session):
    with FaultServer(Reply(503), Reply.reset(), Reply(200)) as server:
        response = session.get(server.url("/items"))
    history = response.raw.retries.history
    assert [(entry.method, entry.status) for entry in history] == [("GET", 503), ("GET", None)]
    assert isinstance(history[1].error, urllib3.exceptions.ProtocolError)
    assert response.raw.retries.total == 1


def test_nothing_is_known_of_outcomes_of_others():
    assert attempts_of(requests.Response()) == ()
    assert attempts_of(ValueError()) == ()


def test_total_0_switches_retries_off():
    session = resilient_session(total=0)
    with FaultServer(default=Reply(503)) as server:
        assert session.get(server.url("/")).status_code == 503
    assert len(server.requests) == 1


@pytest.mark.parametrize(("cap", "reply"), [("status", Reply(503)), ("read", Reply.reset())])
def test_further_cap_counts_its_own_kind_of_failure(cap, reply, clock):
    session = resilient_session(total=5, clock=clock, raise_on_status=True, **{cap: 1})
    error, wire = failing(session, reply)
    assert wire == 2
    assert len(attempts_of(error)) == 2


def test_five_thousand_retries_are_a_loop_and_no_recursion(clock):
    session = resilient_session(total=5000, backoff_factor=0, retry_quota=None, logger=None, clock=clock)
    with refused_url() as url, pytest.raises(requests.ConnectionError) as caught:
        session.get(url)
    assert len(attempts_of(caught.value)) == 5001


def test_wish_beyond_the_limit_ends_the_call_at_once(session, clock):
    with FaultServer(default=Reply(503, headers={"Retry-After": "3600"})) as server:
        response = session.get(server.url("/"))
    assert (response.status_code, len(server.requests), clock.sleeps) == (503, 1, ())
    assert "retry_after_max is 120" in attempts_of(response)[-1].reason


def test_wish_within_the_limit_is_waited_for(session, clock):
    with FaultServer(Reply(503, headers={"Retry-After": "60"}), Reply(200)) as server:
        session.get(server.url("/"))
    assert 60 <= clock.sleeps[0] <= 66


def test_wish_can_be_ignored(clock):
    session = resilient_session(respect_retry_after_header=False, clock=clock)
    with FaultServer(Reply(503, headers={"Retry-After": "60"}), Reply(200)) as server:
        session.get(server.url("/"))
    assert clock.sleeps[0] <= 0.5


@pytest.mark.parametrize("timeout", [0, -1, True, "5", float("inf"), float("nan"), (1, 2, 3), (1, 0)])
def test_bad_timeout_of_a_call_is_a_value_error(timeout, session):
    with FaultServer() as server, pytest.raises(ValueError, match="timeout="):
        session.get(server.url("/"), timeout=timeout)
    assert server.requests == ()


@pytest.mark.parametrize("timeout", [(None, None), urllib3.Timeout(total=5), urllib3.Timeout(connect=1, read=2), 5])
def test_good_timeout_of_a_call_is_taken(timeout, session):
    with FaultServer() as server:
        assert session.get(server.url("/"), timeout=timeout).text == "ok"


def test_carried_retry_can_be_assigned(session):
    adapter = session.get_adapter("http://")
    adapter.max_retries = urllib3.Retry(total=1, status_forcelist=[404], raise_on_status=False)
    with FaultServer(default=Reply(404)) as server:
        session.get(server.url("/"))
        adapter.max_retries = adapter.max_retries.new(total=2)
        session.get(server.url("/"))
        adapter.max_retries = 0
        session.get(server.url("/"))
    assert len(server.requests) == 2 + 3 + 1


def test_adapter_pickles_with_its_options():
    adapter = TimeoutHTTPAdapter(7, 8, timeout=9, total=2)
    again = pickle.loads(pickle.dumps(adapter))  # noqa: S301
    assert again.settings.values["timeout"] == (9, 9)
    assert again.max_retries.total == 2
    assert again.settings.values["pool_maxsize"] == 8


def test_retry_error_of_a_stream_keeps_the_body_and_gives_its_connection_back(clock):
    session = resilient_session(total=1, raise_on_status=True, pool_block=True, pool_maxsize=1, clock=clock)
    with FaultServer(Reply(503), Reply(503, "why")) as server:
        with pytest.raises(requests.exceptions.RetryError) as caught:
            session.get(server.url("/"), stream=True)
        assert caught.value.response.text == "why"
        assert session.get(server.url("/")).text == "ok"


def test_retry_error_of_a_stream_that_breaks_is_a_retry_error_all_the_same(clock):
    session = resilient_session(total=0, raise_on_status=True, clock=clock)
    with FaultServer(Reply(503, "why", cut="body")) as server, pytest.raises(requests.exceptions.RetryError):
        session.get(server.url("/"), stream=True)


@pytest.mark.parametrize("follow", [True, False])
def test_body_of_a_redirect_that_breaks_is_told_with_its_attempts(follow, session):
    broken = Reply(302, "x" * 99, headers={"Location": "/c"}, cut="body")
    first = [Reply(302, headers={"Location": "/b"})] if follow else []
    with FaultServer(*first, broken) as server, pytest.raises(requests.exceptions.ChunkedEncodingError) as caught:
        session.get(server.url("/"), allow_redirects=follow)
    assert isinstance(caught.value, requests.ConnectionError)
    assert len(attempts_of(caught.value)) == len(first) + 1


def test_body_of_a_first_redirect_that_breaks_does_not_matter(session):
    with FaultServer(Reply(302, "x" * 99, headers={"Location": "/b"}, cut="body"), Reply(200, "here")) as server:
        assert session.get(server.url("/")).text == "here"


@pytest.mark.parametrize(
    "coding", [{"headers": {"Location": "/b", "Content-Encoding": "gzip"}}, {"encoding": "gzip"}]
)
def test_coded_body_of_a_redirect_that_breaks_does_not_matter(coding, session):
    fields = {"headers": {"Location": "/b"}, **coding}
    with FaultServer(Reply(302, "x" * 99, cut="body", **fields), Reply(200, "here")) as server:
        assert session.get(server.url("/")).text == "here"


def test_later_redirect_that_cannot_be_decoded_is_followed(session):
    odd = Reply(302, "x" * 99, headers={"Location": "/c", "Content-Encoding": "gzip"})
    with FaultServer(Reply(302, headers={"Location": "/b"}), odd, Reply(200, "here")) as server:
        assert session.get(server.url("/")).text == "here"


def test_redirect_that_cannot_be_decoded_and_is_not_followed_is_returned(session):
    odd = Reply(302, "x" * 99, headers={"Location": "/c", "Content-Encoding": "gzip"})
    with FaultServer(odd) as server:
        response = session.get(server.url("/"), allow_redirects=False)
    assert (response.status_code, response.content, response.next.path_url) == (302, b"", "/c")


def test_call_whose_redirect_broke_is_over_and_its_response_gone(session):
    broken = Reply(302, "x" * 99, headers={"Location": "/"}, cut="body")
    gc.disable()
    try:
        with FaultServer(*[broken] * 3) as server:
            prepared = session.prepare_request(requests.Request("GET", server.url("/")))
            of_others = set(_continuing._asking)
            for _ in range(3):
                with pytest.raises(requests.exceptions.ChunkedEncodingError) as caught:
                    session.send(prepared, allow_redirects=False)
                assert len(attempts_of(caught.value)) == 1
                del caught
            assert set(_continuing._asking) <= of_others
    finally:
        gc.enable()


def members(*texts):
    return b"".join(gzip.compress(text) for text in texts)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("texts", [(b"one", b"two"), (b"1" * 300_000, b"2" * 300_000), (b"", b"x", b"")])
def test_body_of_several_gzip_members_is_whole(texts, framing, stream, session):
    reply = Reply(200, members(*texts), headers={"Content-Encoding": "gzip"}, framing=framing)
    with FaultServer(reply) as server:
        response = session.get(server.url("/"), stream=stream)
        assert response.content == b"".join(texts)
        assert len(attempts_of(response)) == 1


@pytest.mark.parametrize("size", [10, 300_000])
def test_body_of_several_gzip_members_whose_last_is_cut_is_not(size, session):
    cut = Reply(200, members(b"1" * size, bytes(range(250)) * 9)[:-9], headers={"Content-Encoding": "gzip"})
    with FaultServer(cut, Reply(200, "whole")) as server:
        assert session.get(server.url("/")).text == "whole"


def test_deadline_ends_the_decoding_of_a_body_that_is_all_there(clock):
    bomb = Reply(200, gzip.compress(bytes(2**28), 9), headers={"Content-Encoding": "gzip"})
    session = resilient_session(deadline=0.05, clock=clock)
    with FaultServer(bomb) as server, pytest.raises(DeadlineExceeded, match="the deadline passed while"):
        session.get(server.url("/"))
