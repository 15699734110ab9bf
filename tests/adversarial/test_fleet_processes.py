"""A fleet of processes on one store: one pause counts for all, and what all send stays within the limit.

Two processes and a short time in the ordinary run; ``nox -s fleet`` takes eight, and longer.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from contextlib import ExitStack

import pytest

from resilient_session._limits._pace import LATE
from resilient_session.testing import FaultServer, Reply

pytest.importorskip("redis", reason="needs the package redis")

PROCESSES = int(os.environ.get("FLEET_PROCESSES", "2"))
SECONDS = float(os.environ.get("FLEET_SECONDS", "1.3"))
WORKER = pathlib.Path(__file__).parent.parent / "support" / "fleet_worker.py"
REFRESH, ROUND_TRIP = 0.1, 0.3
"""Seconds; what may be under way, on a busy machine, when another process is told to pause."""


def run(store, rate, pause, *urls):
    """Run the processes, the first with a wall clock that is two hours off; return the calls of each."""
    with ExitStack() as stack:
        workers = []
        for number in range(PROCESSES):
            arguments = (store, SECONDS, rate, 2 if number == 0 else 0, pause, *urls)
            command = [sys.executable, str(WORKER), *map(str, arguments)]
            worker = subprocess.Popen(  # noqa: S603 - our own
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            stack.callback(worker.kill)
            workers.append(stack.enter_context(worker))
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            worker.stdin.write("\n")
            worker.stdin.flush()
        return [json.loads(worker.stdout.readline()) for worker in workers]


def crowded(times, window):
    """Return the largest number of moments in any window of that length."""
    return max(sum(first <= time < first + window for time in times) for first in times)


def test_shared_limit_is_kept_used_and_fair(redis_server):
    with FaultServer(default=Reply(200)) as server:
        counts = [made[server.url()] for made in run(redis_server.url, "50/second", 0, server.url())]
    sent = sorted(float(request.headers["X-Sent"]) for request in server.requests)
    assert crowded(sent, 1.0) <= 50
    times = sorted(request.time for request in server.requests)
    transits = [request.time - float(request.headers["X-Sent"]) for request in server.requests]
    noise = max(0.0, max(transits) - min(transits) - LATE)  # beyond what the windows allow for: a busy machine
    assert crowded(times, 1.0 - noise) <= 50
    assert len(times) >= 0.9 * 50 * SECONDS
    assert sum(counts) ** 2 / (len(counts) * sum(count**2 for count in counts)) >= 0.9


def test_pause_that_one_is_told_counts_for_all_and_for_this_origin_alone(redis_server):
    told = []

    def reply(request):
        if not told and request.number > 3 * PROCESSES:
            told.append(request)
            return Reply(429, headers={"Retry-After": "1"})
        return Reply(200)

    with FaultServer(default=reply) as limited, FaultServer(default=Reply(200)) as other:
        run(redis_server.url, "none", 0.02, limited.url(), other.url())
    [moment] = [request.time for request in limited.requests if request.number == told[0].number]
    pause = [r.time - moment for r in limited.requests if REFRESH + ROUND_TRIP < r.time - moment < 1]
    after = [r.time - moment for r in limited.requests if r.time - moment >= 1]
    meanwhile = [r.time for r in other.requests if 0 < r.time - moment < 1]
    assert pause == []
    assert after or SECONDS < 2
    assert len(meanwhile) >= 5
