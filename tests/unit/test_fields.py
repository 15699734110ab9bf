"""Plain header fields are written as urllib3 writes them, and others by urllib3."""

from __future__ import annotations

import http.client
import socket
from random import Random

import pytest
from urllib3.connection import HTTPConnection
from urllib3.util import SKIP_HEADER

from resilient_session._transport._connections import connection_class

OURS = connection_class(HTTPConnection)
PIECES = [
    "a",
    "Z",
    "-",
    "_",
    "9",
    ":",
    " ",
    "\t",
    "\r",
    "\n",
    "\r\n ",
    "é",
    "\x00",
    "\x7f",
    "@",
    "~",
    "(",
    '"',
    "\u20ac",
    "",
]


def written(cls, *fields):
    """Return what a request with these fields writes, or the error."""
    connection = cls("localhost")
    connection.sock, server = socket.socketpair()
    with server, connection.sock:
        try:
            connection.request("GET", "/", headers=dict(fields))
        except Exception as error:  # noqa: BLE001 - whatever urllib3 raises
            return type(error), str(error)
        return server.recv(65536)


def test_writes_what_urllib3_writes():
    random = Random(0)  # noqa: S311 - the same fields each time
    for _ in range(5000):
        name, value = ("".join(random.choices(PIECES, k=random.randint(0, 4))) for _ in range(2))
        assert written(OURS, (name, value)) == written(HTTPConnection, (name, value))


@pytest.mark.parametrize(
    "field",
    [
        ("Accept", "*/*"),
        (b"Accept", b"*/*"),
        ("Content-Length", 7),
        ("3-X", "y"),
        ("X.Y", "z"),
        ("X-Tea", ""),
        ("User-Agent", SKIP_HEADER),
        ("X-Tea", SKIP_HEADER),
        ("X-Tea", None),
    ],
)
def test_other_types_and_skipped_fields_are_left_to_urllib3(field):
    assert written(OURS, ("A", "b"), field, ("C", "d")) == written(HTTPConnection, ("A", "b"), field, ("C", "d"))


@pytest.mark.parametrize("values", [("green",), ("green", "black"), ()])
def test_fields_that_are_put_without_a_request_are_left_to_urllib3(values):
    def put(cls):
        connection = cls("localhost")
        connection.putrequest("GET", "/")
        connection.putheader("X-Tea", *values)
        return connection._buffer

    assert put(OURS) == put(HTTPConnection)


def test_a_field_that_comes_too_late_is_refused():
    def late():
        with pytest.raises(http.client.CannotSendHeader):
            connection.putheader("Accept", "*/*")
        yield b"x"

    with pytest.raises(http.client.CannotSendHeader):
        OURS("localhost").putheader("Accept", "*/*")
    connection = OURS("localhost")
    connection.sock, server = socket.socketpair()
    with server, connection.sock:
        connection.request("POST", "/", body=late())
        assert server.recv(65536).endswith(b"1\r\nx\r\n0\r\n\r\n")


@pytest.mark.parametrize("owner", [HTTPConnection, http.client.HTTPConnection])
def test_a_patched_putheader_is_called(owner, monkeypatch):
    called = []
    original = owner.putheader
    monkeypatch.setattr(owner, "putheader", lambda self, *field: called.append(field) or original(self, *field))
    assert written(OURS, ("User-Agent", SKIP_HEADER), ("Accept", "*/*")).split(b"\r\n") == [
        b"GET / HTTP/1.1",
        b"Host: localhost",
        b"Accept-Encoding: identity",
        b"Accept: */*",
        b"",
        b"",
    ]
    assert called[-1] == ("Accept", "*/*")


def test_a_subclass_that_overrides_putheader_is_asked():
    class Shouting(HTTPConnection):
        def putheader(self, header, *values):
            super().putheader(header.upper(), *values)

    Shouting.__module__ = HTTPConnection.__module__  # or ours is not mixed in
    assert written(connection_class(Shouting), ("Accept", "*/*")).split(b"\r\n")[-3] == b"ACCEPT: */*"
