"""What a Reply accepts, and what it makes of it."""

from __future__ import annotations

import dataclasses
import gzip
import zlib

import pytest

from resilient_session.testing import Reply


def test_a_plain_reply_states_its_length():
    head = Reply(200, "grün").wire_head("GET")
    assert head == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


def test_text_is_sent_in_utf8():
    assert Reply(200, "grün").wire_body("GET") == "grün".encode()


def test_an_unknown_status_has_an_empty_reason_and_a_given_one_is_kept():
    assert Reply(520).wire_head("GET").startswith(b"HTTP/1.1 520 \r\n")
    assert Reply(200, reason="Fine").wire_head("GET").startswith(b"HTTP/1.1 200 Fine\r\n")


def test_headers_may_come_twice_and_in_order():
    head = Reply(headers=[("A", "1"), ("a", "2"), ("B", "3")]).wire_head("GET")
    assert b"A: 1\r\na: 2\r\nB: 3\r\n" in head


def test_headers_given_replace_those_added():
    given = {"content-length": "7", "connection": "x"}
    head = Reply(200, "ok", headers=given, keep_alive=False).wire_head("GET")
    assert head.lower().count(b"content-length") == head.lower().count(b"connection") == 1
    assert b"content-length: 7" in head


def test_a_mapping_that_changes_later_changes_nothing():
    headers = {"A": "1"}
    reply = Reply(headers=headers)
    headers["A"] = "2"
    assert reply.headers == (("A", "1"),)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"framing": "chunked"}, b"Transfer-Encoding: chunked\r\n"),
        ({"bad_chunk": b"zz"}, b"Transfer-Encoding: chunked\r\n"),
        ({"endless": True}, b"Transfer-Encoding: chunked\r\n"),
        ({"endless": True, "framing": "length"}, b"Content-Length: 1000000000000000\r\n"),
        ({"framing": "close"}, b"OK\r\nConnection: close\r\n\r\n"),
        ({"framing": "none"}, b"OK\r\n\r\n"),
        ({"keep_alive": False}, b"Connection: close\r\n"),
        ({"read_request": False}, b"Connection: close\r\n"),
        ({"length": 99}, b"Content-Length: 99\r\n"),
        ({"length": "5, 6"}, b"Content-Length: 5, 6\r\n"),
        ({"length": -5}, b"Content-Length: -5\r\n"),
        ({"encoding": "gzip"}, b"Content-Encoding: gzip\r\n"),
    ],
)
def test_the_head_tells_how_the_body_ends(options, part):
    assert part in Reply(200, "hello", **options).wire_head("GET")


@pytest.mark.parametrize(
    ("body", "bad_chunk", "wire"),
    [
        ("", None, b"0\r\n\r\n"),
        ("a", None, b"1\r\na\r\n0\r\n\r\n"),
        ("abcd", None, b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"),
        ("abcd", b"zz", b"2\r\nab\r\nzz\r\ncd\r\n0\r\n\r\n"),
        ("abcd", b"", b"2\r\nab\r\n\r\ncd\r\n0\r\n\r\n"),
        ("a", b"-5", b"-5\r\na\r\n0\r\n\r\n"),
    ],
)
def test_a_chunked_body_has_two_chunks_and_the_second_may_be_bad(body, bad_chunk, wire):
    assert Reply(200, body, framing="chunked", bad_chunk=bad_chunk).wire_body("GET") == wire


def test_an_encoded_body_can_be_decoded():
    assert gzip.decompress(Reply(200, "hello", encoding="gzip").wire_body("GET")) == b"hello"
    assert zlib.decompress(Reply(200, "hello", encoding="deflate").wire_body("GET")) == b"hello"


def test_truncate_shortens_the_encoded_body_and_its_framing_agrees():
    whole = Reply(200, "hello", encoding="gzip").wire_body("GET")
    short = Reply(200, "hello", encoding="gzip", truncate=8)
    assert short.wire_body("GET") == whole[:-8]
    assert b"Content-Length: %d\r\n" % (len(whole) - 8) in short.wire_head("GET")


@pytest.mark.parametrize(
    ("status", "method"), [(200, "HEAD"), (204, "GET"), (304, "GET"), (101, "GET"), (200, "CONNECT")]
)
def test_where_no_body_may_be_there_is_none(status, method):
    assert Reply(status, "hello").wire_body(method) == b""


def test_head_tells_the_length_that_get_would_have_and_204_tells_none():
    assert b"Content-Length: 5" in Reply(200, "hello").wire_head("HEAD")
    assert b"Content-Length" not in Reply(204).wire_head("GET")
    assert b"Content-Length: 3" in Reply(304, length=3).wire_head("GET")


def test_raw_bytes_stand_for_the_whole_answer():
    reply = Reply(200, "hello", raw=b"nonsense")
    assert reply.wire_head("GET") + reply.wire_body("GET") == b"nonsense"


HEAD = len(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")


@pytest.mark.parametrize(
    ("cut", "after", "end"),
    [
        (None, None, None),
        ("before", None, 0),
        ("head", None, HEAD // 2),
        ("head", 7, 7),
        ("body", None, HEAD + 4),
        ("body", 0, HEAD),
        ("end", None, None),
    ],
)
def test_the_cut_is_where_it_was_asked_for(cut, after, end):
    assert Reply(200, "12345678", cut=cut, after=after).wire_end("GET") == end


def test_a_cut_never_reaches_beyond_its_part():
    reply = Reply(200, "hello", cut="body", after=4)
    assert reply.wire_end("HEAD") == len(reply.wire_head("HEAD"))


def test_interim_answers_may_have_headers():
    reply = Reply(interim=[100, (103, {"Link": "</a>"})])
    answers = reply.wire_interim().split(b"\r\n\r\n")
    assert answers == [b"HTTP/1.1 100 Continue", b"HTTP/1.1 103 Early Hints\r\nLink: </a>", b""]


@pytest.mark.parametrize(
    ("reply", "by"), [(Reply.reset(), "reset"), (Reply.close(), "close"), (Reply.stall(), "stall")]
)
def test_shorthands_cut_before_the_answer(reply, by):
    assert (reply.cut, reply.by) == ("before", by)


@pytest.mark.parametrize(
    ("reply", "effective"),
    [
        (Reply(200), True),
        (Reply(302), True),
        (Reply(400), False),
        (Reply(503), False),
        (Reply.reset(), True),
        (Reply(cut="request"), False),
        (Reply(503, acts=True), True),
        (Reply(200, acts=False), False),
    ],
)
def test_a_request_has_its_effect_unless_the_reply_refuses_it(reply, effective):
    assert reply.effective is effective


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"status": 99}, ValueError, "status must be an integer from 100 to 999, not 99"),
        ({"status": "200"}, TypeError, "status must be an integer from 100 to 999, not '200'"),
        ({"status": True}, TypeError, "status must be"),
        ({"body": 5}, TypeError, "body must be bytes or str, not 5"),
        ({"headers": 5}, TypeError, "headers must be a mapping or (name, value) pairs of strings"),
        ({"headers": ["abc"]}, TypeError, "headers must be a mapping or (name, value) pairs of strings"),
        ({"headers": {"A": 5}}, TypeError, "headers must be a string, not 5"),
        ({"headers": {"A": "b\r\nC: d"}}, ValueError, "headers must be Latin-1 without line breaks"),
        ({"headers": {"A": "\u20ac"}}, ValueError, "headers must be Latin-1"),
        ({"reason": "a\nb"}, ValueError, "reason must be"),
        (
            {"framing": "chunk"},
            ValueError,
            "framing must be one of 'length', 'chunked', 'close', 'none', None",
        ),
        ({"length": 1.5}, TypeError, "length must be an integer, a string or None, not 1.5"),
        ({"length": True}, TypeError, "length must be"),
        ({"length": "a\nb"}, ValueError, "length must be"),
        ({"delay": -1}, ValueError, "delay must be a finite number of seconds >= 0, not -1"),
        ({"delay": float("nan")}, ValueError, "delay must be"),
        ({"delay": "1"}, TypeError, "delay must be a number of seconds, not '1'"),
        ({"drip": float("inf")}, ValueError, "drip must be"),
        ({"drip": True}, TypeError, "drip must be"),
        ({"interim": 100}, TypeError, "interim must be statuses or (status, headers) pairs"),
        ({"interim": [200]}, ValueError, "interim must be an integer from 100 to 199, not 200"),
        ({"interim": [(103, 5)]}, TypeError, "interim must be"),
        ({"cut": "middle"}, ValueError, "cut must be one of"),
        ({"by": "magic"}, ValueError, "by must be one of 'close', 'reset', 'stall', not 'magic'"),
        ({"after": -1}, ValueError, "after must be an integer >= 0, not -1"),
        ({"after": 1}, ValueError, "after requires cut='request', 'head' or 'body', not None"),
        ({"cut": "head", "after": 10**6}, ValueError, "cut='head' with after=1000000 cuts nothing"),
        ({"cut": "body"}, ValueError, "cut='body' with after=0 cuts nothing: the body has 0 bytes"),
        (
            {"body": "ab", "cut": "body", "after": 2},
            ValueError,
            "cut='body' with after=2 cuts nothing: the body has 2 bytes",
        ),
        ({"drip_part": "tail"}, ValueError, "drip_part must be"),
        ({"keep_alive": 1}, ValueError, "keep_alive must be one of True, False, not 1"),
        ({"read_request": None}, ValueError, "read_request must be"),
        ({"encoding": "br"}, ValueError, "encoding must be"),
        ({"truncate": 1}, ValueError, "truncate must be <= 0"),
        ({"endless": "body"}, ValueError, "endless must be"),
        ({"endless": True, "cut": "end"}, ValueError, "cut must be None with endless"),
        ({"bad_chunk": "zz"}, TypeError, "bad_chunk must be bytes or None, not 'zz'"),
        ({"bad_chunk": b"zz", "framing": "length"}, ValueError, "bad_chunk requires framing='chunked'"),
        ({"length": 5, "framing": "chunked"}, ValueError, "length requires framing='length'"),
        ({"acts": 1}, ValueError, "acts must be"),
        ({"raw": "text"}, TypeError, "raw must be"),
    ],
)
def test_a_fault_that_could_not_happen_is_refused(options, error, text):
    with pytest.raises(error) as caught:
        Reply(**options)
    assert text in str(caught.value)


def test_a_declared_length_makes_a_whole_body_a_cut_one():
    assert Reply(200, "ab", cut="body", after=2, length=5).wire_body("GET") == b"ab"


def test_a_reply_is_frozen_and_can_be_varied():
    reply = Reply(200, "hello")
    with pytest.raises(dataclasses.FrozenInstanceError):
        reply.status = 500  # type: ignore[misc]
    assert dataclasses.replace(reply, status=201) == Reply(201, b"hello")
