"""What `resilient_session` costs and saves: ratios to stock `requests`, measured in turns in the same process.

``python benchmarks/costs.py`` takes four minutes, prints a table and writes ``benchmarks/results.json``. Times are
those of the thread's CPU unless a line says otherwise. Each ratio is a median of rounds, in which stock and ours
take turns; the spread is the middle half of the rounds' ratios. Nothing else should run on the machine.

``--full-memory`` measures only what memory many more requests and hosts take, for a quarter of an hour, and writes
``benchmarks/memory.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import json
import os
import platform
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import certifi
import requests
import trustme
import urllib3
from counted import dropping, recipe

from resilient_session import Options, resilient_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
MEMORY = HERE / "memory.json"
FULL = {"requests": 200_000, "hosts": 100_000}
TIMEOUT = (3.05, 27)
"""The default of ours; stock has none, and does not poll a socket before it reads and writes."""

CONNECTIONS = 100
THREADS = 64
EACH = 3
KINDS: dict[str, Callable[[], requests.Session]] = {"stock": requests.Session, "ours": resilient_session}


class Place(NamedTuple):
    """Where the server is, and the bundle that its certificate is verified with."""

    plain: str
    secure: str
    bundle: str


@contextlib.contextmanager
def serving() -> Iterator[Place]:
    """Run the server; its authority stands in a bundle with all those of certifi, as one in the world would."""
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        bundle, certificate = Path(folder, "bundle.pem"), Path(folder, "server.pem")
        bundle.write_bytes(Path(certifi.where()).read_bytes() + authority.cert_pem.bytes())
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        command = [sys.executable, str(HERE / "server.py"), str(certificate)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
            assert server.stdout  # noqa: S101
            plain, secure = server.stdout.readline().split()
            yield Place(f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{secure}", str(bundle))
            server.communicate()


def took(act: Callable[[], object], times: int, clock: Callable[[], float]) -> float:
    """Return the seconds that one act takes, as a mean of some."""
    gc.collect()
    gc.disable()
    start = clock()
    for _ in range(times):
        act()
    seconds = (clock() - start) / times
    gc.enable()
    return seconds


def summary(
    name: str, unit: str, stock: list[float], ours: list[float], *, paired: bool = True, **more: object
) -> dict[str, Any]:
    """Put one line of the results together; rounds that are not paired are compared with the median of stock's."""
    bases = stock if paired else [statistics.median(stock)] * len(stock)
    ratios = [mine / base for mine, base in zip(ours, bases, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    found = {
        "name": name,
        "unit": unit,
        "stock": statistics.median(stock),
        "ours": statistics.median(ours),
        "ratio": middle,
        "spread": [low, high],
        "rounds": len(ratios),
        **more,
    }
    print(
        f"{name:<56} {found['stock']:>8.4g} {found['ours']:>8.4g} {unit:<8} {middle:>6.3f} ({low:.3f}-{high:.3f})"
    )
    return found


def compared(  # noqa: PLR0913 - what makes a measurement
    name: str,
    stock: Callable[[], object],
    ours: Callable[[], object],
    *,
    times: int,
    rounds: int,
    clock: Callable[[], float] = time.thread_time,
    unit: str = "ms CPU",
    **more: object,
) -> dict[str, Any]:
    """Let two acts take turns, and compare what they take."""
    figures: tuple[list[float], list[float]] = ([], [])
    for act in (stock, ours):
        took(act, max(1, times // 10), clock)
    for number in range(rounds):
        pairs = list(zip((stock, ours), figures, strict=True))
        for act, found in pairs if number % 2 else pairs[::-1]:
            found.append(1000 * took(act, times, clock))
    return summary(name, unit, *figures, **more)


def connections(place: Place, scale: float) -> Iterator[dict[str, Any]]:
    """Measure new connections over TLS."""
    url = f"{place.secure}/close"
    gets = []
    for make in KINDS.values():
        session = make()
        gets.append(lambda session=session: session.get(url, verify=place.bundle))
    rounds = max(5, round(30 * scale))
    yield compared("one request on a new HTTPS connection", *gets, times=5, rounds=rounds, goal=0.15)
    context = ssl.create_default_context(cafile=place.bundle)
    yield compared(
        "the same with a bare socket and one TLS context",
        gets[0],
        lambda: bare(place, context, "/close"),
        times=5,
        rounds=rounds,
    )
    yield compared(
        "one request on a new HTTPS connection, wall clock",
        *gets,
        times=5,
        rounds=rounds,
        clock=time.perf_counter,
        unit="ms",
    )
    reused = requests.Session()

    def session_per_call() -> None:
        with resilient_session() as session:
            session.get(place.secure, verify=place.bundle)

    def stock_session_per_call() -> None:
        with requests.Session() as session:
            session.get(place.secure, verify=place.bundle)

    again = {"times": 5, "rounds": rounds}
    yield compared(
        "a session per HTTPS call, to one stock session reused",
        lambda: reused.get(place.secure, verify=place.bundle),
        session_per_call,
        **again,
        goal=3.5,
    )
    yield compared("a session per HTTPS call, each", stock_session_per_call, session_per_call, **again)
    with resolving_all() as named:
        yield compared(
            "one request on a new connection to a named host, all threads",
            *(lambda session=session: session.get(named(place)) for session in [make() for make in KINDS.values()]),
            times=50,
            rounds=rounds,
            clock=time.process_time,
        )


@contextlib.contextmanager
def resolving_all() -> Iterator[Callable[[Place], str]]:
    """Let every name resolve to loopback; hand out a function for the URL of one, whose connection closes."""
    real = socket.getaddrinfo
    socket.getaddrinfo = lambda _host, *args, **kwargs: real("127.0.0.1", *args, **kwargs)
    try:
        yield lambda place: f"http://host.test:{urllib.parse.urlsplit(place.plain).port}/close"
    finally:
        socket.getaddrinfo = real


def burst(place: Place, scale: float) -> Iterator[dict[str, Any]]:
    """Measure the time of a burst of threads on one session, which ask a server that takes 20 ms."""
    clocks = {"ms": time.perf_counter, "ms CPU": time.process_time}
    figures: dict[str, tuple[list[float], ...]] = {unit: ([], [], []) for unit in clocks}
    context = ssl.create_default_context(cafile=place.bundle)

    def through(make: Callable[[], requests.Session]) -> None:
        with make() as session:
            at_once(lambda: [session.get(f"{place.secure}/slow", verify=place.bundle) for _ in range(EACH)])

    acts = [
        *(partial(through, make) for make in KINDS.values()),
        lambda: at_once(lambda: bare(place, context, "/slow", EACH)),
    ]
    for _ in range(max(3, round(10 * scale))):
        for number, act in enumerate(acts):
            start = {unit: clock() for unit, clock in clocks.items()}
            act()
            for unit, clock in clocks.items():
                figures[unit][number].append(1000 * (clock() - start[unit]))
    name = f"{THREADS} threads, {EACH} HTTPS requests of 20 ms each"
    stock, ours, sockets = figures["ms"]
    yield summary(f"{name}, wall clock", "ms", stock, ours, goal=1 / 7)
    yield summary("the same with bare sockets and one TLS context, wall clock", "ms", stock, sockets)
    yield summary(name, "ms CPU", *figures["ms CPU"][:2])


def at_once(work: Callable[[], object]) -> None:
    """Let many threads do the same, until all are done."""
    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def bare(place: Place, context: ssl.SSLContext, path: str, times: int = 1) -> None:
    """Do what a session must do at least for requests on a new connection: shake hands, send, and receive."""
    host, _, port = place.secure.removeprefix("https://").partition(":")
    with (
        socket.create_connection((host, int(port))) as connection,
        context.wrap_socket(connection, server_hostname=host) as secure,
    ):
        for _ in range(times):
            secure.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            secure.recv(65536)


def shapes(place: Place, scale: float) -> Iterator[dict[str, Any]]:
    """Measure requests of all shapes on a connection that is kept."""
    url = place.plain
    acts: dict[str, Callable[[requests.Session], object]] = {
        "a happy request, kept connection": lambda session: session.get(url),
        "the same, POST with json": lambda session: session.post(f"{url}/json", json={"tea": [1, 2, 3]}).json(),
        "the same, POST with files": lambda session: session.post(url, files={"file": ("a.txt", b"tea" * 100)}),
        "the same, with params": lambda session: session.get(url, params={"q": "tea", "page": 3}),
        "the same, with a redirect": lambda session: session.get(f"{url}/redirect"),
        "the same, with cookies": lambda session: session.get(f"{url}/cookie"),
        "the same, with auth": lambda session: session.get(url, auth=("user", "password")),
        "the same, streamed": lambda session: list(session.get(url, stream=True).iter_content(1024)),
    }
    for name, act in acts.items():
        sessions = [make() for make in KINDS.values()]
        goal = 1.0 if "happy" in name else 1.02
        yield compared(
            name,
            *(lambda act=act, session=session: act(session) for session in sessions),
            times=100,
            rounds=max(5, round(25 * scale)),
            goal=goal,
        )


def retries(place: Place, scale: float) -> Iterator[dict[str, Any]]:
    """Measure a call with one retry, and what each more of them adds; what is logged is dropped by a handler."""
    stock = recipe()
    lasting: Options = {"backoff_factor": 0, "retry_quota": 1_000_000}  # failing as often as this, it would run out
    quiet, logging_each = (resilient_session(**lasting, logger=logger) for logger in (None, dropping()))
    rounds = max(5, round(25 * scale))
    yield compared(
        "a request whose responses are 503 and then 200, no wait",
        *(lambda session=session: session.get(f"{place.plain}/flaky/1") for session in (stock, logging_each)),
        times=100,
        rounds=rounds,
        goal=0.85,
    )
    timed = partial(requests.Session.get, timeout=TIMEOUT)
    for name, get, ours, kind in (
        ("one more retry of a 503, log off", requests.Session.get, quiet, "flaky"),
        ("one more retry of a 503, log off, both with timeouts", timed, quiet, "flaky"),
        ("one more retry of a 503, log on", requests.Session.get, logging_each, "flaky"),
        ("one more retry of a reset, log off", requests.Session.get, quiet, "resets"),
        ("one more retry of a reset, log off, both with timeouts", timed, quiet, "resets"),
    ):
        yield slope(name, (stock, ours), get, f"{place.plain}/{kind}", 2 * rounds)


def slope(
    name: str, sessions: tuple[requests.Session, ...], get: Callable[..., object], url: str, rounds: int
) -> dict[str, Any]:
    """Compare what a retry takes: half of what a call with three takes beyond one with a single retry.

    Such a difference is small beside the noise of its parts, so a round's ratio would tell nothing.
    """
    figures: tuple[list[float], ...] = ([], [])
    for number in range(-1, rounds):
        for session, found in [*zip(sessions, figures, strict=True)][:: 1 if number % 2 else -1]:
            one, three = (
                took(lambda url=f"{url}/{count}", session=session: get(session, url), 40, time.thread_time)
                for count in (1, 3)
            )
            if number >= 0:  # the first round warms up
                found.append(1000 * (three - one) / 2)
    return summary(name, "ms CPU", *figures, paired=False)


def rest(place: Place, scale: float) -> Iterator[dict[str, Any]]:
    """Measure a large body, and what a bundle that is named does to a happy request."""
    rounds = max(5, round(25 * scale))
    yield compared(
        "a body of 20 MB",
        *(
            lambda session=session: session.get(f"{place.plain}/big")
            for session in [make() for make in KINDS.values()]
        ),
        times=1,
        rounds=rounds,
        goal=0.75,
    )
    yield compared(
        "a happy request on a kept HTTPS connection, verify=path",
        *(
            lambda session=session: session.get(place.secure, verify=place.bundle)
            for session in [make() for make in KINDS.values()]
        ),
        times=50,
        rounds=rounds,
    )


def imports(_place: Place, scale: float) -> Iterator[dict[str, Any]]:
    """Measure imports in new processes: ours with what it needs, to `requests` alone; CPU."""
    code = "import time; start = time.process_time(); import {}; print(1000 * (time.process_time() - start))"
    figures: dict[str, list[float]] = {"requests": [], "resilient_session": []}
    for _ in range(max(7, round(25 * scale))):
        for name, found in figures.items():
            found.append(float(_output("-c", code.format(name))))
    yield summary("import resilient_session, to import requests", "ms CPU", *figures.values(), goal=1.03)


def memory(place: Place, scale: float) -> Iterator[dict[str, Any]]:
    """Measure memory, each figure in a process of its own."""
    figures = [
        [float(_output(str(HERE / "costs.py"), "--part", "memory", name, *place)) for _ in range(3)]
        for name in KINDS
    ]
    yield summary("memory of a pooled TLS connection", "KiB", *figures, goal=0.08)
    yield from gains(place, {"requests": round(20_000 * scale), "hosts": round(5_000 * scale)})


def gains(place: Place, counts: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Measure the memory that is gained over many requests or hosts: in all, and in each half of them."""
    for part, count in counts.items():
        halves = {
            kind: [*map(float, _output(str(HERE / "costs.py"), "--part", part, kind, *place, str(count)).split())]
            for kind in KINDS
        }
        name = f"memory gained from {count} {part}"
        gained = {kind: sum(both) for kind, both in halves.items()}
        print(f"{name:<56} {gained['stock']:>8.4g} {gained['ours']:>8.4g} KiB", flush=True)
        yield {"name": name, "unit": "KiB", **gained, "ratio": None, "halves": halves}


def resident() -> float:
    """Return the memory of this process, in KiB."""
    gc.collect()
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS"):
            return float(line.split()[1])
    raise AssertionError


def memory_of_connections(session: requests.Session, place: Place) -> float:
    """Return the memory of a TLS connection, of many that are kept open."""
    session.mount(place.secure, type(session.adapters["https://"])(pool_maxsize=CONNECTIONS))
    get = {"verify": place.bundle, "stream": True}
    held = [session.get(place.secure, **get).content for _ in range(2)]
    before = resident()
    held = [session.get(place.secure, **get) for _ in range(CONNECTIONS)]
    return (resident() - before) / len(held)


def memory_of_requests(session: requests.Session, place: Place, count: int) -> str:
    """Return the memory gained from many requests."""
    return halves_of(count, lambda _: session.get(place.plain))


def memory_of_hosts(session: requests.Session, place: Place, count: int) -> str:
    """Return the memory gained from requests to as many hosts; all resolve to loopback."""
    with resolving_all() as named:
        url = named(place)
        return halves_of(count, lambda number: session.get(url.replace("host", f"host-{number}")))


def halves_of(count: int, act: Callable[[int], object]) -> str:
    """Act often; return the memory gained in the first and in the second half, after a tenth more to warm up."""
    found = []
    for number in range(-(count // 10), count):
        if number in {0, count // 2}:
            found.append(resident())
        act(number + count // 10)
    found.append(resident())
    return " ".join(str(after - before) for before, after in itertools.pairwise(found))


def _output(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    return done.stdout


def run_part(part: str, name: str, *place: str) -> None:
    """Print one figure of memory, in a process that does nothing else."""
    session, where = KINDS[name](), Place(*place[:3])
    measure: dict[str, Callable[..., object]] = {
        "memory": memory_of_connections,
        "requests": memory_of_requests,
        "hosts": memory_of_hosts,
    }
    print(measure[part](session, where, *map(int, place[3:])))


def clean_environment() -> None:
    """Let no variable of this machine point elsewhere."""
    for name in list(os.environ):
        if name.startswith("RESILIENT_SESSION_") or name.lower().endswith(("_proxy", "_ca_bundle")):
            del os.environ[name]


def main() -> None:
    """Measure everything, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="how much longer or shorter to measure")
    parser.add_argument("--only", choices=PARTS, help="measure this part alone, and write nothing")
    parser.add_argument("--full-memory", action="store_true", help="measure only memory, over many more requests")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    clean_environment()
    if given.part:
        run_part(*given.part)
        return
    print(f"{'':<56} {'stock':>8} {'ours':>8} {'':<8} {'ratio':>6} (middle half)")
    with serving() as place:
        if given.full_memory:
            write_down(MEMORY, list(gains(place, FULL)))
            return
        parts = [given.only] if given.only else PARTS
        lines = [line for part in parts for line in PARTS[part](place, given.scale)]
    if not given.only:
        write_down(RESULTS, lines)


PARTS: dict[str, Callable[[Place, float], Iterator[dict[str, Any]]]] = {
    "imports": imports,
    "connections": connections,
    "burst": burst,
    "shapes": shapes,
    "retries": retries,
    "rest": rest,
    "memory": memory,
}


def write_down(path: Path, lines: list[dict[str, Any]]) -> None:
    """Write results, and what they were measured with."""
    versions = {
        "python": platform.python_version(),
        "requests": requests.__version__,
        "urllib3": urllib3.__version__,
    }
    path.write_text(json.dumps({"versions": versions, "measures": lines}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
