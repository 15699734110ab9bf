"""Pytest fixtures of resilient-session.

Pytest loads this module in every run of every project in whose environment resilient-session is installed.
So it imports nothing but pytest until a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resilient_session.testing import FaultServer, VirtualClock


@pytest.fixture
def fault_server() -> Iterator[FaultServer]:
    """Run a scriptable HTTP server on loopback that fails as told; `fault_server.script(...)` tells it."""
    from resilient_session.testing import FaultServer  # noqa: PLC0415 - see above

    with FaultServer() as server:
        yield server


@pytest.fixture
def virtual_clock() -> VirtualClock:
    """Return a clock that advances only when slept on; give it to a session as `clock=`."""
    from resilient_session.testing import VirtualClock  # noqa: PLC0415 - see above

    return VirtualClock()


@pytest.fixture
def fast_retries() -> Iterator[VirtualClock]:
    """Let all resilient sessions wait on a virtual clock, which is the fixture's value."""
    from resilient_session.testing import fast_retries  # noqa: PLC0415 - see above

    with fast_retries() as clock:
        yield clock
