"""The process whose instructions `instructions.py` counts: it does what a case says, and marks what was what.

A mark is a fork that ends at once, for valgrind tells of each process that ends how much it did, and a fork begins
with what its parent did before. The difference of two marks is what lay between them. It prints, for each kind of
session, the process numbers of pairs of marks; those of the first kind, ``nothing``, have nothing between them.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from resilient_session import resilient_session

if TYPE_CHECKING:
    from collections.abc import Callable


class Case(NamedTuple):
    """What is asked for, by whom, how often."""

    acts: dict[str, Callable[[], object]]
    times: int
    rounds: int
    warm: int


def recipe() -> requests.Session:
    """Return a session with a `Retry` mounted by hand."""
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=Retry(3, backoff_factor=0, status_forcelist=[503])))
    return session


def dropping() -> logging.Logger:
    """Return a logger whose only handler drops what is logged."""
    log = logging.getLogger("dropping")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    return log


SHAPES: dict[str, Callable[[requests.Session, str], object]] = {
    "happy": lambda session, url: session.get(url),
    "variables": lambda session, url: session.get(url),
    "wrapped": lambda session, url: session.get(url),
    "json": lambda session, url: session.post(f"{url}/json", json={"tea": [1, 2, 3]}).json(),
    "files": lambda session, url: session.post(url, files={"file": ("a.txt", b"tea" * 100)}),
    "params": lambda session, url: session.get(url, params={"q": "tea", "page": 3}),
    "cookies": lambda session, url: session.get(f"{url}/cookie"),
    "auth": lambda session, url: session.get(url, auth=("user", "password")),
    "stream": lambda session, url: list(session.get(url, stream=True).iter_content(1024)),
    "redirect": lambda session, url: session.get(f"{url}/redirect"),
    "retried": lambda session, url: session.get(f"{url}/flaky/1"),
    "body": lambda session, url: session.get(f"{url}/big"),
}
"""What a case does; `variables` is happy, in an environment with 60 more variables."""


SLOPES = {"more": "flaky", "more logged": "flaky", "more resets": "resets"}
"""Cases that compare three retries with one, each with the kind of failure."""


def case_of(name: str, url: str) -> Case:
    """Return the case of a name."""
    stock, ours = requests.Session(), resilient_session(backoff_factor=0, logger=None)
    if name in {"retried", *SLOPES}:
        stock = recipe()
    if name in SLOPES:
        ours = resilient_session(
            backoff_factor=0, logger=dropping() if "logged" in name else None, retry_quota=10**6
        )
    if name == "wrapped":
        ours = resilient_session(requests.Session(), backoff_factor=0, logger=None)
    if name == "variables":
        os.environ.update({f"VARIABLE_NUMBER_{number}": "value" for number in range(60)})
    acts: dict[str, Callable[[], object]] = {"nothing": lambda: None}
    for kind, session in {"stock": stock, "ours": ours}.items():
        if name == "retried":
            acts[f"{kind} less"] = lambda session=session: session.get(url)
        if name in SLOPES:
            acts[f"{kind} less"] = lambda session=session: session.get(f"{url}/{SLOPES[name]}/1")
            acts[kind] = lambda session=session: session.get(f"{url}/{SLOPES[name]}/3")
        else:
            acts[kind] = lambda session=session: SHAPES[name](session, url)
    return Case(acts, *{"retried": (20, 2, 15), "body": (1, 3, 2)}.get(name, (25, 2, 15)))


def mark() -> int:
    """End a copy of this process; return the number that it had."""
    process = os.fork()
    if not process:
        os._exit(0)
    os.waitpid(process, 0)
    return process


def main(name: str, url: str) -> None:
    """Do what the case says."""
    case = case_of(name, url)
    for act in case.acts.values():
        for _ in range(case.warm):
            act()
    gc.collect()
    gc.disable()
    marks: dict[str, list[tuple[int, int]]] = {kind: [] for kind in case.acts}
    for _ in range(case.rounds):
        for kind, act in case.acts.items():
            before = mark()
            for _ in range(case.times if kind != "nothing" else 0):
                act()
            marks[kind].append((before, mark()))
    print(json.dumps({"times": case.times, "marks": marks}))


if __name__ == "__main__":
    main(*sys.argv[1:])
