"""The fault matrix: what a network and a server can do to a request, and what is to come of it.

Each row is one fault, after which the server is well again. The tests play every row with several methods, plain
and through TLS and proxies; the documentation plays it once more, beside stock requests, and prints what it saw.
"""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from resilient_session import attempts_of
from resilient_session.testing import FaultServer, RecordedRequest, Reply
from support.certificates import ORIGIN

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    import requests

WHOLE = "all of it"
IDEMPOTENT, ANY, NONE = "idempotent", "any", "none"


BODY_ERRORS = {"ChunkedEncodingError", "ContentDecodingError", "ReadTimeout"}


class Row(NamedTuple):
    """One fault.

    Attributes:
        title: what happens.
        fault: the server's first answer.
        once: what comes of it where it is not repeated: a status, or the class of an exception.
        repeat: which requests are repeated after it: idempotent ones, any, or none.
        timeout: the read timeout, in seconds, of faults that need one.
        handshake: how the first TLS handshake goes.
        connect: the answer to the first CONNECT of a tunnel.
        seen: how many requests the server sees of the attempt that fails.
        hangs: whether stock requests may wait for ever.
        garbled: whether something comes that is no answer. That is no loss of the connection, which requests calls
            an error of the proxy's where there is one.
        stop: the verdict on a request that is not repeated for another reason than its method.
    """

    title: str
    fault: Reply
    once: str
    repeat: str = IDEMPOTENT
    timeout: float = 5.0
    handshake: str = "ok"
    connect: Reply = Reply(200)
    seen: int = 1
    hangs: bool = False
    garbled: bool = False
    stop: str = ""

    @property
    def cause(self) -> str:
        """The word for what the first attempt ends with."""
        if self.connect != Reply(200):
            return "proxy"
        if self.handshake != "ok":
            return "tls"
        if self.in_body:
            return "body"
        if self.once[:3].isdecimal():
            return "ok" if self.repeat == NONE and not self.stop else "status"
        return {"ReadTimeout": "timeout", "ConnectionError": "reset", "InvalidHeader": "error"}[self.once]

    @property
    def in_body(self) -> bool:
        """Whether the fault lies in the body of a good answer, which the reader of a stream meets."""
        fault = self.fault
        return (fault.status, fault.drip, fault.endless) == (200, None, False) and (
            self.once in BODY_ERRORS and fault.cut in {None, "body", "end"}
        )

    @property
    def transports(self) -> tuple[str, ...]:
        """The ways that the fault can come over."""
        if self.connect != Reply(200):
            return ("tunnel",)
        return ("tls",) if self.handshake != "ok" else ("plain", "tls", "proxy", "tunnel")


class Played(NamedTuple):
    """What came of one row."""

    requests: int
    effects: int
    outcome: str
    attempts: int


def status(code: int, repeat: str = IDEMPOTENT, **fields: Any) -> Row:
    return Row(f"status {code}", Reply(code, "a reason", **fields), str(code), repeat)


def wish(text: str, *, longer_than_allowed: bool = False) -> Row:
    shown = text if len(text) < 40 else f"{len(text)} digits"
    answer = Reply(503, "later", headers={"Retry-After": text})
    if longer_than_allowed:
        return Row(f"503 with Retry-After: {shown}", answer, "503", NONE, stop="retry-after-too-long")
    return Row(f"503 with Retry-After: {shown}", answer, "503")


BODY = WHOLE * 99
LONG = {"X-Long": "x" * 2000}
READ_TIMEOUT = {"once": "ReadTimeout", "timeout": 0.5}

ROWS = (
    *(status(code) for code in (408, 500, 502, 503, 504, 520, 521, 522, 523, 524)),
    *(status(code, ANY) for code in (421, 425, 429)),
    *(status(code, NONE) for code in (400, 401, 403, 404, 407, 409, 410, 422, 501, 505)),
    Row("503, x-should-retry: false", Reply(503, headers={"x-should-retry": "false"}), "503", NONE),
    Row("409, x-should-retry: true", Reply(409, headers={"x-should-retry": "true"}), "409"),
    *(wish(text) for text in ("0", "0.5", "60", "soon", "-5", "", "5, 6", "2026-11-22T10:00:00Z", "9" * 5000)),
    wish("Wed, 21 Oct 2015 07:28:00 GMT"),
    wish("3600", longer_than_allowed=True),
    wish("Wed, 21 Oct 2965 07:28:00 GMT", longer_than_allowed=True),
    Row("error body of 1 MB", Reply(503, "x" * 1_000_000), "503"),
    Row("error body that drips", Reply(503, "x" * 200, drip=0.002, drip_part="body"), "503"),
    Row("no response, connection closed", Reply.close(), "ConnectionError"),
    Row("no response, connection reset", Reply.reset(), "ConnectionError"),
    Row("no response, silence", Reply.stall(), **READ_TIMEOUT),
    Row("closed with the first byte", Reply(cut="request"), "ConnectionError"),
    Row("reset with the first byte", Reply(cut="request", by="reset"), "ConnectionError"),
    Row(
        "nonsense for a status line",
        Reply(raw=b"WHAT\r\n\r\n", keep_alive=False),
        "ConnectionError",
        garbled=True,
    ),
    Row("status line cut", Reply(200, cut="head", after=9), "ConnectionError", garbled=True),
    Row("headers cut", Reply(200, WHOLE, cut="head", headers=LONG), "ConnectionError"),
    Row("headers reset", Reply(200, WHOLE, cut="head", by="reset", headers=LONG), "ConnectionError"),
    Row("headers stall", Reply(200, WHOLE, cut="head", by="stall", headers=LONG), **READ_TIMEOUT),
    Row("headers drip", Reply(200, WHOLE, headers=LONG, drip=0.005, drip_part="head"), **READ_TIMEOUT, hangs=True),
    Row("100 Continue for ever", Reply(200, WHOLE, endless="interim"), **READ_TIMEOUT, hangs=True),
    Row("103 for ever", Reply(200, WHOLE, interim=(103,), endless="interim"), **READ_TIMEOUT, hangs=True),
    *(
        Row(f"interim {code} first", Reply(200, WHOLE, interim=(code,)), f"200 {WHOLE}", NONE)
        for code in (100, 102, 103)
    ),
    *(
        Row(f"{framing} body {what}", Reply(200, BODY, framing=framing, cut="body", by=by), error, timeout=limit)
        for framing in ("length", "chunked")
        for what, by, error, limit in (
            ("cut", "close", "ChunkedEncodingError", 5),
            ("reset", "reset", "ChunkedEncodingError", 5),
            ("stalls", "stall", "ReadTimeout", 0.5),
        )
    ),
    Row("Content-Length too long", Reply(200, WHOLE, length=999, cut="end"), "ChunkedEncodingError"),
    Row("Content-Length negative", Reply(200, WHOLE, length="-5"), "ConnectionError", garbled=True),
    Row("Content-Length no number", Reply(200, WHOLE, length="many"), "ConnectionError", garbled=True),
    Row("Content-Length empty", Reply(200, WHOLE, length=""), "ConnectionError", garbled=True),
    Row(
        "Content-Length behind a malformed header",
        Reply(raw=b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 100\r\n\r\npart", keep_alive=False),
        "ConnectionError",
        garbled=True,
    ),
    Row("two Content-Lengths", Reply(200, WHOLE, length="5, 6"), "InvalidHeader", NONE),
    *(
        Row(f"chunk size {size!r}", Reply(200, WHOLE * 9999, bad_chunk=size), "ChunkedEncodingError")
        for size in (b"zz", b"-5", b"-1", b"")
    ),
    *(
        Row(f"{coding} body stops short", Reply(200, BODY, encoding=coding, truncate=4), "ChunkedEncodingError")
        for coding in ("gzip", "deflate")
    ),
    *(
        Row(
            f"{coding} body in chunks stops short",
            Reply(200, BODY, encoding=coding, truncate=4, framing="chunked"),
            "ChunkedEncodingError",
        )
        for coding in ("gzip", "deflate")
    ),
    Row("gzip body that is none", Reply(200, WHOLE, headers={"Content-Encoding": "gzip"}), "ContentDecodingError"),
    Row("the response is complete, the connection then closed", Reply(200, WHOLE, cut="end"), f"200 {WHOLE}", NONE),
    *(
        Row(f"TLS handshake {what}", Reply(200, WHOLE), error, ANY, timeout=0.6, handshake=how, seen=0)
        for what, how, error in (
            ("stalls", "stall", "ReadTimeout"),
            ("reset", "reset", "ConnectionError"),
            ("closed", "close", "SSLError"),
        )
    ),
    *(
        Row(f"proxy responds to CONNECT with {answer.status}", Reply(200, WHOLE), "ProxyError", repeat,
            connect=answer, seen=0)
        for answer, repeat in ((Reply(407), NONE), (Reply(403), NONE), (Reply(502), ANY), (Reply(503), ANY))
    ),
    Row("proxy closes on CONNECT", Reply(200, WHOLE), "ProxyError", ANY, connect=Reply.close(), seen=0),
    Row("proxy resets on CONNECT", Reply(200, WHOLE), "ProxyError", ANY, connect=Reply.reset(), seen=0),
    Row("proxy is silent on CONNECT", Reply(200, WHOLE), "ReadTimeout", ANY, timeout=0.6, connect=Reply.stall(),
        seen=0),
)  # fmt: skip


class Stage:
    """Plays rows: a server for each, and the certificates.

    Args:
        server_tls: the server's TLS context, for 127.0.0.1 and `ORIGIN`.
        bundle: the path of the certificate authority's file.
    """

    def __init__(self, server_tls: ssl.SSLContext, bundle: str) -> None:
        self._tls = server_tls
        self._bundle = bundle
        self._server: FaultServer | None = None

    def play_within(self, seconds: float, row: Row, session: requests.Session, **kwargs: Any) -> Played | None:
        """Play a row; return None if that has not ended after so many seconds."""
        done: list[Played] = []
        thread = threading.Thread(target=lambda: done.append(self.play(row, session, **kwargs)), daemon=True)
        thread.start()
        thread.join(seconds)
        played = done[0] if done else None
        if self._server is not None:
            self._server.close()
        return played

    def play(
        self, row: Row, session: requests.Session, *, transport: str = "plain", method: str = "GET", **kwargs: Any
    ) -> Played:
        """Send one request at a row's fault, and say what came of it."""
        secure = transport in {"tls", "tunnel"}
        script = _script(row)
        with FaultServer(
            default=lambda request: next(script[request.method == "CONNECT"]),
            tls=self._tls if secure else None,
            tunnel=transport == "tunnel",
            handshakes=(row.handshake,) if row.handshake != "ok" else (),
        ) as server:
            self._server = server
            url = server.url("/x")
            if transport in {"proxy", "tunnel"}:
                kwargs["proxies"] = {"http": server.url("/"), "https": server.url("/")}
                url = f"http{'s' * secure}://{ORIGIN}/x"
            data = None if method == "GET" else "an order"
            timeout = (row.timeout if row.handshake != "ok" or row.connect != Reply(200) else 5, row.timeout)
            try:
                response = session.request(method, url, data=data, timeout=timeout, verify=self._bundle, **kwargs)
                outcome: Any = response
                text = f"{response.status_code}{f' {WHOLE}' if response.text == WHOLE else ''}"
            except Exception as error:  # noqa: BLE001 - stock requests lets other errors escape
                outcome, text = error, type(error).__name__
            seen = [request for request in server.requests if request.method != "CONNECT"]
            return Played(len(seen), _effects(seen, method), text, len(attempts_of(outcome)))


def _script(row: Row) -> tuple[Iterator[Reply], Iterator[Reply]]:
    well = itertools.repeat(Reply(200, WHOLE))
    return itertools.chain([row.fault], well), itertools.chain([row.connect], itertools.repeat(Reply(200)))


def _effects(seen: list[RecordedRequest], method: str) -> int:
    return sum(request.complete and request.method == method and request.reply.effective for request in seen)


def expected(row: Row, method: str, transport: str = "plain") -> Played:
    """Say what is to come of a row."""
    lost_behind_proxy = row.once == "ConnectionError" and not row.garbled and transport in {"proxy", "tunnel"}
    once = "ProxyError" if lost_behind_proxy else row.once
    again = row.repeat == ANY or (row.repeat == IDEMPOTENT and method != "POST")
    if row.handshake != "ok" or row.connect != Reply(200):
        requests_seen = 1 if again else 0
        return Played(requests_seen, requests_seen, f"200 {WHOLE}" if again else once, 2 if again else 1)
    acted = int(row.fault.effective and row.seen == 1)
    return Played(row.seen + again, acted + again, f"200 {WHOLE}" if again else once, 2 if again else 1)
