"""structlog itself, as people configure it: native, over logging, with JSON."""

from __future__ import annotations

import json
import logging

import pytest

from resilient_session import resilient_session
from resilient_session.testing import FaultServer, Reply

structlog = pytest.importorskip("structlog")


@pytest.fixture(params=["native", "filtering", "over logging"])
def lines(request, caplog):
    """A way to read what was logged as JSON, for each way to configure structlog."""
    written = []

    class Sink:
        def msg(self, text):
            written.append(text)

        debug = info = warning = error = critical = exception = msg

    ways = {
        "native": {"logger_factory": lambda *_: Sink(), "wrapper_class": structlog.BoundLogger},
        "filtering": {
            "logger_factory": lambda *_: Sink(),
            "wrapper_class": structlog.make_filtering_bound_logger(logging.INFO),
        },
        "over logging": {
            "logger_factory": structlog.stdlib.LoggerFactory(),
            "wrapper_class": structlog.stdlib.BoundLogger,
        },
    }
    level = [] if request.param == "native" else [structlog.processors.add_log_level]
    structlog.configure(processors=[*level, structlog.processors.JSONRenderer()], **ways[request.param])
    caplog.set_level("INFO")
    yield lambda: [json.loads(text) for text in (written or [record.message for record in caplog.records])]
    structlog.reset_defaults()


def test_events_are_lines_with_fields(lines, fast_retries):
    session = resilient_session(logger=structlog.get_logger())
    with FaultServer(Reply(503), Reply(200)) as server:
        session.get(server.url("/?key=s3cret"))
    retrying, recovered = lines()
    assert retrying["event"].startswith("Retrying GET http://")
    assert (retrying["kind"], retrying["number"], retrying["cause"]) == ("retry-scheduled", 1, "status")
    assert (recovered["kind"], recovered["status"], recovered["verdict"]) == ("recovered", 200, "done")
    assert "s3cret" not in json.dumps(lines())


def test_bound_values_stay(lines, fast_retries):
    session = resilient_session(logger=structlog.get_logger().bind(job="nightly"))
    with FaultServer(default=Reply(500)) as server:
        session.get(server.url("/"))
    assert {line["job"] for line in lines()} == {"nightly"}
    assert lines()[-1]["kind"] == "gave-up"


def test_hook_that_fails_is_logged(lines, fast_retries):
    def fail(event):
        raise ValueError

    session = resilient_session(logger=structlog.get_logger(), on_event=fail)
    with FaultServer() as server:
        session.get(server.url("/"))
    assert any("on_event failed" in line["event"] for line in lines())
