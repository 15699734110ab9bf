"""Plain header fields are written as urllib3 writes them, and others by urllib3."""

from __future__ import annotations

import http.client
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
    """Return what is written, or the error."""
    connection = cls("localhost")
    connection.putrequest("GET", "/")
    try:
        for field in fields:
            connection.putheader(*field)
    except Exception as error:  # noqa: BLE001 - whatever urllib3 raises
        return type(error), str(error)
    return connection._buffer


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
        ("X-Tea", "green", "black"),
        ("X-Tea",),
        ("User-Agent", SKIP_HEADER),
        ("X-Tea", SKIP_HEADER),
        ("X-Tea", None),
    ],
)
def test_other_types_and_skipped_fields_are_left_to_urllib3(field):
    assert written(OURS, ("A", "b"), field, ("C", "d")) == written(HTTPConnection, ("A", "b"), field, ("C", "d"))


def test_a_field_that_comes_too_late_is_refused():
    with pytest.raises(http.client.CannotSendHeader):
        OURS("localhost").putheader("Accept", "*/*")


@pytest.mark.parametrize("owner", [HTTPConnection, http.client.HTTPConnection])
def test_a_patched_putheader_is_called(owner, monkeypatch):
    called = []
    original = owner.putheader
    monkeypatch.setattr(owner, "putheader", lambda self, *field: called.append(field) or original(self, *field))
    assert written(OURS, ("Accept", "*/*")) == [
        b"GET / HTTP/1.1",
        b"Host: localhost",
        b"Accept-Encoding: identity",
        b"Accept: */*",
    ]
    assert called[-1] == ("Accept", "*/*")


def test_a_subclass_that_overrides_putheader_is_asked():
    class Shouting(HTTPConnection):
        def putheader(self, header, *values):
            super().putheader(header.upper(), *values)

    assert written(connection_class(Shouting), ("Accept", "*/*"))[-1] == b"ACCEPT: */*"
