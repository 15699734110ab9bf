"""Sixty-four threads on one session, and a server that fails at random: nothing doubled, swapped, cut or leaked.

Run it with ``nox -s soak -- --seconds 30 --seed 7``. The seed is printed, and decides what the server does.
"""

from __future__ import annotations

import argparse
import collections
import gc
import pathlib
import random
import sys
import threading
import time
from typing import NamedTuple

import requests

from resilient_session import resilient_session
from resilient_session.testing import FaultServer, RecordedRequest, Reply

THREADS = 64
SETTLED = 3.0
"""Seconds within which everything must be as before."""


def faults(text: str) -> tuple[Reply, ...]:
    """List ten ways to answer badly."""
    return (
        Reply(503, "busy"),
        Reply(429, "slow down", headers={"Retry-After": "0"}),
        Reply(500, "x" * 100_000),
        Reply.reset(),
        Reply.close(),
        Reply(200, text, cut="head"),
        Reply(200, text * 50, cut="body", by="reset"),
        Reply(200, text * 50, framing="chunked", cut="body"),
        Reply(200, text * 50, encoding="gzip", truncate=5),
        Reply(200, text, cut="body", by="stall"),
    )


class Server:
    """Answers with what it was asked for, or fails; the seed and the request's number decide."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, request: RecordedRequest) -> Reply:
        chance = random.Random(f"{self._seed} {request.number}")  # noqa: S311
        text = request.path.strip("/")
        if chance.random() < 0.3:
            return chance.choice(faults(text))
        interim = (103,) if chance.random() < 0.1 else ()
        return Reply(200, text, interim=interim, cut="end" if chance.random() < 0.1 else None)


class Tally(NamedTuple):
    """What the clients saw."""

    right: collections.Counter[str]
    failed: collections.Counter[str]
    wrong: list[str]


def client(session: requests.Session, server: FaultServer, name: int, seed: int, end: float, tally: Tally) -> None:
    """Send requests, each with a text of its own, and check what comes back."""
    chance = random.Random(f"{seed} client {name}")  # noqa: S311
    count = 0
    while time.monotonic() < end:
        count += 1
        method = chance.choice(("GET", "GET", "PUT", "POST"))
        text = f"{method}-{name}-{count}"
        try:
            answer = session.request(method, server.url(f"/{text}"), data=None if method == "GET" else text)
        except requests.RequestException as error:
            tally.failed[f"{method} {type(error).__name__}"] += 1
        except Exception as error:  # noqa: BLE001 - anything else is what this looks for
            tally.wrong.append(f"{text}: {error!r}")
        else:
            if answer.status_code == 200 and answer.text != text:
                tally.wrong.append(f"{text}: {answer.text[:60]!r}")
            tally.right[f"{method} {answer.status_code}"] += 1


def doubled(server: FaultServer) -> list[str]:
    """List the POSTs that had their effect more than once."""
    acted = (one.path for one in server.requests if one.method == "POST" and one.complete and one.reply.effective)
    return [path for path, count in collections.Counter(acted).items() if count > 1]


def held() -> tuple[int, int]:
    """Count threads and file descriptors."""
    descriptors = pathlib.Path("/proc/self/fd")  # there is no such place but on Linux
    return threading.active_count(), len(list(descriptors.iterdir())) if descriptors.is_dir() else 0


def settles(before: tuple[int, int]) -> bool:
    """Wait until no more is held than before."""
    end = time.monotonic() + SETTLED
    while time.monotonic() < end:
        gc.collect()
        if all(now <= then for now, then in zip(held(), before, strict=True)):
            return True
        time.sleep(0.05)
    return False


def soak(seconds: float, seed: int) -> list[str]:
    """Run, report, and list what is wrong."""
    before = held()
    tally = Tally(collections.Counter(), collections.Counter(), [])
    with FaultServer(default=Server(seed)) as server:
        session = resilient_session(total=10, backoff_factor=0.01, timeout=(2, 1), logger=None)
        end = time.monotonic() + seconds
        threads = [
            threading.Thread(target=client, args=(session, server, name, seed, end, tally))
            for name in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        connections = server.open_connections
        session.close()
        twice = doubled(server)
        print(f"seed {seed}: {len(server.requests)} requests over {server.connections} connections")  # noqa: T201
        print(f"  answered: {dict(tally.right)}\n  raised: {dict(tally.failed)}")  # noqa: T201
    lost = sum(count for key, count in tally.failed.items() if not key.startswith("POST"))
    faults = [*tally.wrong, *(f"doubled: {path}" for path in twice)]
    faults += [f"{connections} connections are open"] if connections > THREADS else []
    faults += [f"{lost} idempotent calls failed"] if lost > sum(tally.right.values()) * 0.001 else []
    faults += [] if settles(before) else [f"held before {before}, after {held()}"]
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--times", type=int, default=1, help="how often, each with the next seed")
    given = parser.parse_args()
    for seed in range(given.seed, given.seed + given.times):
        faults = soak(given.seconds, seed)
        if faults:
            sys.stderr.write("\n".join([f"seed {seed}:", *faults[:20], ""]))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
