"""Run the tests of `requests`, and those of urllib3's `Retry`, with our classes in place of theirs.

Each suite comes from the registry, in the version that is installed, and runs twice: with the stock classes, and
with every new `requests.Session` made resilient by default options, or with the carried Retry in place of
`urllib3.Retry`. The outcomes of each test are compared, and every difference must stand, with its reason, in
``conformance_differences.txt``; one that stands there and is gone is an error, too.

Run it with ``nox -s conformance``. The tests run in a network of their own if the system lets us make one, in
which there is nothing but loopback and a host that swallows packets.
"""

from __future__ import annotations

import argparse
import collections
import functools
import importlib.metadata
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
DIFFERENCES = HERE / "conformance_differences.txt"

SUITES = {
    "requests": ("tests",),
    "urllib3": ("test/test_retry.py", "--noconftest"),  # its conftest wants servers that these tests do not use
}
STOCK, OURS = "stock", "ours"

NETWORK = 'ip link set lo up && ip route add 10.255.255.1/32 dev lo && exec "$@"'
"""That address is where the tests of `requests` expect a host that never answers."""


class Difference(NamedTuple):
    """A test whose outcome is another one with our classes."""

    suite: str
    test: str
    change: str
    reason: str = ""

    def __str__(self) -> str:
        return " | ".join(part for part in self if part)


def fetch(suite: str, directory: pathlib.Path) -> pathlib.Path:
    """Get the sources of an installed distribution, tests included."""
    wanted = f"{suite}=={importlib.metadata.version(suite)}"
    options = ["--quiet", "--no-deps", "--no-binary", suite, "--dest", str(directory)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, wanted], check=True)  # noqa: S603
    (archive,) = directory.glob(f"{suite}-*.tar.gz")
    with tarfile.open(archive) as sources:
        sources.extractall(directory, filter="data")
    return directory / archive.name.removesuffix(".tar.gz")


def isolation() -> list[str]:
    """Return the words that put a command into a network of its own; none if the system does not let us."""
    words = ["unshare", "--net", "--map-root-user", "sh", "-c", NETWORK, "sh"]
    if shutil.which("unshare"):
        tried = subprocess.run([*words, "true"], capture_output=True, check=False)  # noqa: S603
        if tried.returncode == 0:
            return words
    print("No network of its own could be made: tests of unreachable hosts depend on this machine's.")  # noqa: T201
    return []


def run(suite: str, kind: str, sources: pathlib.Path, words: list[str]) -> dict[str, str]:
    """Run a suite, and return the outcome of each of its tests."""
    outcomes = sources.parent / f"{suite}-{kind}.json"
    environment = {**os.environ, "CONFORMANCE": f"{suite}:{kind}:{outcomes}", "PYTHONPATH": str(HERE)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "conformance", *SUITES[suite]]
    done = subprocess.run(  # noqa: S603
        [*words, *command], cwd=sources, env=environment, text=True, capture_output=True, check=False
    )
    (ROOT / ".nox").mkdir(exist_ok=True)
    (ROOT / ".nox" / f"conformance-{suite}-{kind}.log").write_text(done.stdout + done.stderr)
    if not outcomes.exists():
        sys.exit(f"{suite} ({kind}) did not run:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return json.loads(outcomes.read_text())


def compared(suite: str, stock: dict[str, str], ours: dict[str, str]) -> set[Difference]:
    """List the tests with another outcome."""
    tests = sorted(stock.keys() | ours.keys())
    changes = {test: (stock.get(test, "absent"), ours.get(test, "absent")) for test in tests}
    return {
        Difference(suite, test, f"{before} -> {after}")
        for test, (before, after) in changes.items()
        if before != after
    }


def expected() -> dict[Difference, str]:
    """Read the differences that are known, with their reasons."""
    lines = (line for line in DIFFERENCES.read_text().splitlines() if line and not line.startswith("#"))
    parts = [Difference(*line.split(" | ")) for line in lines]
    return {part._replace(reason=""): part.reason for part in parts}


def report(suite: str, stock: dict[str, str], ours: dict[str, str]) -> None:
    print(f"\n{suite} {importlib.metadata.version(suite)}")  # noqa: T201
    for name, outcomes in ((STOCK, stock), (OURS, ours)):
        counts = ", ".join(
            f"{count} {outcome}" for outcome, count in collections.Counter(outcomes.values()).items()
        )
        print(f"  {name:6} {counts}")  # noqa: T201


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=SUITES, action="append", help="one of the suites")
    suites = parser.parse_args().only or list(SUITES)
    words, found = isolation(), set()
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor() as pool:
        for suite in suites:
            sources = fetch(suite, pathlib.Path(directory))
            stock, ours = pool.map(
                lambda kind, suite=suite, sources=sources: run(suite, kind, sources, words), (STOCK, OURS)
            )
            report(suite, stock, ours)
            found |= compared(suite, stock, ours)
    known = {one: reason for one, reason in expected().items() if one.suite in suites}
    print(f"\n{len(found)} tests differ")  # noqa: T201
    for one in sorted(found):
        print(f"  {one}\n    {known.get(one, 'NOT EXPECTED')}")  # noqa: T201
    for one in sorted(known.keys() - found):
        print(f"  {one}\n    NO LONGER SO: take it out of {DIFFERENCES.name}")  # noqa: T201
    return int(found != known.keys())


# What follows is the pytest plugin that the suites are run with.

_outcomes: dict[str, str] = {}


def pytest_configure() -> None:
    suite, kind, _ = os.environ["CONFORMANCE"].split(":", 2)
    if suite == "requests":
        _let_httpbin_serve_in_threads()
    if kind == OURS:
        {"requests": _make_every_session_resilient, "urllib3": _replace_retry}[suite]()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        outcome = "error" if report.when != "call" and report.failed else report.outcome
        expected_to_fail = hasattr(report, "wasxfail") and report.skipped
        _outcomes[report.nodeid] = "xfailed" if expected_to_fail else outcome


def pytest_sessionfinish() -> None:
    pathlib.Path(os.environ["CONFORMANCE"].split(":", 2)[2]).write_text(json.dumps(_outcomes))


@pytest.fixture
def stub_timezone(request: pytest.FixtureRequest):
    """Stand in for the fixture of the same name in urllib3's conftest."""
    from test.tz_stub import stub_timezone_ctx  # noqa: PLC0415 - that of urllib3, once it is there

    with stub_timezone_ctx(request.param):
        yield


def _let_httpbin_serve_in_threads() -> None:
    """Keep a request that timed out from holding up the next test; httpbin serves one at a time."""
    from socketserver import ThreadingMixIn  # noqa: PLC0415
    from wsgiref import simple_server  # noqa: PLC0415

    from pytest_httpbin import serve  # noqa: PLC0415 - only this suite has it

    threads = {"daemon_threads": True}
    plain = type("Threaded", (ThreadingMixIn, simple_server.WSGIServer), threads)
    serve.make_server = functools.partial(simple_server.make_server, server_class=plain)
    serve.SecureWSGIServer = type("ThreadedSecure", (ThreadingMixIn, serve.SecureWSGIServer), threads)


def _make_every_session_resilient() -> None:
    """Wrap each session when it is made; waits take no time."""
    import requests  # noqa: PLC0415

    from resilient_session import resilient_session  # noqa: PLC0415
    from resilient_session.testing import fast_retries  # noqa: PLC0415

    original = requests.Session.__init__

    @functools.wraps(original)
    def __init__(self, *args, **kwargs) -> None:  # noqa: N807 - it takes its place
        original(self, *args, **kwargs)
        resilient_session(self)

    requests.Session.__init__ = __init__
    fast_retries().__enter__()  # until the process ends


def _replace_retry() -> None:
    import urllib3.util.retry  # noqa: PLC0415

    from resilient_session._policy._carried import CarriedRetry  # noqa: PLC0415

    urllib3.Retry = urllib3.util.Retry = urllib3.util.retry.Retry = CarriedRetry


if __name__ == "__main__":
    sys.exit(main())
