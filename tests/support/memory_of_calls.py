"""Print what calls with a session each leave in memory, in a process in which nothing else takes any.

``memory_of_calls.py CALLS`` prints the bytes gained by each of five times so many calls, after two to warm up.
"""

from __future__ import annotations

import gc
import itertools
import sys
import tracemalloc

from resilient_session import resilient_session
from resilient_session.testing import FaultServer, Reply


def main(calls):
    """Make the calls, and print what each round gained."""
    with FaultServer(default=Reply(200, "ok")) as server:
        url = server.url("/")

        def held():
            for _ in range(calls):
                resilient_session(logger=None).get(url)
            server._state._requests.clear()  # what the server recorded is not the sessions'
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        held()
        rounds = [held() for _ in range(6)]
    sys.stdout.write(" ".join(str(after - before) for before, after in itertools.pairwise(rounds)))


if __name__ == "__main__":
    main(int(sys.argv[1]))
