"""Every check of the project. ``nox`` runs those that a change must pass; ``nox --list`` names the others."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

import nox

nox.needs_version = ">=2024.4.15"
nox.options.error_on_missing_interpreters = False
nox.options.download_python = "never"
nox.options.default_venv_backend = "uv|virtualenv"  # uv makes environments in a second, where it is there
nox.options.sessions = ["check"]

PYTHONS = ["3.10", "3.12", "3.13", "3.14", "3.11"]
"""Missing ones are skipped. The last is the one that measures coverage."""

OLDEST = ("requests==2.32.2", "urllib3==2.0.2")
ONCE = [
    f"--ignore=tests/{name}"
    for name in (
        "adversarial/test_differential.py",
        "adversarial/test_header_fuzz.py",
        "adversarial/test_killed_downloads.py",
        "adversarial/test_lying_server.py",
        "adversarial/test_loop_fuzz.py",
        "behaviour/test_tls_backends.py",
        "ecosystem",
        "project/test_docs_examples.py",
    )
]
"""What takes long and says the same on every Python: it runs on the last one only."""

CHECKS = [f"tests-{PYTHONS[-1]}", "types", "oldest", "mix", *(f"tests-{python}" for python in PYTHONS[:-1]),
          "docs", "package", "lint", "soak"]  # fmt: skip
"""What a change must pass, the longest first."""

AT_ONCE = 2
"""How many of them run side by side."""

STRICT = [word for word in sys.argv if word == "--error-on-missing-interpreters"]
"""What was said to this process and counts for those that it starts, too."""

WORKERS = f"-n{os.environ.get('WORKERS', '4')}"
"""How many processes share the tests of one session: more than there are processors, for tests wait for sockets."""

PYPROJECT = nox.project.load_toml("pyproject.toml")
WHEELS = pathlib.Path(".nox", "wheels")


def group(name: str) -> list[str]:
    """List what a dependency group of pyproject.toml holds."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


class _Wheel:
    """The wheel of this run: built by the first session that needs it, and used by all."""

    path: str | None = os.environ.get("WHEEL_OF_THIS_RUN")

    @classmethod
    def of(cls, session: nox.Session) -> str:
        if cls.path is None:
            for old in WHEELS.glob("*.whl"):
                old.unlink()
            if session.venv_backend == "uv":
                session.run("uv", "build", "--quiet", "--wheel", "--out-dir", str(WHEELS))
            else:
                session.run("pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(WHEELS), ".")
            cls.path = str(next(WHEELS.glob("*.whl")))
        return cls.path


def _nox(name: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one session in a process of its own, and keep what it prints."""
    return subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "nox", *STRICT, "-s", name, *words],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _measure(session: nox.Session, script: str) -> None:
    """Run a benchmark, and put what it measured into the documentation."""
    session.install(*group("bench"), _Wheel.of(session))
    session.run("python", script, *session.posargs)
    session.run("python", "benchmarks/plot.py")


@nox.session(python=False)
def check(session: nox.Session) -> None:
    """Run all that a change must pass, side by side; each session's log is printed whole when it ends."""
    failed = []
    words = ("--", *session.posargs) if session.posargs else ()
    built = _nox("wheel")
    if built.returncode:
        session.error(built.stdout)
    environment = {"WHEEL_OF_THIS_RUN": str(next(WHEELS.glob("*.whl"))), "WORKERS": "2"}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {pool.submit(_nox, name, *words, **environment): name for name in CHECKS}
        for done in as_completed(running):
            print(done.result().stdout, flush=True)
            if done.result().returncode:
                failed.append(running[done])
    if failed:
        session.error(f"failed: {', '.join(sorted(failed))}")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel that the other sessions test."""
    _Wheel.of(session)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and the direction of imports."""
    session.install(*group("lint"), "-e", ".")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache", silent=True)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the code, and of what users write."""
    session.install(*group("types"), "-e", ".[opentelemetry,prometheus]")
    session.run("mypy")
    session.run("pyright")


@nox.session
def package(session: nox.Session) -> None:
    """Build into dist/ what a release publishes; check what it holds, and how the package index will show it."""
    session.install(*group("package"))
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", silent=True)
    built = sorted(map(str, pathlib.Path("dist").iterdir()))
    session.run("twine", "check", "--strict", *built)
    wheel = next(path for path in built if path.endswith(".whl"))
    session.install(wheel)
    session.run("python", "tests/project/check_wheel.py", wheel)
    session.run("python", "tests/project/check_readme.py", wheel)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error. Its examples run among the tests."""
    session.install(*group("docs"), "-e", ".[opentelemetry,prometheus]")
    session.run("sphinx-build", "-W", "-n", "-q", "-b", "html", "docs", "docs/_build/html")


@nox.session
def soak(session: nox.Session) -> None:
    """Let 64 threads meet random faults, for ten seconds (nox -s soak -- --seconds 30 --times 10)."""
    session.install(_Wheel.of(session))
    session.run("python", "tests/adversarial/soak.py", *(session.posargs or ("--seconds", "10")))


@nox.session
def faithful(session: nox.Session) -> None:
    """Prepare 100 000 random requests both ways, with the newest and the oldest requests. Takes five minutes."""
    session.install(*group("tests"), _Wheel.of(session))
    for versions in ((), OLDEST):
        if versions:
            session.install(*versions)
        session.run(
            "pytest", "-q", "tests/adversarial/test_faithful.py", *session.posargs, env={"FAITHFUL": "100000"}
        )


@nox.session
def percall(session: nox.Session) -> None:
    """Make ten thousand sessions, one for each call, and see that nothing of them stays. Takes two minutes."""
    session.install(*group("tests"), _Wheel.of(session))
    session.run(
        "pytest", "-q", "tests/adversarial/test_session_per_call.py", *session.posargs, env={"CALLS": "10000"}
    )


@nox.session
def ecosystem(session: nox.Session) -> None:
    """Run real clients, caches, signers, mocks and monitors over our sessions."""
    session.install(*group("ecosystem"), _Wheel.of(session))
    session.run("pytest", "-q", "tests/ecosystem", *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """Run the tests of requests, and of urllib3's Retry, with ours in place of theirs. Takes two minutes."""
    session.install(*group("conformance"), _Wheel.of(session))
    session.run("python", "tests/adversarial/conformance.py", *session.posargs)


@nox.session
def storm(session: nox.Session) -> None:
    """Simulate outages and busy servers: what retries do to them must be as promised. Takes a minute."""
    session.install(_Wheel.of(session))
    session.run("python", "benchmarks/storm.py", *session.posargs)


@nox.session
def fleet(session: nox.Session) -> None:
    """Run eight processes on one store, and every fault of a store; needs redis-server. Takes a minute."""
    session.install(*group("tests"), _Wheel.of(session))
    session.run(
        "pytest",
        "-q",
        "tests/behaviour/test_fleet.py",
        "tests/adversarial/test_fleet_processes.py",
        "tests/adversarial/test_limits.py",
        *session.posargs,
        env={"FLEET_PROCESSES": "8", "FLEET_SECONDS": "6"},
    )


@nox.session
def bench(session: nox.Session) -> None:
    """Measure what it costs beside stock requests, for the documentation (nox -s bench -- --full-memory)."""
    _measure(session, "benchmarks/costs.py")


@nox.session
def peers(session: nox.Session) -> None:
    """Compare with other libraries, each in its own environment, for the documentation. Takes some minutes."""
    _measure(session, "benchmarks/peers.py")


@nox.session
def instructions(session: nox.Session) -> None:
    """Count instructions beside stock requests, by valgrind (nox -s instructions -- --only happy)."""
    _measure(session, "benchmarks/instructions.py")


@nox.session
def mutation(session: nox.Session) -> None:
    """Change the pure modules one thing at a time; each change must fail a test. Takes some minutes."""
    session.install(*group("tests"), "mutmut>=3.8", "-e", ".")
    session.run("mutmut", "run", "--max-children", "2")
    session.run("mutmut", "results")


@nox.session(python=PYTHONS[0])
def oldest(session: nox.Session) -> None:
    """Run the tests with the oldest versions of what we stand on."""
    session.install(*group("tests"), *OLDEST, _Wheel.of(session))
    session.run("pytest", "-q", WORKERS, *ONCE, *session.posargs)


@nox.session(python=PYTHONS[0])
def mix(session: nox.Session) -> None:
    """Run the tests with the oldest requests on the newest urllib3: either may be newer than the other."""
    session.install(*group("tests"), OLDEST[0], _Wheel.of(session))
    unmeasured = (
        "--ignore=tests/project/test_cost.py"  # its bounds are those of the oldest two, and of the newest two
    )
    session.run("pytest", "-q", WORKERS, *ONCE, unmeasured, *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests on the wheel; on the last Python every branch must be covered."""
    session.install(*group("tests"), _Wheel.of(session))
    if session.python != PYTHONS[-1]:
        session.run("pytest", "-q", WORKERS, *ONCE, *session.posargs)
        return
    session.install(*group("mechanisms"))
    if session.posargs:  # a part of the tests covers a part of the code
        session.run("pytest", "-q", WORKERS, *session.posargs)
        return
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-q", WORKERS)
    session.run("coverage", "combine", silent=True)
    session.run("coverage", "report", "--fail-under=100")
