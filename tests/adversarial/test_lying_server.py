"""A server that lies about the rest of a body: no byte that does not belong, and every end says how far it came.

What nobody can find out is left out: a server that sends other bytes under the same validator, in the range that it
names. ``LIES=100000 pytest tests/adversarial/test_lying_server.py`` tries as many behaviours.
"""

from __future__ import annotations

import contextlib
import os
import random
import zlib

import pytest
import requests
import urllib3
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from resilient_session import download, resilient_session
from resilient_session.testing import FaultServer, Reply, fast_retries

LIES = int(os.environ.get("LIES", "400"))
PLAIN = random.Random(1).randbytes(3000)  # noqa: S311 - a body
CODED = zlib.compress(PLAIN)
DATE = {"Date": "Thu, 01 Jan 2026 12:00:00 GMT"}
VALIDATORS = {
    "etag": {"ETag": '"v1"'},
    "date": {"Last-Modified": "Thu, 01 Jan 2026 11:00:00 GMT", **DATE},
}
OTHERS = [
    {"ETag": '"v2"'},
    {"ETag": 'W/"v1"'},
    {"ETag": "v1"},
    {"Last-Modified": "Thu, 01 Jan 2026 11:00:01 GMT", **DATE},
    {"ETag": '"v1", "v2"'},
    {},
]

starts = st.sampled_from([0, 0, 0, 1, -1, 100])
cuts = st.fixed_dictionaries(
    {
        "where": st.sampled_from([None, None, 0, 1, 2, 5, 100, 1000, 2500]),
        "by": st.sampled_from(["close", "close", "reset", "stall"]),
    }
)
turns = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(
            ["honest"] * 6
            + ["other version", "whole", "start", "total", "shorter", "longer", "status", "coding", "multipart"]
        ),
        "cut": cuts,
        "framing": st.sampled_from(["length", "length", "chunked", "close"]),
        "off": starts,
        "other": st.sampled_from(OTHERS),
        "size": st.sampled_from([None, None, 1, 10, 1000]),
        "status": st.sampled_from([200, 204, 206, 302, 304, 401, 404, 412, 416, 500, 503]),
    }
)


class Liar:
    """Answers the first request with the body, and each later one as its turn says."""

    def __init__(self, body, headers, first, later):
        self.body, self.headers, self.first, self.later = body, headers, first, list(later)

    def __call__(self, request):
        asked = request.headers.get("Range")
        if asked is None:
            return self.reply(200, self.body, self.headers, self.first)
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        turn = (
            self.later.pop(0)
            if self.later
            else self.first | {"kind": "honest", "cut": {"where": None, "by": "close"}}
        )
        return getattr(self, "be_" + turn["kind"].replace(" ", "_"), self.be_honest)(start, turn)

    def reply(self, status, body, headers, turn):
        cut = turn["cut"]
        if status in {204, 304}:
            return Reply(status, headers=headers)
        if cut["where"] is None or cut["where"] >= len(body):
            return Reply(status, body, headers=headers, framing=turn["framing"])
        return Reply(
            status, body, headers=headers, framing=turn["framing"], cut="body", by=cut["by"], after=cut["where"]
        )

    def be_honest(self, start, turn, /, **changes):
        end = len(self.body) if turn["size"] is None else min(len(self.body), start + turn["size"])
        named = {"start": start, "end": end, "total": len(self.body), **changes}
        headers = {
            **self.headers,
            "Content-Range": "bytes {start}-{last}/{total}".format(last=named["end"] - 1, **named),
        }
        return self.reply(206, self.body[named["start"] : named["end"]], headers, turn)

    def be_start(self, start, turn):
        return self.be_honest(start, turn, start=max(0, start + turn["off"]))

    def be_total(self, start, turn):
        return self.be_honest(start, turn, total=len(self.body) + turn["off"])

    def be_shorter(self, start, turn):
        headers = {**self.headers, "Content-Range": f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"}
        return self.reply(206, self.body[start : start + (turn["size"] or 1)], headers, turn)

    def be_longer(self, start, turn):
        end = min(len(self.body), start + (turn["size"] or 7))
        headers = {**self.headers, "Content-Range": f"bytes {start}-{end - 1}/{len(self.body)}"}
        return self.reply(206, self.body[start:end] + b"beyond its range", headers, turn)

    def be_other_version(self, start, turn):
        body = b"another version" * 300
        headers = {**turn["other"], "Content-Range": f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"}
        kept = {name: self.headers[name] for name in ("Content-Encoding",) if name in self.headers}
        return self.reply(206, body[start : len(self.body)], {**kept, **headers}, turn)

    def be_whole(self, start, turn):
        is_same = turn["off"] == 0
        headers = self.headers if is_same else turn["other"]
        return self.reply(200, self.body if is_same else b"another version" * 300, headers, turn)

    def be_status(self, start, turn):
        return self.reply(turn["status"], b"no part of it", {"ETag": '"v0"'}, turn)

    def be_coding(self, start, turn):
        body = b"coded otherwise" * 300
        headers = {**self.headers, "Content-Range": f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"}
        headers["Content-Encoding"] = "br" if "Content-Encoding" in headers else "gzip"
        return self.reply(206, body[start : len(self.body)], headers, turn)

    def be_multipart(self, start, turn):
        body = (
            f"--x\r\nContent-Range: bytes {start}-{len(self.body) - 1}/{len(self.body)}\r\n\r\n".encode()
            + self.body[start:]
        )
        return self.reply(206, body, {**self.headers, "Content-Type": "multipart/byteranges; boundary=x"}, turn)


def read(response, way, size):
    """Return what is read, and the exception that ended it."""
    got = bytearray()
    try:
        if way == "iter_content":
            for piece in response.iter_content(size):
                got += piece
        elif way == "raw.stream":
            for piece in response.raw.stream(size, decode_content=True):
                got += piece
        elif way == "raw.read":
            while piece := response.raw.read(size, decode_content=True):
                got += piece
        elif way == "raw.readinto":
            response.raw.decode_content = True
            buffer = bytearray(size)
            while count := response.raw.readinto(buffer):
                got += buffer[:count]
        else:
            got += response.content
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        return bytes(got), error
    return bytes(got), None


@pytest.fixture(scope="module")
def session():
    with fast_retries():
        yield resilient_session(total=4, retry_quota=None, timeout=(2, 0.05), logger=None)


many = settings(
    max_examples=LIES,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)


@many
@given(
    coded=st.booleans(),
    validator=st.sampled_from(["etag", "etag", "date"]),
    first=st.fixed_dictionaries(
        {"cut": cuts, "framing": st.sampled_from(["length", "chunked", "close"]), "size": st.none()}
    ),
    later=st.lists(turns, max_size=5),
    way=st.sampled_from(["iter_content", "raw.stream", "raw.read", "raw.readinto", "content"]),
    size=st.sampled_from([1, 7, 512, 10_000]),
)
def test_no_byte_that_does_not_belong(session, coded, validator, first, later, way, size):
    size = max(size, 100) if way == "raw.readinto" else size
    headers = {**VALIDATORS[validator], **({"Content-Encoding": "deflate"} if coded else {})}
    body = CODED if coded else PLAIN
    whole = [first, *(turn for turn in later if turn["kind"] == "whole")]
    is_undetectable = first["framing"] == "close" and any(
        turn["framing"] == "close"
        and turn["cut"]["where"] is not None
        and turn["cut"]["by"] == "close"
        and not (coded and turn["cut"]["where"])
        for turn in whole
    )  # a body that ends with its connection, closed in order
    with FaultServer(default=Liar(body, headers, first, later)) as server:
        try:
            response = session.get(server.url("/"), stream=True)
        except requests.RequestException:
            return  # cut before the body began
        with response:
            got, error = read(response, way, size)
    assert PLAIN.startswith(got)
    if error is None:
        assert got == PLAIN or is_undetectable
        return
    assert isinstance(error, requests.RequestException)
    assert error.attempts


@many
@given(
    coded=st.booleans(),
    validator=st.sampled_from(["etag", "etag", "date"]),
    first=st.fixed_dictionaries(
        {"cut": cuts, "framing": st.sampled_from(["length", "chunked", "close"]), "size": st.none()}
    ),
    later=st.lists(turns, max_size=8),
)
def test_no_file_that_is_not_one(session, tmp_path_factory, coded, validator, first, later):
    """Two runs: the second may go on with what the first left."""
    path = tmp_path_factory.mktemp("lies") / "file"
    headers = {**VALIDATORS[validator], **({"Content-Encoding": "deflate"} if coded else {})}
    liar = Liar(CODED if coded else PLAIN, headers, first, later)
    files = {PLAIN, b"another version" * 300, b"no part of it"}
    is_undetectable = any(
        turn["framing"] == "close" and turn["cut"]["where"] is not None and turn["cut"]["by"] == "close"
        for turn in [first, *later]
    )  # a body that ends with its connection, closed in order
    with FaultServer(default=liar) as server:
        for _ in range(2):
            with contextlib.suppress(requests.RequestException):
                download(server.url("/"), path, session=session)
    if path.exists():
        got = path.read_bytes()
        assert got in files or (is_undetectable and any(file.startswith(got) for file in files))
