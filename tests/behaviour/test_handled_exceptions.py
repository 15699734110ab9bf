"""A call inside ``except`` leaves the exception that its caller is handling as it is, and is not judged by it.

Python makes that exception the context of all that is raised meanwhile, so it looks like a cause of every failure.
"""

from __future__ import annotations

import ssl
import traceback

import pytest
import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from resilient_session import ChunkedEncodingError, attempts_of, resilient_session
from resilient_session.testing import FaultServer, Reply

BODY = b"x" * 50_000


def fail(make, text):
    """Raise an error from a frame with a local variable."""
    kept = f"seen: {text}"
    raise make(kept)


def handling(make, text, act):
    """Call a function while an exception is handled; return what it returned."""
    try:
        fail(make, text)
    except Exception as handled:  # noqa: BLE001 - of the class that a test names
        before, came, after = state(handled), act(), state(handled)
    assert after == before
    return came


def state(error):
    """Return all that an exception tells."""
    return str(error), "".join(traceback.format_exception(error)), innermost(error)


def innermost(error):
    """Return the local variables of the frame that raised an exception."""
    return {**[frame for frame, _ in traceback.walk_tb(error.__traceback__)][-1].f_locals}


def caught(act):
    """Call a function that fails; return its exception."""
    with pytest.raises(requests.RequestException) as found:
        act()
    return found.value


LOST = [Reply.reset(), Reply.close(), Reply(200, "x" * 99, cut="body"), Reply(503)]


@pytest.mark.parametrize("reply", LOST)
def test_retried_call_leaves_it(reply, session):
    with FaultServer(reply, Reply(200, "ok")) as server:
        url = server.url("/?token=abcdefgh")
        assert handling(ValueError, url, lambda: session.get(url)).text == "ok"


@pytest.mark.parametrize("reply", LOST[:3])
def test_failed_call_leaves_it_and_has_it_for_its_context(reply, session):
    with FaultServer(default=reply) as server:
        url = server.url("/?token=abcdefgh")
        failed = handling(ValueError, url, lambda: caught(lambda: session.get(url)))
        assert (type(failed.__context__), len(attempts_of(failed))) == (ValueError, 4)


def breaking(headers):
    """Return the replies to a download that breaks once; without a validator, the second is not used."""
    ranged = {**headers, "Content-Range": f"bytes 9000-{len(BODY) - 1}/{len(BODY)}"}
    return Reply(200, BODY, headers=headers, cut="body", after=9000), Reply(206, BODY[9000:], headers=ranged)


@pytest.mark.parametrize("is_whole", [True, False])
def test_stream_that_breaks_leaves_it(is_whole, session):
    with FaultServer(*breaking({"ETag": '"v1"'} if is_whole else {})) as server:
        url = server.url("/?token=abcdefgh")
        response = session.get(url, stream=True)
        pieces = response.iter_content(1000)
        next(pieces)
        if is_whole:
            assert len(handling(ValueError, url, lambda: list(pieces))) == len(BODY) / 1000 - 1
        else:
            broken = handling(ValueError, url, lambda: caught(lambda: list(pieces)))
            assert isinstance(broken, ChunkedEncodingError)


def test_record_of_a_stream_that_goes_on_keeps_no_frames(session):
    with FaultServer(*breaking({"ETag": '"v1"'})) as server:
        response = session.get(server.url("/"), stream=True)
        assert b"".join(response.iter_content(1000)) == BODY
        assert [attempt.error and attempt.error.__traceback__ for attempt in attempts_of(response)] == [None, None]


def refused(text):
    """Return what the standard library raises if a proxy refuses a tunnel."""
    return OSError(f"Tunnel connection failed: 403 Forbidden; {text}")


def new_connection_error(text):
    return urllib3.exceptions.NewConnectionError(None, text)


@pytest.mark.parametrize(
    "make",
    [
        refused,
        new_connection_error,
        lambda text: ssl.SSLCertVerificationError(1, f"certificate verify failed: {text}"),
        urllib3.exceptions.SSLError,
        TimeoutError,
        requests.exceptions.SSLError,
    ],
)
def test_failure_is_judged_by_itself(make, session):
    def get():
        return session.get(url)

    with FaultServer(default=Reply.reset()) as server:
        url = server.url("/")
        alone = attempts_of(caught(get))
        failed = handling(make, "certificate of another call", lambda: attempts_of(caught(get)))
    assert [(one.cause, one.verdict) for one in failed] == [(one.cause, one.verdict) for one in alone]
    assert [one.cause for one in failed] == ["reset"] * 4


def test_bug_of_an_adapter_is_no_failure_of_the_network(clock):
    class Buggy(HTTPAdapter):
        def send(self, request, **options):
            sent.append(request)
            raise ZeroDivisionError

    sent = []
    session = requests.Session()
    session.mount("http://", Buggy())
    resilient_session(session, clock=clock)

    def get():
        with pytest.raises(ZeroDivisionError):
            session.get("http://shop.example/")

    handling(requests.ConnectionError, "of another call", get)
    assert len(sent) == 1
