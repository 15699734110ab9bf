"""A call of the user's, over all the requests that it takes."""

import pytest
from requests import PreparedRequest, Request, Response

from resilient_session._call._continuing import resume, suspend
from resilient_session._call._outgoing import Outgoing
from support.calls import a_call

HERE = "https://example.com/a"


def prepared(url=HERE, **headers):
    return Request("GET", url, headers=headers).prepare()


def hooked(**headers):
    """A request with an auth handler."""
    request = prepared(**headers)
    request.register_hook("response", id)
    return request


def answer(request, status, location=None):
    response = Response()
    response.status_code, response.request = status, request
    if location is not None:
        response.headers["location"] = location
    return response


def copied(request, url=HERE, **headers):
    """Copy a request as `Session` does for a redirect: `hooks` are shared."""
    copied = request.copy()
    copied.url = url
    copied.headers.update(headers)
    return copied


@pytest.fixture
def call():
    return a_call()


def test_a_call_begins_with_nothing_tried(call):
    assert (call.retries.total, call.attempts, call.key, call.consumed_body, call.deadline) == (
        3,
        [],
        None,
        None,
        None,
    )


def test_a_call_knows_its_deadline(clock):
    deadline = a_call(deadline=10, clock=clock).deadline
    assert deadline.seconds == 10
    clock.advance(4)
    assert deadline.left() == 6


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_goes_on_at_another_place(call, status):
    request = prepared()
    response = answer(request, status, "/b")
    suspend(call, request, response)
    assert resume(copied(request, "https://example.com/b")) is call


@pytest.mark.parametrize("location", [HERE, "/a", "a", "#part", "?", "/a#part"])
def test_a_redirect_to_itself_goes_on(call, location):
    request = prepared()
    response = answer(request, 302, location)
    suspend(call, request, response)
    assert resume(copied(request)) is call


@pytest.mark.parametrize("location", ["/b", "http://[", "https://example.com/a/"])
def test_a_copy_that_goes_to_the_old_place_is_a_call_of_its_own(call, location):
    request = prepared()
    response = answer(request, 302, location)
    suspend(call, request, response)
    assert resume(copied(request)) is None


def test_the_same_request_sent_again_after_a_redirect_is_a_call_of_its_own(call):
    request = prepared()
    response = answer(request, 302, HERE)
    suspend(call, request, response)
    assert resume(request) is None
    del response


def test_the_next_request_of_a_redirect_that_is_sent_by_hand_is_a_call_of_its_own(call):
    request = prepared()
    response = answer(request, 302, "/b")
    response._next = copied(request, "https://example.com/b")
    suspend(call, request, response)
    assert resume(response.next) is None


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("header", ["Authorization", "Proxy-Authorization", "X-Api-Token", "Cookie"])
def test_a_challenge_goes_on_with_a_request_that_is_signed_anew(call, status, header):
    request = hooked()
    response = answer(request, status)
    suspend(call, request, response)
    assert resume(copied(request, **{header: "Digest one"})) is call


def test_a_challenge_goes_on_with_the_same_request_signed_anew(call):
    request = hooked(Authorization="Digest one")
    response = answer(request, 401)
    suspend(call, request, response)
    request.headers["Authorization"] = "Digest two"
    assert resume(request) is call
    del response


def test_a_challenged_request_that_is_sent_again_as_it_was_is_a_call_of_its_own(call):
    request = hooked(Authorization="Digest one")
    response = answer(request, 401)
    suspend(call, request, response)
    assert resume(copied(request)) is None
    del response


def test_a_challenge_that_nobody_would_respond_to_asks_for_nothing(call):
    request = prepared()
    response = answer(request, 401)
    assert not suspend(call, request, response)
    assert resume(copied(request, Authorization="Digest one")) is None


@pytest.mark.parametrize(
    ("status", "location"), [(200, None), (200, "/b"), (302, None), (304, "/b"), (403, None), (503, None)]
)
def test_no_other_answer_asks_for_another_request(call, status, location):
    request = prepared()
    response = answer(request, status, location)
    suspend(call, request, response)
    assert resume(copied(request, "https://example.com/b", Authorization="Digest one")) is None


def test_a_request_that_shares_no_hooks_belongs_to_no_call(call):
    request = prepared()
    response = answer(request, 302, "/b")
    suspend(call, request, response)
    assert resume(prepared("https://example.com/b")) is None
    assert resume(copied(request, "https://example.com/b")) is call
    del response


def test_a_call_ends_with_the_response_that_asked_for_more(call):
    request = prepared()
    response = answer(request, 302, "/b")
    suspend(call, request, response)
    del response
    assert resume(copied(request, "https://example.com/b")) is None


def test_a_response_whose_request_was_swapped_asks_for_nothing(call):
    request = prepared()
    response = answer(request, 302, "/b")
    suspend(call, request, response)
    response.request = prepared()
    assert resume(copied(request, "https://example.com/b")) is None


def test_a_call_is_taken_up_once(call):
    request = prepared()
    response = answer(request, 302, "/b")
    suspend(call, request, response)
    following = copied(request, "https://example.com/b")
    assert resume(following) is call
    assert resume(following) is None
    assert "call" not in str(vars(response))


def test_a_response_whose_notes_were_lost_asks_for_nothing(call):
    request = prepared()
    response = answer(request, 302, "/b")
    before = {*vars(response)}
    suspend(call, request, response)
    for name in {*vars(response)} - before:
        delattr(response, name)
    assert resume(copied(request, "https://example.com/b")) is None


def test_a_request_that_was_never_prepared_belongs_to_no_call():
    assert resume(PreparedRequest()) is None


def test_a_body_that_was_consumed_refuses_only_a_request_that_has_it():
    call = a_call()
    call.consumed_body = iter([b"x"])
    arguments = {"stream": False, "timeout": None, "verify": True, "cert": None, "proxies": None}
    other, same = prepared(), prepared()
    same.body = call.consumed_body
    assert Outgoing(call, other, arguments).refusal is None
    assert Outgoing(call, same, arguments).refusal is not None
