"""Tools for tests: a server on loopback with scripted faults, and a clock that never really waits.

For example::

    from resilient_session.testing import FaultServer, Reply, fast_retries

    def test_recovers():
        with FaultServer(Reply(503), Reply.reset(), Reply(200, "hello")) as server, fast_retries() as clock:
            assert my_client(server.origin).fetch() == "hello"
        assert len(clock.sleeps) == 2

`FaultServer` is a real server, so any HTTP client can use it. Under pytest, the fixtures `fault_server`,
`virtual_clock` and `fast_retries` are available without an import.
"""

from resilient_session.testing._clock import VirtualClock, fast_retries
from resilient_session.testing._origins import forget_origins
from resilient_session.testing._ports import black_hole, refused_url
from resilient_session.testing._recorded import RecordedHeaders, RecordedRequest
from resilient_session.testing._reply import Reply
from resilient_session.testing._server import FaultServer

__all__ = [
    "FaultServer",
    "RecordedHeaders",
    "RecordedRequest",
    "Reply",
    "VirtualClock",
    "black_hole",
    "fast_retries",
    "forget_origins",
    "refused_url",
]
