"""Answers that are no longer quite HTTP: each is an answer, whole, or an exception of `requests`, and in time.

What a server may say is taken as bytes: valid answers, cut, with bytes flipped, lines put in, doubled or blown up.
The usual run takes seconds; ``FUZZ_SECONDS=600 pytest tests/adversarial/test_header_fuzz.py`` goes on for ten minutes.
"""

from __future__ import annotations

import gzip
import os
import re
import time
from typing import NamedTuple

import pytest
import requests
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from resilient_session import attempts_of, resilient_session
from resilient_session.testing import FaultServer, Reply, VirtualClock

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
"""How long to go on; 0 makes one short run."""

AT_MOST = 5.0
"""Seconds; a bound that no call comes near, unless it would never end."""

TEXT = b"a body of some length; " * 3
PACKED = gzip.compress(TEXT, mtime=0)
OK = b"HTTP/1.1 200 OK\r\nServer: fuzz\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n"
VALID = (
    OK + b"Content-Length: %d\r\n\r\n" % len(TEXT) + TEXT,
    OK + CHUNKED % (9, TEXT[:9], len(TEXT) - 9, TEXT[9:]),
    OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED,
    OK + b"Content-Encoding: gzip\r\n" + CHUNKED % (9, PACKED[:9], len(PACKED) - 9, PACKED[9:]),
    OK + b"Connection: close\r\n\r\n" + TEXT,
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + b"Content-Length: %d\r\n\r\n" % len(TEXT) + TEXT,
    b"HTTP/1.0 200 OK\r\n\r\n" + TEXT,
    b"HTTP/1.1 204 No Content\r\nServer: fuzz\r\n\r\n",
    b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: %d\r\n\r\n" % len(TEXT) + TEXT,
)
LINES = (
    *(b"Content-Length: " + value for value in (b"3", b"0", b"999", b"-1", b"+5", b"5_0", b"", b"3, 3", b"9" * 5000)),
    *(b"Transfer-Encoding: " + value for value in (b"chunked", b"identity", b"gzip, chunked", b"chunked, chunked", b"")),
    *(b"Content-Encoding: " + value for value in (b"gzip", b"deflate", b"br", b"gzip, gzip, gzip, gzip, gzip, gzip", b"x")),
    *(b"Content-Type: text/plain; charset=" + value for value in (b"utf-16", b"\x00", b"no-such-charset", b'"')),
    *(b"Retry-After: " + value for value in (b"1e400", b"\xff", b"-0", b"9" * 5000, b"Thu, 99 Xyz 99999 99:99:99 GMT")),
    *(b"Set-Cookie: " + value for value in (b"a=b", b"\xff=\x00", b"; ; =", b"a=b; Max-Age=nan; Expires=never")),
    *(b"Keep-Alive: timeout=" + value for value in (b"0", b"-1", b"99999999999999999999", b"x")),
    *(b"RateLimit: " + value for value in (b"r=0;t=", b'"";r=;;;t=9e9', b",,,;;;===")),
    b"Content-Length : 3", b"content-LENGTH:3", b"\tContent-Length: 3", b"Connection: close", b"Connection: keep-alive",
    b"Date: yesterday", b"no colon", b": no name", b"\x00: \x00", b" folded", b"\x0b", b"\x85: x", b"\xff\xfe: \xfd",
    b"", b"HTTP/1.1 200 OK", b"HTTP/1.1 100 Continue", b"X-Long: " + b"x" * 70_000, b"X-Many: x\r\n" * 120, b"x" * 200_000,
)  # fmt: skip


class Mutation(NamedTuple):
    """A change: what is done, where (in thousandths of the whole, or of its head), and with what."""

    kind: str
    place: int
    what: bytes = b""

    def applied(self, wire: bytes) -> bytes:
        lines = wire.split(b"\r\n")
        place = len(wire) * self.place // 1000
        line = 1 + len(lines) * self.place // 1000
        if self.kind == "cut":
            return wire[:place]
        if self.kind == "byte":
            return wire[:place] + self.what + wire[place + 1 :]
        if self.kind == "twice":
            return b"\r\n".join([*lines[:line], *lines[max(0, line - 1) :]])
        if self.kind == "without":
            return b"\r\n".join([*lines[: line - 1], *lines[line:]])
        if self.kind == "bare newlines":
            return wire.replace(b"\r\n", b"\n")
        return b"\r\n".join([*lines[:line], self.what, *lines[line:]])


PLACES = st.integers(0, 999)
MUTATIONS = st.one_of(
    st.builds(Mutation, st.just("cut"), PLACES),
    st.builds(Mutation, st.just("byte"), PLACES, st.binary(max_size=2)),
    st.builds(Mutation, st.just("line"), PLACES, st.sampled_from(LINES)),
    st.builds(Mutation, st.just("line"), st.integers(0, 400), st.sampled_from(LINES)),
    st.builds(Mutation, st.just("line"), PLACES, st.binary(max_size=20)),
    st.builds(Mutation, st.sampled_from(["twice", "without", "bare newlines"]), PLACES),
)


@st.composite
def wires(draw):
    """Draw the bytes of an answer."""
    wire = draw(st.sampled_from(VALID))
    for mutation in draw(st.lists(MUTATIONS, max_size=3)):
        wire = mutation.applied(wire)
    return wire


class Framing(NamedTuple):
    """What the header block on the wire says of the body, and what came of it."""

    length: int | None
    chunked: bool
    came: bytes


def framing_of(wire: bytes) -> Framing | None:
    """Read a header block by itself, line by line; None if it does not end."""
    while True:
        head, end, came = (
            re.split(rb"(\r?\n\r?\n)", wire, maxsplit=1) if re.search(rb"\r?\n\r?\n", wire) else (wire, b"", b"")
        )
        if not end:
            return None
        if not re.match(rb"HTTP/\d\.\d 1(?!01)\d\d", head):
            break
        wire = came
    head = re.sub(rb"\r?\n[ \t]+", b" ", head)  # a folded line belongs to the one before
    lengths = re.findall(rb"(?im)^content-length:[ \t]*(\d{1,15})[ \t]*\r?$", head)
    chunked = re.search(rb"(?im)^transfer-encoding:[ \t]*chunked[ \t]*\r?$", head)
    return Framing(int(lengths[0]) if len(set(lengths)) == 1 else None, bool(chunked), came)


def whole_chunks(came: bytes) -> bytes | None:
    """Join the chunks; None if the last one is missing."""
    body = b""
    while match := re.match(rb"[ \t]*([0-9a-fA-F]+)[ \t]*(?:;[^\n]*)?\r?\n", came):
        size = int(match[1], 16)
        came = came[match.end() :]
        if size == 0:
            return body
        if len(came) < size:
            return None
        body += came[:size]
        came = re.sub(rb"(?s)^(?:\r?\n|..)", b"", came[size:], count=1)  # what ends a chunk is not looked at
    return None


class Wire:
    """A server that says whatever it is told, and a session that asks it."""

    def __init__(self, server: FaultServer) -> None:
        self._server = server
        self.answer = Reply()

    def said(self, request):
        return self.answer if request.path == "/fuzz" else Reply(200, request.path)

    def check(self, wire: bytes, *, stays_open: bool, stream: bool) -> None:
        self.answer = Reply(raw=wire, keep_alive=stays_open)
        with resilient_session(total=1, timeout=(2, 0.05), logger=None, clock=VirtualClock()) as session:
            start = time.monotonic()
            try:
                with session.get(self._server.url("/fuzz"), stream=stream) as response:
                    assert attempts_of(response)[-1].status == response.status_code
                    content = response.content
            except requests.RequestException as error:
                assert stream or attempts_of(error)
            else:
                check_wholeness(response, content, wire)
            assert time.monotonic() - start < AT_MOST
            assert session.get(self._server.url("/next"), timeout=AT_MOST).text == "/next", (
                "the answer to another request"
            )


def check_wholeness(response: requests.Response, content: bytes, wire: bytes) -> None:
    """What was delivered is all that the header block on the wire spoke of."""
    framing = framing_of(wire)
    assert framing is not None, "delivered without the end of its header block"
    if response.status_code in {204, 304, 101}:
        return
    if framing.chunked:
        raw = whole_chunks(framing.came)
        assert raw is not None, "delivered without its last chunk"
    elif framing.length is not None:
        raw = framing.came[: framing.length]
        assert len(raw) == framing.length, "delivered cut"
    else:
        return
    if "content-encoding" not in response.headers:
        assert content == raw
    elif content == TEXT[: len(content)] and response.headers["content-encoding"] == "gzip":
        assert content == gzip.decompress(raw)


@pytest.fixture(scope="module")
def wire():
    made = Wire(server := FaultServer(default=lambda request: made.said(request)))
    with server:
        yield made


@pytest.mark.parametrize("valid", VALID, ids=range(len(VALID)))
def test_valid_answers_are_whole(valid, wire):
    wire.check(valid, stays_open=False, stream=False)
    assert framing_of(valid) is not None


def test_head_that_only_the_parser_takes_for_ended_is_refused(wire):
    wire.check(b"HTTP/1.1 200 OK\r\n\r\r\nContent-Length: 69\r\n\r\n", stays_open=False, stream=False)


FUZZING = settings(
    max_examples=300,
    deadline=None,
    derandomize=not SECONDS,
    suppress_health_check=list(HealthCheck),
    phases=[phase for phase in Phase if phase is not Phase.explain],
)


@FUZZING
@given(said=wires(), stays_open=st.booleans(), stream=st.booleans())
@example(said=b"", stays_open=False, stream=False)
def fuzz(wire, said, stays_open, stream):
    wire.check(said, stays_open=stays_open, stream=stream)


def test_whatever_a_server_says_is_an_answer_or_an_exception_of_requests(wire):
    end = time.monotonic() + SECONDS
    fuzz(wire)
    while time.monotonic() < end:
        fuzz(wire)
