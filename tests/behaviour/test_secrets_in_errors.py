"""No secret in the text of an exception, in whatever way it came there, also after pickling or copying."""

from __future__ import annotations

import copy
import logging
import pickle
import threading
import traceback

import pytest
import requests
from urllib3.exceptions import MaxRetryError, ResponseError

from resilient_session import attempts_of, install, resilient_session
from resilient_session._redact import chain
from resilient_session.testing import FaultServer, Reply, refused_url

TOKEN, PASSWORD = "t0psecret", "hunter2"
SHOWN_ELSEWHERE = {"request", "response", "pool"}
NONSENSE = Reply(raw=b"?\r\n\r\n", keep_alive=False)
CUT = Reply(200, "x" * 99, cut="body")


def texts(error):
    """Everything that a log or an error tracker might show of an exception, but for the request itself."""
    shown = ["".join(traceback.format_exception(error)), repr(error)]
    for link in chain(error):
        attributes = {name: value for name, value in vars(link).items() if name not in SHOWN_ELSEWHERE}
        shown += [str(link), repr(link), repr(link.args), repr(attributes)]
    return "\n".join(shown)


def travelled(error):
    """The exception as another process gets it, or a copy of it."""
    return [pickle.loads(pickle.dumps(error)), copy.deepcopy(error), copy.copy(error)]  # noqa: S301 - our own


@pytest.mark.parametrize("reply", [Reply.reset(), Reply.close(), Reply.stall(), CUT, Reply(503), NONSENSE])
def test_exception_that_was_pickled_or_copied_shows_no_secret(reply, clock):
    session = resilient_session(clock=clock, timeout=0.1, total=1, raise_on_status=True, logger=None)
    with FaultServer(default=reply) as server, pytest.raises(requests.RequestException) as caught:
        session.get(server.url("/items", userinfo=f"me:{PASSWORD}") + f"?key={TOKEN}&{TOKEN}")
    for error in [caught.value, *travelled(caught.value)]:
        assert TOKEN not in texts(error)
        assert PASSWORD not in texts(error)
        assert type(error) is type(caught.value)
        assert len(attempts_of(error)) == 2


def test_refused_exception_that_was_pickled_shows_no_secret(session):
    with refused_url() as url, pytest.raises(requests.ConnectionError) as caught:
        session.get(f"{url}?key={TOKEN}")
    for error in travelled(caught.value):
        assert TOKEN not in texts(error)
        assert "key=***" in str(error)


@pytest.mark.parametrize(
    "password", ["hunt/er22", "hunt?er22", "hunt#er22", "hunt@er22", "hu:nt/er22", "h/u?nt#er22", "hunt er22"]
)
@pytest.mark.parametrize("scheme", ["http://", "https://", ""])
@pytest.mark.parametrize("target", ["http", "https"])
def test_password_of_a_proxy_is_not_shown_however_it_is_written(password, scheme, target, clock):
    session = resilient_session(clock=clock, total=0, timeout=0.2, logger=None)
    proxies = {target: f"{scheme}zaphod:{password}@127.0.0.1:9"}
    with pytest.raises((requests.RequestException, ValueError)) as caught:
        session.get(f"{target}://example.invalid/", proxies=proxies)
    shown = texts(caught.value)
    assert [part for part in ("er22", "hunt", "zaphod") if part in shown] == []


HEADERS = {
    "line break": "Bearer t0psecret\n",
    "latin": "Bearer t0psecret\xe9\n",
    "unicode": "Bearer t0psecret\u20ac",
    "bytes": b"Bearer t0psecret\xff\n",
}


@pytest.mark.parametrize("kind", HEADERS)
def test_header_value_that_cannot_be_sent_is_not_shown(kind, session):
    def sign(request):
        request.headers["X-Token"] = HEADERS[kind]
        return request

    with FaultServer() as server, pytest.raises((ValueError, requests.RequestException)) as caught:
        session.get(server.url("/"), auth=sign)
    assert TOKEN not in texts(caught.value)


def test_method_and_host_with_odd_characters_show_no_secret(session):
    with pytest.raises((ValueError, requests.RequestException)) as caught:
        session.get(f"http://me:{PASSWORD}@exa_mple..invalid/?key={TOKEN}")
    assert [secret for secret in (PASSWORD, TOKEN) if secret in texts(caught.value)] == []


def test_urllib3_logs_no_url_at_the_level_that_the_security_page_names(session, caplog):
    malformed = Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nno colon\r\n\r\n")
    logger = logging.getLogger("urllib3")
    logger.setLevel(logging.ERROR)
    try:
        with FaultServer(malformed) as server:
            session.get(server.url("/") + f"?key={TOKEN}")
    finally:
        logger.setLevel(logging.NOTSET)
    assert TOKEN not in caplog.text


def exhausted(session, server):
    with pytest.raises(requests.exceptions.RetryError) as caught:
        session.get(server.url("/items") + f"?key={TOKEN}")
    return caught.value


def test_retry_error_has_the_reason_where_code_looks_for_it(clock):
    session = resilient_session(clock=clock, total=1, raise_on_status=True, logger=None)
    with FaultServer(default=Reply(503, "why")) as server:
        error = exhausted(session, server)
    for each in [error, *travelled(error)]:
        assert isinstance(each.args[0], MaxRetryError)
        assert isinstance(each.args[0].reason, ResponseError)
        assert "too many 503 error responses" in str(each.args[0].reason)
        assert "Max retries exceeded with url: /items?key=***" in str(each)
        assert TOKEN not in texts(each)
    assert error.response.text == "why"


@pytest.mark.parametrize("turn", range(3))
def test_first_use_by_many_threads_at_once_works(turn, clock):
    def use(session, url):
        started.wait()
        try:
            outcomes.append(session.get(url).status_code)
        except Exception as error:  # noqa: BLE001 - asserted below
            outcomes.append(error)

    outcomes: list[object] = []
    with FaultServer() as server, install(clock=clock, logger=None):
        for _ in range(20):
            session = requests.Session()
            session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=8))
            started = threading.Barrier(8)
            threads = [threading.Thread(target=use, args=(session, server.url("/"))) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            session.close()
    assert outcomes == [200] * 160


class Tracing:
    """An observer that adds a header which http.client refuses, with its value in the text."""

    def on_event(self, event):
        """Ignore it."""

    def before_attempt(self, request, number):
        sign(request, number)


def sign(request, number):
    request.headers["X-Signature"] = f"{TOKEN}\n{number}"


class Signing(requests.adapters.HTTPAdapter):
    def send(self, request, **options):
        sign(request, 1)
        return super().send(request, **options)


@pytest.mark.parametrize("options", [{"prepare_attempt": sign}, {"observers": [Tracing()]}, {}])
def test_header_that_an_attempt_was_given_is_hidden_too(options, clock, caplog):
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter() if options else Signing())
    resilient_session(session, clock=clock, **options)
    with FaultServer() as server, pytest.raises(ValueError, match="Invalid header value") as caught:
        session.get(server.url("/"))
    assert TOKEN not in texts(caught.value)
    assert TOKEN not in caplog.text
