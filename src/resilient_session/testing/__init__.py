"""Test code that talks HTTP against real faults, without waiting for real time.

For example::

    from resilient_session.testing import FaultServer, Reply, fast_retries

    def test_recovers():
        with FaultServer(Reply(503), Reply.reset(), Reply(200, "hello")) as server, fast_retries() as clock:
            assert my_client(server.origin).fetch() == "hello"
        assert len(clock.sleeps) == 2

`FaultServer` is a real server on loopback, so whatever speaks HTTP can be its client. Under pytest, the
fixtures `fault_server`, `virtual_clock` and `fast_retries` are there without an import.
"""

from resilient_session.testing._clock import VirtualClock, fast_retries
from resilient_session.testing._listening import black_hole, refused_url
from resilient_session.testing._recorded import RecordedHeaders, RecordedRequest
from resilient_session.testing._replies import Reply
from resilient_session.testing._server import FaultServer

__all__ = [
    "FaultServer",
    "RecordedHeaders",
    "RecordedRequest",
    "Reply",
    "VirtualClock",
    "black_hole",
    "fast_retries",
    "refused_url",
]
