"""Idempotency keys."""

import uuid

import pytest
from requests import Request

from resilient_session._call._idempotency_key import keyed
from support.calls import a_call

HEADER = "Idempotency-Key"


def prepared(method="POST", **headers):
    return Request(method, "https://example.com/", data=b"abc", headers=headers).prepare()


@pytest.fixture
def call():
    return a_call()


@pytest.mark.parametrize("method", ["POST", "PATCH", "post"])
def test_a_request_that_wants_a_key_gets_a_bare_uuid_on_a_copy(call, method):
    request = prepared()
    request.method = method
    with_key = keyed(request, call, True, HEADER)
    key = with_key.headers["Idempotency-Key"]
    assert str(uuid.UUID(key)) == key
    assert call.key == key
    assert HEADER not in request.headers
    assert (with_key.method, with_key.url, with_key.body) == (method, request.url, b"abc")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "QUERY", None])
def test_a_request_of_another_method_gets_none(call, method):
    request = prepared()
    request.method = method
    assert keyed(request, call, True, HEADER) is request
    assert call.key is None


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key"])
def test_a_request_that_has_a_key_keeps_it(call, name):
    request = prepared(**{name: "mine"})
    assert keyed(request, call, True, HEADER) is request
    assert call.key is None


def test_an_empty_key_is_none(call):
    assert keyed(prepared(**{HEADER: ""}), call, lambda _: "k", HEADER).headers[HEADER] == "k"


def test_without_the_option_no_request_gets_a_key(call):
    request = prepared()
    assert keyed(request, call, False, HEADER) is request


def test_every_request_of_a_call_carries_the_same_key_and_another_call_another(call):
    first, second = (keyed(prepared(), call, True, HEADER).headers[HEADER] for _ in range(2))
    assert first == second
    assert keyed(prepared(), a_call(), True, HEADER).headers[HEADER] != first


def test_a_callable_makes_the_key_once_of_the_caller_s_request(call):
    asked = []

    def key(request):
        asked.append(request)
        return f"key-{len(asked)}"

    request = prepared()
    assert [keyed(request, call, key, HEADER).headers[HEADER] for _ in range(2)] == ["key-1", "key-1"]
    assert asked == [request]


@pytest.mark.parametrize("key", [None, 5, b"key", "", "  ", "a\nb", "a\x00b", True])
def test_a_callable_that_makes_no_key_is_an_error_that_does_not_tell_it(call, key):
    message = rf"^idempotency_keys returned {type(key).__name__}: must return a non-empty str of printable ASCII$"
    with pytest.raises(TypeError, match=message):
        keyed(prepared(), call, lambda _: key, HEADER)
    assert call.key is None
