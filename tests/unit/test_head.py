"""A head that is read at once says what http.client would have said of it."""

from __future__ import annotations

import http.client
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from resilient_session._transport._head import plain_head

LINES = [
    b"Content-Length: 5", b"content-length:0005 ", b"Content-Length: -5", b"Content-Length: five",
    b"Content-Length:", b"Content-Length: 5, 5", b"Transfer-Encoding: chunked", b"transfer-encoding: Chunked",
    b"Transfer-Encoding: gzip", b"Connection: close", b"connection: Keep-Alive", b"Connection: x, CLOSE",
    b"Content-Type: multipart/mixed", b"Content-Type: \xa0message/http",
    b"Content-Type: text/html; charset=utf-8", b"X-One:", b"X-One:  \t two \t ", b"Set-Cookie: a=b; Path=/",
    b"Set-Cookie: c=d", b" folded", b"No colon", b"Odd name: x", b": none", b"From a", b"Subject: \xe9\x85\xff",
    b"X: a\rb", b"X: a\x00b", b"X: \x0b\x1c", b"X: a\nY: b",
]  # fmt: skip
STATUS_LINES = [
    b"HTTP/1.1 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304", b"HTTP/1.1 200 ",
    b"HTTP/1.1 200   Fine by me ", b"HTTP/1.0 200 OK", b"HTTP/1.1 100 Continue", b"HTTP/1.1  200 OK",
    b"HTTP/1.1 999 \xe9", b"HTTP/1.1 2000 OK", b"HTTP/1.1 200OK", b"http/1.1 200 OK", b"HTTP/2 200",
    b"HTTP/1.1 200\tOK",
]  # fmt: skip


class Wire:
    """A socket that has received some bytes, and then the end."""

    def __init__(self, came):
        self.came = came

    def makefile(self, _mode):
        return io.BytesIO(self.came)


def by_http_client(came, method="GET"):
    response = http.client.HTTPResponse(Wire(came), method=method)
    response.begin()
    return response


def facts(message):
    return message.items(), message.get_payload(), message.defects, message.get_unixfrom(), message.is_multipart()


def agrees(came):
    """Check that both read the same; return whether the head was plain."""
    head = plain_head(came)
    if head is None:
        return False
    size, status, reason, message, chunked, length, closes = head
    theirs = by_http_client(came)
    assert (status, reason) == (theirs.status, theirs.reason)
    assert facts(message) == facts(theirs.msg)
    assert chunked == theirs.chunked
    if status not in {204, 304}:
        assert length == theirs.length
        assert (closes or (length is None and not chunked)) == theirs.will_close
    assert came[size:] == theirs.fp.read() if theirs.fp else True
    assert theirs.version == 11
    return True


@settings(max_examples=2000, deadline=None)
@given(
    st.sampled_from(STATUS_LINES) | st.binary(max_size=20),
    st.lists(st.sampled_from(LINES) | st.binary(max_size=12), max_size=6),
    st.sampled_from([b"\r\n"] * 9 + [b"\n", b"\r"]),
    st.binary(max_size=9),
)
@example(b"HTTP/1.1 200 OK", [b"Content-Length: 5", b"X-One: \xa0two"], b"\r\n", b"hello")
@example(b"HTTP/1.1 200 OK", [b"Content-Type: text/plain", b"Transfer-Encoding: chunked"], b"\r\n", b"0\r\n\r\n")
def test_what_is_plain_is_read_as_http_client_reads_it(status_line, lines, newline, body):
    agrees(newline.join([status_line, *lines, b"", body]))


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [b"Content-Length: 0"],
        [b"Content-Length: 123456789012345678", b"Connection: keep-alive"],
        [b"Connection: Close"],
        [b"Content-Length: 4", b"Connection: x, Close"],
        [b"Transfer-Encoding: Chunked", b"Server: \xe9"],
        [b"Set-Cookie: a=b", b"Set-Cookie: c=d", b"Content-Type: application/json"],
        [b"X-%d: y" % number for number in range(99)],
        [b"A: b: c", b"D:e", b"I:j:k", b"L:\xa0m", b"N:  o \t", b"P:", b"Q:\tr", b"S: \xa0t"],
    ],
)
def test_plain_heads_are_read_at_once(fields):
    assert agrees(b"\r\n".join([b"HTTP/1.1 200 OK", *fields, b"", b"a body", b"", b"with lines"]))


@pytest.mark.parametrize(
    "came",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1234567890123456789\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: Multipart/mixed; boundary=x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: \xa0message/http\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\nX: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00\r\n\r\n",
        b"HTTP/1.1 200 \xe9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100 + b"\r\n",
    ],
)
def test_what_is_not_plain_is_left_to_http_client(came):
    assert plain_head(came) is None
