"""What other ways of making `requests` resilient cost, and what they do when something goes wrong.

``python benchmarks/peers.py`` makes a virtual environment for each under ``.nox/peers-of-ours``, where the next run
finds them again, asks them in turns, and writes ``benchmarks/peers.json``. It takes some minutes, and needs the
network to install. What each is, and how it is set up, stands in `peer.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import ssl
import statistics
import subprocess
import threading
import venv
from typing import TYPE_CHECKING, Any, NamedTuple

import trustme
from costs import HERE, Place, clean_environment, serving
from peer import PEERS

from resilient_session.testing import FaultServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RESULTS = HERE / "peers.json"
ENVIRONMENTS = HERE.parent / ".nox" / "peers-of-ours"
LIMIT = 30.0
WHOLE = "all that was asked for"
WHY = "the disk is full"


class Fault(NamedTuple):
    """A request, and the responses to it."""

    name: str
    method: str
    script: tuple[Reply, ...]
    default: Reply = Reply(200, WHOLE)
    bad_certificate: bool = False


FAULTS = {
    "timeout": Fault("timeout when none is given", "GET", ()),
    "cut": Fault("a GET whose first response breaks off in the body", "GET", (Reply(200, WHOLE, cut="body"),)),
    "post": Fault("a POST whose response is 502", "POST", (), Reply(502)),
    "lost": Fault("a POST whose response is lost in a reset", "POST", (), Reply.reset()),
    "certificate": Fault("a server with an untrusted certificate", "GET", (), bad_certificate=True),
    "hour": Fault("a 503 with Retry-After: 3600", "GET", (Reply(503, WHY, headers={"Retry-After": "3600"}),)),
    "last": Fault("a GET whose response is 502, every time", "GET", (), Reply(502, WHY)),
}


class Worker:
    """A peer's process."""

    def __init__(self, name: str, python: Path, bundle: str) -> None:
        command = [str(python), str(HERE / "peer.py"), name, bundle]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        self.versions: dict[str, str] = self._answer()

    def ask(self, **order: object) -> Any:
        """Give an order and return the answer."""
        assert self.process.stdin  # noqa: S101
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        """Return what it says; one that says nothing for too long is ended."""
        assert self.process.stdout  # noqa: S101
        timer = threading.Timer(LIMIT, self.process.kill)
        timer.start()
        try:
            return json.loads(self.process.stdout.readline())
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def installed(name: str) -> Path | str:
    """Make the peer's environment; return its Python, or the last thing that pip said if it cannot be installed."""
    folder = ENVIRONMENTS / name.replace(" ", "-")
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    wanted = PEERS[name].install or (str(HERE.parent),)
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", *wanted]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    return python if done.returncode == 0 else done.stderr.strip().rpartition("\n")[2]


@contextlib.contextmanager
def working(pythons: dict[str, Path], place: Place) -> Iterator[dict[str, Worker]]:
    """Run all the workers."""
    with contextlib.ExitStack() as stack:
        workers = {name: Worker(name, python, place.bundle) for name, python in pythons.items()}
        for worker in workers.values():
            stack.callback(worker.close)
        yield workers


def in_turns(ask: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Ask all of them in each round, in an order drawn anew."""
    figures: dict[str, list[float]] = {name: [] for name in ask}
    for act in ask.values():
        act()
    for _ in range(rounds):
        for name in random.sample(list(ask), len(ask)):
            figures[name].append(ask[name]())
    return figures


def measure(name: str, ask: dict[str, Callable[[], float]], rounds: int, base: str) -> dict[str, Any]:
    """Measure one thing: quartiles of what each takes, and of its ratio to one of them in the same round."""
    figures = in_turns(ask, rounds)
    print(f"\n{name}, ms CPU")
    found = {}
    for peer, values in figures.items():
        ratios = [value / basis for value, basis in zip(values, figures[base], strict=True)]
        found[peer] = {"taken": statistics.quantiles(values, n=4), "ratio": statistics.quantiles(ratios, n=4)}
        shown = "{1:>8.3f} ({0:.3f}-{2:.3f})".format(*found[peer]["taken"])
        print(f"  {peer:<20} {shown} {found[peer]['ratio'][1]:>7.2f}", flush=True)
    return {"name": name, "unit": "ms CPU", "base": base, "rounds": rounds, "peers": found}


def costs(
    pythons: dict[str, Path], workers: dict[str, Worker], place: Place, scale: float
) -> Iterator[dict[str, Any]]:
    """Measure what they cost."""

    def asking(url: str, times: int, **more: bool) -> dict[str, Callable[[], float]]:
        return {
            name: lambda worker=worker: worker.ask(url=url, times=times, **more)
            for name, worker in workers.items()
            if PEERS[name].retries or "waits" not in more
        }

    def importing(name: str) -> float:
        code = f"import time; start = time.process_time(); import {PEERS[name].imports}"
        command = [str(pythons[name]), "-c", f"{code}; print(1000 * (time.process_time() - start))"]
        return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)  # noqa: S603

    rounds = max(5, round(25 * scale))
    stock = "stock requests"
    yield measure("a happy request, kept connection", asking(place.plain, 50), rounds, stock)
    retried = "a request whose responses are 503 and then 200, no wait"
    yield measure(retried, asking(f"{place.plain}/flaky/1", 30, waits=False), rounds, "mounted Retry")
    yield measure("one request on a new HTTPS connection", asking(f"{place.secure}/close", 3), rounds, stock)
    yield measure("import", {name: lambda name=name: importing(name) for name in pythons}, rounds, stock)


def behaviours(workers: dict[str, Worker]) -> dict[str, dict[str, Any]]:
    """Let them meet every fault, each with a server of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    found: dict[str, dict[str, Any]] = {name: {} for name in workers}
    for key, fault in FAULTS.items():
        print(f"\n{fault.name}")
        for name, worker in workers.items():
            tls = context if fault.bad_certificate else None
            with FaultServer(*fault.script, default=fault.default, tls=tls) as server:
                told = worker.ask(method=fault.method, url=server.url())
                told |= {"requests": len(server.requests), "connections": server.connections}
            told["whole"] = told.pop("text", None) == WHOLE
            found[name][key] = told
            print(f"  {name:<20} {told}", flush=True)
    return found


def main() -> None:
    """Install, measure, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="how much longer or shorter to measure")
    given = parser.parse_args()
    found = {name: installed(name) for name in PEERS}
    pythons = {name: python for name, python in found.items() if not isinstance(python, str)}
    clean_environment()
    with serving() as place, working(pythons, place) as workers:
        results = {
            "python": platform.python_version(),
            "missing": {name: said for name, said in found.items() if isinstance(said, str)},
            "versions": {name: worker.versions for name, worker in workers.items()},
            "written": {name: PEERS[name].written for name in workers},
            "faults": {key: fault.name for key, fault in FAULTS.items()},
            "behaviours": behaviours(workers),
            "costs": list(costs(pythons, workers, place, given.scale)),
        }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
