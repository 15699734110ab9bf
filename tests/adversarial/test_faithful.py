"""The short ways of `ResilientSession` make of a request what stock makes of it: values, types, order, errors.

More, and other, requests: ``FAITHFUL=100000 pytest tests/adversarial/test_faithful.py``, or ``nox -s faithful``.
"""

from __future__ import annotations

import os
import re
import warnings
from http.cookiejar import CookieJar
from random import SystemRandom

import pytest
import requests

from resilient_session import ResilientSession
from resilient_session._fast import _gate
from support.random_requests import Maker

TIMES = int(os.environ.get("FAITHFUL", "4000"))
EACH = 4000
START = SystemRandom().randrange(10**9) if "FAITHFUL" in os.environ else 0
BOUNDARY = re.compile(r"[0-9a-f]{32}")


def shown(value):
    """Return a value as something that can be compared, with the types of its parts."""
    parts: object = value if callable(value) or isinstance(value, (int, float)) else None
    if isinstance(value, dict):
        parts = [(shown(key), shown(part)) for key, part in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [shown(part) for part in value]
    elif isinstance(value, (str, bytes)):
        parts = BOUNDARY.sub("boundary", repr(value))
    elif isinstance(value, requests.structures.CaseInsensitiveDict):
        parts = shown(value._store)
    elif isinstance(value, CookieJar):
        parts = type(value._policy), [vars(cookie) for cookie in value]
    elif isinstance(value, requests.PreparedRequest):
        parts = shown(vars(value))
    return type(value), parts


def difference(mine, theirs):
    """Return where two nested values first differ."""
    if isinstance(mine, (list, tuple)) and isinstance(theirs, (list, tuple)) and len(mine) == len(theirs):
        return next(filter(None, map(difference, mine, theirs)), None)
    return None if mine == theirs else (mine, theirs)


def outcome(act):
    """Return what comes of it, or the error."""
    try:
        return shown(act())
    except Exception as error:  # noqa: BLE001 - whatever stock raises
        return type(error), re.sub(r"0x[0-9a-f]+", "0x", str(error)), type(getattr(error, "request", None))


def outcomes(seed, session, monkeypatch):
    """Let a session prepare a few requests that follow from a seed."""
    maker = Maker(seed)
    with monkeypatch.context() as patch:
        for name, value in maker.variables().items():
            patch.setenv(name, value)
        return [found for _ in range(3) for found in outcomes_of_one(maker, session)]


def outcomes_of_one(maker, session):
    """Yield what a request was made from, what came of each way, and what it left behind."""
    maker.change(session)
    made, settings, url = maker.request(), maker.settings(), maker.url()
    prepared = []
    yield made, outcome(lambda: prepared.append(session.prepare_request(requests.Request(**made)))), shown(prepared)
    url = prepared[0].url if prepared else url
    yield settings, outcome(lambda: session.merge_environment_settings(url, *settings)), shown(settings)
    if prepared:
        prepared[0].headers.update(maker.pick([{}], [{"Proxy-Authorization": "x"}]))
        yield settings, outcome(lambda: session.rebuild_proxies(prepared[0], settings[0])), shown(prepared)


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """Leave nothing in the environment but a home without files."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("part", range(max(1, TIMES // EACH)))
def test_prepares_requests_as_stock_does(part, bare, monkeypatch, tmp_path):
    warnings.simplefilter("ignore")
    for number in range(EACH // 3 + 1):  # each prepares three
        seed = START + part * EACH + number
        netrc = tmp_path / ".netrc"
        netrc.write_text("machine localhost login me password secret\n") if seed % 9 == 0 else netrc.unlink(
            missing_ok=True
        )
        stock = outcomes(seed, requests.Session(), monkeypatch)
        ours = outcomes(seed, ResilientSession(), monkeypatch)
        for (given, *mine), (_, *theirs) in zip(ours, stock, strict=True):
            assert difference(mine, theirs) is None, (seed, given)


def test_most_plain_requests_go_the_short_way(bare):
    assert _gate.agree()
    assert _gate.prepared(ResilientSession(), requests.Request("GET", "http://localhost:8000/tea?q=1"))
