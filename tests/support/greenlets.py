"""A program that gevent has patched: it plays one scene, and writes what came of it as JSON.

    python greenlets.py first|late SCENE URL [BUNDLE]

What is patched stays so, which is why this is no test but what `test_gevent.py` runs.
"""
# ruff: noqa: E402 - what is imported before the patch, and made, is part of the play

import sys

from gevent import monkey

when, scene, url, *bundle = sys.argv[1:]
if when == "late":
    import warnings

    import resilient_session

    made_before = resilient_session.resilient_session()
    warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)
monkey.patch_all()

import _socket
import contextvars
import json

import gevent
import gevent.event
import requests

from resilient_session import attempts_of, deadline, resilient_session
from resilient_session.testing import fast_retries

session = resilient_session(
    made_before if when == "late" else None,
    total=20,
    backoff_max=0.01,
    timeout=30,
    pool_maxsize=4,
    pool_block=True,
    logger=None,
)
session.verify = bundle[0] if bundle else True


def get(path, **options):
    """Return what came of a call: its text and number of attempts, or the name of the exception."""
    try:
        response = session.get(url + path, **options)
    except (requests.RequestException, gevent.Timeout) as error:
        return type(error).__name__
    return [response.text, len(attempts_of(response))]


def in_time(limit, path, **options):
    with limit:
        return get(path, **options)


def at_once(*greenlets):
    return [greenlet.get() for greenlet in greenlets]


def crowd():
    """Send a hundred calls at once."""
    return at_once(*(gevent.spawn(get, f"/{number}") for number in range(100)))


def limits():
    """Run into each limit, and call once more."""
    session.get_adapter("http://").max_retries = 1
    return [
        get("/silent", timeout=(30, 0.1), stream=True),
        in_time(deadline(0.2), "/silent"),
        in_time(deadline(0.2), "/dripping"),
        in_time(gevent.Timeout(0.2), "/silent"),
        get("/afterwards"),
    ]


def waits():
    """Call while another greenlet waits for its next attempt, and end that wait."""
    waiting = gevent.event.Event()
    slow = resilient_session(on_event=lambda event: waiting.set(), logger=None)
    greenlet = gevent.spawn(slow.get, f"{url}/busy")
    waiting.wait()
    answer = get("/meanwhile")
    over = greenlet.ready()
    greenlet.kill()
    return [answer, over]


def names():
    """Look up names that a silent name server never answers, and one that it does, at once."""

    def getaddrinfo(host, *args):
        name = host.decode() if isinstance(host, bytes) else host
        if name.endswith(".test"):
            asked.append(name)
            never.acquire()
        return answers(host, *args)

    def ask(name):
        try:
            session.get(f"http://{name}.test/", timeout=0.2)
        except requests.RequestException as error:
            return type(error).__name__

    asked, answers = [], _socket.getaddrinfo
    never = monkey.get_original("_thread", "allocate_lock")()
    never.acquire()
    _socket.getaddrinfo = getaddrinfo  # what gevent calls in a thread of the system
    session.get_adapter("http://").max_retries = 1
    told = at_once(*(gevent.spawn(ask, "silent") for _ in range(3)), gevent.spawn(get, "/meanwhile"))
    with deadline(0.2):
        told.append(ask("other"))
    return [told, asked]


def scopes():
    """Call in greenlets that are spawned inside a deadline: with the context carried, and in the plain way."""
    session.get_adapter("http://").max_retries = 3
    with fast_retries(), deadline(20):
        carried = at_once(gevent.spawn(contextvars.copy_context().run, get, "/busy"))
        return carried + at_once(gevent.spawn(get, "/busy"))  # after it, for they spend the time of one clock


json.dump(globals()[scene](), sys.stdout)
