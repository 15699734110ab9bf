"""The faults of the demo: what the server does, what is sent, and what a resilient session promises."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from resilient_session._download._download import download
from resilient_session.testing import Reply

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import TypeAlias

    import requests

    from resilient_session._cli._selfsigned import SelfSigned
    from resilient_session.testing import RecordedRequest

    Send: TypeAlias = Callable[[requests.Session, str], requests.Response | int]
    """Sends a request and returns the response, or the bytes that it saved."""

_HOUR = 3600
_FILE = b"\1" * 50_000_000
_BREAKS = 9_000_000
_CONTENT = "the whole content"
_EXPLANATION = '{"error": "the disk is full"}'
_OK, _ERROR, _UNAVAILABLE = 200, 500, 503


class Measured(NamedTuple):
    """The measured result of one session in one scenario.

    Attributes:
        connections: the number of connections that the server accepted.
        requests: the number of requests that the server received.
        effects: the number of requests that changed something on the server.
        waited: the waits between attempts, in seconds on a virtual clock.
        status: the status of the returned response; None if an exception was raised.
        outcome: the returned status and body, or the class of the exception.
    """

    connections: int
    requests: int
    effects: int
    waited: float
    status: int | None
    outcome: str


class Scenario(NamedTuple):
    """A fault, and the promise of a resilient session.

    Attributes:
        title: the request and its fault.
        script: the server's responses.
        send: sends the request to a URL through a session.
        promise: the result of a resilient session, in words.
        kept: returns whether a result keeps the promise.
        tls: the server's TLS context; None for plain HTTP.
        send_by_recipe: sends it as users of the usual recipe do; None: as `send`.
    """

    title: str
    script: tuple[Reply | Callable[[RecordedRequest], Reply], ...]
    send: Send
    promise: str
    kept: Callable[[Measured], bool]
    tls: ssl.SSLContext | None = None
    send_by_recipe: Send | None = None


def scenarios(certificate: SelfSigned | None) -> tuple[Scenario, ...]:
    """Return the seven scenarios.

    Args:
        certificate: the certificate of the TLS servers; None: two scenarios without TLS replace theirs.
    """
    tls = _over_tls(certificate) if certificate else _WITHOUT_TLS
    return (*_BODIES, *tls, *_STATUSES, _DOWNLOAD)


def _get(session: requests.Session, url: str) -> requests.Response:
    return session.get(url)


def _store(request: RecordedRequest) -> Reply:
    return Reply(200, f"stored {len(request.body)} bytes")


def _file(request: RecordedRequest) -> Reply:
    """Return a part of the file; a connection breaks after each 9 MB of it."""
    start = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    ranged = {"Content-Range": f"bytes {start}-{len(_FILE) - 1}/{len(_FILE)}"} if start else {}
    whole = Reply(206 if start else 200, _FILE[start:], headers={"ETag": '"v1"', **ranged})
    after = _BREAKS - start % _BREAKS
    return whole if start + after > len(_FILE) else dataclasses.replace(whole, cut="body", after=after)


def _download(session: requests.Session, url: str) -> int:
    with tempfile.TemporaryDirectory() as directory:
        return download(url, Path(directory, "file"), session=session).stat().st_size


def _stream(session: requests.Session, url: str) -> int:
    """Save a file as it is done with requests."""
    with tempfile.TemporaryFile() as file, session.get(url, stream=True) as response:
        return sum(map(file.write, response.iter_content(65536)))


_DOWNLOAD = Scenario(
    title="a download of 50 MB that breaks five times",
    script=(_file,) * 6,
    send=_download,
    promise="the file is saved, and at most 1 % is fetched twice",
    kept=lambda ours: ours.outcome == "50.0 MB saved, 50.0 MB fetched",
    send_by_recipe=_stream,
)
_BODIES = (
    Scenario(
        title="a GET whose first response is cut in the body",
        script=(Reply(200, _CONTENT, cut="body"), Reply(200, _CONTENT)),
        send=_get,
        promise="the whole body is returned, after a second request",
        kept=lambda ours: ours.outcome == f"{_OK}: {_CONTENT}" and ours.requests == 2,  # noqa: PLR2004
    ),
    Scenario(
        title="a PUT of a generator (11 bytes) whose first response is 503",
        script=(Reply(503, "try again"), _store),
        send=lambda session, url: session.put(url, data=iter([b"hello ", b"world"])),
        promise="the 503 is returned, and the server stores no empty body",
        kept=lambda ours: ours.status == _UNAVAILABLE and ours.effects == 0,
    ),
)
_STATUSES = (
    Scenario(
        title="a GET whose response is 503 with Retry-After: 3600",
        script=(Reply(503, "back in an hour", headers={"Retry-After": f"{_HOUR}"}), Reply(200, "back again")),
        send=_get,
        promise="the 503 is returned at once",
        kept=lambda ours: ours.status == _UNAVAILABLE and ours.waited == 0,
    ),
    Scenario(
        title="a GET whose responses are all 500 with an explanation",
        script=(Reply(500, _EXPLANATION, headers={"Content-Type": "application/json"}),) * 4,
        send=_get,
        promise="the last response is returned, with the explanation",
        kept=lambda ours: ours.outcome == f"{_ERROR}: {_EXPLANATION}",
    ),
)
_WITHOUT_TLS = (
    Scenario(
        title="a POST whose response is lost in a reset (no openssl found, so without TLS)",
        script=(Reply.reset(),),
        send=lambda session, url: session.post(url, data=b"amount=100"),
        promise="the POST takes effect once",
        kept=lambda ours: ours.effects == 1,
    ),
    Scenario(
        title="a GET whose response is 503 with Retry-After: 0.5 (no openssl found, so without TLS)",
        script=(Reply(503, headers={"Retry-After": "0.5"}), Reply(200, _CONTENT)),
        send=_get,
        promise="the content is returned after the wait",
        kept=lambda ours: ours.outcome == f"{_OK}: {_CONTENT}",
    ),
)


def _over_tls(certificate: SelfSigned) -> tuple[Scenario, ...]:
    return (
        Scenario(
            title="a POST whose response is lost in a broken TLS stream",
            script=(),
            send=lambda session, url: session.post(url, data=b"amount=100", verify=str(certificate.certificate)),
            promise="the POST takes effect once",
            kept=lambda ours: ours.effects == 1,
            tls=certificate.context(breaks=True),
        ),
        Scenario(
            title="a GET from a server with a self-signed certificate",
            script=(),
            send=_get,
            promise="the first connection is refused, and not retried",
            kept=lambda ours: ours.connections == 1 and ours.outcome == "SSLError",
            tls=certificate.context(),
        ),
    )
