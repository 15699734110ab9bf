"""TLS contexts of servers: those that tests share are fixtures, and who changes one makes it here."""

from __future__ import annotations

import os
import ssl
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trustme

ORIGIN = "origin.test"
"""A name that nothing resolves: only a proxy leads there."""


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """Make the TLS context of a server that an authority vouches for, by these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def settled(path):
    """Return the path of a file once it is old enough for its time stamp to tell the next change of it."""
    while time.time_ns() - os.stat(path).st_ctime_ns < 30_000_000:  # noqa: PTH116
        time.sleep(0.005)
    return str(path)
