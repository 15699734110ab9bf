"""Which address of a host was connected to past others, so that the next connection starts there.

Kept for the process, because a session may live for one call only. A winner that passed nobody is not remembered:
round robin by names goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resilient_session._time import monotonic

if TYPE_CHECKING:
    from collections.abc import Callable

    from resilient_session._transport._resolver import Address

LIFETIME = 600.0
"""Seconds (RFC 8305 section 4): then the order of the name server counts again."""

MOST_HOSTS = 1024
"""Hosts to remember. Beyond it all are forgotten, which costs one head start per host that has a dead address."""


class Winners:
    """The addresses to start with, per host.

    There is no lock, for each operation is a single one of a dict: a forked child inherits nothing that is held.

    Args:
        now: returns seconds of monotonic time.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._winners: dict[str, tuple[str, float]] = {}

    def first(self, host: str, addresses: list[Address]) -> list[Address]:
        """Return the addresses with the winner first, if the name still has it and it is not too old."""
        winner, until = self._winners.get(host, ("", 0.0))
        if self._now() >= until:
            return addresses
        return sorted(addresses, key=lambda address: address.host != winner)

    def remember(self, host: str, winner: Address) -> None:
        """Start with this address for the next ten minutes."""
        if len(self._winners) >= MOST_HOSTS and host not in self._winners:
            self._winners.clear()
        self._winners[host] = winner.host, self._now() + LIFETIME

    def forget(self, host: str) -> None:
        """Keep the order of the name server again, because a connection to the host failed."""
        self._winners.pop(host, None)
