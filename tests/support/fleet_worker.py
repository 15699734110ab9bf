"""One process of a fleet: it calls origins through storm control, as fast as that allows.

``python fleet_worker.py STORE SECONDS RATE HOURS PAUSE URL...``: RATE may be "none", HOURS are what its wall clock
is wrong by, PAUSE the seconds between calls. It says that it is ready, waits for a line, and at the end prints how
many calls it made to each URL.
"""

from __future__ import annotations

import json
import sys
import threading
import time

real_time = time.time
if __name__ == "__main__":
    time.time = lambda: real_time() + 3600 * float(sys.argv[4])

import requests  # noqa: E402 - after its clock is wrong

from resilient_session._config._limit_kinds import StoreUrl  # noqa: E402
from resilient_session._config._rate import Rates  # noqa: E402
from resilient_session._limits._circuit import Result  # noqa: E402
from resilient_session._limits._gate import Refused  # noqa: E402
from resilient_session._limits._limits import Limits  # noqa: E402
from resilient_session._policy._server_delay import delay_for_all  # noqa: E402


def call(limits, session, url, end, pause):
    """Call until the end; return how often."""
    count = 0
    while (left := end - time.monotonic()) > 0:
        request = requests.Request("GET", url, headers={"Connection": "keep-alive"}).prepare()
        gate = limits.gate(request)
        if isinstance(gate.enter(left), Refused):
            time.sleep(0.01)
            continue
        request.headers["X-Sent"] = str(time.monotonic())
        response = session.send(request)
        gate.settle(
            Result.LIMITED if response.status_code == 429 else Result.OK,
            delay_for_all(response.status_code, response.headers, time.time()),
        )
        count += 1
        time.sleep(pause)
    return count


def main(store, seconds, rate, _hours, pause, *urls):
    limits = Limits(
        rate_limit=None if rate == "none" else Rates.of(rate),
        cool_down=True,
        store=StoreUrl(store),
        retry_after_max=60,
    )
    limits.gate(requests.Request("GET", "http://warm.test/").prepare()).enter()
    counts = {}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    end = time.monotonic() + float(seconds)

    def work(url):
        counts[url] = call(limits, requests.Session(), url, end, float(pause))

    threads = [threading.Thread(target=work, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(f"{json.dumps(counts)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
