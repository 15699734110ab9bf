"""One server for all: every third answer is a 503, every tenth request loses its connection."""

from __future__ import annotations

import collections
import contextlib
import itertools

import pytest
import requests

from resilient_session.testing import FaultServer, Reply

LOST = Reply(cut="before", by="reset", acts=True)
BUSY = Reply(503, "busy", acts=True)
"""Both may have acted before they failed: who repeats a create after one of these creates twice."""

FINE = Reply(200, '{"ok": true}', headers={"Content-Type": "application/json"})
CALLS = 8


class FaultyServer(FaultServer):
    """Answers as a test says, and fails in between; what was created is in the bodies of POSTs.

    Args:
        answer: what it answers when it does not fail, or a function that says so.
        options: as for `FaultServer`.
    """

    def __init__(self, answer=FINE, **options):
        self.answer = answer
        self._turns = itertools.count(1)
        super().__init__(default=self.fail_or_answer, **options)

    def fail_or_answer(self, request):
        turn = next(self._turns)
        if turn % 10 == 0:
            return LOST
        if turn % 3 == 0:
            return BUSY
        return self.answer(request) if callable(self.answer) else self.answer

    def doubled(self):
        """List the creates that took effect more than once."""
        acted = (one.body for one in self.requests if one.method == "POST" and one.reply.effective)
        return [body for body, count in collections.Counter(acted).items() if count > 1]


@pytest.fixture
def faulty(fast_retries):
    """Start such servers; they end with the test, and nobody waits for long."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(FaultyServer(*args, **options))


@pytest.fixture
def keeps_promises():
    """Check a client's two ways to call: all reads succeed, some of them late, and no create is doubled."""

    def check(server, read, create, raises=requests.RequestException):
        before = len(server.requests)
        for _ in range(CALLS):
            assert read()
        assert len(server.requests) > before + CALLS
        for number in range(CALLS):
            with contextlib.suppress(raises):
                create(f"order {number}")
        assert server.effects() >= CALLS
        assert server.doubled() == []

    return check
