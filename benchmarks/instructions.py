"""How many instructions a request takes, by valgrind: figures that hardly depend on the machine or on its load.

``python benchmarks/instructions.py --only happy`` takes some ten seconds; without ``--only`` it counts all cases,
twice, in five minutes, and writes ``benchmarks/instructions.json``. Counted are the instructions of the client's
process, Python and C alike, not the kernel's. Start-up and first requests cancel out: see `counted.py`.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import requests
import urllib3
from costs import HERE, clean_environment, serving

RESULTS = HERE / "instructions.json"
VERSIONS = HERE / "instructions-on-other-versions.json"
BRIEF = ("happy", "wrapped", "retried", "more", "more logged", "import")
"""The cases that are counted on other versions."""
CASES = {
    "happy": "a happy request, kept connection",
    "variables": "the same, with 60 more environment variables",
    "wrapped": "the same, through a wrapped session",
    "json": "the same, POST with json",
    "files": "the same, POST with files",
    "params": "the same, with params",
    "cookies": "the same, with cookies",
    "auth": "the same, with auth",
    "stream": "the same, streamed",
    "redirect": "the same, with a redirect",
    "retried": "a request whose responses are 503 and then 200, no wait",
    "more": "one more retry of a 503, log off",
    "more logged": "one more retry of a 503, log on",
    "more resets": "one more retry of a reset, log off",
    "body": "a body of 20 MB",
    "import": "import and one session",
    "empty": "import requests and as many empty modules as ours has",
    "first": "import, one session and its first request",
}
SESSIONS = {
    "stock": "import requests; session = requests.Session()",
    "ours": "from resilient_session import resilient_session; session = resilient_session()",
}
ALONE = "of that, the attempt with the 503"
VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")


def run(*words: str) -> tuple[dict[int, int], str]:
    """Run Python under valgrind; return the instructions of each process, and what was printed."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH"}}
        environment = {**kept, "PYTHONHASHSEED": "0", "HOME": folder}  # `requests` reads all of it, each time
        command = [*VALGRIND, f"--log-file={log}", sys.executable, *words]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
        told = re.findall(r"==(\d+)== I\s+refs:\s+([\d,]+)", log.read_text("utf-8", "replace"))
    return {int(process): int(count.replace(",", "")) for process, count in told}, done.stdout


def counted(case: str, url: str) -> dict[str, float]:
    """Count one case; return the instructions of one act by each kind, as a median of rounds."""
    if case in {"import", "empty", "first"}:
        act = f"; session.get({url!r})" if case == "first" else ""
        codes = [code + act for code in SESSIONS.values()]
        with tempfile.TemporaryDirectory() as folder:
            if case == "empty":
                codes[1] = f"{codes[0]}; {code_of_empty_modules(Path(folder, 'empty'))}"
            tare, *both = (sum(run("-c", code)[0].values()) for code in ("", *codes))
        return {kind: count - tare for kind, count in zip(SESSIONS, both, strict=True)}
    counts, told = run(str(HERE / "counted.py"), case, url)
    found = json.loads(told)
    between = {
        kind: statistics.median(counts[after] - counts[before] for before, after in pairs)
        for kind, pairs in found["marks"].items()
    }
    tare = between.pop("nothing")
    return {kind: (count - tare) / found["times"] for kind, count in between.items()}


def code_of_empty_modules(package: Path) -> str:
    """Make a package of empty modules, compiled, as many as our import loads; return the code that imports them."""
    ask = (
        f"{SESSIONS['ours']}; import sys; print(sum(name.startswith('resilient_session') for name in sys.modules))"
    )
    names = [f"m{number}" for number in range(int(run("-c", ask)[1]) - 1)]
    package.mkdir()
    for name in ("__init__", *names):
        (package / f"{name}.py").touch()
    compileall.compile_dir(package, quiet=1)
    return (
        f"import sys; sys.path.insert(0, {str(package.parent)!r}); import {', '.join(f'empty.{n}' for n in names)}"
    )


def lines_of(case: str, runs: list[dict[str, float]]) -> list[dict[str, Any]]:
    """Put the lines of a case together, each with the ratio of every run."""
    if "stock less" not in runs[0]:
        return [line(CASES[case], [(run["stock"], run["ours"]) for run in runs])]
    more = [tuple(run[kind] - run[f"{kind} less"] for kind in ("stock", "ours")) for run in runs]
    if case == "retried":
        return [line(CASES[case], [(run["stock"], run["ours"]) for run in runs]), line(ALONE, more)]
    return [line(CASES[case], [(stock / 2, ours / 2) for stock, ours in more])]


def line(name: str, pairs: list[tuple[float, ...]]) -> dict[str, Any]:
    """Print and return one line of the results."""
    stock, ours = (statistics.mean(counts) for counts in zip(*pairs, strict=True))
    ratios = [mine / theirs for theirs, mine in pairs]
    shown = " ".join(f"{ratio:.4f}" for ratio in ratios)
    print(f"{name:<52} {stock / 1e6:>9.3f} {ours / 1e6:>9.3f} {ours / stock:>7.4f}  ({shown})", flush=True)
    return {"name": name, "stock": stock, "ours": ours, "ratio": ours / stock, "ratios": ratios}


def main() -> None:
    """Count, print, and write down what was counted if that was everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=CASES, help="count this case alone, and write nothing")
    parser.add_argument("--as", dest="column", help="count a few cases once, into the table of other versions")
    parser.add_argument("--runs", type=int, help="how often to count; default: once with --only, else twice")
    given = parser.parse_args()
    if not shutil.which("valgrind"):
        parser.exit(1, "valgrind is not on this machine; nothing is counted\n")
    clean_environment()
    print(f"{'millions of instructions':<52} {'stock':>9} {'ours':>9} {'ratio':>7}  (of each run)")
    lines = []
    with serving() as place:
        for case in [given.only] if given.only else BRIEF if given.column else CASES:
            runs = given.runs or (1 if given.only or given.column else 2)
            lines += lines_of(case, [counted(case, place.plain) for _ in range(runs)])
    if given.column:
        known = json.loads(VERSIONS.read_text("utf-8")) if VERSIONS.exists() else {}
        known[given.column] = {line["name"]: line["ratio"] for line in lines}
        VERSIONS.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
    if given.only or given.column:
        return
    told = subprocess.run([VALGRIND[0], "--version"], stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    versions = {
        "python": platform.python_version(),
        "requests": requests.__version__,
        "urllib3": urllib3.__version__,
        "valgrind": told.stdout.strip().removeprefix("valgrind-"),
    }
    RESULTS.write_text(json.dumps({"versions": versions, "counts": lines}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
