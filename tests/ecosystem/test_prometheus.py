"""Prometheus with its own client library: read by the official parser, and with many processes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

prometheus_client = pytest.importorskip("prometheus_client")

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from resilient_session import Breaker, resilient_session
from resilient_session.prometheus import PrometheusObserver
from resilient_session.testing import FaultServer, Reply

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def registry():
    return prometheus_client.CollectorRegistry()


@pytest.fixture
def observed(registry, fast_retries):
    return resilient_session(observers=[PrometheusObserver(registry)], logger=None)


def samples(registry):
    text = generate_latest(registry).decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def total(registry, name, **labels):
    found = (one for one in samples(registry) if one.name == f"resilient_session_{name}")
    return sum(one.value for one in found if labels.items() <= one.labels.items())


def test_attempts_and_calls_are_counted(observed, registry):
    with FaultServer(Reply(503), Reply.reset(), Reply(200), Reply(200), default=Reply(500)) as server:
        for _ in range(3):
            observed.get(server.url("/"))
        origin = server.url("")
    assert total(registry, "attempts_total", cause="status", verdict="retry", origin=origin, method="GET") == 4
    assert total(registry, "attempts_total", cause="reset") == 1
    assert total(registry, "attempts_total", cause="ok", verdict="done") == 2
    assert total(registry, "attempts_total", cause="status", verdict="exhausted") == 1
    assert [total(registry, "calls_total", outcome=one) for one in ("succeeded", "recovered", "gave-up")] == [
        1,
        1,
        1,
    ]
    assert total(registry, "attempt_duration_seconds_count") == 8
    assert total(registry, "wait_seconds_total") > 0


def test_post_that_is_not_repeated_is_seen_as_such(observed, registry):
    with FaultServer(Reply(502)) as server:
        observed.post(server.url("/"), data="x")
    assert total(registry, "attempts_total", verdict="unsafe-method", method="POST") == 1


def test_circuit_cool_down_and_held_attempts(registry, fast_retries):
    observer = PrometheusObserver(registry)
    breaker = Breaker(minimum=2)
    broken = resilient_session(observers=[observer], breaker=breaker, total=0, logger=None)
    with FaultServer(default=Reply(500)) as server:
        for _ in range(2):
            broken.get(server.url("/"))
        assert total(registry, "circuit_state") == 1.0
        with pytest.raises(requests.ConnectionError):
            broken.get(server.url("/"))
    assert total(registry, "attempts_total", cause="not-sent") == 1
    assert total(registry, "attempt_duration_seconds_count") == 2
    patient = resilient_session(observers=[observer], cool_down=True, total=0, logger=None)
    with FaultServer(Reply(429, headers={"Retry-After": "7"}), Reply(200)) as server:
        patient.get(server.url("/"))
        before = total(registry, "wait_seconds_total")
        patient.get(server.url("/"))
        origin = server.url("")
    assert total(registry, "cool_down_until_timestamp_seconds", origin=origin) > 1e9
    assert total(registry, "wait_seconds_total") - before >= 6.9


def test_quota_in_use_is_a_gauge(registry):
    session = resilient_session(observers=[PrometheusObserver(registry)], backoff_factor=0, logger=None)
    with FaultServer(default=Reply(500)) as server:
        session.get(server.url("/"))
    assert 10 < total(registry, "quota_tokens_in_use") <= 15


def test_labels_stay_bounded(registry, fast_retries):
    observer = PrometheusObserver(registry)
    observer._origins._most = 20
    session = resilient_session(observers=[observer], total=0, timeout=0.001, logger=None)
    for number in range(500):
        with pytest.raises(requests.ConnectionError):
            session.request(f"M{number}", f"http://127.0.{number % 250}.{number % 7}:1/{number}?q={number}")
    calls = [one for one in samples(registry) if one.name == "resilient_session_calls_total"]
    assert {one.labels["method"] for one in calls} == {"other"}
    assert len({one.labels["origin"] for one in calls}) == 21


def test_secrets_reach_no_label(observed, registry):
    with FaultServer(Reply(503), Reply(200)) as server:
        url = server.url("/?key=s3cret-1").replace("//", "//user:s3cret-2@")
        observed.get(url, headers={"X-Key": "s3cret-3"})
    assert "s3cret" not in generate_latest(registry).decode()


def test_namespace_is_yours_and_two_observers_need_two(registry):
    PrometheusObserver(registry)
    PrometheusObserver(registry, namespace="billing_http")
    with pytest.raises(ValueError, match="Duplicated"):
        PrometheusObserver(registry)


WORKER = """
import sys
from resilient_session import resilient_session
from resilient_session.prometheus import PrometheusObserver
session = resilient_session(observers=[PrometheusObserver()], backoff_factor=0, logger=None)
for _ in range(5):
    session.get(sys.argv[1])
"""


def test_processes_are_added_up(tmp_path):
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    with FaultServer(default=Reply(500)) as server:
        workers = [
            subprocess.Popen([sys.executable, "-c", WORKER, server.url("/")], env=environment) for _ in range(3)
        ]
        assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    read = """
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""
    ran = subprocess.run([sys.executable, "-c", read], env=environment, capture_output=True, text=True, check=True)
    found = [one for family in text_string_to_metric_families(ran.stdout) for one in family.samples]
    calls = [one.value for one in found if one.name == "resilient_session_calls_total"]
    assert sum(calls) == 15
    attempts = {one.labels["verdict"]: one.value for one in found if one.name.endswith("_attempts_total")}
    assert attempts["retry"] + attempts["exhausted"] + attempts.get("quota", 0) == 60


def names_of_metrics(registry):
    return {sample.name for sample in samples(registry)}


@pytest.mark.parametrize("page", ["grafana-dashboard.json", "prometheus-alerts.yml"])
def test_dashboard_and_alerts_name_metrics_and_labels_that_exist(page, observed, registry):
    with FaultServer(Reply(429, headers={"Retry-After": "1"}), Reply(200)) as server:
        observed.get(server.url("/"))
    observer_names = names_of_metrics(registry) | {
        "resilient_session_circuit_state",
        "resilient_session_cool_down_until_timestamp_seconds",
    }
    text = (DOCS / "_static" / page).read_text()
    named = set(re.findall(r"resilient_session_\w+", text))
    assert named
    assert named <= observer_names
    if page.endswith(".json"):
        assert len(json.loads(text)["panels"]) >= 6
    else:
        assert text.count("- alert:") == 3


def test_stream_that_is_resumed_is_one_call(observed, registry):
    whole = Reply(200, b"x" * 1000, headers={"ETag": '"v1"'}, cut="body", after=500)
    rest = Reply(206, b"x" * 500, headers={"ETag": '"v1"', "Content-Range": "bytes 500-999/1000"})
    with FaultServer(whole, rest) as server:
        assert len(observed.get(server.url("/"), stream=True).content) == 1000
    assert total(registry, "calls_total") == 1
    assert total(registry, "attempts_total") == 2
