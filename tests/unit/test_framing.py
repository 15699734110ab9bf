"""How a body goes on where a connection broke, at every byte of its framing."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilient_session._transport._framing import Chunked, Counted


def chunked(pieces, *, last=b"0\r\n\r\n"):
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + last


def parsed(wire):
    """Read a chunked body as a strict parser does."""
    stream, body = io.BytesIO(wire), b""
    while True:
        line = stream.readline()
        assert line.endswith(b"\r\n"), line
        size = int(line, 16)
        if not size:
            assert stream.readline() == b"\r\n"
            assert stream.read() == b""
            return body
        data = stream.read(size)
        assert len(data) == size
        assert stream.read(2) == b"\r\n"
        body += data


BODY = bytes(range(48, 98))


@pytest.mark.parametrize("at", range(len(chunked([BODY[:1], BODY[1:20], BODY[20:]])) - 5))
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_chunks_go_on_after_any_byte(at, step):
    wire = chunked([BODY[:1], BODY[1:20], BODY[20:]])
    framing = Chunked()
    framing.follow(memoryview(wire[: at // 2]))
    framing.follow(memoryview(wire[at // 2 : at]))
    assert not framing.is_complete(closed=True)
    rest = BODY[framing.received :]
    sent = wire[:at] + framing.begin(len(rest))
    while rest:
        size = framing.most(step)
        assert size
        sent, rest = sent + framing.frame(rest[:size]), rest[size:]
    assert framing.received == len(BODY)
    assert parsed(sent + framing.end()) == BODY
    assert framing.is_complete(closed=False)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6), st.data())
def test_chunks_are_followed_in_any_pieces(pieces, data):
    wire = chunked(pieces, last=b"0;last\r\nTrailer: x\r\n\r\n")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    framing = Chunked()
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        framing.follow(memoryview(wire[start:end]))
    assert framing.received == len(b"".join(pieces))
    assert framing.is_complete(closed=False)
    assert framing.begin(0) is None


@pytest.mark.parametrize(
    ("passed", "left", "begun"),
    [
        (b"", 10, b""),
        (b"a\r\n12345", 5, b""),
        (b"a\r\n12345", 4, None),
        (b"a\r\n12345", None, b""),
        (b"A\r\n12345", 5, b""),
        (b"A\r\n12345", 4, None),
        (b"5\r\n12345", 3, b"\r\n"),
        (b"5\r\n12345\r", 3, b"\n"),
        (b"5\r\n12345\n", 3, b""),
        (b"5\r\n12345x", 3, None),
        (b"5\r\n12345x\n", 3, None),
        (b"5", 5, b"\r\n"),
        (b"5\r", 5, b"\n"),
        (b"5;name", 5, b"\r\n"),
        (b"5", 4, None),
        (b"5", None, b"\r\n"),
        (b"00", 4, b""),
        (b"0\r", 4, None),
        (b"0;x", 4, None),
        (b";", 4, None),
        (b"zz\r\n", 4, None),
        (b"zz", 4, None),
        (b"-5\r\n", 4, None),
        (b"11111111111111111\r\n", 4, None),
        (b"x" * 65536, 4, None),
        (b"x" * 70000, 4, None),
        (b"0\r\n", 4, None),
    ],
)
def test_rest_of_a_line(passed, left, begun):
    framing = Chunked()
    framing.follow(memoryview(passed))
    assert framing.begin(left) == begun


def test_chunk_that_is_not_filled_cannot_end():
    framing = Chunked()
    framing.follow(memoryview(b"a\r\n123"))
    assert framing.begin(None) == b""
    assert framing.frame(b"45") == b"45"
    assert framing.end() is None
    assert framing.most(100) == 5


@pytest.mark.parametrize(
    ("passed", "pieces"),
    [(b"", [b"1", b"23"]), (b"5\r\n12345\r", [b"6", b"7"]), (b"5\r\n123", [b"45", b"6"]), (b"00", [b"1", b"2"])],
)
def test_rest_may_break_in_turn(passed, pieces):
    framing = Chunked()
    framing.follow(memoryview(passed))
    framing.begin(None)
    for piece in pieces:
        framing.frame(piece)
        assert framing.begin(None) == b""
    assert framing.end() == b"0\r\n\r\n"


def test_counted_bodies():
    framing = Counted(10)
    framing.follow(memoryview(b"12"))
    framing.follow(memoryview(b"34"))
    assert (framing.received, framing.most(7)) == (4, 7)
    assert not framing.is_complete(closed=True)
    assert framing.begin(5) is framing.begin(7) is framing.end() is None
    assert framing.begin(6) == framing.begin(None) == b""
    assert framing.frame(b"567890") == b"567890"
    assert framing.end() == b""
    assert framing.is_complete(closed=False)


def test_body_up_to_the_end_of_the_connection():
    framing = Counted(None)
    framing.follow(memoryview(b"1234"))
    assert framing.begin(99) == framing.begin(None) == framing.end() == b""
    assert framing.is_complete(closed=True)
    assert not framing.is_complete(closed=False)
