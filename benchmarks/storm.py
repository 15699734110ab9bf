"""What retries do to an origin that is down, slow or busy: a simulation, in seconds.

``python benchmarks/storm.py`` prints each figure beside what is promised, and fails if one is missed. Simulated are
time, calls and servers. The policy that decides on retries and waits, and the quota that holds them back, are the
library's own. ``--plot`` draws the load over an outage into the documentation.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import requests
from urllib3 import HTTPResponse

from resilient_session._config._settings import Settings
from resilient_session._limits._circuit import Result
from resilient_session._limits._limits import Limits
from resilient_session._policy._carried import retry_from
from resilient_session._policy._decision import Outcome, Rules, Stop, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from resilient_session._limits._gate import Gate

    Server = Callable[["World", str], Generator[float, None, "Reply"]]

STATIC = Path(__file__).parent.parent / "docs" / "_static"
OPTIONS = Settings.of({}, {}).values
RETRIES = retry_from(OPTIONS)
RULES = Rules.of(OPTIONS)
NO_QUOTA, NO_RETRIES = "retries without a quota", "no retries"
WARM = 90.0
"""Seconds of clean traffic before anything happens."""


class Reply(NamedTuple):
    """What a server responds."""

    status: int
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody changes it


class Call(NamedTuple):
    """What became of a call."""

    start: float
    path: str
    ok: bool
    attempts: int


class World:
    """Simulated time, and what happens in it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a simulation
        random.seed(seed)  # the backoff draws from it
        self.calls: list[Call] = []
        self.attempts: list[float] = []
        self._now = 0.0
        self._queue: list[tuple[float, int, Iterator[float]]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        """Return the time: the world is the clock of its sessions."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Refuse to sleep: whoever waits yields."""
        raise NotImplementedError

    def start(self, at: float, process: Iterator[float]) -> None:
        """Let a process begin; it yields the seconds that it waits."""
        heapq.heappush(self._queue, (at, next(self._numbers), process))

    def run(self) -> World:
        """Let everything happen."""
        while self._queue:
            self._now, _, process = heapq.heappop(self._queue)
            wait = next(process, None)
            if wait is not None:
                self.start(self._now + wait, process)
        return self


class Client:
    """Makes calls as a session does."""

    def __init__(self, world: World, server: Server, kind: str = "") -> None:
        self._world = world
        self._server = server
        self._retries = kind != NO_RETRIES
        self._limits = Limits(clock=world, retry_quota=None if kind else 100)
        self._request = requests.Request("GET", "http://origin.test/").prepare()

    def call(self, path: str = "/") -> Iterator[float]:
        """Make a call."""
        world, gate, left = self._world, None, RETRIES
        start = world.now()
        attempts = 0
        while True:
            attempts += 1
            world.attempts.append(world.now())
            reply = yield from self._server(world, path)
            ok = reply.status not in OPTIONS["status_forcelist"]
            if ok and gate is None:
                self._limits.credit(self._request)
                break
            gate = gate or self._limits.gate(self._request)
            gate.settle(result_of(reply.status))
            verdict = decide(outcome_of(reply), left, RULES, world.random.random)
            if isinstance(verdict, Stop) or not self._may_retry(gate, reply.status):
                break
            left = verdict.left
            yield verdict.after
        world.calls.append(Call(start, path, ok, attempts))

    def _may_retry(self, gate: Gate, status: int) -> bool:
        return self._retries and gate.may_retry(free=status == 429)  # noqa: PLR2004 - the server scheduled it


def result_of(status: int) -> Result:
    """Return what a status says of the origin."""
    return {429: Result.LIMITED, 503: Result.FAILED}.get(status, Result.OK)


def outcome_of(reply: Reply) -> Outcome:
    """Return a response as the policy sees it."""
    response = HTTPResponse(status=reply.status, headers=reply.headers)
    return Outcome(method="GET", url="http://origin.test/", response=response)


def arrivals(world: World, client: Client, rate: float, until: float, path: str = "/") -> Iterator[float]:
    """Begin calls at random moments."""
    while world.now() < until:
        world.start(world.now(), client.call(path))
        yield world.random.expovariate(rate)


def down(begin: float, end: float) -> Server:
    """Return a server that responds 503 for a while."""

    def serve(world: World, _path: str) -> Generator[float, None, Reply]:
        fails = begin <= world.now() < end
        yield 0.01 if fails else 0.05
        return Reply(503 if fails else 200)

    return serve


def outage(rate: float, seconds: float, kind: str, seed: int) -> World:
    """Simulate an outage."""
    world = World(seed)
    client = Client(world, down(WARM, WARM + seconds), kind)
    world.start(0, arrivals(world, client, rate, WARM + seconds + 60))
    return world.run()


def load(rate: float, seconds: float, kind: str = "", seeds: int = 5) -> float:
    """Return the attempts in an outage for each call that began in it."""
    attempts = calls = 0
    for seed in range(seeds):
        world = outage(rate, seconds, kind, seed)
        attempts += sum(WARM <= at < WARM + seconds for at in world.attempts)
        calls += sum(WARM <= call.start < WARM + seconds for call in world.calls)
    return attempts / calls


def survivors(rate: float, seconds: float, kind: str = "") -> float:
    """Return the share of the calls that began in a short outage and succeeded."""
    met = [
        call
        for seed in range(40)
        for call in outage(rate, seconds, kind, seed).calls
        if WARM <= call.start < WARM + seconds
    ]
    return sum(call.ok for call in met) / len(met)


def random_faults(share: float, rate: float) -> float:
    """Return the share of calls that succeed while some responses are 503 at random."""

    def serve(world: World, _path: str) -> Generator[float, None, Reply]:
        yield 0.05
        return Reply(503 if world.random.random() < share else 200)

    world = World(1)
    world.start(0, arrivals(world, Client(world, serve), rate, 30_000 / rate))
    world.run()
    return sum(call.ok for call in world.calls) / len(world.calls)


def dead_endpoint(rate: float, kind: str = "") -> float:
    """Return the share of calls to nine endpoints with 5 % random faults that succeed, beside a dead tenth."""

    def serve(world: World, path: str) -> Generator[float, None, Reply]:
        yield 0.05
        return Reply(503 if path == "/0" or world.random.random() < 0.05 else 200)  # noqa: PLR2004 - 5 %

    world = World(1)
    client = Client(world, serve, kind)
    for number in range(10):
        world.start(0, arrivals(world, client, rate / 10, 20_000 / rate, f"/{number}"))
    others = [call for call in world.run().calls if call.path != "/0"]
    return sum(call.ok for call in others) / len(others)


def busy_api(clients: int = 64, limit: int = 50) -> float:
    """Return the share of calls that an API with a limit per second serves to clients that call each second."""
    counts: dict[int, int] = {}

    def serve(world: World, _path: str) -> Generator[float, None, Reply]:
        second = int(world.now())
        counts[second] = counts.get(second, 0) + 1
        limited = counts[second] > limit
        yield 0.02
        return Reply(429, {"Retry-After": "1"}) if limited else Reply(200)

    def user(client: Client) -> Iterator[float]:
        while world.now() < 120:  # noqa: PLR2004 - two minutes
            yield from client.call()
            yield 1.0

    world = World(1)
    client = Client(world, serve)
    for _ in range(clients):
        world.start(world.random.random(), user(client))
    world.run()
    return sum(call.ok for call in world.calls) / len(world.calls)


def recovery(kind: str = "", longest_queue: float = 5.0) -> float:
    """Return the seconds after a brown-out until 99 % of the calls succeed in every 5 s.

    The server takes one request after another, also those whose client no longer waits (after 2 s), and refuses
    what would wait longer than its queue allows. It manages 100 a second, is asked for 80, and manages 40 for
    15 s.

    Args:
        kind: which retries there are.
        longest_queue: seconds.
    """
    free_at = 0.0

    def serve(world: World, _path: str) -> Generator[float, None, Reply]:
        nonlocal free_at
        slow = WARM <= world.now() < WARM + 15
        if free_at - world.now() > longest_queue:
            yield 0.01
            return Reply(503)
        free_at = max(free_at, world.now()) + (0.025 if slow else 0.01)
        wait = free_at - world.now()
        yield min(wait, 2.0)
        return Reply(503 if wait > 2.0 else 200)  # noqa: PLR2004 - the client's timeout

    world = World(1)
    world.start(0, arrivals(world, Client(world, serve, kind), 80, WARM + 300))
    end = WARM + 15
    seconds: dict[int, list[bool]] = {}
    for call in world.run().calls:
        seconds.setdefault(int((call.start - end) // 5), []).append(call.ok)
    bad = [second for second, calls in seconds.items() if second >= 0 and sum(calls) < 0.99 * len(calls)]
    return 5.0 * (max(bad, default=-1) + 1)


class Figure(NamedTuple):
    """One line of the results."""

    name: str
    value: float
    bound: float | None = None
    at_least: bool = True

    def met(self) -> bool:
        """Whether the promise is kept."""
        return self.bound is None or (self.value >= self.bound if self.at_least else self.value <= self.bound)

    def __str__(self) -> str:
        promise = "" if self.bound is None else f"{'>=' if self.at_least else '<='} {self.bound:g}"
        return f"{self.name:<86} {self.value:>8.4g}  {promise:<9} {'' if self.met() else 'MISSED'}"


def figures() -> Iterator[Figure]:
    """Simulate everything."""
    bounds: dict[float, dict[float, float]] = {60: {1: 1.6, 10: 1.1, 100: 1.08}}
    for seconds in (10, 60, 300):
        for rate in (1, 10, 100):
            name = f"load in an outage of {seconds} s at {rate} calls a second, to that without retries"
            yield Figure(name, load(rate, seconds), bounds.get(seconds, {}).get(rate), at_least=False)
    yield Figure("the same for 60 s at 10 calls a second, retries without a quota", load(10, 60, NO_QUOTA, 1))
    for rate, seconds, bound in ((100, 0.5, 0.95), (10, 2, 0.8)):
        name = f"survivors of {seconds} s of outage at {rate} calls a second, to those without a quota"
        yield Figure(name, survivors(rate, seconds) / survivors(rate, seconds, NO_QUOTA), bound)
    for rate in (1, 10, 100):
        yield Figure(f"success at 10 % random faults, {rate} calls a second", random_faults(0.1, rate), 0.999)
    yield Figure("served of 64 clients by an API that allows 50 a second and responds 429", busy_api(), 0.95)
    for rate in (1, 10, 100):
        name = f"success of nine endpoints beside a dead one, {rate} calls a second, to that without a quota"
        yield Figure(name, dead_endpoint(rate) / dead_endpoint(rate, NO_QUOTA), 0.99)
    for queue, name in ((5.0, "a queue of 5 s"), (float("inf"), "a queue without end")):
        without = recovery(NO_RETRIES, queue)
        yield Figure(f"seconds to recover from a brown-out, server with {name}, no retries", without)
        yield Figure("the same, retries without a quota (285: never)", recovery(NO_QUOTA, queue))
        bound = without if queue < float("inf") else None
        yield Figure("the same, with the quota", recovery("", queue), bound, at_least=False)


def draw(path: Path, ink: str) -> None:
    """Draw the load in the course of an outage of a minute."""
    import matplotlib as mpl  # noqa: PLC0415 - only for the picture

    mpl.rcParams.update(
        {"svg.hashsalt": path.stem, "svg.fonttype": "none", "text.color": ink, "axes.labelcolor": ink}
    )
    mpl.rcParams.update({"xtick.color": ink, "ytick.color": ink, "axes.edgecolor": ink})
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(8, 3))
    for kind, color in (
        (NO_QUOTA, "#c8693f"),
        ("with the retry quota (default)", "#4f8fd0"),
        (NO_RETRIES, "#8a93a0"),
    ):
        world = outage(20, 60, "" if kind not in {NO_QUOTA, NO_RETRIES} else kind, 3)
        counts = [sum(second <= at < second + 2 for at in world.attempts) / 2 for second in range(70, 180, 2)]
        axes.step([second - WARM for second in range(70, 180, 2)], counts, where="post", label=kind, color=color)
    axes.axvspan(0, 60, color="#8a93a0", alpha=0.15, linewidth=0)
    axes.set_xlabel("seconds; the origin is down in the grey part")
    axes.set_ylabel("attempts a second")
    axes.set_ylim(bottom=0)
    axes.set_xlim(-20, 120)
    axes.legend(frameon=False, loc="upper right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, bbox_inches="tight", transparent=True, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    """Print every figure, and draw the picture if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--plot", action="store_true", help="draw the picture of the documentation, and nothing else"
    )
    if parser.parse_args().plot:
        draw(STATIC / "storm-light.svg", "#222222")
        draw(STATIC / "storm-dark.svg", "#dddddd")
        return
    missed = 0
    for figure in figures():
        print(figure, flush=True)
        missed += not figure.met()
    sys.exit(f"{missed} missed" if missed else 0)


if __name__ == "__main__":
    main()
