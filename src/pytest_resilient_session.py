"""Pytest fixtures of resilient-session.

Pytest loads this module in every environment that has resilient-session installed, even if no test uses it.
Therefore it imports only pytest until a fixture is used.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resilient_session.testing import FaultServer, VirtualClock


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget what storm control learnt in other tests, if this process has used it."""
    groups = sys.modules.get("resilient_session._limits._groups")
    if groups is not None:
        groups.forget()


@pytest.fixture
def fault_server() -> Iterator[FaultServer]:
    """Run an HTTP server on loopback; script its responses and faults with `fault_server.script(...)`."""
    from resilient_session.testing import FaultServer  # noqa: PLC0415 - only if the fixture is used

    with FaultServer() as server:
        yield server


@pytest.fixture
def virtual_clock() -> VirtualClock:
    """Return a clock that advances only by its own `sleep()`; pass it to a session as `clock=`."""
    from resilient_session.testing import VirtualClock  # noqa: PLC0415 - only if the fixture is used

    return VirtualClock()


@pytest.fixture
def fast_retries() -> Iterator[VirtualClock]:
    """Make all resilient sessions wait on a virtual clock, and return the clock."""
    from resilient_session.testing import fast_retries  # noqa: PLC0415 - only if the fixture is used

    with fast_retries() as clock:
        yield clock
