"""Streamed downloads that break go on, for every way of reading, or end with what came and how far that was."""

from __future__ import annotations

import functools
import gc
import io
import random
import shutil
import tracemalloc
import zlib

import pytest
import requests
import urllib3

from resilient_session import (
    ChunkedEncodingError,
    DeadlineExceeded,
    ReadTimeout,
    TimeoutHTTPAdapter,
    attempts_of,
    deadline,
    resilient_session,
)
from resilient_session.testing import FaultServer, Reply

BODY = random.Random(2).randbytes(120_000)  # noqa: S311 - a body
CODED = zlib.compress(BODY)
ETAG = {"ETag": '"v1"'}


class Site:
    """Serves a body with ranges; each response is cut where `cuts` says."""

    def __init__(self, *cuts, body=BODY, framing="length", by="close", headers=ETAG, most=None):
        self.cuts = list(cuts)
        self.body, self.framing, self.by, self.headers, self.most = body, framing, by, headers, most

    def __call__(self, request):
        asked = request.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        end = min(len(self.body), start + self.most) if asked and self.most else len(self.body)
        ranged = {"Content-Range": f"bytes {start}-{end - 1}/{len(self.body)}"} if asked else {}
        after = self.cuts.pop(0) if self.cuts else None
        cut = {} if after is None else {"cut": "body", "by": self.by, "after": after}
        return Reply(
            206 if asked else 200,
            self.body[start:end],
            headers={**self.headers, **ranged},
            framing=self.framing,
            **cut,
        )


def by_readinto(response):
    got, buffer = bytearray(), bytearray(5000)
    while count := response.raw.readinto(buffer):
        got += buffer[:count]
    return bytes(got)


def by_copying(response):
    file = io.BytesIO()
    shutil.copyfileobj(response.raw, file)
    return file.getvalue()


WAYS = {
    "iter_content": lambda response: b"".join(response.iter_content(10_000)),
    "iter_content(None)": lambda response: b"".join(response.iter_content(None)),
    "iter_lines": lambda response: b"\n".join(response.iter_lines(delimiter=b"\n")) and BODY,
    "content": lambda response: response.content,
    "raw.stream": lambda response: b"".join(response.raw.stream(7000)),
    "raw.read()": lambda response: response.raw.read(),
    "raw.read(n)": lambda response: b"".join(iter(lambda: response.raw.read(777), b"")),
    "raw.readinto": by_readinto,
    "copyfileobj": by_copying,
}


@pytest.fixture
def streaming(fast_retries, events):
    return resilient_session(logger=None, timeout=(2, 0.2), on_event=events.append)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("by", ["close", "reset", "stall"])
def test_every_way_of_reading_goes_on(way, framing, by, streaming, events):
    with FaultServer(default=Site(50_000, 20_000, 7, framing=framing, by=by)) as server:
        response = streaming.get(server.url("/?key=s3cret"), stream=True)
        assert WAYS[way](response) == BODY
    asked = [request.headers.get("Range") for request in server.requests]
    assert asked[0] is None
    assert len(asked) == 4
    assert {request.headers.get("If-Range") for request in server.requests[1:]} == {'"v1"'}
    attempts = attempts_of(response)
    assert [attempt.cause for attempt in attempts] == ["body", "body", "body", "ok"]
    assert [attempt.verdict for attempt in attempts] == ["retry", "retry", "retry", "done"]
    assert [attempt.status for attempt in attempts] == [200, 206, 206, 206]
    assert [event.kind for event in events].count("stream-resumed") == 3
    resumed = [event for event in events if event.kind == "stream-resumed"]
    assert resumed[-1].total == len(BODY)
    assert resumed[-1].received > resumed[0].received > 0
    assert "s3cret" not in repr(events)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("way", ["iter_content", "content", "iter_content(None)"])
def test_coded_bodies_go_on_below_the_decoder(framing, way, streaming):
    headers = {**ETAG, "Content-Encoding": "deflate"}
    by = "reset" if framing == "close" else "close"
    with FaultServer(default=Site(30_000, 20_000, body=CODED, framing=framing, by=by, headers=headers)) as server:
        assert WAYS[way](streaming.get(server.url("/"), stream=True)) == BODY


def test_body_until_the_connection_ends_goes_on_after_a_reset(streaming):
    with FaultServer(default=Site(30_000, framing="close", by="reset")) as server:
        assert streaming.get(server.url("/"), stream=True).content == BODY


def test_parts_shorter_than_requested_are_followed_by_others(streaming, events):
    with FaultServer(default=Site(50_000, most=30_000)) as server:
        response = streaming.get(server.url("/"), stream=True)
        assert response.content == BODY
    assert len(server.requests) == 4
    assert response.raw.length_remaining == 0
    assert response.raw.tell() == len(BODY)


def test_what_the_user_holds_stays_what_it_is(streaming):
    with FaultServer(default=Site(50_000)) as server:
        response = streaming.get(server.url("/"), stream=True)
        raw, headers = response.raw, dict(response.headers)
        sock = raw._fp.fp.raw._sock
        assert len(raw.read(60_000)) == 60_000
        assert raw.tell() == 60_000
        assert raw.length_remaining == len(BODY) - 60_000
        assert raw._fp.fp.raw._sock is not sock
        assert raw.read() == BODY[60_000:]
        assert (response.raw, dict(response.headers), response.status_code) == (raw, headers, 200)
        streaming.get(server.url("/"))
        assert server.connections == 2  # the second one was free for reuse


def test_raw_kept_alone_goes_on(streaming):
    with FaultServer(default=Site(50_000)) as server:
        raw = streaming.get(server.url("/"), stream=True).raw
        gc.collect()
        assert raw.read() == BODY


def test_pool_of_one_place_that_blocks_is_not_a_trap(fast_retries):
    session = resilient_session(pool_maxsize=1, pool_block=True, timeout=2, logger=None)
    with FaultServer(default=Site(50_000, 10)) as server:
        assert session.get(server.url("/"), stream=True).content == BODY
        assert session.get(server.url("/")).content == BODY


@pytest.mark.parametrize("read", [0, 10, 60_000])
def test_leaving_early_is_no_break(read, streaming, events):
    with FaultServer(default=Site(50_000)) as server:
        with streaming.get(server.url("/"), stream=True) as response:
            response.raw.read(read)
        assert len(server.requests) == 1 + (read > 50_000)
    assert "stream-broken" not in [event.kind for event in events]


@pytest.mark.parametrize("way", ["iter_content", "raw.read(n)", "raw.read(many)", "raw.read()", "content"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_all_that_came_is_handed_over_before_the_error(way, framing, streaming, events):
    got = bytearray()
    pieces = {
        "iter_content": lambda response: response.iter_content(777),
        "raw.read(n)": lambda response: iter(lambda: response.raw.read(777), b""),
        "raw.read(many)": lambda response: iter(lambda: response.raw.read(1_000_000), b""),
    }
    with FaultServer(default=Site(50_000, 0, 0, 0, framing=framing)) as server:
        response = streaming.get(server.url("/"), stream=True)
        with pytest.raises(
            ChunkedEncodingError, match=r"the body broke after \d+ .*bytes, and was not resumed"
        ) as caught:
            if way in pieces:
                for piece in pieces[way](response):
                    got += piece
            else:
                WAYS[way](response)
        if framing == "length" and way not in {"iter_content", "content"}:
            with pytest.raises(urllib3.exceptions.HTTPError):
                response.raw.read(10)
    assert isinstance(caught.value, urllib3.exceptions.HTTPError)
    assert BODY.startswith(bytes(got))
    if way in pieces:
        assert len(got) > 49_000
    assert [attempt.verdict for attempt in attempts_of(caught.value)] == ["retry"] * 3 + ["exhausted"]
    assert events[-1].kind == "stream-broken"
    assert events[-1].received >= len(got)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(404), "status 404"),
        (Reply(302, headers={"Location": "/elsewhere"}), "status 302"),
        (Reply(416), "status 416"),
        (Reply(401), "status 401"),
        (Reply(200, BODY, headers={"ETag": '"v2"'}), "the ETag is another one"),
        (Reply(200, BODY, headers=ETAG), "the server sends the whole body again"),
        (
            Reply(206, BODY, headers={**ETAG, "Content-Range": f"bytes 0-{len(BODY) - 1}/{len(BODY)}"}),
            "the range begins at 0",
        ),
    ],
)
def test_what_does_not_belong_is_not_joined(reply, reason, streaming, events):
    with FaultServer(Site(50_000), reply) as server:
        response = streaming.get(server.url("/"), stream=True)
        assert len(response.raw.read(40_000)) == 40_000
        with pytest.raises(ChunkedEncodingError, match=reason) as caught:
            response.content  # noqa: B018 - reads it
    assert len(attempts_of(caught.value)) == 2
    assert events[-1].kind == "stream-broken"
    assert events[-1].total == len(BODY)


def test_body_begins_anew_while_nothing_was_handed_over(streaming):
    with FaultServer(Site(9_000), Reply(200, BODY, headers=ETAG)) as server:
        assert streaming.get(server.url("/"), stream=True).raw.read() == BODY
    chunks = Site(0, framing="chunked")
    with FaultServer(chunks, Reply(200, BODY, headers=ETAG, framing="chunked")) as server:
        assert streaming.get(server.url("/"), stream=True).content == BODY


def test_busy_server_is_waited_for(fast_retries, clock):
    session = resilient_session(clock=clock, logger=None)
    busy = Reply(503, headers={"Retry-After": "7"})
    with FaultServer(Site(50_000), busy, default=Site()) as server:
        assert session.get(server.url("/"), stream=True).content == BODY
    assert sum(clock.sleeps) >= 7


@pytest.mark.parametrize(
    "options",
    [{"resume": False}, {"allowed_methods": ["PUT"]}, {"total": 0}, {"read": 0}],
)
def test_options_that_end_it(options, fast_retries, events):
    session = resilient_session(logger=None, on_event=events.append, **options)
    with FaultServer(default=Site(50_000)) as server:
        response = session.get(server.url("/"), stream=True)
        with pytest.raises(ChunkedEncodingError) as caught:
            response.content  # noqa: B018 - reads it
    assert len(server.requests) == 1
    assert [attempt.cause for attempt in attempts_of(caught.value)] == ["body"]
    assert [event.kind for event in events][-1] == "stream-broken"


@pytest.mark.parametrize(
    ("method", "headers", "extra"),
    [
        ("GET", {}, {}),
        ("GET", {"ETag": 'W/"v1"'}, {}),
        ("GET", {**ETAG, "Accept-Ranges": "none"}, {}),
        ("POST", ETAG, {"data": b"x"}),
        ("GET", ETAG, {"data": b"x"}),
        ("GET", ETAG, {"headers": {"range": "bytes=0-"}}),
    ],
)
def test_requests_and_responses_whose_parts_are_never_joined(method, headers, extra, streaming, events):
    cut = Reply(200, BODY, headers=headers, cut="body", after=50_000)
    with FaultServer(default=cut) as server:
        response = streaming.request(method, server.url("/"), stream=True, **extra)
        with pytest.raises(ChunkedEncodingError):
            response.content  # noqa: B018 - reads it
    assert len(server.requests) == 1
    assert events[-1].kind == "stream-broken"
    assert events[-1].received > 0


def test_silence_to_the_end_is_a_read_timeout(fast_retries):
    session = resilient_session(logger=None, timeout=(2, 0.05), total=1)
    with FaultServer(default=Site(50_000, 0, by="stall")) as server:
        response = session.get(server.url("/"), stream=True)
        with pytest.raises(ReadTimeout, match="after 50000 of 120000 bytes"):
            response.content  # noqa: B018 - reads it


@pytest.mark.parametrize("cuts", [(50_000,), (50_000, 10)])
def test_deadline_around_the_read_ends_it(cuts):
    session = resilient_session(logger=None, timeout=5, backoff_factor=0)
    with FaultServer(
        Site(*cuts[:1], by="stall" if len(cuts) == 1 else "close"), default=Site(10, by="stall")
    ) as server:
        response = session.get(server.url("/"), stream=True)
        with deadline(0.2), pytest.raises(DeadlineExceeded):
            response.content  # noqa: B018 - reads it


def test_deadline_that_passes_while_it_is_resumed():
    session = resilient_session(logger=None, timeout=5, backoff_factor=0)
    with FaultServer(Site(50_000), default=Reply(cut="before", by="stall")) as server:
        response = session.get(server.url("/"), stream=True)
        with deadline(0.2), pytest.raises(DeadlineExceeded, match="after 50000 of"):
            response.content  # noqa: B018 - reads it


def test_interrupt_while_it_is_resumed_comes_through(fast_retries):
    interrupts = [KeyboardInterrupt()]

    def prepare(request, number):
        if number == 2 and interrupts:
            raise interrupts.pop()

    session = resilient_session(prepare_attempt=prepare, logger=None)
    with FaultServer(default=Site(50_000)) as server:
        response = session.get(server.url("/"), stream=True)
        with pytest.raises(KeyboardInterrupt):
            response.raw.read()
    assert len(server.requests) == 1


def test_driven_adapters_are_left_alone(fast_retries):
    class Own(requests.adapters.HTTPAdapter):
        def send(self, request, **kwargs):
            return super().send(request, **kwargs)

    session = requests.Session()
    session.mount("http://", Own())
    resilient_session(session, logger=None)
    with FaultServer(default=Site(50_000)) as server, pytest.raises(requests.ConnectionError):
        session.get(server.url("/"), stream=True).content  # noqa: B018 - reads it
    assert len(server.requests) == 1


def test_session_and_response_are_released_by_reference_counting(fast_retries):
    import weakref  # noqa: PLC0415

    session = requests.Session()
    session.mount("http://", TimeoutHTTPAdapter())
    gc.collect()
    gc.disable()
    try:
        with FaultServer(default=Site(50_000)) as server:
            response = session.get(server.url("/"), stream=True)
            response.content  # noqa: B018 - reads it
            gone = weakref.ref(response.raw)
            del response
            assert gone() is None
    finally:
        gc.enable()


def test_log_says_that_it_goes_on_and_that_it_broke(fast_retries, caplog):
    caplog.set_level("INFO", "resilient_session")
    session = resilient_session()
    with FaultServer(Site(50_000), Site(10), default=Reply(404)) as server:
        with pytest.raises(ChunkedEncodingError):
            session.get(server.url("/"), stream=True).content  # noqa: B018 - reads it
        lines = [record.getMessage() for record in caplog.records]
    assert any("Resumed GET" in line and "after 50000 of 120000 bytes" in line for line in lines)
    assert any("broke after 50010 of 120000 bytes" in line for line in lines)


@pytest.mark.parametrize("cuts", [(50_000,), (50_000, 0, 0, 0)])
@pytest.mark.parametrize("way", ["read1", "readinto", "raw.read1"])
def test_ways_of_http_client(cuts, way, streaming):
    def read1():
        return iter(lambda: response.raw._fp.read1(777), b"")

    def raw_read1():
        return iter(lambda: response.raw.read1(777), b"")

    def readinto():
        buffer = bytearray(777)
        while count := response.raw._fp.readinto(buffer):
            yield buffer[:count]

    if way == "raw.read1" and not hasattr(urllib3.HTTPResponse, "read1"):
        pytest.skip("this urllib3 has none")
    got = bytearray()
    with FaultServer(default=Site(*cuts)) as server:
        response = streaming.get(server.url("/"), stream=True)
        try:
            for piece in {"read1": read1, "readinto": readinto, "raw.read1": raw_read1}[way]():
                got += piece
        except OSError:
            assert len(cuts) > 1
    assert got == (BODY if len(cuts) == 1 else BODY[:50_000])


HEAD = b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nTransfer-Encoding: chunked\r\n\r\n'


@pytest.mark.parametrize(
    ("first", "rest", "reason"),
    [
        (
            HEAD + b"2710\r\n" + BODY[:100],
            Reply(206, BODY[100:200], headers={**ETAG, "Content-Range": "bytes 100-199/200"}),
            "the rest does not fit the chunk that broke",
        ),
        (HEAD + b"2710\r\n", Reply(200, b"short", headers=ETAG, framing="chunked"), "it ends inside a chunk"),
    ],
)
def test_rest_that_does_not_fill_the_chunk_is_refused(first, rest, reason, streaming):
    with FaultServer(Reply(raw=first, keep_alive=False), rest) as server:
        response = streaming.get(server.url("/"), stream=True)
        with pytest.raises(ChunkedEncodingError, match=reason):
            response.content  # noqa: B018 - reads it


def test_server_that_is_gone_ends_it_with_all_attempts(streaming):
    with FaultServer(Site(50_000), default=Reply.reset()) as server:
        response = streaming.get(server.url("/"), stream=True)
        with pytest.raises(ChunkedEncodingError, match="no retries are left") as caught:
            response.content  # noqa: B018 - reads it
    assert [attempt.cause for attempt in attempts_of(caught.value)] == ["body", "reset", "reset", "reset"]


def test_empty_bodies_and_bodies_of_others_have_nothing_to_go_on_with(fast_retries):
    class Memory(requests.adapters.BaseAdapter):
        def send(self, request, **kwargs):
            response = requests.Response()
            response.status_code, response.raw, response.request = 200, io.BytesIO(b"memory"), request
            return response

        def close(self):
            pass

    session = requests.Session()
    session.mount("http://memory", Memory())
    resilient_session(session, logger=None)
    assert session.get("http://memory/", stream=True).content == b"memory"
    with FaultServer(Reply(200, headers=ETAG)) as server:
        assert session.get(server.url("/"), stream=True).content == b""


def test_body_that_an_adapter_wraps_is_left_to_it(events):
    class Wrapper:
        """Looks at what passes, as caches do."""

        def __init__(self, inner):
            self.inner, self.passed = inner, b""

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def read(self, amt=None):
            data = self.inner.read(amt)
            self.passed += data
            return data

    class Caching(TimeoutHTTPAdapter):
        def build_response(self, request, raw):
            raw._fp = Wrapper(raw._fp)
            return super().build_response(request, raw)

    session = requests.Session()
    session.mount("http://", Caching(logger=None, on_event=events.append))
    with FaultServer(default=Site(50_000)) as server:
        response = session.get(server.url("/"), stream=True)
        with pytest.raises(ChunkedEncodingError):
            response.content  # noqa: B018 - reads it
        assert len(response.raw._fp.passed) == 50_000
    assert len(server.requests) == 1
    assert events[-1].kind == "stream-broken"


@pytest.mark.skipif(not hasattr(urllib3.HTTPResponse, "read1"), reason="this urllib3 has none")
def test_read1_of_a_body_that_cannot_go_on(streaming):
    with FaultServer(Reply(200, BODY, framing="chunked", cut="body", after=50_000)) as server:
        response = streaming.get(server.url("/"), stream=True)
        with pytest.raises(urllib3.exceptions.HTTPError):
            while response.raw.read1(1000):
                pass


class Zeros(bytes):
    """A body of zeros whose slices are shared: the server keeps all that it sends."""

    __slots__ = ()
    parts = functools.cache(bytes)

    def __getitem__(self, place):
        start, end, _ = place.indices(len(self))
        return Zeros.parts(end - start)


def test_memory_stays_flat_over_a_long_stream(clock):
    """What grows is the record of the attempts, and the server's of its requests."""
    site = Site(*[400_000] * 60, body=Zeros(30_000_000), most=600_000)
    session = resilient_session(total=100, retry_quota=None, clock=clock, logger=None)
    sizes, count = [], 0
    with FaultServer(default=site) as server, session.get(server.url("/"), stream=True) as response:
        tracemalloc.start()
        for piece in response.iter_content(65536):
            count += len(piece)
            if count >= len(site.body) * (1 + len(sizes)) // 4:
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert count == len(site.body)
    assert len(attempts_of(response)) > 60
    assert sizes[-1] - sizes[0] < 1_000_000
