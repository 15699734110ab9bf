"""One call: over redirects, challenges and re-sent bodies, with one set of counts; and nothing else is one."""

from __future__ import annotations

import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import responses
from requests.auth import HTTPDigestAuth

from resilient_session import attempts_of, resilient_session
from resilient_session.testing import FaultServer, Reply


def redirect(path, status=302):
    return Reply(status, headers={"Location": path})


def test_redirects_share_the_counts_of_their_call(session):
    with FaultServer() as server:
        server.route("/a", Reply(503), Reply(503), redirect("/b"))
        server.route("/b", Reply(503), Reply(503))
        response = session.get(server.url("/a"))
    assert response.status_code == 503
    assert [request.path for request in server.requests] == ["/a", "/a", "/a", "/b", "/b"]
    assert [attempt.status for attempt in attempts_of(response)] == [503, 503, 302, 503, 503]
    assert len(response.raw.retries.history) == 3


def test_redirect_to_another_scheme_is_the_same_call(session, server_tls, bundle):
    with (
        FaultServer(tls=server_tls) as other,
        FaultServer(Reply(302, headers={"Location": other.url("/")})) as server,
    ):
        assert [one.status for one in attempts_of(session.get(server.url("/"), verify=bundle))] == [302, 200]


@pytest.mark.parametrize("keep", [True, False], ids=["kept", "dropped"])
def test_same_request_sent_in_a_loop_has_full_counts_each_time(keep, session):
    kept = []
    with FaultServer(default=Reply(503)) as server:
        prepared = session.prepare_request(requests.Request("GET", server.url("/")))
        for _ in range(3):
            response = session.send(prepared, allow_redirects=False)
            kept += [response] if keep else []
            assert len(attempts_of(response)) == 4
    assert len(server.requests) == 12


@pytest.mark.parametrize("status", [302, 401, 407])
@pytest.mark.parametrize("copied", [True, False])
def test_request_that_is_asked_for_another_and_sent_again_is_a_call_of_its_own(status, copied, session):
    kept = []
    with FaultServer(default=Reply(status, headers={"Location": "/elsewhere"})) as server:
        prepared = session.prepare_request(requests.Request("GET", server.url("/")))
        for _ in range(3):
            sent = prepared.copy() if copied else prepared
            kept.append(session.send(sent, allow_redirects=False))
    assert [len(attempts_of(response)) for response in kept] == [1, 1, 1]


def test_next_request_followed_by_hand_is_a_call_of_its_own(session):
    with FaultServer(redirect("/b"), Reply(200)) as server:
        first = session.get(server.url("/a"), allow_redirects=False)
        second = session.send(first.next)
    assert (len(attempts_of(first)), len(attempts_of(second))) == (1, 1)


def test_redirect_to_itself_goes_on_with_its_call(session):
    with FaultServer(redirect("/a"), redirect("/a"), Reply(200)) as server:
        response = session.get(server.url("/a"))
    assert len(attempts_of(response)) == 3


def test_redirect_to_no_url_is_left_to_requests(session):
    with FaultServer(redirect("http://[bad")) as server, pytest.raises((requests.RequestException, ValueError)):
        session.get(server.url("/a"))


def test_digest_challenge_and_answer_are_one_call(session):
    challenge = Reply(401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})
    with FaultServer(Reply(503), challenge, Reply(503), Reply(200, "in")) as server:
        response = session.get(server.url("/"), auth=HTTPDigestAuth("me", "secret"))
    assert response.text == "in"
    assert [attempt.status for attempt in attempts_of(response)] == [503, 401, 503, 200]
    assert server.requests[-1].headers["Authorization"].startswith("Digest ")


def test_too_many_redirects_tell_their_attempts(session):
    session.max_redirects = 3
    with FaultServer(default=redirect("/again")) as server, pytest.raises(requests.TooManyRedirects) as caught:
        session.get(server.url("/"))
    assert len(attempts_of(caught.value)) == len(server.requests) == 4


def generator():
    yield b"first"
    yield b"second"


@pytest.mark.parametrize(
    "make", [generator, lambda: iter([b"first", b"second"]), lambda: map(bytes.strip, [b"firstsecond"])]
)
def test_one_shot_body_is_never_sent_twice(make, session):
    with FaultServer(Reply(503), Reply(200)) as server:
        response = session.put(server.url("/"), data=make())
    assert response.status_code == 503
    assert [request.body for request in server.requests] == [b"firstsecond"]
    assert "the body cannot be sent again" in attempts_of(response)[-1].reason


def test_one_shot_body_is_sent_when_only_the_connect_had_failed(authority, clock):
    server = FaultServer(Reply(200)).start()
    server.refuse()

    def reopen(event):
        server.accept()

    session = resilient_session(on_event=reopen, clock=clock)
    response = session.post(server.url("/"), data=generator())
    server.close()
    assert [request.body for request in server.requests] == [b"firstsecond"]
    assert len(attempts_of(response)) == 2


def test_one_shot_body_is_not_sent_empty_by_a_redirect(session):
    with (
        FaultServer(redirect("/b", 307), Reply(200)) as server,
        pytest.raises(requests.exceptions.UnrewindableBodyError) as caught,
    ):
        session.put(server.url("/a"), data=generator())
    assert len(server.requests) == 1
    assert [(attempt.status, attempt.cause) for attempt in attempts_of(caught.value)] == [
        (307, "ok"),
        (None, "error"),
    ]


def test_file_is_rewound_to_where_it_stood(session, tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(b"skipped|kept")
    with path.open("rb") as file, FaultServer(Reply(503), Reply.reset(), Reply(200)) as server:
        file.seek(8)
        session.put(server.url("/"), data=file)
    assert [request.body for request in server.requests] == [b"kept"] * 3


def test_pipe_is_not_sent_again_and_no_error_leaks(session):
    reading, writing = os.pipe()
    os.write(writing, b"once")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe, FaultServer(Reply(503), Reply(200)) as server:
        response = session.put(server.url("/"), data=pipe)
    assert response.status_code == 503
    assert [request.body for request in server.requests] == [b"once"]


def test_file_that_was_closed_meanwhile_is_not_sent_again(clock):
    body = io.BytesIO(b"once")
    session = resilient_session(retry_if=lambda response: body.close(), clock=clock)
    with FaultServer(Reply(503), Reply(200)) as server:
        response = session.put(server.url("/"), data=body)
    assert "could not be rewound" in attempts_of(response)[-1].reason


def test_cookie_of_a_failed_attempt_reaches_the_next_one_and_the_session(session):
    failed = Reply(503, headers=[("Set-Cookie", "route=a; Path=/"), ("Set-Cookie", "seen=1; Path=/")])
    with FaultServer(failed, Reply(200, headers={"Set-Cookie": "seen=2; Path=/"})) as server:
        response = session.get(server.url("/"))
    assert server.requests[1].headers["Cookie"] == "route=a; seen=1"
    assert session.cookies.get_dict() == {"route": "a", "seen": "2"}
    assert response.headers["Set-Cookie"] == "seen=2; Path=/"


def test_cookie_of_an_answer_whose_body_broke_reaches_the_next_attempt_and_the_session(session):
    broken = Reply(200, "a long body", headers={"Set-Cookie": "route=a; Path=/"}, cut="body")
    with FaultServer(broken, Reply(200)) as server:
        session.get(server.url("/"))
    assert server.requests[1].headers["Cookie"] == "route=a"
    assert session.cookies.get_dict() == {"route": "a"}


@pytest.mark.parametrize("fault", [{"status": 503}, {"cut": "body"}])
def test_cookie_that_a_later_answer_deletes_is_gone(fault, session):
    failed = Reply(body="a long body", headers={"Set-Cookie": "route=a; Path=/"}, **fault)
    with FaultServer(failed, Reply(200, headers={"Set-Cookie": "route=; Path=/; Max-Age=0"})) as server:
        response = session.get(server.url("/"))
    assert session.cookies.get_dict() == {}
    assert response.headers["Set-Cookie"] == "route=; Path=/; Max-Age=0"


@pytest.mark.parametrize(("last", "kept"), [("a=3", {"a": "3"}), ("a=; Max-Age=0", {})])
def test_last_word_on_a_cookie_counts_however_its_place_is_written(last, kept, session):
    words = ("a=1", "a=2; Path=/", last)
    replies = [Reply(503 if word != last else 200, headers={"Set-Cookie": word}) for word in words]
    with FaultServer(*replies) as server:
        session.get(server.url("/x"))
    assert session.cookies.get_dict() == kept


def test_cookies_of_a_mocked_answer_that_failed_are_kept(session):
    with responses.RequestsMock() as mock:
        mock.get("http://mocked.test/", status=503, headers={"Set-Cookie": "a=1"})
        mock.get("http://mocked.test/", status=200)
        response = session.get("http://mocked.test/")
    assert (response.status_code, session.cookies.get_dict()) == (200, {"a": "1"})


def test_cookies_of_one_name_are_kept_apart_by_where_they_belong(session):
    failed = Reply(503, headers=[("Set-Cookie", "a=1; Path=/x"), ("Set-Cookie", "a=2; Path=/")])
    with FaultServer(failed, Reply(200, headers={"Set-Cookie": "a=3; Path=/"})) as server:
        session.get(server.url("/x"))
    assert {(cookie.path, cookie.value) for cookie in session.cookies} == {("/x", "1"), ("/", "3")}


def test_cookie_header_written_by_hand_is_never_changed(session):
    with FaultServer(Reply(503, headers={"Set-Cookie": "route=a"}), Reply(200)) as server:
        session.get(server.url("/"), headers={"Cookie": "mine=1"})
    assert [request.headers["Cookie"] for request in server.requests] == ["mine=1", "mine=1"]


def test_key_stays_the_same_over_attempts_and_preserving_redirects_and_off_the_request(clock):
    session = resilient_session(idempotency_keys=True, clock=clock)
    with FaultServer(Reply(503), redirect("/b", 307), Reply.reset(), Reply(201)) as server:
        prepared = session.prepare_request(requests.Request("POST", server.url("/a"), data="order"))
        session.send(prepared)
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1
    assert len(server.requests) == 4
    assert "Idempotency-Key" not in prepared.headers


def test_every_call_has_a_key_of_its_own(clock):
    session = resilient_session(idempotency_keys=True, clock=clock)
    with FaultServer() as server:
        for _ in range(2):
            session.post(server.url("/"), data="order")
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 2


def test_own_key_makes_a_post_repeatable_without_any_option(session):
    with FaultServer(Reply.reset(), Reply(201)) as server:
        session.post(server.url("/"), data="order", headers={"Idempotency-Key": "mine"})
    assert [request.headers["Idempotency-Key"] for request in server.requests] == ["mine", "mine"]


def test_callable_makes_the_key(clock):
    session = resilient_session(idempotency_keys=lambda request: f"key-of-{request.body}", clock=clock)
    with FaultServer() as server:
        session.post(server.url("/"), data="order")
        session.get(server.url("/"))
    assert server.requests[0].headers["Idempotency-Key"] == "key-of-order"
    assert "Idempotency-Key" not in server.requests[1].headers


def test_threads_share_a_session(clock):
    session = resilient_session(total=50, clock=clock)

    def fetch():
        results.append(session.get(server.url("/")).status_code)

    results: list[int] = []
    with FaultServer(default=lambda request: Reply(503 if request.number % 3 == 0 else 200)) as server:
        threads = [threading.Thread(target=fetch) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [200] * 16


def test_session_works_on_after_ctrl_c_in_a_wait(clock):
    class Interrupted:
        def now(self):
            return 0.0

        def sleep(self, seconds):
            raise KeyboardInterrupt

    session = resilient_session(clock=Interrupted(), pool_maxsize=1, pool_block=True)
    with FaultServer(Reply(503), Reply(200)) as server:
        with pytest.raises(KeyboardInterrupt):
            session.get(server.url("/"))
        assert session.get(server.url("/")).status_code == 200


@pytest.mark.parametrize("status", [307, 308])
def test_copies_that_several_threads_send_at_once_are_calls_of_their_own(status, clock):
    def send(_):
        response = session.send(prepared.copy())
        return [attempt.status for attempt in attempts_of(response)], response.request.headers["Idempotency-Key"]

    session = resilient_session(idempotency_keys=True, clock=clock)
    with FaultServer() as server, ThreadPoolExecutor(16) as executor:
        server.route("/a", redirect("/b", status))
        prepared = session.prepare_request(requests.Request("POST", server.url("/a"), data="order"))
        outcomes = list(executor.map(send, range(64)))
    assert all(statuses == [status, 200] for statuses, _ in outcomes)
    assert len({key for _, key in outcomes}) == 64


def test_body_whose_seek_breaks_is_not_sent_again(clock):
    class Breaking(io.BytesIO):
        def seek(self, *args):
            if self.broken:
                raise RuntimeError("mine")
            return super().seek(*args)

        broken = False

    body = Breaking(b"once")
    session = resilient_session(retry_if=lambda _: setattr(body, "broken", True), clock=clock)
    with FaultServer(Reply(503), Reply(200)) as server:
        assert session.put(server.url("/"), data=body).status_code == 503
