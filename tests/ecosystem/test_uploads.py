"""Uploads that requests-toolbelt streams: read once, so sent again only if nothing of them was sent."""

from __future__ import annotations

import contextlib
import io

import pytest
import requests

from resilient_session import attempts_of, resilient_session
from resilient_session.testing import FaultServer, Reply

toolbelt = pytest.importorskip("requests_toolbelt")


def upload(session, method, url, **options):
    fields = {"name": "report", "file": ("report.csv", io.BytesIO(b"1;2;3\n" * 50_000), "text/csv")}
    body = toolbelt.MultipartEncoder(fields, **options)
    return session.request(method, url, data=body, headers={"Content-Type": body.content_type})


def test_multipart_is_sent_once_and_whole(faulty):
    server = faulty()
    session = resilient_session(logger=None)
    for _ in range(8):
        with contextlib.suppress(requests.ConnectionError):
            upload(session, "PUT", server.url("/"))
    assert len(server.requests) == 8
    assert {len(one.body) for one in server.requests} == {len(server.requests[0].body)}


def test_multipart_is_not_sent_again_and_its_last_answer_says_why():
    with FaultServer(Reply(503), Reply(200)) as server:
        response = upload(resilient_session(logger=None), "PUT", server.url("/"))
    assert (response.status_code, len(server.requests)) == (503, 1)
    assert "body" in attempts_of(response)[-1].reason


def test_multipart_of_which_nothing_was_sent_is_tried_again(fast_retries):
    session = resilient_session(logger=None)
    with FaultServer() as server:
        server.refuse()
        clock = fast_retries
        clock._on_sleep = lambda _: server.accept()
        assert upload(session, "POST", server.url("/")).ok


def test_multipart_that_is_held_in_memory_is_sent_again(fast_retries):
    fields = toolbelt.MultipartEncoder({"file": ("report.csv", b"1;2;3\n" * 50_000)})
    with FaultServer(Reply(503), Reply.reset(), Reply(200)) as server:
        response = resilient_session(logger=None).put(
            server.url("/"), data=fields.to_string(), headers={"Content-Type": fields.content_type}
        )
    assert response.ok
    assert len({one.body for one in server.requests}) == 1


def test_monitored_multipart_is_sent_once_and_counted(fast_retries):
    seen = []
    body = toolbelt.MultipartEncoderMonitor.from_fields(
        {"file": ("f", b"x" * 100_000)}, callback=lambda monitor: seen.append(monitor.bytes_read)
    )
    with FaultServer(Reply(503), Reply(200)) as server:
        resilient_session(logger=None).put(server.url("/"), data=body)
    assert len(server.requests) == 1
    assert seen[-1] == len(server.requests[0].body)
