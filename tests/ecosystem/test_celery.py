"""A real worker of Celery, prefork, with a session of its module: soft time limits, children, no second retry."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys

import pytest

from resilient_session.testing import FaultServer, Reply

celery = pytest.importorskip("celery", reason="needs Celery")

MODULE = """
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from resilient_session import resilient_session

folder = {folder!r}
app = Celery("shop", broker="filesystem://", backend="file://" + folder)
app.conf.broker_transport_options = {{
    "data_folder_in": folder, "data_folder_out": folder, "control_folder": folder + "/control",
}}
session = resilient_session(logger=None, backoff_factor=0)  # before the worker forks


@app.task
def fetch(url):
    import os
    return session.get(url).text, os.getpid()


@app.task(soft_time_limit=1, time_limit=20)
def stalled(url):
    try:
        session.get(url)
    except SoftTimeLimitExceeded:
        return "interrupted"
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The module of the tasks, while a worker runs them."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "control").mkdir()
    (folder / "shop.py").write_text(MODULE.format(folder=str(folder)))
    words = [sys.executable, "-m", "celery", "-A", "shop", "worker", "-P", "prefork", "-c", "2", "-l", "warning"]
    path = os.pathsep.join([str(folder), *sys.path])
    sys.path.insert(0, str(folder))
    with subprocess.Popen(words, cwd=folder, env={**os.environ, "PYTHONPATH": path}) as worker:  # noqa: S603 - ours
        yield importlib.import_module("shop")
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
    sys.path.remove(str(folder))


def test_worker_that_forks_uses_the_session_of_its_module(shop):
    with FaultServer(Reply(503), default=Reply(200, "tea")) as server:
        asked = [shop.fetch.delay(server.url()) for _ in range(6)]
        results = [one.get(timeout=30) for one in asked]
        assert len(server.requests) == 7
    assert {text for text, _ in results} == {"tea"}
    assert os.getpid() not in {pid for _, pid in results}


def test_soft_time_limit_ends_a_call_and_is_not_retried(shop):
    with FaultServer(default=Reply.stall()) as server:
        assert shop.stalled.delay(server.url()).get(timeout=30) == "interrupted"
        assert len(server.requests) == 1
    with FaultServer(default=Reply(200, "tea")) as server:
        assert shop.fetch.delay(server.url()).get(timeout=30)[0] == "tea"
