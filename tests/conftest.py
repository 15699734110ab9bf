"""What every test stands on: real sockets on loopback, a virtual clock, and an environment that says nothing."""

from __future__ import annotations

import os

import pytest
import trustme

from resilient_session import resilient_session
from resilient_session.testing import VirtualClock


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in os.environ:
        if name.startswith("RESILIENT_SESSION_") or name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def session(clock):
    with resilient_session(clock=clock) as made:
        yield made


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture
def events():
    return []
