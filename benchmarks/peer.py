"""One of the peers that `peers.py` compares, in a process and an environment of its own.

``peer.py NAME BUNDLE`` takes orders from its input, a JSON object a line, and answers each with one.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import socket
import sys
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable

    Send = Callable[[str, str], Any]

TOTAL = 3
STATUSES = (429, 500, 502, 503, 504)


class Peer(NamedTuple):
    """What users install, what they import, what they write, and what makes of that a function that sends.

    The function is made for a bundle of authorities, and with or without the waits between attempts. Without
    means: for a measurement, and not as documented.
    """

    install: tuple[str, ...]
    imports: str
    written: str
    make: Callable[[str, bool], Send]
    retries: bool = True


def stock(bundle: str, _waits: bool) -> Send:
    """Use `requests` as it is."""
    import requests

    session = requests.Session()
    session.verify = bundle
    return session.request


def mounted(bundle: str, waits: bool) -> Send:
    """Mount a `Retry` by hand."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry

    session = requests.Session()
    session.verify = bundle
    retries = Retry(total=TOTAL, backoff_factor=1 if waits else 0, status_forcelist=STATUSES)
    session.mount("http://", HTTPAdapter(max_retries=retries))
    session.mount("https://", HTTPAdapter(max_retries=retries))
    return session.request


def retry_requests(bundle: str, waits: bool) -> Send:
    """Use its defaults; they leave out the status 503, which is to be retried where no waits are."""
    from retry_requests import retry

    session = retry() if waits else retry(backoff_factor=0, status_to_retry=(503,))
    session.verify = bundle
    return session.request


def requests_resilient(bundle: str, waits: bool) -> Send:
    """Use its defaults."""
    from requests_resilient import ResilientSession, RetryConfig

    session = ResilientSession() if waits else ResilientSession(RetryConfig(backoff_base=0))
    session.verify = bundle
    return session.request


def requests_hardened(bundle: str, _waits: bool) -> Send:
    """Use the configuration of its README, but let it talk to loopback. It does not retry."""
    from requests_hardened import Config, Manager

    config = Config(
        default_timeout=(2, 10),
        never_redirect=False,
        ip_filter_enable=True,
        ip_filter_allow_loopback_ips=True,
        user_agent_override=None,
    )
    session = Manager(config).get_session()
    session.verify = bundle
    return session.request


def tenacity(bundle: str, waits: bool) -> Send:
    """Decorate what sends: it raises for a bad status, lest nothing were retried."""
    import requests
    from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_none, wait_random_exponential

    session = requests.Session()
    session.verify = bundle

    @retry(
        retry=retry_if_exception_type(requests.RequestException),
        stop=stop_after_attempt(TOTAL + 1),
        wait=wait_random_exponential(multiplier=1, max=60) if waits else wait_none(),
    )
    def send(method: str, url: str) -> requests.Response:
        response = session.request(method, url)
        response.raise_for_status()
        return response

    return send


def stamina(bundle: str, waits: bool) -> Send:
    """Decorate what sends, as its README does it."""
    import requests
    from stamina import retry

    session = requests.Session()
    session.verify = bundle

    @retry(on=requests.RequestException, attempts=3, **({} if waits else {"wait_initial": 0, "wait_jitter": 0}))
    def send(method: str, url: str) -> requests.Response:
        response = session.request(method, url)
        response.raise_for_status()
        return response

    return send


def niquests(bundle: str, waits: bool) -> Send:
    """Give it the `Retry` that the recipe mounts; its own class, which takes the same."""
    from niquests import RetryConfiguration, Session

    retries = RetryConfiguration(total=TOTAL, backoff_factor=1 if waits else 0, status_forcelist=STATUSES)
    session = Session(retries=retries)
    session.verify = bundle
    return session.request


def httpx_retries(bundle: str, _waits: bool) -> Send:
    """Use its defaults: it does not wait anyway."""
    import ssl

    import httpx
    from httpx_retries import RetryTransport

    inner = httpx.HTTPTransport(verify=ssl.create_default_context(cafile=bundle))
    return httpx.Client(transport=RetryTransport(inner)).request


def ours(bundle: str, waits: bool) -> Send:
    """Use the defaults."""
    from resilient_session import resilient_session

    session = resilient_session() if waits else resilient_session(backoff_factor=0)
    session.verify = bundle
    return session.request


RECIPE = "Retry(total=3, backoff_factor=1, status_forcelist=[429, 500, 502, 503, 504])"
AROUND = "around a function that sends and calls `raise_for_status()`"
PEERS = {
    "stock requests": Peer(("requests",), "requests", "`Session()`", stock, retries=False),
    "mounted Retry": Peer(
        ("requests",), "requests, urllib3", f"the usual recipe: `HTTPAdapter(max_retries={RECIPE})`", mounted
    ),
    "retry-requests": Peer(("retry-requests",), "retry_requests", "`retry()`", retry_requests),
    "requests-resilient": Peer(
        ("requests-resilient",), "requests_resilient", "`ResilientSession()`", requests_resilient
    ),
    "requests-hardened": Peer(
        ("requests-hardened",),
        "requests_hardened",
        "the `Config` of its README, with loopback allowed; it does not retry",
        requests_hardened,
        retries=False,
    ),
    "tenacity": Peer(
        ("requests", "tenacity"),
        "requests, tenacity",
        "`@retry(retry=retry_if_exception_type(RequestException), stop=stop_after_attempt(4), "
        f"wait=wait_random_exponential(max=60))` {AROUND}, any method",
        tenacity,
    ),
    "stamina": Peer(
        ("requests", "stamina"),
        "requests, stamina",
        f"`@retry(on=RequestException, attempts=3)`, as in its README, {AROUND}, any method",
        stamina,
    ),
    "niquests": Peer(("niquests",), "niquests", "`Session(retries=...)` with the `Retry` of the recipe", niquests),
    "httpx-retries": Peer(
        ("httpx", "httpx-retries"), "httpx, httpx_retries", "`Client(transport=RetryTransport())`", httpx_retries
    ),
    "resilient-session": Peer((), "resilient_session", "`resilient_session()`", ours),
}
"""By name. What has nothing to install is this project."""


def cpu(send: Send, url: str, times: int) -> float:
    """Return the milliseconds of CPU that the process takes for a GET, as a mean of some."""
    gc.collect()
    gc.disable()
    start = time.process_time()
    for _ in range(times):
        response = send("GET", url)
    seconds = time.process_time() - start
    gc.enable()
    if response.status_code != 200:  # noqa: PLR2004 - all is well
        raise RuntimeError(f"{url} was answered with {response.status_code}")
    return 1000 * seconds / times


def behaviour(send: Send, method: str, url: str) -> dict[str, Any]:
    """Send one request and tell what came of it. Nobody sleeps: what would have been slept is told.

    The timeout is the last one that was set on a socket.
    """
    slept: list[float] = []
    timeouts: list[float | None] = []
    settimeout = socket.socket.settimeout

    def noted(sock: socket.socket, value: float | None) -> None:
        timeouts.append(value)
        settimeout(sock, value)

    with mock.patch("time.sleep", slept.append), mock.patch.object(socket.socket, "settimeout", noted):
        try:
            response, error = send(method, url), None
        except Exception as raised:  # noqa: BLE001 - whatever it is, it is what came of it
            response, error = None, raised
    found = {"slept": sum(slept), "timeout": timeouts[-1] if timeouts else None}
    if response is not None:
        return {**found, "status": response.status_code, "text": response.text, "last": "returned"}
    return {**found, "error": type(error).__name__, "last": whereabouts(error)}


def whereabouts(error: BaseException | None) -> str | None:
    """Tell where an exception has the response, if it has it."""
    place = "in the exception"
    while error is not None:
        with contextlib.suppress(Exception):  # some raise if there is none
            if error.response is not None and error.response.text:  # type: ignore[attr-defined]
                return place
        error, place = error.__cause__, "in the exception's cause"
    return None


def main(name: str, bundle: str) -> None:
    """Do what the input says, until it ends."""
    logging.getLogger().addHandler(logging.NullHandler())
    peer = PEERS[name]
    sends = {waits: peer.make(bundle, waits) for waits in (True, False)}
    wanted = {*peer.install, *peer.imports.split(", "), "requests", "urllib3", "urllib3-future", "httpcore"}
    found = {one.metadata["Name"].lower().replace("_", "-"): one.version for one in metadata.distributions()}
    versions = {one: found[one] for one in sorted({one.replace("_", "-") for one in wanted}) if one in found}
    print(json.dumps(versions), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        send = sends[order.pop("waits", True)]
        done = cpu(send, **order) if "times" in order else behaviour(send, **order)
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
