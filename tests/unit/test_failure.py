"""What went wrong in one attempt."""

import http.client
import socket
import ssl

import pytest
import requests
from requests import exceptions
from urllib3 import HTTPConnectionPool, Retry
from urllib3 import exceptions as urllib3
from urllib3.connection import HTTPConnection

from resilient_session import _errors
from resilient_session._policy._failure import append_hint, body_error, failure_from, observed, overdue

REQUEST = requests.Request("GET", "https://example.com/").prepare()
POOL = HTTPConnectionPool("example.com")
CONNECTION = HTTPConnection("example.com")


def exhausted(reason):
    return urllib3.MaxRetryError(POOL, "/", reason)


def tls(text):
    return exceptions.SSLError(exhausted(urllib3.SSLError(ssl.SSLError(1, text))))


def tunnel(answer):
    return exceptions.ProxyError(
        exhausted(urllib3.ProxyError("Cannot connect to proxy.", OSError(f"Tunnel connection failed: {answer}")))
    )


SILENT = urllib3.ReadTimeoutError(POOL, "/", "Read timed out.")
REFUSED = urllib3.NewConnectionError(CONNECTION, "refused")
CUT = urllib3.ProtocolError("Connection broken", urllib3.IncompleteRead(1, 2))


@pytest.mark.parametrize(
    ("error", "cause", "sent", "raised"),
    [
        (exceptions.ConnectionError(exhausted(REFUSED)), REFUSED, False, exceptions.ConnectionError),
        (
            exceptions.ConnectionError(
                exhausted(urllib3.NameResolutionError("example.com", CONNECTION, socket.gaierror(-2, "unknown")))
            ),
            urllib3.NameResolutionError,
            False,
            exceptions.ConnectionError,
        ),
        (
            exceptions.ConnectTimeout(exhausted(urllib3.ConnectTimeoutError("slow"))),
            urllib3.ConnectTimeoutError,
            False,
            exceptions.ConnectTimeout,
        ),
        (tunnel("502 Bad Gateway"), urllib3.ProxyError, False, exceptions.ProxyError),
        (urllib3.EmptyPoolError(POOL, "full"), urllib3.EmptyPoolError, False, exceptions.ConnectionError),
        (
            exceptions.ConnectionError(urllib3.ClosedPoolError(POOL, "closed")),
            urllib3.ClosedPoolError,
            False,
            exceptions.ConnectionError,
        ),
        (exceptions.ReadTimeout(SILENT), SILENT, True, _errors.ReadTimeout),
        (exceptions.ConnectionError(SILENT), SILENT, True, _errors.ReadTimeout),
        (exceptions.ConnectionError(exhausted(SILENT)), SILENT, True, _errors.ReadTimeout),
        (SILENT, SILENT, True, _errors.ReadTimeout),
        (exceptions.ConnectionError(CUT), CUT, True, exceptions.ConnectionError),
        (exceptions.ChunkedEncodingError(CUT), CUT, True, _errors.ChunkedEncodingError),
        (
            exceptions.ContentDecodingError(urllib3.DecodeError("bad")),
            urllib3.DecodeError,
            True,
            exceptions.ContentDecodingError,
        ),
        (tls("unexpected eof while reading"), urllib3.SSLError, True, exceptions.SSLError),
        (
            exceptions.ConnectionError("no urllib3 in it"),
            exceptions.ConnectionError,
            True,
            exceptions.ConnectionError,
        ),
        (CUT, CUT, True, exceptions.ConnectionError),
        (exhausted(None), urllib3.MaxRetryError, True, exceptions.ConnectionError),
    ],
)
def test_a_failure_to_send_may_pass_and_is_raised_as_requests_would(error, cause, sent, raised):
    failure = failure_from(error, REQUEST)
    assert type(failure.error) is raised
    assert failure.cause is cause or type(failure.cause) is cause
    assert failure.sent is sent
    assert failure.hopeless is None
    assert failure.status is None


CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")
REFUSED_TLS = "not retried: the certificate or handshake would be refused again"
REFUSED_TUNNEL = "not retried: the proxy refused the tunnel"


@pytest.mark.parametrize(
    ("error", "hopeless"),
    [
        (exceptions.SSLError(exhausted(urllib3.SSLError(CERTIFICATE))), REFUSED_TLS),
        (exceptions.ConnectionError(urllib3.ProtocolError("aborted", CERTIFICATE)), REFUSED_TLS),
        (
            exceptions.ProxyError(exhausted(urllib3.ProxyError("no proxy", urllib3.SSLError(CERTIFICATE)))),
            REFUSED_TLS,
        ),
        (tls("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"), REFUSED_TLS),
        (tls("bad handshake: Error([('SSL routines', '', 'certificate verify failed')])"), REFUSED_TLS),
        (tls("Fingerprints did not match"), REFUSED_TLS),
        (tls("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required"), REFUSED_TLS),
        (tls("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca"), REFUSED_TLS),
        (tls("[SSL: TLSV1_ALERT_ACCESS_DENIED] tlsv1 alert access denied"), REFUSED_TLS),
        (tls("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure"), REFUSED_TLS),
        (tls("[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version"), REFUSED_TLS),
        (tls("[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol"), REFUSED_TLS),
        (tls("[SSL: WRONG_VERSION_NUMBER] wrong version number"), REFUSED_TLS),
        (tls("hostname 'a' doesn't match 'b'"), REFUSED_TLS),
        (tls("no alternative certificate subject name matches"), REFUSED_TLS),
        (tunnel("407 Proxy Authentication Required"), REFUSED_TUNNEL),
        (tunnel("403 Forbidden"), REFUSED_TUNNEL),
        (tunnel("408 Request Timeout"), None),
        (tunnel("429 Too Many Requests"), None),
        (tunnel("503 Service Unavailable"), None),
        (exceptions.ConnectionError(urllib3.ProtocolError("no certificate in the drawer")), None),
        (exceptions.InvalidURL("no host"), "InvalidURL is not retryable"),
        (exceptions.InvalidSchema("no adapter"), "InvalidSchema is not retryable"),
        (exceptions.InvalidHeader("bad"), "InvalidHeader is not retryable"),
        (urllib3.LocationValueError("no host"), "InvalidURL is not retryable"),
        (ValueError("a bug"), "ValueError is not retryable"),
    ],
)
def test_what_another_try_meets_again_is_hopeless(error, hopeless):
    assert failure_from(error, REQUEST).hopeless == hopeless


@pytest.mark.parametrize(
    "error",
    [
        SILENT,
        CUT,
        exceptions.ReadTimeout(SILENT),
        exceptions.ChunkedEncodingError(CUT),
        urllib3.LocationValueError("no host"),
    ],
)
def test_an_error_in_other_terms_names_its_request_and_where_it_came_from(error):
    raised = failure_from(error, REQUEST).error
    assert str(raised) == str(error)
    assert raised.request is REQUEST
    assert raised.__cause__ is error


@pytest.mark.parametrize(
    "error", [exceptions.ConnectionError(CUT), ValueError("a bug"), exceptions.InvalidURL("no host")]
)
def test_an_error_that_requests_would_raise_stays_itself(error):
    assert failure_from(error, REQUEST).error is error
    assert error.__cause__ is None


@pytest.mark.parametrize("error", [exceptions.ReadTimeout(SILENT), exceptions.ConnectionError(SILENT)])
def test_a_read_timeout_is_caught_as_each_that_requests_would_raise(error):
    raised = failure_from(error, REQUEST).error
    assert isinstance(raised, exceptions.ReadTimeout)
    assert isinstance(raised, exceptions.ConnectionError)


def test_a_cut_body_is_caught_as_each_that_requests_would_raise():
    raised = failure_from(exceptions.ChunkedEncodingError(CUT), REQUEST, status=200).error
    assert isinstance(raised, exceptions.ChunkedEncodingError)
    assert isinstance(raised, exceptions.ConnectionError)


def test_a_failure_in_a_body_keeps_the_status():
    assert failure_from(exceptions.ChunkedEncodingError(CUT), REQUEST, status=200).status == 200


@pytest.mark.parametrize("error", [exceptions.ConnectionError(CUT), exceptions.ConnectTimeout(exhausted(REFUSED))])
def test_what_the_connection_saw_outdoes_what_the_error_lets_suppose(error):
    failure = failure_from(error, REQUEST)
    assert observed(failure, sent=True) == failure._replace(sent=True)


def test_a_failure_before_the_request_was_written_counts_as_one_of_connecting():
    failure = failure_from(exceptions.ConnectionError(CUT), REQUEST)
    seen = observed(failure, sent=False)
    assert (seen.sent, seen.error) == (False, failure.error)
    assert seen.cause.args == (CUT,)
    left = Retry(3, connect=1, read=1).increment("GET", "/", error=seen.cause)
    assert (left.connect, left.read) == (0, 1)


def test_a_failure_to_connect_stays_the_one_it_was():
    failure = failure_from(exceptions.ConnectionError(exhausted(REFUSED)), REQUEST)
    assert observed(failure, sent=False) == failure


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ReadTimeout(SILENT),
        exceptions.ConnectTimeout(exhausted(urllib3.ConnectTimeoutError("slow"))),
        exceptions.ConnectionError(urllib3.ProtocolError("aborted", TimeoutError("timed out"))),
        urllib3.EmptyPoolError(POOL, "full"),
    ],
)
def test_a_timeout_that_the_deadline_caused_says_so(error):
    failure = failure_from(error, REQUEST)
    late = overdue(failure, "the body was read", REQUEST)
    assert type(late.error) is _errors.DeadlineExceeded
    assert isinstance(late.error, exceptions.Timeout)
    assert str(late.error) == "the deadline passed while the body was read"
    assert late.error.request is REQUEST
    assert late.error.__cause__ is failure.error
    assert late.hopeless == "the deadline has passed"
    assert (late.cause, late.sent) == (failure.cause, failure.sent)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ConnectionError(exhausted(REFUSED)),
        exceptions.ConnectionError(CUT),
        exceptions.SSLError(exhausted(urllib3.SSLError(ssl.SSLCertVerificationError(1, "no")))),
    ],
)
def test_what_is_no_timeout_was_not_caused_by_the_deadline(error):
    failure = failure_from(error, REQUEST)
    assert overdue(failure, "connecting", REQUEST) is failure


@pytest.mark.parametrize(
    "error",
    [
        ValueError("invalid literal for int() with base 16"),
        ConnectionResetError(104, "reset"),
        http.client.IncompleteRead(b"a"),
        urllib3.ProtocolError("broken"),
        urllib3.DecodeError("bad"),
    ],
)
def test_malformed_framing_is_a_body_cut_short(error):
    read = body_error(error, REQUEST)
    assert type(read) is exceptions.ChunkedEncodingError
    assert str(read) == str(error)
    assert read.request is REQUEST
    assert read.__cause__ is error


def test_a_body_that_stalls_is_a_read_timeout():
    read = body_error(SILENT, REQUEST)
    assert type(read) is exceptions.ConnectionError
    assert read.request is REQUEST
    assert type(failure_from(read, REQUEST).error) is _errors.ReadTimeout


@pytest.mark.parametrize(
    "error", [exceptions.ConnectionError(CUT), exceptions.ContentDecodingError("bad"), KeyError("a bug")]
)
def test_other_errors_while_a_body_is_read_stay_what_they_are(error):
    assert body_error(error, REQUEST) is error


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: exceptions.ConnectTimeout("slow"), "slow (default)"),
        (lambda: exceptions.ReadTimeout("silent"), "silent (default)"),
        (lambda: exceptions.ReadTimeout(urllib3.ReadTimeoutError(POOL, "/", "silent")), "silent (default)"),
        (lambda: exceptions.ConnectTimeout(exhausted(urllib3.ConnectTimeoutError("slow"))), "slow')) (default)"),
    ],
)
def test_a_timeout_takes_a_mention(make, text):
    error = make()
    told = type(error.args[0])
    append_hint(error, "(default)")
    assert str(error).endswith(text)
    assert type(error.args[0]) is told


@pytest.mark.parametrize("kind", [exceptions.Timeout, lambda: exceptions.ConnectTimeout(TimeoutError())])
def test_a_timeout_without_words_takes_a_mention_alone(kind):
    error = kind()
    append_hint(error, "(default)")
    assert str(error).strip() == "(default)"


def test_a_mention_leaves_the_other_arguments_of_a_timeout_alone():
    error = exceptions.ReadTimeout("silent", "more")
    append_hint(error, "(default)")
    assert error.args == ("silent (default)", "more")


@pytest.mark.parametrize(
    "error", [exceptions.ConnectionError("refused"), ValueError("a bug"), _errors.DeadlineExceeded("late")]
)
def test_an_error_that_is_no_timeout_of_an_attempt_takes_no_mention(error):
    before = error.args
    append_hint(error, "(default)")
    assert error.args == before
